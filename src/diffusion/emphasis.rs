//! Emphasis in prompts: `(words:1.3)`, `(words)` for 1.1, `[words]` for 1 / 1.1; `\(` is a bracket. The grammar is the
//! one that users of other programs know.

/// What brackets without a number multiply by.
const STEP: f32 = 1.1;
/// The most that a weight may be: beyond there is only noise.
const MOST: f32 = 10.0;

/// A prompt in pieces, each with its weight.
pub(super) fn pieces(prompt: &str) -> Vec<(String, f32)> {
    let mut pieces: Vec<(String, f32)> = vec![(String::new(), 1.0)];
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut letters = prompt.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let next = letters.clone().next();
                let escaped = next.filter(|next| "()[]\\".contains(*next));
                if escaped.is_some() {
                    letters.next();
                }
                push(&mut pieces, escaped.unwrap_or('\\'));
            }
            '(' | '[' => {
                open.push((letter, pieces.len()));
                pieces.push((String::new(), 1.0));
            }
            ')' | ']' => match open.last() {
                Some(&(bracket, first)) if (bracket == '(') == (letter == ')') => {
                    open.pop();
                    let factor = if bracket == '[' { 1.0 / STEP } else { number(&mut pieces).unwrap_or(STEP) };
                    pieces[first..].iter_mut().for_each(|(_, weight)| *weight = (*weight * factor).clamp(0.0, MOST));
                    pieces.push((String::new(), 1.0));
                }
                _ => push(&mut pieces, letter),
            },
            _ => push(&mut pieces, letter),
        }
    }
    // A bracket that nobody closed is a letter like any other.
    for (bracket, first) in open {
        if let Some((text, _)) = pieces.get_mut(first) {
            text.insert(0, bracket);
        }
    }
    pieces.retain(|(text, _)| !text.trim().is_empty());
    pieces
}

fn push(pieces: &mut [(String, f32)], letter: char) {
    if let Some((text, _)) = pieces.last_mut() {
        text.push(letter);
    }
}

/// Takes `:1.3` off the end of what was just read.
fn number(pieces: &mut [(String, f32)]) -> Option<f32> {
    let (text, _) = pieces.last_mut()?;
    let (words, digits) = text.rsplit_once(':')?;
    let (whole, rest) = digits.trim().split_once('.').unwrap_or((digits.trim(), ""));
    let all_digits = |text: &str| text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && rest.is_empty()) || !all_digits(whole) || !all_digits(rest) {
        return None;
    }
    let value = |text: &str| text.bytes().fold(0.0f32, |value, byte| value * 10.0 + f32::from(byte - b'0'));
    let scale = rest.bytes().fold(1.0f32, |scale, _| scale * 10.0);
    let weight = value(whole) + value(rest) / scale;
    *text = words.to_owned();
    Some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_weigh() {
        let check = |prompt: &str, expected: &[(&str, f32)]| {
            let found = pieces(prompt);
            assert_eq!(found.len(), expected.len(), "{prompt}: {found:?}");
            for ((text, weight), (words, wanted)) in found.iter().zip(expected) {
                assert!(text.trim() == *words && (weight - wanted).abs() < 1e-5, "{prompt}: {found:?}");
            }
        };
        check("a red ball", &[("a red ball", 1.0)]);
        check("a (red:1.3) ball", &[("a", 1.0), ("red", 1.3), ("ball", 1.0)]);
        check("(red) [blue]", &[("red", 1.1), ("blue", 1.0 / 1.1)]);
        check("((red:2) cube)", &[("red", 2.2), ("cube", 1.1)]);
        check("a \\(red\\) (ball:x)", &[("a (red)", 1.0), ("ball:x", 1.1)]);
        check("(open [wrong) x", &[("(open", 1.0), ("[wrong) x", 1.0)]);
        check("(big:99)", &[("big", 10.0)]);
        check("", &[]);
    }
}

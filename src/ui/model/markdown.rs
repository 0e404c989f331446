//! Markdown as a tree of nodes. Raw HTML becomes text, and only harmless addresses become links.
//!
//! A parser of our own, for the part of Markdown that a page's notes use: a complete one was a sixth of the whole
//! download.

use crate::value::cut;

/// A node of rendered Markdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Markup {
    /// Text as it is.
    Text(String),
    /// Code as it is.
    Code(String),
    /// A forced line break.
    Break,
    /// A line across.
    Rule,
    /// An element with children: its HTML name, of a fixed set.
    Element(&'static str, Vec<Markup>),
    /// A link to an address that was found harmless.
    Link(String, Vec<Markup>),
}

/// Parses headings, paragraphs, lists, quotes, fenced code, rules, and inline emphasis, code, links and breaks.
///
/// ```
/// use gradus::ui::model::markdown::{Markup, parse};
/// let tree = parse("<b>**bold**</b>");
/// assert!(matches!(&tree[..], [Markup::Element("p", parts)] if parts[0] == Markup::Text("<b>".into())));
/// ```
#[must_use]
pub fn parse(source: &str) -> Vec<Markup> {
    blocks(source, 0)
}

/// Quotes inside of quotes that are drawn as such; deeper ones are text, so that no text can exhaust the stack.
const DEEPEST: u32 = 8;

fn blocks(source: &str, depth: u32) -> Vec<Markup> {
    let lines: Vec<&str> = source.lines().collect();
    let mut nodes = Vec::new();
    let mut at = 0;
    while let Some(&line) = lines.get(at) {
        let (node, used) = block(line, &lines[at..], depth);
        nodes.extend(node);
        at += used.max(1);
    }
    nodes
}

/// The block that begins with a line, and how many lines it takes.
fn block(line: &str, rest: &[&str], depth: u32) -> (Option<Markup>, usize) {
    let plain = line.trim();
    if plain.is_empty() {
        return (None, 1);
    }
    if plain.starts_with("```") {
        let end = rest.iter().skip(1).position(|line| line.trim().starts_with("```")).map_or(rest.len(), |end| end + 1);
        let code = rest[1..end.min(rest.len())].iter().map(|line| format!("{line}\n")).collect();
        return (Some(Markup::Element("pre", vec![Markup::Text(code)])), end + 1);
    }
    if is_rule(plain) {
        return (Some(Markup::Rule), 1);
    }
    if let Some((name, text)) = heading(plain) {
        return (Some(Markup::Element(name, inline(text))), 1);
    }
    if plain.starts_with('>') && depth < DEEPEST {
        let quoted: Vec<&str> =
            rest.iter().map_while(|line| line.trim().strip_prefix('>')).map(str::trim_start).collect();
        return (Some(Markup::Element("blockquote", blocks(&quoted.join("\n"), depth + 1))), quoted.len());
    }
    for (name, marker) in [("ul", bullet as fn(&str) -> Option<&str>), ("ol", numbered)] {
        let items: Vec<&str> = rest.iter().map_while(|line| marker(line.trim())).collect();
        if !items.is_empty() {
            let used = items.len();
            let items = items.into_iter().map(|item| Markup::Element("li", inline(item))).collect();
            return (Some(Markup::Element(name, items)), used);
        }
    }
    let more = rest.iter().skip(1).take_while(|line| continues(line.trim())).count();
    (Some(Markup::Element("p", inline(&rest[..=more].join("\n")))), more + 1)
}

fn is_rule(line: &str) -> bool {
    line.len() >= 3 && ['-', '*', '_'].iter().any(|&mark| line.chars().all(|c| c == mark || c.is_whitespace()))
}

fn heading(line: &str) -> Option<(&'static str, &str)> {
    let behind = line.trim_start_matches('#');
    let text = behind.strip_prefix(' ')?;
    // The page's own heading is above.
    let name = match line.len() - behind.len() {
        1 | 2 => "h2",
        3 => "h3",
        4..=6 => "h4",
        _ => return None,
    };
    Some((name, text.trim().trim_end_matches('#').trim_end()))
}

fn bullet(line: &str) -> Option<&str> {
    ["- ", "* ", "+ "].iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim)
}

fn numbered(line: &str) -> Option<&str> {
    let behind = line.trim_start_matches(|c: char| c.is_ascii_digit());
    behind.strip_prefix(". ").filter(|_| behind.len() < line.len()).map(str::trim)
}

/// Whether a line goes on with the paragraph above it.
fn continues(line: &str) -> bool {
    !line.is_empty()
        && !line.starts_with("```")
        && !line.starts_with('>')
        && !is_rule(line)
        && heading(line).is_none()
        && bullet(line).is_none()
        && numbered(line).is_none()
}

/// Text with emphasis, code, links and breaks.
fn inline(text: &str) -> Vec<Markup> {
    let mut nodes = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    loop {
        let mut behind = rest.chars();
        let Some(first) = behind.next() else { break };
        if let Some((node, after)) = span(rest) {
            if !plain.is_empty() {
                nodes.push(Markup::Text(std::mem::take(&mut plain)));
            }
            nodes.extend(node);
            rest = after;
            continue;
        }
        let mut escaped = behind.clone();
        if let Some(sign) = escaped.next().filter(|sign| first == '\\' && sign.is_ascii_punctuation()) {
            plain.push(sign);
            rest = escaped.as_str();
            continue;
        }
        plain.push(first);
        rest = behind.as_str();
    }
    if !plain.is_empty() {
        nodes.push(Markup::Text(plain));
    }
    nodes
}

/// The marked part that a text begins with, and what is behind it.
fn span(text: &str) -> Option<(Vec<Markup>, &str)> {
    let between = |mark: &str| cut(text.strip_prefix(mark)?, mark).filter(|(inner, _)| !inner.is_empty());
    if let Some(after) = text.strip_prefix("  \n") {
        return Some((vec![Markup::Break], after));
    }
    if let Some((code, after)) = between("`") {
        return Some((vec![Markup::Code(code.to_owned())], after));
    }
    for (mark, name) in [("**", "strong"), ("__", "strong"), ("*", "em")] {
        if let Some((inner, after)) = between(mark).filter(|(inner, _)| !inner.starts_with(' ')) {
            return Some((vec![Markup::Element(name, inline(inner))], after));
        }
    }
    if let Some(image) = text.strip_prefix('!') {
        // No picture is fetched from elsewhere; its words stand for it.
        let (label, _, after) = link(image)?;
        return Some((inline(label), after));
    }
    let (label, address, after) = link(text)?;
    let inner = inline(label);
    let node = if is_harmless(address) { vec![Markup::Link(address.to_owned(), inner)] } else { inner };
    Some((node, after))
}

/// `[label](address)`, parentheses in the address balanced.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let inner = text.strip_prefix('[')?;
    let (label, behind) = cut(inner, "](")?;
    if label.contains(['[', ']']) {
        return None;
    }
    let mut depth = 0;
    let end = behind.char_indices().find(|&(_, c)| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth < 0
    })?;
    let (address, after) = behind.get(..end.0).zip(behind.get(end.0 + 1..))?;
    Some((label, address.trim().trim_start_matches('<').trim_end_matches('>'), after))
}

/// Whether an address only leads somewhere: http, https, mailto, or relative.
fn is_harmless(address: &str) -> bool {
    // Browsers leave out control characters and blanks inside a scheme, so they are left out before it is judged.
    let plain: String = address.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
    let scheme = plain.split(['/', '?', '#']).next().and_then(|first| first.split_once(':')).map(|(scheme, _)| scheme);
    scheme.is_none_or(|scheme| ["http", "https", "mailto"].contains(&scheme.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(nodes: &[Markup]) -> String {
        let one = |node: &Markup| match node {
            Markup::Text(text) => text.clone(),
            Markup::Code(text) => format!("`{text}`"),
            Markup::Break => "|".into(),
            Markup::Rule => "---".into(),
            Markup::Element(name, children) => format!("<{name}>{}</{name}>", text(children)),
            Markup::Link(address, children) => format!("[{}]({address})", text(children)),
        };
        nodes.iter().map(one).collect()
    }

    #[test]
    fn formatting() {
        let check = |source: &str, expected: &str| assert_eq!(text(&parse(source)), expected, "{source}");
        check("# A *b*", "<h2>A <em>b</em></h2>");
        check("one **two** `three`", "<p>one <strong>two</strong> `three`</p>");
        check("- a\n- b", "<ul><li>a</li><li>b</li></ul>");
        check("1. a", "<ol><li>a</li></ol>");
        check("```\nx < y\n```", "<pre>x < y\n</pre>");
        check("a  \nb", "<p>a|b</p>");
        check("> q\n\n---", "<blockquote><p>q</p></blockquote>---");
        check("[x](https://example.com)", "<p>[x](https://example.com)</p>");
        check("", "");
        check("a \\*b\\*", "<p>a *b*</p>");
        check("2 * 3 * 4", "<p>2 * 3 * 4</p>");
        check("a\nb\n\nc", "<p>a\nb</p><p>c</p>");
        check("**unclosed", "<p>**unclosed</p>");
        check("[x](a(b)c)", "<p>[x](a(b)c)</p>");
        check("####### x", "<p>####### x</p>");
        check("```\nopen", "<pre>open\n</pre>");
        check("мир *🦄*", "<p>мир <em>🦄</em></p>");
    }

    #[test]
    fn hostile_texts_end() {
        for text in ["[".repeat(5000), "*".repeat(5000), "`".repeat(5001), "> ".repeat(20_000), "![](".repeat(2000)] {
            assert!(!parse(&text).is_empty());
        }
    }

    #[test]
    fn nothing_can_execute() {
        let check = |source: &str, expected: &str| assert_eq!(text(&parse(source)), expected, "{source}");
        check("a <img src=x onerror=alert(1)> b", "<p>a <img src=x onerror=alert(1)> b</p>");
        check("[x](javascript:alert(1))", "<p>x</p>");
        check("[x](JaVaScRiPt:alert(1))", "<p>x</p>");
        check("[x](<java\tscript:alert(1)>)", "<p>x</p>");
        check("[x](data:text/html,a)", "<p>x</p>");
        check("[x](/a:b)", "<p>[x](/a:b)</p>");
        check("![x](https://example.com/a.png)", "<p>x</p>");
    }
}

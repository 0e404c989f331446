//! Marks in texts. The standard library's search for a text inside another is 4 kB of a page, and what a slice of a text
//! says when it fails 5 kB more; the marks that are searched for here are a few characters long.

/// What is before the first such mark, and what is behind it; as `str::split_once`.
///
/// ```
/// use gradus::value::cut;
/// assert_eq!(cut("a::b::c", "::"), Some(("a", "b::c")));
/// assert_eq!(cut("a", "::"), None);
/// ```
#[must_use]
pub fn cut<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let at =
        (0..=text.len()).find(|&at| text.as_bytes().get(at..).is_some_and(|rest| rest.starts_with(mark.as_bytes())))?;
    // A mark is whole characters, so it begins and ends at one's edge.
    text.get(..at).zip(text.get(at + mark.len()..))
}

/// Whether a text has such a mark in it; as `str::contains`.
///
/// ```
/// use gradus::value::holds;
/// assert!(holds("SwiftShader device", "Shader"));
/// ```
#[must_use]
pub fn holds(text: &str, mark: &str) -> bool {
    cut(text, mark).is_some()
}

/// The places of these numbers in the order of their sizes; equal ones in the order in which they come. The standard
/// library's sort is 1 to 3 kB for each type.
///
/// ```
/// assert_eq!(gradus::value::order(&[30, 10, 20]), [1, 2, 0]);
/// ```
#[must_use]
pub fn order(numbers: &[u64]) -> Vec<usize> {
    let places: Vec<(u64, usize)> = numbers.iter().copied().zip(0..).collect();
    std::collections::BinaryHeap::from(places).into_sorted_vec().into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of so many of these characters.
    fn texts(most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut longest = all.clone();
        for _ in 0..most {
            let longer = |text: &String| ['a', ':', '—'].map(|sign| format!("{text}{sign}"));
            longest = longest.iter().flat_map(longer).collect();
            all.extend(longest.iter().cloned());
        }
        all
    }

    #[test]
    fn marks_are_found_as_by_the_standard_library() {
        let marks = texts(3);
        for text in texts(6) {
            for mark in &marks {
                assert_eq!(cut(&text, mark), text.split_once(mark), "{text:?} {mark:?}");
                assert_eq!(holds(&text, mark), text.contains(mark), "{text:?} {mark:?}");
            }
        }
    }

    #[test]
    fn numbers_are_ordered_as_by_the_standard_library() {
        for seed in 0..200u64 {
            let numbers: Vec<u64> = (0..seed % 40).map(|n| (n + 1).wrapping_mul(seed + 7919) % 20).collect();
            let mut expected: Vec<usize> = (0..numbers.len()).collect();
            expected.sort_by_key(|&place| numbers[place]);
            assert_eq!(order(&numbers), expected, "{numbers:?}");
        }
    }
}

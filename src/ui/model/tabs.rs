//! Which tab a key leads to.

/// The tab that a key leads to from the tab `at`, of `count`; `None` for a key that means nothing here.
///
/// ```
/// use gradus::ui::model::tabs::after;
/// assert_eq!(after("ArrowRight", 2, 3), Some(0));
/// ```
#[must_use]
pub fn after(key: &str, at: usize, count: usize) -> Option<usize> {
    let last = count.checked_sub(1)?;
    Some(match key {
        "ArrowRight" if at >= last => 0,
        "ArrowRight" => at + 1,
        "ArrowLeft" if at == 0 => last,
        "ArrowLeft" => at - 1,
        "Home" => 0,
        "End" => last,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let check = |key, at, count, expected| assert_eq!(after(key, at, count), expected, "{key} {at} {count}");
        check("ArrowRight", 0, 3, Some(1));
        check("ArrowRight", 2, 3, Some(0));
        check("ArrowLeft", 0, 3, Some(2));
        check("ArrowLeft", 2, 3, Some(1));
        check("Home", 2, 3, Some(0));
        check("End", 0, 3, Some(2));
        check("ArrowDown", 0, 3, None);
        check("ArrowLeft", 0, 1, Some(0));
        check("End", 0, 0, None);
    }
}

//! Which row shows which of the things that come and go.

/// A row, and the key of what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The row, among those that are there together.
    pub row: u64,
    /// What it shows.
    pub key: u64,
}

/// The rows for these keys, in their order. What stays keeps its row; what comes takes the row of what went, so that a
/// list whose members all change is written anew and not built anew.
///
/// ```
/// use gradus::ui::model::places::seat;
/// let first = seat(&[], &[7, 8]);
/// let second = seat(&first, &[8, 9]);
/// assert_eq!(second.iter().map(|place| (place.key, place.row)).collect::<Vec<_>>(), [(8, 1), (9, 0)]);
/// ```
#[must_use]
pub fn seat(before: &[Place], keys: &[u64]) -> Vec<Place> {
    let mut free = before.iter().filter(|place| !keys.contains(&place.key)).map(|place| place.row);
    let mut next = before.iter().map(|place| place.row + 1).max().unwrap_or_default();
    let seated = keys.iter().map(|&key| {
        let kept = before.iter().find(|place| place.key == key).map(|place| place.row);
        let row = kept.or_else(|| free.next()).unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        Place { row, key }
    });
    seated.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(places: &[Place]) -> Vec<u64> {
        places.iter().map(|place| place.row).collect()
    }

    #[test]
    fn rows_follow_their_keys() {
        let four = seat(&[], &[10, 11, 12, 13]);
        assert_eq!(rows(&four), [0, 1, 2, 3]);
        let moved = seat(&four, &[13, 10, 11, 12]);
        assert_eq!(rows(&moved), [3, 0, 1, 2], "an order by hand moves rows and gives none to another");
        let gone = seat(&moved, &[10, 12]);
        assert_eq!(rows(&gone), [0, 2]);
        let came = seat(&gone, &[10, 12, 14, 15]);
        assert_eq!(rows(&came), [0, 2, 3, 4]);
    }

    #[test]
    fn who_comes_takes_the_rows_of_who_went() {
        let before = seat(&[], &[1, 2, 3]);
        assert_eq!(rows(&seat(&before, &[4, 5, 6])), [0, 1, 2], "all new: nothing moves");
        assert_eq!(rows(&seat(&before, &[3, 4, 5])), [2, 0, 1]);
        assert_eq!(rows(&seat(&before, &[4, 5, 6, 7])), [0, 1, 2, 3]);
    }

    #[test]
    fn no_row_is_given_twice() {
        let mut places = Vec::new();
        let mut random = 1u64;
        for _ in 0..2000 {
            let mut keys: Vec<u64> = Vec::new();
            for _ in 0..random % 7 {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let key = (random >> 33) % 12;
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407) >> 1;
            let after = seat(&places, &keys);
            assert_eq!(after.iter().map(|place| place.key).collect::<Vec<_>>(), keys);
            let mut seen = rows(&after);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), keys.len(), "{places:?} {after:?}");
            places = after;
        }
    }
}

//! A small ordered map: over what a page holds it is as fast as a B-tree, and a tenth of its code in wasm (a B-tree is
//! compiled anew for each pair of types, 4 kB a time).

use std::borrow::Borrow;
use std::cmp::Ordering;

/// A map in the order of its keys. Adding the greatest key and removing the least are fast whatever the size, which is
/// how ids come and go; elsewhere entries are moved.
///
/// ```
/// use gradus::value::SortedMap;
/// let mut map = SortedMap::default();
/// map.insert(2, "two");
/// map.insert(1, "one");
/// assert_eq!(map.insert(2, "deux"), Some("two"));
/// assert_eq!(map.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [1, 2]);
/// assert_eq!(map.remove(&1), Some("one"));
/// assert_eq!(map.get(&1), None);
/// ```
#[derive(Clone, Debug)]
pub struct SortedMap<K, V> {
    // Behind `first` every place is taken; those before it were removed from the front. std's ring has the same speed, at
    // twice the code for each pair of types.
    places: Vec<Option<(K, V)>>,
    first: usize,
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self { places: Vec::new(), first: 0 }
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for SortedMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for SortedMap<K, V> {}

impl<K: Ord, V> SortedMap<K, V> {
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        let to_key = |place: &Option<(K, V)>| match place {
            Some((other, _)) => other.borrow().cmp(key),
            None => Ordering::Less,
        };
        match self.places.last() {
            Some(last) if to_key(last).is_ge() => self.places.binary_search_by(to_key),
            _ => Err(self.places.len()),
        }
    }

    /// Puts a value under a key; gives the one that was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => self.at(place).map(|old| std::mem::replace(old, value)),
            Err(place) => {
                self.places.insert(place, Some((key, value)));
                None
            }
        }
    }

    /// Takes out what is under a key.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        let entry = self.places.get_mut(place)?.take();
        if place - self.first < self.places.len() - place {
            // The nearer end moves up.
            for place in (self.first..place).rev() {
                self.places.swap(place, place + 1);
            }
            self.first += 1;
            if self.first * 2 > self.places.len() {
                self.places.drain(..self.first);
                self.first = 0;
            }
        } else {
            self.places.remove(place);
        }
        entry.map(|(_, value)| value)
    }

    /// What is under a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.places.get(place)?.as_ref().map(|(_, value)| value)
    }

    /// What is under a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.at(place)
    }

    /// Whether there is anything under a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// What is under a key; `make` gives it where there is nothing.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.find(&key) {
            Ok(place) => place,
            Err(place) => {
                self.places.insert(place, None);
                place
            }
        };
        &mut self.places[place].get_or_insert_with(|| (key, make())).1
    }
}

impl<K, V> SortedMap<K, V> {
    fn at(&mut self, place: usize) -> Option<&mut V> {
        self.places.get_mut(place)?.as_mut().map(|(_, value)| value)
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.places.iter().flatten().map(|(key, value)| (key, value))
    }

    /// All keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// All values in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// All values in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.places.iter_mut().flatten().map(|(_, value)| value)
    }

    /// Keeps the entries for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.places.retain_mut(|place| place.as_mut().is_some_and(|(key, value)| keep(key, value)));
        self.first = 0;
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.first
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Option<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.places.into_iter().flatten()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::default();
        map.extend(entries);
        map
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

/// A set in the order of its members; see [`SortedMap`].
///
/// ```
/// use gradus::value::SortedSet;
/// let mut set = SortedSet::default();
/// assert!(set.insert(3) && set.insert(1) && !set.insert(3));
/// assert_eq!(set.iter().copied().collect::<Vec<_>>(), [1, 3]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedSet<K>(SortedMap<K, ()>);

impl<K> Default for SortedSet<K> {
    fn default() -> Self {
        Self(SortedMap::default())
    }
}

impl<K: Ord> SortedSet<K> {
    /// Adds a member; `false` when it was there.
    pub fn insert(&mut self, key: K) -> bool {
        self.0.insert(key, ()).is_none()
    }

    /// Takes a member out; `false` when it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.remove(key).is_some()
    }

    /// Whether it is a member.
    pub fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }
}

impl<K> SortedSet<K> {
    /// All members in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.keys()
    }

    /// The least member.
    #[must_use]
    pub fn first(&self) -> Option<&K> {
        self.0.keys().next()
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord> Extend<K> for SortedSet<K> {
    fn extend<I: IntoIterator<Item = K>>(&mut self, keys: I) {
        self.0.extend(keys.into_iter().map(|key| (key, ())));
    }
}

impl<K: Ord> FromIterator<K> for SortedSet<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = Self::default();
        set.extend(keys);
        set
    }
}

impl<K> IntoIterator for SortedSet<K> {
    type Item = K;
    type IntoIter = std::iter::Map<std::iter::Flatten<std::vec::IntoIter<Option<(K, ())>>>, fn((K, ())) -> K>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(key, ())| key)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_is_a_map() {
        let mut map = SortedMap::default();
        let mut model = BTreeMap::new();
        let mut random = 1u32;
        for step in 0..20_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = random >> 25;
            match random >> 8 & 3 {
                0 | 1 => assert_eq!(map.insert(key, step), model.insert(key, step)),
                2 => assert_eq!(map.remove(&key), model.remove(&key)),
                _ => assert_eq!(map.get_or_insert_with(key, || 7), model.entry(key).or_insert(7)),
            }
            assert_eq!(map.get(&key), model.get(&key));
        }
        assert!(map.iter().eq(model.iter()) && map.len() == model.len());
    }
}

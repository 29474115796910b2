//! A map of a file: keys in the order of their letters, one behind the other in memory.
//!
//! Most maps have a handful of keys, and a project has thousands of maps that are walked again and again: a tree's
//! nodes would be mostly air. Many keys at once are sorted in, not inserted one by one.

use crate::node::Entry;

/// Names and their entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Map(Vec<(String, Entry)>);

impl Map {
    pub(crate) fn new() -> Map {
        Map::default()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(name, _)| name.as_str().cmp(key))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.find(key).ok().map(|n| &self.0[n].1)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Entry> {
        let n = self.find(key).ok()?;
        Some(&mut self.0[n].1)
    }

    pub(crate) fn contains_key(&self, key: &str) -> bool {
        self.find(key).is_ok()
    }

    /// Puts an entry in the place of the one that was there.
    pub(crate) fn insert(&mut self, key: String, entry: Entry) {
        match self.find(&key) {
            Ok(n) => self.0[n].1 = entry,
            Err(n) => self.0.insert(n, (key, entry)),
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> Option<Entry> {
        let n = self.find(key).ok()?;
        Some(self.0.remove(n).1)
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&String, &mut Entry) -> bool) {
        self.0.retain_mut(|(key, entry)| keep(key, entry));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Entry)> + Clone {
        self.0.iter().map(|(key, entry)| (key, entry))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Entry)> {
        self.0.iter_mut().map(|(key, entry)| (&*key, entry))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut().map(|(_, entry)| entry)
    }

    /// Entries in any order; the first that has a name again comes back with the place of the one before.
    pub(crate) fn of_distinct(
        mut entries: Vec<(String, Entry)>,
    ) -> Result<Map, (Entry, Entry, String)> {
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        match entries.windows(2).position(|two| two[0].0 == two[1].0) {
            None => Ok(Map(entries)),
            Some(n) => {
                let (key, second) = entries.swap_remove(n + 1);
                Err((entries.swap_remove(n).1, second, key))
            }
        }
    }
}

/// Of one name the later entry stays.
impl Extend<(String, Entry)> for Map {
    fn extend<T: IntoIterator<Item = (String, Entry)>>(&mut self, entries: T) {
        self.0.extend(entries);
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self.0.reverse();
        self.0.dedup_by(|a, b| a.0 == b.0);
        self.0.reverse();
    }
}

impl FromIterator<(String, Entry)> for Map {
    fn from_iter<T: IntoIterator<Item = (String, Entry)>>(entries: T) -> Map {
        let mut map = Map::new();
        map.extend(entries);
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Entry);
    type IntoIter = std::vec::IntoIter<(String, Entry)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

type Pair<'a> = fn(&'a (String, Entry)) -> (&'a String, &'a Entry);
type PairMut<'a> = fn(&'a mut (String, Entry)) -> (&'a String, &'a mut Entry);

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a String, &'a Entry);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (String, Entry)>, Pair<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, entry)| (key, entry))
    }
}

impl<'a> IntoIterator for &'a mut Map {
    type Item = (&'a String, &'a mut Entry);
    type IntoIter = std::iter::Map<std::slice::IterMut<'a, (String, Entry)>, PairMut<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut().map(|(key, entry)| (&*key, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{Node, Place};

    fn entry(text: &str) -> Entry {
        Entry {
            at: Place::default(),
            node: Node::text(Place::default(), text),
        }
    }

    #[test]
    fn keys_are_in_order_and_the_later_entry_stays() {
        let pairs = [("c", "1"), ("a", "2"), ("c", "3"), ("b", "4")];
        let mut map: Map = pairs
            .map(|(key, text)| (key.to_owned(), entry(text)))
            .into_iter()
            .collect();
        map.extend([("a".to_owned(), entry("5")), ("0".to_owned(), entry("6"))]);
        map.insert("b".to_owned(), entry("7"));
        let all: Vec<_> = map
            .iter()
            .map(|(key, entry)| format!("{key}{}", entry.node.as_text().unwrap()))
            .collect();
        assert_eq!(all, ["06", "a5", "b7", "c3"]);
        assert!(map.remove("a").is_some() && map.remove("a").is_none());
        assert_eq!(
            (map.keys().count(), map.contains_key("c"), map.is_empty()),
            (3, true, false)
        );
    }

    #[test]
    fn what_is_there_twice_is_told() {
        let entries = ["b", "a", "b"]
            .map(|key| (key.to_owned(), entry(key)))
            .to_vec();
        let (_, _, key) = Map::of_distinct(entries).unwrap_err();
        assert_eq!(key, "b");
    }
}

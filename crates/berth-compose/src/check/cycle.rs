//! Services that wait for each other would wait for ever.

use std::collections::BTreeMap;

use super::Check;
use crate::node::Node;

/// How far a service is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Done,
}

impl<'a> Check<'a> {
    pub(super) fn cycles(&mut self) {
        let mut states: BTreeMap<&'a str, State> = BTreeMap::new();
        let tree = self.tree;
        for (name, _) in tree.get("services").into_iter().flat_map(Node::entries) {
            if !states.contains_key(name.as_str()) && self.walk(name, &mut states) {
                return;
            }
        }
    }

    /// Follows what a service depends on, without recursion: chains may be long.
    fn walk(&mut self, from: &'a str, states: &mut BTreeMap<&'a str, State>) -> bool {
        let tree = self.tree;
        let of = |name: &str| {
            let service = tree.get("services").and_then(|services| services.get(name));
            let depends = service.and_then(|service| service.get("depends_on"));
            let map = depends.and_then(Node::as_map);
            map.into_iter().flatten()
        };
        let mut way = vec![(from, of(from))];
        states.insert(from, State::Open);
        while let Some((name, rest)) = way.last_mut() {
            let name = *name;
            let Some((next, entry)) = rest.next() else {
                states.insert(name, State::Done);
                way.pop();
                continue;
            };
            match states.get(next.as_str()) {
                Some(State::Done) => {}
                Some(State::Open) => {
                    let begin = way
                        .iter()
                        .position(|(name, _)| *name == next)
                        .unwrap_or_default();
                    let circle: Vec<&str> = way[begin..]
                        .iter()
                        .map(|(name, _)| *name)
                        .chain([next.as_str()])
                        .collect();
                    let text = format!("services wait for each other: {}", circle.join(" → "));
                    let path = format_args!("services.{name}.depends_on.{next}");
                    self.problem(entry.at, path, text, "remove one of these dependencies");
                    return true;
                }
                None => {
                    states.insert(next, State::Open);
                    way.push((next, of(next)));
                }
            }
        }
        false
    }
}

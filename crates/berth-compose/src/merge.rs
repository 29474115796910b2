//! Two trees become one: the later over the earlier one.
//!
//! Maps become one map, lists one list (some with one item for each key, some the later one), and of two scalars the
//! later one stays. `!reset` and `!override` take away what is below them; they keep their tags until [`strip`],
//! since what they lie over may itself come over something.
//!
//! Source: the Compose Specification, "Merge".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use crate::node::{Map, Node, Tag, Value};
use crate::shape::{Join, Shape};

/// `over` laid over `base`.
pub(crate) fn merge(base: Node, mut over: Node, shape: &'static Shape) -> Node {
    if over.tag != Tag::None {
        return over;
    }
    if base.tag == Tag::Reset {
        // What is further below stays away.
        over.tag = Tag::Override;
        return over;
    }
    if matches!(shape, Shape::Union(union) if union.replace) {
        return over;
    }
    let known = shape.of(&over);
    let (at, tag) = (over.at, base.tag);
    let value = match (base.value, over.value) {
        (base, Value::Null) => base,
        (Value::Map(base), Value::Map(over)) => Value::Map(maps(base, over, known)),
        (Value::List(base), Value::List(over)) => Value::List(lists(base, over, known)),
        (_, over) => over,
    };
    Node {
        at,
        value,
        tag,
        interpolated: over.interpolated,
    }
}

fn maps(mut base: Map, over: Map, shape: &'static Shape) -> Map {
    if let Shape::Struct(known) = shape {
        let differ = known.same.is_some_and(|key| {
            matches!((base.get(key), over.get(key)), (Some(base), Some(over)) if base.node != over.node)
        });
        if differ {
            return over;
        }
    }
    let is_pairs = matches!(shape, Shape::Pairs(_));
    let mut new = Vec::new();
    for (key, mut entry) in over {
        match base.get_mut(&key) {
            Some(below) => {
                if !is_pairs {
                    let below = std::mem::take(&mut below.node);
                    entry.node = merge(below, entry.node, shape.key(&key));
                }
                *below = entry;
            }
            None => new.push((key, entry)),
        }
    }
    base.extend(new);
    base
}

fn lists(mut base: Vec<Node>, over: Vec<Node>, shape: &'static Shape) -> Vec<Node> {
    let join = match shape {
        Shape::List(list) => list.join,
        _ => Join::Append,
    };
    match join {
        Join::Replace => over,
        Join::Append => {
            base.extend(over);
            base
        }
        Join::Unique(key) => {
            base.extend(over);
            unique(base, key)
        }
    }
}

/// One item for each key: the later one, where the earlier one was.
pub(crate) fn unique(items: Vec<Node>, key: fn(&Node) -> String) -> Vec<Node> {
    if items.len() < 2 {
        return items;
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut out: Vec<Node> = Vec::with_capacity(items.len());
    for item in items {
        match places.entry(key(&item)) {
            Slot::Occupied(place) => out[*place.get()] = item,
            Slot::Vacant(place) => {
                place.insert(out.len());
                out.push(item);
            }
        }
    }
    out
}

/// Takes away what `!reset` stands at, and all tags.
pub(crate) fn strip(node: &mut Node) {
    node.tag = Tag::None;
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|_, entry| entry.node.tag != Tag::Reset);
            map.values_mut().for_each(|entry| strip(&mut entry.node));
        }
        Value::List(list) => {
            list.retain(|item| item.tag != Tag::Reset);
            list.iter_mut().for_each(strip);
        }
        _ => {}
    }
}

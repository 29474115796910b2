//! Documents that the schema allows, and documents with something changed in them.

use serde_json::{Map, Value as Json, json};

use super::judge;

/// Numbers in a row from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % most as u64) as usize
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A document that the schema allows.
pub fn document(schema: &Json, seed: u64) -> Json {
    make(schema, schema, &mut Dice(seed))
}

fn make(root: &Json, schema: &Json, dice: &mut Dice) -> Json {
    let schema = judge::resolve(root, schema);
    if let Some(of) = schema["oneOf"].as_array() {
        return make(root, dice.one_of(of), dice);
    }
    if let Some(known) = schema["enum"].as_array() {
        return dice.one_of(known).clone();
    }
    let kind = match &schema["type"] {
        Json::String(name) => name.as_str(),
        Json::Array(names) => dice.one_of(names).as_str().unwrap_or("null"),
        _ => "string",
    };
    match kind {
        "null" => Json::Null,
        "boolean" => json!(dice.below(2) == 0),
        "integer" => whole(schema, dice),
        "number" => match dice.below(2) {
            0 => whole(schema, dice),
            _ => json!(dice.below(100) as f64 / 8.0),
        },
        "string" => json!(*dice.one_of(&[
            "1", "a", "true", "1m", "./x", "a=b", "2s", "80:80", "/a:/b", "no"
        ])),
        "array" => list(root, schema, dice),
        _ => map(root, schema, dice),
    }
}

fn whole(schema: &Json, dice: &mut Dice) -> Json {
    let least = schema["minimum"].as_i64().unwrap_or(0);
    json!(least + dice.below(50) as i64)
}

fn list(root: &Json, schema: &Json, dice: &mut Dice) -> Json {
    let count = dice.below(4);
    let mut items: Vec<Json> = Vec::new();
    for _ in 0..count {
        let item = make(root, &schema["items"], dice);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Json::Array(items)
}

fn map(root: &Json, schema: &Json, dice: &mut Dice) -> Json {
    let mut map = Map::new();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let properties: Vec<_> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .collect();
    // Of many keys a few, so that documents stay small and all keys get their turn.
    let share = 1 + properties.len() / 5;
    for (key, known) in properties {
        if required.contains(&key.as_str()) || dice.below(share) == 0 {
            map.insert(key.clone(), make(root, known, dice));
        }
    }
    for (pattern, known) in schema["patternProperties"]
        .as_object()
        .into_iter()
        .flatten()
    {
        for _ in 0..dice.below(3) {
            let name = *dice.one_of(&["a", "b", "c"]);
            let key = if pattern == "^x-" {
                format!("x-{name}")
            } else {
                name.to_owned()
            };
            map.insert(key, make(root, known, dice));
        }
    }
    Json::Object(map)
}

/// Changes one value or key somewhere.
pub fn spoil(document: &mut Json, seed: u64) {
    let mut dice = Dice(seed);
    let count = size(document);
    let nth = dice.below(count);
    change(document, &mut { nth }, &mut dice);
}

fn size(value: &Json) -> usize {
    1 + match value {
        Json::Array(items) => items.iter().map(size).sum::<usize>(),
        Json::Object(map) => map.values().map(size).sum::<usize>(),
        _ => 0,
    }
}

fn change(value: &mut Json, left: &mut usize, dice: &mut Dice) -> bool {
    if *left == 0 {
        spoil_one(value, dice);
        return true;
    }
    *left -= 1;
    match value {
        Json::Array(items) => items.iter_mut().any(|item| change(item, left, dice)),
        Json::Object(map) => map.values_mut().any(|item| change(item, left, dice)),
        _ => false,
    }
}

fn spoil_one(value: &mut Json, dice: &mut Dice) {
    match (&mut *value, dice.below(3)) {
        (Json::Object(map), 0) => {
            map.insert("unknown_key".to_owned(), json!("a"));
        }
        (Json::Object(map), 1) => {
            let first = map.keys().next().cloned();
            first.map(|key| map.remove(&key));
        }
        (Json::Array(items), 0) if !items.is_empty() => items.push(items[0].clone()),
        _ => {
            *value = dice
                .one_of(&[
                    Json::Null,
                    json!(true),
                    json!(7),
                    json!(0.5),
                    json!("a"),
                    json!([]),
                    json!({}),
                    json!([["a"]]),
                    json!({"a": {"a": {}}}),
                    json!(-5000),
                ])
                .clone();
        }
    }
}

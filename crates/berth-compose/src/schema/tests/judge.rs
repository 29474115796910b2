//! As much of a JSON schema's validator as the specification's schema needs.

use serde_json::Value as Json;

/// Follows `$ref`.
pub fn resolve<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    match schema["$ref"].as_str() {
        Some(path) => {
            let name = path.strip_prefix("#/definitions/").expect("a definition");
            resolve(root, &root["definitions"][name])
        }
        None => schema,
    }
}

/// Whether a value is what the schema says.
pub fn valid(root: &Json, schema: &Json, value: &Json) -> bool {
    let schema = resolve(root, schema);
    has_type(&schema["type"], value)
        && schema["enum"]
            .as_array()
            .is_none_or(|known| known.contains(value))
        && in_range(schema, value)
        && object(root, schema, value)
        && array(root, schema, value)
        && schema["oneOf"]
            .as_array()
            .is_none_or(|of| of.iter().filter(|one| valid(root, one, value)).count() == 1)
}

fn has_type(types: &Json, value: &Json) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        name => panic!("unknown type {name}"),
    };
    match types {
        Json::Null => true,
        Json::String(name) => is(name),
        types => types
            .as_array()
            .into_iter()
            .flatten()
            .any(|name| name.as_str().is_some_and(is)),
    }
}

fn in_range(schema: &Json, value: &Json) -> bool {
    let Some(number) = value.as_f64() else {
        return true;
    };
    schema["minimum"]
        .as_f64()
        .is_none_or(|least| number >= least)
        && schema["maximum"].as_f64().is_none_or(|most| number <= most)
}

fn object(root: &Json, schema: &Json, value: &Json) -> bool {
    let Some(map) = value.as_object() else {
        return true;
    };
    let required = schema["required"].as_array().into_iter().flatten();
    let mut required = required.filter_map(Json::as_str);
    required.all(|key| map.contains_key(key))
        && map.iter().all(|(key, value)| {
            if let Some(known) = schema["properties"].get(key) {
                return valid(root, known, value);
            }
            let patterns = schema["patternProperties"].as_object();
            let found = patterns
                .into_iter()
                .flatten()
                .find(|(pattern, _)| matches(pattern, key));
            match found {
                Some((_, known)) => valid(root, known, value),
                None => schema["additionalProperties"] != Json::Bool(false),
            }
        })
}

fn array(root: &Json, schema: &Json, value: &Json) -> bool {
    let Some(items) = value.as_array() else {
        return true;
    };
    let known = &schema["items"];
    let distinct = schema["uniqueItems"] == Json::Bool(true);
    (known.is_null() || items.iter().all(|item| valid(root, known, item)))
        && !(distinct
            && items
                .iter()
                .enumerate()
                .any(|(n, item)| items[..n].contains(item)))
}

/// Whether a key is as a pattern says; the patterns are those of the schema.
pub fn matches(pattern: &str, key: &str) -> bool {
    match pattern {
        "^x-" => key.starts_with("x-"),
        ".+" | "^.+$" => !key.is_empty(),
        "^[a-z]+$" => !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase()),
        "^[a-zA-Z0-9._-]+$" => {
            !key.is_empty()
                && key
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        }
        pattern => panic!("unknown pattern {pattern}"),
    }
}

//! Docker's definitions of the API, and what an answer lacks of them.
//!
//! Strict where the definitions are: types, required and unknown properties, enumerations. Null stands for any value
//! that is not required, as dockerd uses it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

/// The definitions of one version.
pub struct Definition {
    name: &'static str,
    document: Value,
}

/// Those of the API that a path's version stands for.
pub fn of(path: &str) -> &'static Definition {
    static OLD: OnceLock<Definition> = OnceLock::new();
    static NEW: OnceLock<Definition> = OnceLock::new();
    let load = |name, text| Definition {
        name,
        document: serde_json::from_str(text).expect("our copy is JSON"),
    };
    match path.starts_with("/v1.4") {
        true => OLD.get_or_init(|| load("1.41", include_str!("definitions/v1.41.json"))),
        false => NEW.get_or_init(|| load("1.55", include_str!("definitions/v1.55.json"))),
    }
}

impl Definition {
    /// What is wrong with an answer to this request; nothing, if it is as defined.
    pub fn check(&self, method: &str, path: &str, status: u16, body: &Value) -> Vec<String> {
        // Any request may fail for reasons that no endpoint lists.
        if status >= 400 {
            return self.value(
                &self.document["definitions"]["ErrorResponse"],
                body,
                "error",
            );
        }
        let Some((template, operations)) = self.operations(path) else {
            return vec![format!("{path} is not in the definitions of {}", self.name)];
        };
        let Some(answers) = operations.get(method.to_ascii_lowercase()) else {
            return vec![format!("{method} {template} is not defined")];
        };
        let Some(schema) = answers
            .get(status.to_string())
            .or_else(|| answers.get("default"))
        else {
            return vec![format!("{method} {template} does not answer {status}")];
        };
        if schema.is_null() {
            return Vec::new();
        }
        self.value(schema, body, template)
    }

    /// The template that a path fits best, and its operations.
    fn operations(&self, path: &str) -> Option<(&str, &Value)> {
        let path = path.split('?').next().unwrap_or(path);
        let unversioned = match path.split('/').nth(1) {
            Some(part) if part.starts_with("v1.") => &path[1 + part.len()..],
            _ => path,
        };
        let paths = self.document["paths"].as_object()?;
        let fitting = paths
            .iter()
            .filter(|(template, _)| fits(template, unversioned));
        // `/images/json` rather than `/images/{name}`, and `/images/{name}/push`, too: names have slashes.
        fitting
            .min_by_key(|(template, _)| {
                let known = template.matches('/').count();
                (template.matches('{').count(), std::cmp::Reverse(known))
            })
            .map(|(template, operations)| (template.as_str(), operations))
    }

    fn value(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            let group = if reference.starts_with("#/responses/") {
                "responses"
            } else {
                "definitions"
            };
            let target = &self.document[group][name];
            assert!(!target.is_null(), "no definition {name}");
            return self.value(target, value, at);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let mut parts = parts.clone();
            if schema["properties"].is_object() {
                parts.push(serde_json::json!({"properties": schema["properties"]}));
            }
            // One part alone may be of any type.
            if let [only] = parts.as_slice() {
                return self.value(only, value, at);
            }
            return self.object(&self.merged(&parts), value, at);
        }
        if value.is_null() {
            return Vec::new();
        }
        let is = match schema["type"].as_str() {
            Some("object") => return self.object(schema, value, at),
            None if schema["properties"].is_object() => return self.object(schema, value, at),
            Some("array") => return self.array(schema, value, at),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some("boolean") => value.is_boolean(),
            _ => true,
        };
        if !is {
            return vec![format!("{at}: {value} is no {}", schema["type"])];
        }
        match schema["enum"].as_array() {
            Some(words) if !words.contains(value) => {
                vec![format!("{at}: {value} is none of {words:?}")]
            }
            _ => Vec::new(),
        }
    }

    fn array(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(items) = value.as_array() else {
            return vec![format!("{at}: {value} is no array")];
        };
        let checked = items.iter().enumerate();
        checked
            .flat_map(|(index, item)| self.value(&schema["items"], item, &format!("{at}[{index}]")))
            .collect()
    }

    fn object(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(object) = value.as_object() else {
            return match value.is_null() {
                true => Vec::new(),
                false => vec![format!("{at}: {value} is no object")],
            };
        };
        let mut wrong = Vec::new();
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if !object.contains_key(name) {
                wrong.push(format!("{at}: `{name}` is missing"));
            }
        }
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let others = &schema["additionalProperties"];
        for (name, value) in object {
            let at = format!("{at}.{name}");
            if let Some(schema) = properties.get(name) {
                wrong.extend(self.value(schema, value, &at));
            } else if others.is_object() {
                wrong.extend(self.value(others, value, &at));
            } else if !properties.is_empty() {
                wrong.push(format!("{at} is not defined"));
            }
        }
        wrong
    }

    /// Several schemas as one.
    fn merged(&self, parts: &[Value]) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let mut part = part.clone();
            while let Some(reference) = part["$ref"].as_str() {
                let name = reference.rsplit('/').next().unwrap_or_default();
                part = self.document["definitions"][name].clone();
            }
            if let Some(parts) = part["allOf"].as_array() {
                part = self.merged(parts);
            }
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        serde_json::json!({"type": "object", "properties": properties, "required": required})
    }
}

/// Whether a path fits a template; a name of an image may have slashes.
fn fits(template: &str, path: &str) -> bool {
    let (mut want, mut have): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    while let (Some(&last), Some(&part)) = (want.last(), have.last()) {
        if last.starts_with('{') {
            break;
        }
        if last != part {
            return false;
        }
        want.pop();
        have.pop();
    }
    let slashes = template.starts_with("/images/") || template.starts_with("/distribution/");
    let enough = if slashes {
        have.len() >= want.len()
    } else {
        have.len() == want.len()
    };
    enough
        && want
            .iter()
            .zip(&have)
            .all(|(want, have)| want.starts_with('{') || want == have)
}

#[test]
fn what_differs_is_found() {
    fn check(path: &str, body: &str) -> Vec<String> {
        of(path).check("GET", path, 200, &serde_json::from_str(body).unwrap())
    }
    let volume = r#"{"Name":"a","Driver":"local","Mountpoint":"/m","Labels":{"a":"b"},"Scope":"local","Options":null}"#;
    for version in ["/v1.41", ""] {
        let path = format!("{version}/volumes/a");
        assert_eq!(check(&path, volume), Vec::<String>::new());
        let wrong = |text: &str| check(&path, text).join("; ");
        assert!(wrong(&volume.replace("\"a\",\"Driver", "1,\"Driver")).contains("no \"string\""));
        assert!(
            wrong(&volume.replace("\"Driver\":\"local\",", "")).contains("`Driver` is missing")
        );
        assert!(wrong(&volume.replace("Scope\":\"local", "Scope\":\"here")).contains("is none of"));
        assert!(wrong(&volume.replace("Labels", "Lables")).contains("Lables is not defined"));
        assert!(wrong(&volume.replace("{\"a\":\"b\"}", "{\"a\":2}")).contains("Labels.a"));
    }
    assert!(!check("/v1.41/nonsense", "{}").is_empty());
    assert!(
        fits("/images/{name}/json", "/images/a/b/c/json")
            && !fits("/images/{name}/json", "/images/json")
    );
}

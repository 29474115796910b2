//! What each record of a container's log says beside its text: labels, variables and a tag of its own, as the log
//! options `labels`, `env` and `tag` choose them.

use std::collections::BTreeMap;

use berth_model::ContainerConfig;
use berth_monitor::json::{Sink, escape};

/// Bytes of all attributes: they are in each record.
const MAX_BYTES: usize = 8 << 10;

/// An object of JSON; nothing when there are none.
///
/// # Errors
/// A sentence: they are too long, or the tag has a field that is none.
pub(crate) fn of(config: &ContainerConfig) -> Result<String, String> {
    let mut all = chosen(config);
    let tag = self::tag(config.log.option("tag").unwrap_or_default(), config)?;
    if !tag.is_empty() {
        all.insert("tag", tag);
    }
    if all.is_empty() {
        return Ok(String::new());
    }
    let text = object(&all);
    if text.len() > MAX_BYTES {
        return Err(format!(
            "the log's attributes have more than {MAX_BYTES} bytes"
        ));
    }
    Ok(text)
}

/// The labels and variables that the options name.
pub(super) fn chosen(config: &ContainerConfig) -> BTreeMap<&str, String> {
    let words = |name: &str| {
        let words = config.log.option(name).unwrap_or_default().split(',');
        words.map(str::trim).filter(|word| !word.is_empty())
    };
    let mut all: BTreeMap<&str, String> = BTreeMap::new();
    for name in words("labels") {
        if let Some(value) = config.labels.get(name) {
            all.insert(name, value.clone());
        }
    }
    let variables = || config.process.env.iter();
    for name in words("env") {
        let mut pairs = variables().filter_map(|entry| entry.split_once('='));
        if let Some((_, value)) = pairs.find(|(key, _)| *key == name) {
            all.insert(name, value.to_owned());
        }
    }
    all
}

/// Source: Docker's documentation, "Customize log driver output".
pub(super) fn tag(template: &str, config: &ContainerConfig) -> Result<String, String> {
    let mut made = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (field, after) = after
            .split_once("}}")
            .ok_or_else(|| format!("the log's tag `{template}` does not close a `{{{{`"))?;
        made.push_str(before);
        let image = config
            .image
            .config
            .split(':')
            .next_back()
            .unwrap_or_default();
        made.push_str(match field.trim() {
            ".ID" => config.id.short(),
            ".FullID" => config.id.as_str(),
            ".Name" => &config.name,
            ".ImageID" => &image[..image.len().min(12)],
            ".ImageFullID" => &config.image.config,
            ".ImageName" => &config.image.reference,
            ".DaemonName" => "berth",
            other => return Err(format!("the log's tag has no field `{other}`")),
        });
        rest = after;
    }
    made.push_str(rest);
    Ok(made)
}

/// Escaped as the text of the records is (security: D31).
fn object(all: &BTreeMap<&str, String>) -> String {
    let mut text = Text(vec![b'{']);
    for (at, (key, value)) in all.iter().enumerate() {
        text.put(if at == 0 { b"\"" } else { b",\"" });
        escape(key.as_bytes(), &mut text);
        text.put(b"\":\"");
        escape(value.as_bytes(), &mut text);
        text.put(b"\"");
    }
    text.put(b"}");
    String::from_utf8_lossy(&text.0).into_owned()
}

struct Text(Vec<u8>);

impl Sink for Text {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use berth_model::ContainerId;

    use super::*;

    fn with(options: &[(&str, &str)]) -> Result<String, String> {
        let mut config = ContainerConfig::new(ContainerId::from_bytes([0xab; 32]));
        config.name = "web".into();
        config.image.reference = "busybox".into();
        config
            .labels
            .insert("team".into(), "a\u{1b}\"\u{2028}".into());
        config.process.env = vec!["A=1=2".into(), "B=".into()];
        let options = options.iter();
        config.log.options = options
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        of(&config)
    }

    #[test]
    fn labels_variables_and_a_tag() {
        assert_eq!(with(&[]), Ok(String::new()));
        assert_eq!(
            with(&[("labels", "nobody"), ("env", "NONE")]),
            Ok(String::new())
        );
        let made = with(&[
            ("labels", "team"),
            ("env", "A, B"),
            ("tag", "{{.Name}}/{{ .ID }}!"),
        ]);
        let made = made.unwrap();
        let parsed: BTreeMap<String, String> = serde_json::from_str(&made).unwrap();
        assert_eq!(parsed["A"], "1=2");
        assert_eq!(parsed["B"], "");
        assert_eq!(parsed["tag"], "web/abababababab!");
        assert_eq!(parsed["team"], "a\u{1b}\"\u{2028}");
        // D31: what a label holds forges nothing.
        assert!(!made.contains(['\u{1b}', '\u{2028}', '\n']), "{made}");
        for bad in ["{{.Name", "{{.Nobody}}", "{{with .ID}}x{{end}}"] {
            assert!(with(&[("tag", bad)]).is_err(), "{bad}");
        }
        let long = "x".repeat(MAX_BYTES);
        assert!(with(&[("tag", &long)]).is_err());
    }
}

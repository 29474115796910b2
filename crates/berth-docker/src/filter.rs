//! `--filter key=value` of the command, `filters` of the API: what docker's lists can be narrowed by. Values of one key are alternatives,
//! different keys all have to hold; `label` values all have to hold too.

use std::collections::BTreeMap;

use berth_model::truth;

/// Filters as given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Parses `texts`; only `known` keys are taken.
    ///
    /// # Errors
    /// A text is not `key=value`, or its key is unknown.
    pub fn parse(texts: &[String], known: &[&str]) -> Result<Self, String> {
        let mut filters = BTreeMap::<String, Vec<String>>::new();
        for text in texts {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| format!("filter `{text}` is not of the form key=value"))?;
            let key = key.trim().to_ascii_lowercase();
            if !known.contains(&key.as_str()) {
                return Err(format!(
                    "filter `{key}` is not known; there are {}",
                    known.join(", ")
                ));
            }
            filters
                .entry(key)
                .or_default()
                .push(value.trim().to_owned());
        }
        Ok(Filters(filters))
    }

    /// Of the API: only `known` keys are taken.
    ///
    /// # Errors
    /// A key is unknown.
    pub fn checked(filters: BTreeMap<String, Vec<String>>, known: &[&str]) -> Result<Self, String> {
        match filters.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("Invalid filter '{key}'")),
            None => Ok(Filters(filters)),
        }
    }

    /// Whether a key is used.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The values of a key.
    pub fn values(&self, key: &str) -> &[String] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    /// Whether the key is unused or one of its values passes `test`.
    pub fn any(&self, key: &str, test: impl Fn(&str) -> bool) -> bool {
        !self.has(key) || self.values(key).iter().any(|value| test(value))
    }

    /// Whether every `label` or `label=value` holds of `labels`.
    pub fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut wanted = self.values("label").iter();
        wanted.all(|wanted| has_label(labels, wanted))
    }

    /// Whether no `label!` or `label!=value` holds of `labels` (written `label!=key` and `label!=key=value`).
    pub fn no_label(&self, labels: &BTreeMap<String, String>) -> bool {
        let mut unwanted = self.values("label!").iter();
        !unwanted.any(|unwanted| has_label(labels, unwanted))
    }

    /// A key that is true or false; `None` when it is unused.
    ///
    /// # Errors
    /// The value is neither.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, String> {
        let Some(text) = self.values(key).last() else {
            return Ok(None);
        };
        let neither = || format!("filter `{key}={text}` is neither true nor false");
        truth::parse(text).map(Some).ok_or_else(neither)
    }
}

/// Whether `pattern` matches all of `text`: `*` any run without `/`, `**` any run, `?` one character, `[a-z]` a set.
///
/// Source: Go, `path.Match`, with `**` added.
pub fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // One row of a table by pattern position: linear in pattern × text, whatever the pattern.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    let mut at = 0;
    while at < pattern.len() {
        let mut next = vec![false; text.len() + 1];
        match pattern[at] {
            '*' => {
                let across = pattern.get(at + 1) == Some(&'*');
                let mut on = false;
                for index in 0..=text.len() {
                    on = reach[index] || (on && index > 0 && (across || text[index - 1] != '/'));
                    next[index] = on;
                }
                at += if across { 2 } else { 1 };
            }
            _ => {
                let (length, test) = element(&pattern[at..]);
                for index in 0..text.len() {
                    next[index + 1] = reach[index] && test(text[index]);
                }
                at += length;
            }
        }
        reach = next;
    }
    reach[text.len()]
}

type Test = Box<dyn Fn(char) -> bool>;

/// The pattern's first element, its length and what it matches.
fn element(pattern: &[char]) -> (usize, Test) {
    match pattern {
        ['?', ..] => (1, Box::new(|c| c != '/')),
        ['\\', escaped, ..] => {
            let escaped = *escaped;
            (2, Box::new(move |c| c == escaped))
        }
        ['[', set @ ..] => match set.iter().position(|c| *c == ']') {
            Some(end) => {
                let negated = matches!(set.first(), Some('^' | '!'));
                let set: Vec<char> = set[usize::from(negated)..end].to_vec();
                (
                    end + 2,
                    Box::new(move |c| in_set(&set, c) != negated && c != '/'),
                )
            }
            None => (1, Box::new(|c| c == '[')),
        },
        [literal, ..] => {
            let literal = *literal;
            (1, Box::new(move |c| c == literal))
        }
        [] => (1, Box::new(|_| false)),
    }
}

fn in_set(set: &[char], c: char) -> bool {
    let mut rest = set;
    while let [first, after @ ..] = rest {
        if let ['-', last, beyond @ ..] = after {
            if (*first..=*last).contains(&c) {
                return true;
            }
            rest = beyond;
        } else {
            if *first == c {
                return true;
            }
            rest = after;
        }
    }
    false
}

/// Whether `wanted`, a key or `key=value`, is among `labels`.
fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    match wanted.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|have| have == value),
        None => labels.contains_key(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        let filters =
            Filters::parse(&["Name=web".into(), "name=db".into()], &["name"]).expect("filters");
        assert!(filters.any("name", |value| value == "db"));
        assert!(!filters.any("name", |value| value == "x"));
        assert!(filters.any("id", |_| false));
        assert!(Filters::parse(&["nope=1".into()], &["name"]).is_err());
        assert!(Filters::parse(&["name".into()], &["name"]).is_err());
    }

    #[test]
    fn labels_all_have_to_hold() {
        let labels = BTreeMap::from([
            ("a".to_owned(), "1".to_owned()),
            ("b".to_owned(), String::new()),
        ]);
        let holds = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|t| format!("label={t}")).collect();
            Filters::parse(&texts, &["label"])
                .expect("filters")
                .labels(&labels)
        };
        assert!(holds(&["a"]) && holds(&["a=1", "b"]) && holds(&["b="]));
        assert!(!holds(&["a=2"]) && !holds(&["a", "c"]));
    }

    #[test]
    fn globs_are_gos() {
        for (pattern, text, want) in [
            ("busybox", "busybox", true),
            ("busy*", "busybox", true),
            ("*/busybox", "library/busybox", true),
            ("*", "library/busybox", false),
            ("**", "library/busybox", true),
            ("b?sybox", "busybox", true),
            ("b[a-u]sybox", "busybox", true),
            ("b[^a-t]sybox", "busybox", true),
            ("b[x-z]sybox", "busybox", false),
            ("busybox", "busybox:1", false),
            ("", "", true),
            ("a\\*b", "a*b", true),
            ("[", "[", true),
        ] {
            assert_eq!(glob(pattern, text), want, "{pattern} {text}");
        }
        assert!(!glob(&"*a".repeat(200), &"a".repeat(150)));
    }
}

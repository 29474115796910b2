//! The parameters of a request, read as Docker reads them.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::error::Failure;

/// Parameters, in order; a name may come several times.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Query {
        Query(
            form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
        )
    }

    /// The first value of a parameter; an empty one is none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        values
            .next()
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        values.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Whether a switch is on: anything but `0`, `no`, `false`, `none` and nothing.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name).is_some_and(is_true)
    }

    /// As [`Query::is_on`], and `default` without the parameter.
    pub(crate) fn is_on_or(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, is_true)
    }

    /// A number, if the parameter is there.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Failure> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Failure::bad(format!(
                    "invalid value for `{name}`: `{text}` is not a number in range"
                ))
            })
        };
        self.get(name).map(parse).transpose()
    }

    /// `filters`: names with the values that any one of is to fit.
    pub(crate) fn filters(&self) -> Result<BTreeMap<String, Vec<String>>, Failure> {
        let Some(text) = self.get("filters") else {
            return Ok(BTreeMap::new());
        };
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Values {
            // Clients before 1.22 sent lists, SDKs still do.
            List(Vec<String>),
            Set(BTreeMap<String, bool>),
        }
        let read: BTreeMap<String, Values> = serde_json::from_str(text).map_err(|error| {
            Failure::bad(format!(
                "invalid filters: {error} (a JSON object of lists of texts)"
            ))
        })?;
        let values = |values| match values {
            Values::List(list) => list,
            Values::Set(set) => set
                .into_iter()
                .filter(|(_, on)| *on)
                .map(|(value, _)| value)
                .collect(),
        };
        Ok(read
            .into_iter()
            .map(|(name, some)| (name, values(some)))
            .collect())
    }
}

fn is_true(text: &str) -> bool {
    !matches!(
        text.trim().to_ascii_lowercase().as_str(),
        "" | "0" | "no" | "false" | "none"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_docker_reads_them() {
        let query =
            Query::parse("all=1&force=False&t=-1&name=a%2Fb&empty=&x=none&label=a&label=b+c");
        assert!(
            query.is_on("all")
                && !query.is_on("force")
                && !query.is_on("x")
                && !query.is_on("absent")
        );
        assert!(query.is_on_or("absent", true) && !query.is_on_or("force", true));
        assert_eq!(query.number::<i64>("t").unwrap(), Some(-1));
        assert!(query.number::<u32>("t").is_err());
        assert_eq!((query.get("name"), query.get("empty")), (Some("a/b"), None));
        assert_eq!(query.all("label"), ["a", "b c"]);
    }

    #[test]
    fn filters_are_sets_or_lists() {
        let read = |text: &str| {
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            Query::parse(&format!("filters={encoded}")).filters()
        };
        let found = read(r#"{"label":{"a=b":true,"c":false},"status":["running"]}"#).unwrap();
        assert_eq!(found["label"], ["a=b"]);
        assert_eq!(found["status"], ["running"]);
        for bad in ["[]", "{\"a\":1}", "x", "{\"a\":{\"b\":2}}"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}

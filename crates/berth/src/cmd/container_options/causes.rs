//! Which option asked for which setting: what `explain` shows.

use std::collections::BTreeMap;

use crate::opts::Asked;

/// By setting, the text that asked for it.
#[derive(Default)]
pub(super) struct Causes(pub(super) BTreeMap<String, String>);

impl Causes {
    pub(super) fn add(&mut self, setting: &str, text: String) {
        self.0.insert(setting.to_owned(), text);
    }

    /// The value may be a secret: only the name is told.
    pub(super) fn env(&mut self, variable: &str, flag: &str) {
        let name = variable.split('=').next().unwrap_or_default();
        self.add(&format!("env.{name}"), format!("{flag} {name}"));
    }

    pub(super) fn asked<T: Clone>(
        &mut self,
        setting: &str,
        flag: &str,
        asked: Option<&Asked<T>>,
    ) -> Option<T> {
        let asked = asked?;
        self.add(setting, format!("{flag} {asked}"));
        Some(asked.value.clone())
    }

    pub(super) fn option<T: Clone + std::fmt::Display>(
        &mut self,
        setting: &str,
        flag: &str,
        value: &Option<T>,
    ) -> Option<T> {
        if let Some(value) = value {
            self.add(setting, format!("{flag} {value}"));
        }
        value.clone()
    }

    /// A list of texts.
    pub(super) fn list(&mut self, setting: &str, flag: &str, values: &[String]) -> Vec<String> {
        if !values.is_empty() {
            let texts = values.iter().map(|value| format!("{flag} {value}"));
            self.add(setting, texts.collect::<Vec<_>>().join(" "));
        }
        values.to_vec()
    }

    /// A list of parsed values.
    pub(super) fn all<T: Clone>(
        &mut self,
        setting: &str,
        flag: &str,
        asked: &[Asked<T>],
    ) -> Vec<T> {
        let texts: Vec<String> = asked.iter().map(|asked| asked.to_string()).collect();
        self.list(setting, flag, &texts);
        asked.iter().map(|asked| asked.value.clone()).collect()
    }

    pub(super) fn switch(&mut self, setting: &str, flag: &str, on: bool) -> bool {
        if on {
            self.add(setting, flag.to_owned());
        }
        on
    }
}

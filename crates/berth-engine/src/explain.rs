//! Explains a running container: each value as the kernel has it now, and what caused it.
//!
//! The configuration is asked for causes only (a flag, the image, a default); every value is read
//! from `/proc` and the cgroup files, so that what somebody changed behind our back shows.
//! `kernel` and `mounts` read and parse, `limits` names the cgroup's files, `engine` tells what no file of the
//! kernel shows, `text` lays it out for people.

mod engine;
mod kernel;
mod limits;
mod mounts;
mod text;

#[cfg(test)]
mod tests;

use berth_model::{ContainerConfig, ContainerId};
use serde::Serialize;

use crate::observe::is_alive;
use crate::{Engine, Error};

/// A container, explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// All 64 digits.
    pub id: String,
    /// Its current name.
    pub name: String,
    /// The image as the user wrote it.
    pub image: String,
    /// Docker's word for the state.
    pub status: String,
    /// Init, as the host counts; `None`: it does not run, and the kernel has nothing to show.
    pub pid: Option<i32>,
    /// The settings, by subject.
    pub groups: Vec<Group>,
}

/// Settings of one subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// The subject.
    pub title: String,
    /// Where most of its values were read.
    pub source: String,
    /// The settings.
    pub rows: Vec<Row>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What is set.
    pub name: String,
    /// The kernel's value, for people.
    pub value: String,
    /// The file that it was read from.
    pub source: String,
    /// The flag's text, `image`, `default` (with a reason), or `inherited`.
    pub cause: String,
}

/// The cause of what nobody set: the process that started the container had it so.
pub const INHERITED: &str = "inherited";

impl Engine {
    /// Explains a container. One that does not run has causes, but no values.
    ///
    /// # Errors
    /// [`Error::NoContainer`], [`Error::Damaged`], [`Error::Io`] when `/proc` cannot be read.
    pub fn explain(&self, id: &ContainerId) -> Result<Explanation, Error> {
        let container = self.inspect(id)?;
        let config = &container.config;
        let mut explanation = Explanation {
            id: id.to_string(),
            name: container.name.clone(),
            image: config.image.reference.clone(),
            status: container.status.word().to_owned(),
            pid: None,
            groups: Vec::new(),
        };
        if let Some(pid) = container
            .pid
            .as_ref()
            .filter(|_| container.status.is_alive())
        {
            let read = self.groups(config, pid);
            // The number alone may have passed to another process while we read.
            if is_alive(pid) {
                explanation.groups = read?;
                explanation.pid = Some(pid.pid);
                return Ok(explanation);
            }
            "exited".clone_into(&mut explanation.status);
        }
        explanation.groups.push(asked(config));
        Ok(explanation)
    }

    fn groups(
        &self,
        config: &ContainerConfig,
        pid: &berth_model::task::Pid,
    ) -> Result<Vec<Group>, Error> {
        let causes = Causes {
            config,
            rootless: self.options.rootless,
        };
        let process = kernel::Process::read(pid.pid)?;
        let mut groups = vec![
            process.namespaces(&causes)?,
            limits::group(&pid.cgroups, &causes)?,
            process.privileges(&causes),
            process.ids(&causes)?,
        ];
        groups.extend(process.mounts(&causes)?);
        groups.push(process.rlimits(&causes)?);
        groups.push(engine::group(&causes));
        Ok(groups)
    }
}

/// What was asked for, where there is no kernel to ask what came of it.
fn asked(config: &ContainerConfig) -> Group {
    let source = "config.json".to_owned();
    let rows = config.causes.iter().map(|(setting, cause)| Row {
        name: setting.clone(),
        value: "not running".to_owned(),
        source: source.clone(),
        cause: cause.clone(),
    });
    Group {
        title: "asked for".to_owned(),
        rows: rows.collect(),
        source,
    }
}

/// Answers why a setting is as it is.
struct Causes<'a> {
    config: &'a ContainerConfig,
    rootless: bool,
}

impl Causes<'_> {
    /// What was recorded for a setting, or this default.
    fn of(&self, setting: &str, default: &str) -> String {
        match self.config.causes.get(setting) {
            Some(cause) => cause.clone(),
            None => default.to_owned(),
        }
    }

    /// Likewise, for what `--privileged` changes.
    fn of_privilege(&self, setting: &str, default: &str) -> String {
        let privileged = self.config.security.privileged;
        self.of(setting, if privileged { "--privileged" } else { default })
    }

    /// All causes below a prefix (`capabilities.`), or a default.
    fn below(&self, prefix: &str) -> Option<String> {
        let found = self
            .config
            .causes
            .iter()
            .filter(|(setting, _)| setting.starts_with(prefix));
        let found: Vec<&str> = found.map(|(_, cause)| cause.as_str()).collect();
        (!found.is_empty()).then(|| found.join(" "))
    }

    /// The user, and the groups that were added.
    fn user(&self) -> String {
        let user = self.of("user", "default: root");
        match self.config.causes.get("groups") {
            Some(groups) => format!("{user}, {groups}"),
            None => user,
        }
    }

    fn capabilities(&self) -> String {
        let base = if self.config.security.privileged {
            "--privileged"
        } else {
            "default"
        };
        match self.below("capabilities.") {
            Some(flags) => format!("{base}, {flags}"),
            None => base.to_owned(),
        }
    }
}

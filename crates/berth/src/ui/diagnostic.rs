//! Failures: what stands on standard error, and the exit code.
//!
//! ```text
//! error: cannot pull `alpine:9`
//!   caused by: …
//! hint: …
//! ```

use std::error::Error;
use std::fmt;

use super::clean;

/// Docker's exit code for "the engine failed" (run) and for flags that cannot be.
pub const ENGINE: u8 = 125;
/// For every other verb.
pub const FAILED: u8 = 1;

/// A failure on its way to the user.
#[derive(Debug, Default)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// Why, outermost cause first.
    pub causes: Vec<String>,
    /// What the user can do.
    pub hint: Option<String>,
    /// The exit code; `None`: the verb's own default.
    pub code: Option<u8>,
    /// Nothing is printed: all has been said, only the exit code is left.
    pub silent: bool,
}

impl Failure {
    /// A failure without a cause.
    pub fn new(message: impl Into<String>) -> Self {
        Failure {
            message: message.into(),
            ..Failure::default()
        }
    }

    /// With an exit code, unless it has one.
    #[must_use]
    pub fn or_code(mut self, code: u8) -> Self {
        self.code = self.code.or(Some(code));
        self
    }

    /// Only an exit code.
    pub fn exit(code: u8) -> Self {
        Failure {
            code: Some(code),
            silent: true,
            ..Failure::default()
        }
    }

    /// An error with its chain of causes.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut causes: Vec<String> = Vec::new();
        for cause in berth_model::error::causes(error) {
            let text = cause.to_string();
            // `transparent` errors repeat their source's words.
            if causes.last() != Some(&text) && text != error.to_string() {
                causes.push(text);
            }
        }
        Failure {
            message: error.to_string(),
            causes,
            ..Failure::default()
        }
    }

    /// An error with what it knows of a way out.
    pub fn hinted(error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        Failure {
            hint,
            ..Failure::of(error)
        }
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what was being done, the present message becoming its cause.
    #[must_use]
    pub fn within(mut self, doing: impl Into<String>) -> Self {
        let message = std::mem::replace(&mut self.message, doing.into());
        self.causes.insert(0, message);
        self
    }

    /// With an exit code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = Some(code);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", lines(&self.message))?;
        for cause in &self.causes {
            writeln!(f, "  caused by: {}", lines(cause))?;
        }
        if let Some(hint) = &self.hint {
            writeln!(f, "hint: {}", lines(hint))?;
        }
        Ok(())
    }
}

/// A cause may quote what a container or a registry said: each line is cleaned, line breaks stay.
fn lines(text: &str) -> String {
    text.trim_end()
        .split('\n')
        .map(clean::terminal)
        .collect::<Vec<_>>()
        .join("\n    ")
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::of(&error)
    }
}

impl From<berth_engine::Error> for Failure {
    fn from(error: berth_engine::Error) -> Self {
        let mut failure = Failure::hinted(&error, error.hint());
        if let berth_engine::Error::Start {
            failure: report, ..
        } = &error
        {
            failure.code = u8::try_from(report.exit_code).ok();
        }
        failure
    }
}

/// Errors that say themselves what can be done.
macro_rules! hinted {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure::hinted(&error, error.hint())
            }
        }
    )*};
}

hinted!(
    berth_compose::Error,
    berth_dns::Error,
    berth_daemon::Error,
    berth_docker::Error,
    berth_engine::artifact::Error,
    berth_engine::attach::Error,
    berth_engine::image::Error,
    berth_engine::image::index::IndexError,
    berth_engine::image::pull::PullError,
    berth_engine::image::push::PushError,
    berth_engine::login::Error,
    berth_engine::trust::Error,
    berth_engine::trust::PolicyError,
    berth_registry_server::setup::Error,
);

impl From<berth_oci::Error> for Failure {
    fn from(error: berth_oci::Error) -> Self {
        Failure::of(&error)
    }
}

impl From<berth_docker::select::Error> for Failure {
    fn from(error: berth_docker::select::Error) -> Self {
        match error {
            berth_docker::select::Error::Filter(text) => Failure::new(text),
            berth_docker::select::Error::Value { .. } | berth_docker::select::Error::Absent(_) => {
                Failure::new(error.to_string())
            }
            berth_docker::select::Error::Image(error) => error.into(),
        }
    }
}

impl From<berth_engine::logs::Error> for Failure {
    fn from(error: berth_engine::logs::Error) -> Self {
        let reader_went = matches!(&error, berth_engine::logs::Error::Write(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe);
        if reader_went {
            return Failure::exit(FAILED);
        }
        Failure::hinted(&error, error.hint())
    }
}

impl From<super::template::Error> for Failure {
    fn from(error: super::template::Error) -> Self {
        Failure::new(error.to_string()).within("cannot use the format")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_hint_follow_the_error() {
        let failure = Failure::new("not\x1b[2J found")
            .within("cannot pull `alpine:9`")
            .hint("try `alpine:3`");
        assert_eq!(
            failure.to_string(),
            "error: cannot pull `alpine:9`\n  caused by: not?[2J found\nhint: try `alpine:3`\n"
        );
    }
}

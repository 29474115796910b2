//! What is wrong, and where.

use std::fmt;
use std::path::PathBuf;

use berth_model::ErrorKind;

/// What can go wrong on the way from files to a project.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file was named, and none of the usual names is there.
    #[error("no compose file in `{}` or above it", directory.display())]
    NoFile {
        /// Where the search began.
        directory: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's content makes no sense.
    #[error("{}", Listed(problems))]
    Invalid {
        /// By place; at least one.
        problems: Vec<Problem>,
    },
    /// No name can be made for the project.
    #[error("`{name}` is no name for a project")]
    Name {
        /// What was found.
        name: String,
    },
    /// A service was asked for that is not there.
    #[error("no such service: {name}")]
    NoService {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// What passed all checks does not fit the model: a bug.
    #[error("cannot understand the checked project: {0}")]
    Model(String),
}

/// One thing that is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; 0: the file as a whole.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The keys to it: `services.web.ports[0]`.
    pub path: String,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Problems one a line; a hint stands behind its problem where there are several.
struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
            if let (true, Some(hint)) = (self.0.len() > 1, &problem.hint) {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl Error {
    /// One problem.
    pub(crate) fn one(problem: Problem) -> Error {
        Error::Invalid {
            problems: vec![problem],
        }
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoFile { .. } | Error::NoService { .. } => ErrorKind::NotFound,
            Error::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                ErrorKind::NotFound
            }
            Error::Read { .. } => ErrorKind::Unavailable,
            Error::Invalid { .. } | Error::Name { .. } => ErrorKind::InvalidInput,
            Error::Model(_) => ErrorKind::Internal,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoFile { .. } => {
                Some("name one with -f, or go where compose.yaml is".to_owned())
            }
            Error::Invalid { problems } => match problems.as_slice() {
                [one] => one.hint.clone(),
                _ => None,
            },
            Error::Name { .. } => Some(
                "give one with -p: small letters, digits, `-` and `_`, a letter or digit first"
                    .to_owned(),
            ),
            Error::NoService { known, .. } if known.is_empty() => None,
            Error::NoService { known, .. } => Some(format!("there are {}", known.join(", "))),
            Error::Read { .. } | Error::Model(_) => None,
        }
    }
}

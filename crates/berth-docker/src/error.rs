//! Failures as clients get them: a status and `{"message": …}`.

use std::error::Error as StdError;

use berth_model::ErrorKind;
use http::StatusCode;

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: message.into(),
        }
    }

    /// What the client sent makes no sense.
    pub(crate) fn bad(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::BAD_REQUEST, message)
    }

    /// What was named is not there.
    pub(crate) fn absent(message: impl Into<String>) -> Failure {
        Failure::new(StatusCode::NOT_FOUND, message)
    }

    /// An endpoint that this version of berth does not have.
    pub(crate) fn not_here(what: &str) -> Failure {
        Failure::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("{what} is not implemented by this version of berth"),
        )
    }

    /// What a client sent to be an image is none: its fault, not ours.
    pub(crate) fn of_content(error: berth_engine::image::Error) -> Failure {
        let corrupt = error.kind() == ErrorKind::Corrupt;
        let failure = Failure::from(error);
        match corrupt {
            true => Failure::bad(failure.message),
            false => failure,
        }
    }

    /// A thread of ours is gone.
    pub(crate) fn panicked() -> Failure {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the work for this request panicked: that is a bug in berth",
        )
    }

    /// One line of an error, its causes and what to do.
    pub(crate) fn of(
        error: &(dyn StdError + 'static),
        kind: ErrorKind,
        hint: Option<String>,
    ) -> Failure {
        let causes = berth_model::error::causes(error);
        let mut message = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        if let Some(hint) = hint {
            message = format!("{message} ({hint})");
        }
        Failure::new(status(kind), message)
    }
}

/// The one table of kinds of errors and HTTP's status codes.
pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::InvalidInput => StatusCode::BAD_REQUEST,
        ErrorKind::Denied => StatusCode::FORBIDDEN,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Corrupt | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<berth_engine::Error> for Failure {
    fn from(error: berth_engine::Error) -> Failure {
        use berth_engine::Error;
        match &error {
            // Clients look for these words.
            Error::NoNetwork { name } => Failure::absent(format!("network {name} not found")),
            Error::NetworkExists { .. }
            | Error::NetworkInUse { .. }
            | Error::NetworkDenied { .. }
            | Error::AmbiguousNetwork { .. }
            | Error::NotConnected { .. }
            | Error::NoNetworkPlugin { .. } => {
                Failure::new(status(error.kind()), error.to_string())
            }
            Error::NoContainer { name } => Failure::absent(format!("No such container: {name}")),
            Error::NameTaken { name, id } => Failure::new(
                StatusCode::CONFLICT,
                format!(
                    "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to \
                     remove (or rename) that container to be able to reuse that name."
                ),
            ),
            Error::NoVolume { name } => Failure::absent(format!("get {name}: no such volume")),
            Error::VolumeInUse { name, containers } => Failure::new(
                StatusCode::CONFLICT,
                format!(
                    "remove {name}: volume is in use - [{}]",
                    containers.join(", ")
                ),
            ),
            _ => Failure::of(&error, error.kind(), error.hint()),
        }
    }
}

/// Why an image stays, in the words that clients know.
fn in_use(image: &str, id: &str, container: &str, running: bool) -> String {
    if image != id {
        return format!(
            "unable to remove repository reference \"{image}\" (must force) - container {container} is using its \
             referenced image {id}"
        );
    }
    let (force, state) = match running {
        true => ("cannot be forced", "running"),
        false => ("must be forced", "stopped"),
    };
    format!(
        "unable to delete {id} ({force}) - image is being used by {state} container {container}"
    )
}

impl From<berth_engine::image::Error> for Failure {
    fn from(error: berth_engine::image::Error) -> Failure {
        use berth_engine::image::Error;
        match &error {
            // Clients look for these words.
            Error::NoImage { text } => {
                let name = berth_oci::Reference::parse(text);
                let name = name.map_or_else(|_| text.clone(), |name| name.familiar());
                Failure::absent(format!("No such image: {name}"))
            }
            Error::InUse {
                image,
                id,
                container,
                running,
                ..
            } => Failure::new(
                StatusCode::CONFLICT,
                format!("conflict: {}", in_use(image, id, container, *running)),
            ),
            Error::ManyNames { image } => Failure::new(
                StatusCode::CONFLICT,
                format!(
                    "conflict: unable to delete {image} (must be forced) - image is referenced in multiple repositories"
                ),
            ),
            _ => Failure::of(&error, error.kind(), error.hint()),
        }
    }
}

impl From<crate::select::Error> for Failure {
    fn from(error: crate::select::Error) -> Failure {
        match error {
            crate::select::Error::Filter(text) => Failure::bad(text),
            // What there is is told to those who type.
            crate::select::Error::Value { what, .. } => Failure::bad(format!("Invalid {what}")),
            crate::select::Error::Absent(name) => {
                Failure::absent(format!("No such container: {name}"))
            }
            crate::select::Error::Image(error) => error.into(),
        }
    }
}

/// Every crate's error has `kind` and `hint`; so each becomes a failure in the same way.
macro_rules! failures {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::of(&error, error.kind(), error.hint())
            }
        }
    )*};
}

failures! {
    berth_engine::attach::Error,
    berth_engine::image::pull::PullError,
    berth_engine::image::push::PushError,
    berth_engine::registry::Error,
    berth_engine::trust::Error,
    berth_engine::logs::Error,
}

impl From<tokio::task::JoinError> for Failure {
    fn from(_: tokio::task::JoinError) -> Failure {
        Failure::panicked()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

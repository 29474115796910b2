//! Answers, and the headers that all of them have.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use crate::access::Refusal;
use crate::error::{Code, Failure};
use crate::route::Refused;

pub(crate) const JSON: &str = "application/json";
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(crate) const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(crate) const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(crate) const OCI_FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
pub(crate) const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// An answer that is being made.
#[derive(Debug)]
pub(crate) struct Answer {
    response: Response<Body>,
    /// What only the log is told.
    pub(crate) error: Option<String>,
}

impl Answer {
    /// Without a body.
    pub(crate) fn new(status: StatusCode) -> Answer {
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        Answer {
            response,
            error: None,
        }
    }

    /// With these bytes, or with only their headers if `head`.
    pub(crate) fn content(content_type: &str, bytes: impl Into<Bytes>, head: bool) -> Answer {
        let bytes = bytes.into();
        let length = bytes.len() as u64;
        let body = if head {
            Body::default()
        } else {
            Body::bytes(bytes)
        };
        Answer::new(StatusCode::OK)
            .with(CONTENT_TYPE, content_type)
            .with(CONTENT_LENGTH, length.to_string())
            .body(body)
    }

    /// A document that we make.
    pub(crate) fn json(document: &impl Serialize, head: bool) -> Answer {
        Answer::document(JSON, document, head)
    }

    /// The same, of another media type that is JSON.
    pub(crate) fn document(content_type: &str, document: &impl Serialize, head: bool) -> Answer {
        let bytes = serde_json::to_vec(document).expect("our documents become JSON");
        Answer::content(content_type, bytes, head)
    }

    /// One header more. What cannot stand in a header is left out: our values are digests, numbers and encoded paths.
    pub(crate) fn with(mut self, name: HeaderName, value: impl AsRef<str>) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value.as_ref()) {
            self.response.headers_mut().append(name, value);
        }
        self
    }

    /// With this header, if there is a value.
    pub(crate) fn with_some(self, name: HeaderName, value: Option<impl AsRef<str>>) -> Answer {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Answer {
        *self.response.status_mut() = status;
        self
    }

    pub(crate) fn body(mut self, body: Body) -> Answer {
        *self.response.body_mut() = body;
        self
    }

    /// With what every answer has. Nothing of it is to be taken for a page (security: G12).
    pub(crate) fn finish(mut self) -> (Response<Body>, Option<String>) {
        let headers = self.response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(VERSION, HeaderValue::from_static("registry/2.0"));
        (self.response, self.error)
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Answer {
        let mut answer = Answer::content(JSON, failure.body(), false)
            .status(failure.code.status())
            .with(CACHE_CONTROL, "no-store");
        if failure.cause.is_some() {
            let causes = berth_model::error::causes(&failure);
            let text = causes.fold(failure.to_string(), |text, cause| {
                format!("{text}: {cause}")
            });
            answer.error = Some(text);
        }
        answer
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Answer {
        Answer::from(refused.failure).with_some(ALLOW, refused.allow)
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Answer {
        match refusal {
            Refusal::Busy => {
                let message = "too many at once: try again in a moment";
                let failure = Failure::new(Code::TooManyRequests, message);
                Answer::from(failure).with(RETRY_AFTER, "1")
            }
            Refusal::Denied => Failure::new(Code::Denied, "access to this is denied").into(),
            Refusal::Challenge(challenges) => {
                let failure = Failure::new(Code::Unauthorized, "authentication is required");
                let mut answer = Answer::from(failure);
                for challenge in challenges {
                    answer
                        .response
                        .headers_mut()
                        .append(WWW_AUTHENTICATE, challenge);
                }
                answer
            }
        }
    }
}

//! A blob to a registry: mounted from another repository, or uploaded in a session.
//!
//! ```text
//! HEAD blobs/D ── there: done
//! POST blobs/uploads/[?mount=D&from=R] ── 201: mounted
//!   └ 202 Location L ──► PUT L?digest=D, the whole body ──► 201
//!        a break, 413, or OCI-Chunk-Min-Length:
//!        GET L ──► Range 0-n, L' ──► PATCH L' Content-Range … ──► 202 L'' … ──► PUT L?digest=D
//!        the session is lost: HEAD, POST once more
//! ```
//! The registry is asked what it has, never assumed to have something; what it says is checked against what was
//! sent (security: G8). A session may be on another host, which gets no secret (security: G1).
//!
//! Source: distribution specification 1.1, "Push".

use std::sync::Arc;

use berth_oci::header::range::uploaded;
use berth_oci::{Descriptor, Digest, Reference};
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, RANGE};
use reqwest::{Method, StatusCode, Url};
use tokio::time::{sleep, timeout};

use crate::Error;
use crate::client::{Ask, Client, Led, Place, wait_asked};
use crate::content::{Content, Piece, Progress, Source};
use crate::endpoint::{self, Endpoint};
use crate::limits::{CANCEL_TIMEOUT, GOOD_PROGRESS_BYTES, PIECE_BYTES};
use crate::manifest::{stated_digest, text};
use crate::redirect::{location, target};
use crate::token::Access;
use crate::transport::Answer;

/// How a blob is pushed.
#[derive(Clone, Default)]
pub struct PushOptions {
    /// Paths of repositories of the same registry that have it, as far as is known: the first that really has,
    /// and that may be read, saves the upload.
    pub mount_from: Vec<String>,
    /// Hears how much has gone out.
    pub progress: Option<Progress>,
}

/// What it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushedBlob {
    /// Nothing: the repository has it.
    Existed,
    /// This repository had it.
    Mounted(String),
    /// All of its bytes.
    Uploaded,
}

impl Client {
    /// Brings a blob into the repository of `reference`, unless it is there; `source` has its bytes.
    ///
    /// # Errors
    /// Not allowed, not reachable, refused (the digest is another); cut off as often as [`crate::Patience`]
    /// allows. Then nothing of it is visible.
    pub async fn push_blob(
        &self,
        reference: &Reference,
        blob: &Descriptor,
        source: Arc<dyn Source>,
        options: &PushOptions,
    ) -> Result<PushedBlob, Error> {
        if self.has_blob(reference, &blob.digest).await? {
            return Ok(PushedBlob::Existed);
        }
        let endpoints = self.endpoints(reference)?;
        let mut upload = Upload {
            client: self,
            endpoint: endpoint::registry(&endpoints, reference)?,
            name: format!("{}@{}", reference.familiar_name(), blob.digest),
            reference,
            blob,
            source,
            progress: options.progress.clone(),
            session: None,
            in_pieces: false,
            attempt: 0,
            good_at: 0,
        };
        for from in &options.mount_from {
            if upload.mount(from).await? {
                return Ok(PushedBlob::Mounted(from.clone()));
            }
        }
        match upload.run().await {
            Ok(()) => Ok(PushedBlob::Uploaded),
            Err(error) => {
                upload.cancel().await;
                Err(error)
            }
        }
    }
}

struct Upload<'a> {
    client: &'a Client,
    endpoint: &'a Endpoint,
    reference: &'a Reference,
    blob: &'a Descriptor,
    source: Arc<dyn Source>,
    progress: Option<Progress>,
    /// For messages.
    name: String,
    session: Option<Session>,
    /// The whole in one request did not do.
    in_pieces: bool,
    /// Attempts since all went well.
    attempt: u32,
    /// The session's offset when `attempt` was last set to 0.
    good_at: u64,
}

/// What the registry said last of an upload.
#[derive(Clone)]
struct Session {
    place: Led,
    /// Bytes that it has.
    offset: u64,
    /// Bytes that a piece must have, but the last.
    smallest: u64,
}

impl Upload<'_> {
    /// Whether `from` has the blob, and now this repository has it too. If not, a session has begun.
    async fn mount(&mut self, from: &str) -> Result<bool, Error> {
        self.cancel().await;
        let digest = self.blob.digest.to_string();
        let query = [("mount", digest.as_str()), ("from", from)];
        let ask = Ask {
            method: Method::POST,
            place: Place::With("blobs/uploads/", &query),
            content: Content::Empty,
            access: Access::Mount(from.to_owned()),
            ..Ask::get("", &self.name)
        };
        match self.client.ask_once(self.endpoint, &ask).await {
            Ok(answer) if answer.response.status() == StatusCode::CREATED => {
                self.confirm(&answer)?;
                Ok(true)
            }
            Ok(answer) => {
                self.session = Some(self.begun(&answer)?);
                Ok(false)
            }
            // It may not be read, or mounts are unknown here; an upload will tell what is really wrong.
            Err(_) => Ok(false),
        }
    }

    async fn run(&mut self) -> Result<(), Error> {
        loop {
            let done = match self.step().await {
                Ok(done) => done,
                Err(error) => self.recover(error).await?,
            };
            if done {
                return Ok(());
            }
        }
    }

    /// One request; `true`: it was the last.
    async fn step(&mut self) -> Result<bool, Error> {
        let Some(session) = self.session.clone() else {
            let ask = Ask {
                method: Method::POST,
                content: Content::Empty,
                access: Access::Push,
                ..Ask::get("blobs/uploads/", &self.name)
            };
            let answer = self.client.ask_once(self.endpoint, &ask).await?;
            self.session = Some(self.begun(&answer)?);
            return Ok(false);
        };
        let in_pieces = self.in_pieces || session.smallest > 0 || session.offset > 0;
        if !in_pieces || session.offset == self.blob.size {
            return self.put(&session).await.map(|()| true);
        }
        let session = self.patch(&session).await?;
        if session.offset - self.good_at.min(session.offset) >= GOOD_PROGRESS_BYTES {
            (self.attempt, self.good_at) = (0, session.offset);
        }
        self.session = Some(session);
        Ok(false)
    }

    /// What is left, and with it the end of the session.
    async fn put(&self, session: &Session) -> Result<(), Error> {
        let mut place = session.place.clone();
        let digest = self.blob.digest.to_string();
        place.url.query_pairs_mut().append_pair("digest", &digest);
        let ask = Ask {
            method: Method::PUT,
            place: Place::At(&place),
            content: self.piece(session.offset, self.blob.size - session.offset),
            headers: &[octets()],
            access: Access::Push,
            ..Ask::get("", &self.name)
        };
        let answer = self.client.ask_once(self.endpoint, &ask).await?;
        self.confirm(&answer)
    }

    /// The next piece.
    async fn patch(&self, session: &Session) -> Result<Session, Error> {
        let length = PIECE_BYTES.max(session.smallest);
        let length = length.min(self.blob.size - session.offset);
        let last = session.offset + length - 1;
        let range = (CONTENT_RANGE, format!("{}-{last}", session.offset));
        let ask = Ask {
            method: Method::PATCH,
            place: Place::At(&session.place),
            content: self.piece(session.offset, length),
            headers: &[octets(), range],
            access: Access::Push,
            ..Ask::get("", &self.name)
        };
        let answer = self.client.ask_once(self.endpoint, &ask).await?;
        let offset = taken(&answer).unwrap_or(last + 1);
        if offset > last + 1 {
            return Err(self.bad("it has more than was sent"));
        }
        if offset <= session.offset {
            return Err(self.bad("it took nothing of a piece"));
        }
        let place = self.place(&answer)?;
        Ok(Session {
            place: place.unwrap_or_else(|| session.place.clone()),
            offset,
            smallest: session.smallest,
        })
    }

    /// After an error: finds out what the registry has, or gives up. `true`: all of it.
    async fn recover(&mut self, error: Error) -> Result<bool, Error> {
        let patience = self.client.transport().patience();
        let in_session = self.session.is_some();
        let too_large = matches!(error, Error::Status { status: 413, .. }) && !self.in_pieces;
        // The session is gone, or the registry has other bytes than we thought.
        let lost = in_session
            && matches!(
                error,
                Error::NotFound { .. } | Error::Status { status: 416, .. }
            );
        self.attempt += 1;
        if !(error.is_passing() || lost || too_large) || self.attempt >= patience.attempts {
            return Err(error);
        }
        self.in_pieces |= in_session;
        if !lost && !too_large {
            sleep(patience.wait_after(self.attempt, wait_asked(&error))).await;
        }
        let Some(session) = self.session.take() else {
            return Ok(false);
        };
        match self.ask_session(&session).await {
            Ok(found) if found.offset <= self.blob.size => {
                self.session = Some(found);
                Ok(false)
            }
            // It may have ended well, and only the answer was lost.
            _ => {
                self.good_at = 0;
                self.client
                    .has_blob(self.reference, &self.blob.digest)
                    .await
            }
        }
    }

    async fn ask_session(&self, session: &Session) -> Result<Session, Error> {
        let ask = Ask {
            place: Place::At(&session.place),
            access: Access::Push,
            ..Ask::get("", &self.name)
        };
        let answer = self.client.ask_once(self.endpoint, &ask).await?;
        let place = self.place(&answer)?;
        Ok(Session {
            place: place.unwrap_or_else(|| session.place.clone()),
            // `0-0` is how an empty upload is told. That of one byte too: it is then sent again, and refused.
            offset: taken(&answer).filter(|bytes| *bytes > 1).unwrap_or(0),
            smallest: session.smallest,
        })
    }

    /// Gives the session up, so that the registry need not keep its bytes; if it does not hear, it sweeps them.
    async fn cancel(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        let ask = Ask {
            method: Method::DELETE,
            place: Place::At(&session.place),
            access: Access::Push,
            ..Ask::get("", &self.name)
        };
        let _ = timeout(CANCEL_TIMEOUT, self.client.ask_once(self.endpoint, &ask)).await;
    }

    fn begun(&self, answer: &Answer) -> Result<Session, Error> {
        let smallest = text(answer.response.headers(), "oci-chunk-min-length");
        let place = self.place(answer)?;
        Ok(Session {
            place: place.ok_or_else(|| self.bad("it names no place to upload to"))?,
            offset: 0,
            smallest: smallest.and_then(|t| t.parse().ok()).unwrap_or(0),
        })
    }

    fn place(&self, answer: &Answer) -> Result<Option<Led>, Error> {
        let Some(location) = location(&answer.response) else {
            return Ok(None);
        };
        let (from, insecure) = (&answer.url, self.endpoint.insecure);
        let url = match same_host_in_plain(from, &location) {
            Some(url) => url,
            None => target(from, &location, insecure)?,
        };
        let by = answer.reach;
        Ok(Some(Led { url, by }))
    }

    fn piece(&self, from: u64, length: u64) -> Content {
        if length == 0 {
            return Content::Empty;
        }
        Content::Piece(Piece {
            source: self.source.clone(),
            from,
            length,
            progress: self.progress.clone(),
        })
    }

    /// The registry says of what it has taken that it is the blob.
    fn confirm(&self, answer: &Answer) -> Result<(), Error> {
        confirm(answer, &self.blob.digest, &self.name)
    }

    fn bad(&self, reason: &'static str) -> Error {
        Error::BadUpload {
            registry: self.endpoint.host.clone(),
            reason,
        }
    }
}

/// Checks the digest of what was pushed, if the registry says it.
pub(crate) fn confirm(answer: &Answer, expected: &Digest, name: &str) -> Result<(), Error> {
    match stated_digest(answer.response.headers()) {
        Some(actual) if actual.algorithm() == expected.algorithm() && actual != *expected => {
            Err(Error::DigestMismatch {
                what: format!("what the registry has as `{name}`"),
                expected: expected.clone(),
                actual,
            })
        }
        _ => Ok(()),
    }
}

fn octets() -> (HeaderName, String) {
    (CONTENT_TYPE, "application/octet-stream".to_owned())
}

/// A registry behind a proxy may not know that it is spoken to over HTTPS: its own place, in plain HTTP, is meant
/// to be where we are.
fn same_host_in_plain(from: &Url, location: &str) -> Option<Url> {
    let mut url = Url::parse(location).ok()?;
    let same = url.scheme() == "http"
        && from.scheme() == "https"
        && url.host_str() == from.host_str()
        && (url.port().is_none() || url.port() == from.port())
        && url.username().is_empty()
        && url.password().is_none();
    (same && url.set_scheme("https").is_ok() && url.set_port(from.port()).is_ok()).then_some(url)
}

/// Bytes that the registry has, by its `Range: 0-99`.
fn taken(answer: &Answer) -> Option<u64> {
    uploaded(text(answer.response.headers(), RANGE.as_str())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G1: never from HTTPS to HTTP.
    #[test]
    fn https_stays_https() {
        let from = Url::parse("https://r.example:5000/v2/a/blobs/uploads/").unwrap();
        let plain = |location| same_host_in_plain(&from, location).map(|url| url.to_string());
        for location in ["http://r.example/x?y", "http://r.example:5000/x?y"] {
            assert_eq!(
                plain(location).as_deref(),
                Some("https://r.example:5000/x?y")
            );
        }
        for other in [
            "http://s.example/x",
            "http://r.example:81/x",
            "http://u@r.example/x",
            "/x",
        ] {
            assert_eq!(plain(other), None, "{other}");
        }
        assert!(target(&from, "http://r.example:81/x", false).is_err());
    }
}

//! A request, as its handler sees it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, UPGRADE};
use http::{HeaderMap, Method, StatusCode};
use hyper::upgrade::OnUpgrade;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::answer::Answer;
use crate::error::Failure;
use crate::filter::Filters;
use crate::query::Query;
use crate::serve::sink::Source;
use crate::serve::stream::{self, Back, Input};
use crate::serve::upload::Upload;
use crate::serve::websocket;
use crate::{Docker, Version};

/// Bytes of a document that a client may send.
const MAX_DOCUMENT: usize = 4 << 20;
/// How long a document may take to come.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// A request.
pub(crate) struct Ask {
    pub(crate) docker: Arc<Docker>,
    pub(crate) version: Version,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Query,
    pub(crate) body: Upload,
    pub(crate) upgrade: Option<OnUpgrade>,
    /// The connection itself, to see whether the client is still there.
    pub(crate) peer: Arc<OwnedFd>,
}

impl Ask {
    /// Calls the engine where waiting stops no other request.
    pub(crate) async fn work<T, E>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, E> + Send + 'static,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        E: Send + 'static,
        Failure: From<E>,
    {
        let engine = self.docker.engine.clone();
        Ok(tokio::task::spawn_blocking(move || work(&engine)).await??)
    }

    /// The filters of the request, of those that there are.
    pub(crate) fn filters(&self, known: &[&str]) -> Result<Filters, Failure> {
        Filters::checked(self.query.filters()?, known).map_err(Failure::bad)
    }

    /// The document that the client sends.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let bytes = self.document().await?;
        self.check_content_type(&bytes)?;
        read(&bytes)
    }

    /// The same, where it may be left out.
    pub(crate) async fn json_or_default<T: DeserializeOwned + Default>(
        &mut self,
    ) -> Result<T, Failure> {
        let bytes = self.document().await?;
        // Docker's command sends `null` to commit without changes.
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(T::default());
        }
        self.check_content_type(&bytes)?;
        Ok(read::<Option<T>>(&bytes)?.unwrap_or_default())
    }

    async fn document(&mut self) -> Result<Bytes, Failure> {
        let read = async {
            let mut bytes = BytesMut::new();
            while let Some(piece) = self.body.next().await {
                let piece = piece.map_err(|error| {
                    Failure::bad(format!("the request's body broke off: {error}"))
                })?;
                if bytes.len() + piece.len() > MAX_DOCUMENT {
                    return Err(Failure::new(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        format!("the request's body has more than {MAX_DOCUMENT} bytes"),
                    ));
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(bytes.freeze())
        };
        tokio::time::timeout(DOCUMENT_TIMEOUT, read)
            .await
            .unwrap_or_else(|_| {
                Err(Failure::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request's body comes too slowly",
                ))
            })
    }

    /// A page of another site can send only other types without asking first (security: D14).
    fn check_content_type(&self, bytes: &[u8]) -> Result<(), Failure> {
        let given = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let given = given.split(';').next().unwrap_or("").trim();
        if bytes.is_empty() || given.eq_ignore_ascii_case("application/json") {
            return Ok(());
        }
        Err(Failure::bad(format!(
            "unsupported Content-Type header ({given}): must be 'application/json'"
        )))
    }

    /// The body as a reader for a thread.
    pub(crate) fn into_source(self) -> Source {
        Source::new(self.body)
    }

    /// Makes a stream of the connection: the answer to give, and its two directions once that was given.
    pub(crate) fn hijack(
        self,
        content_type: &'static str,
    ) -> (
        Answer,
        impl Future<Output = Option<(Input, Back)>> + Send + 'static,
    ) {
        let wanted = self.headers.contains_key(UPGRADE);
        let peer = self.peer;
        let (answer, upgrade, plain) = match self.upgrade {
            Some(upgrade) if wanted => (Answer::upgraded(content_type), Some(upgrade), None),
            _ => {
                let (sink, answer) = Answer::pieces(content_type);
                (
                    answer,
                    None,
                    Some((Input::Body(self.body), Back::Body(sink))),
                )
            }
        };
        let directions = async move {
            match upgrade {
                Some(upgrade) => stream::upgraded(upgrade, peer).await.ok(),
                None => plain,
            }
        };
        (answer, directions)
    }

    /// The same, by a websocket.
    pub(crate) fn websocket(
        self,
    ) -> Result<
        (
            Answer,
            impl Future<Output = Option<(Input, Back)>> + Send + 'static,
        ),
        Failure,
    > {
        let answer = websocket::accept(&self.headers)?;
        let directions = async move {
            let (reader, writer) = websocket::upgraded(self.upgrade?).await.ok()?;
            Some((Input::Websocket(reader), Back::Websocket(writer)))
        };
        Ok((answer, directions))
    }
}

/// `null` says what is said by leaving a field out.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let read = berth_oci::json::check_object(bytes)
        .and_then(|()| serde_json::from_slice(bytes))
        .and_then(|document| serde_json::from_value(without_nulls(document)));
    read.map_err(|error| Failure::bad(format!("invalid JSON: {error}")))
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                fields
                    .map(|(name, value)| (name, without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

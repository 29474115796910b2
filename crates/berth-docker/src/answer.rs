//! An answer to a client: a status, headers, and a document or a stream.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::error::Failure;
use crate::serve::body::Body;
use crate::serve::sink::{self, Sink};

/// Bytes of a pipe that are sent at once.
pub(crate) const PIECE_BYTES: usize = 64 << 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that is being made.
#[derive(Debug)]
pub(crate) struct Answer(Response<Body>);

impl Answer {
    /// Without a body.
    pub(crate) fn empty(status: StatusCode) -> Answer {
        let mut response = Response::new(Body::default());
        *response.status_mut() = status;
        Answer(response)
    }

    /// 204: done, and nothing to say.
    pub(crate) fn done() -> Answer {
        Answer::empty(StatusCode::NO_CONTENT)
    }

    /// 304: it is so already.
    pub(crate) fn as_it_was() -> Answer {
        Answer::empty(StatusCode::NOT_MODIFIED)
    }

    /// 200 with a document.
    pub(crate) fn json(document: &impl Serialize) -> Answer {
        let mut bytes = Answer::text(document);
        bytes.push(b'\n');
        Answer::bytes(bytes).header(CONTENT_TYPE, JSON)
    }

    /// 200 with a list of documents that are text already.
    pub(crate) fn list(documents: impl Iterator<Item = Bytes>) -> Answer {
        let mut bytes = vec![b'['];
        for (place, document) in documents.enumerate() {
            if place > 0 {
                bytes.push(b',');
            }
            bytes.extend(document);
        }
        bytes.extend(b"]\n");
        Answer::bytes(bytes).header(CONTENT_TYPE, JSON)
    }

    /// A document as text.
    pub(crate) fn text(document: &impl Serialize) -> Vec<u8> {
        // Ours have only text for keys.
        serde_json::to_vec(document).expect("our documents become JSON")
    }

    /// 201 with a document.
    pub(crate) fn created(document: &impl Serialize) -> Answer {
        Answer::json(document).status(StatusCode::CREATED)
    }

    /// 200 with these bytes.
    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Answer {
        Answer(Response::new(Body::whole(bytes.into())))
    }

    /// 200 with what `work` writes, in a thread of its own. The head is sent at once.
    pub(crate) fn stream(
        content_type: &'static str,
        work: impl FnOnce(Sink) + Send + 'static,
    ) -> Answer {
        let (sink, body) = sink::channel();
        tokio::task::spawn_blocking(move || work(sink));
        Answer(Response::new(body)).header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// 200 with what `work` writes, in a thread of its own, once it has written something.
    ///
    /// # Errors
    /// Its failure, if it writes nothing.
    pub(crate) async fn once_begun(
        content_type: &'static str,
        work: impl FnOnce(Sink) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let (sink, mut pieces) = sink::raw_channel();
        let working = tokio::task::spawn_blocking(move || work(sink));
        let body = match pieces.recv().await {
            Some(first) => Body::pieces(Some(first?), pieces),
            None => {
                working.await??;
                Body::default()
            }
        };
        let content_type = HeaderValue::from_static(content_type);
        Ok(Answer(Response::new(body)).header(CONTENT_TYPE, content_type))
    }

    /// 200 with what `work` has others write into a pipe, once something came through it.
    ///
    /// # Errors
    /// Its failure, if nothing came.
    pub(crate) async fn piped(
        content_type: &'static str,
        work: impl FnOnce(File) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Answer, Failure> {
        let pass = move |mut sink: Sink| {
            let (mut reader, writer) = io::pipe()?;
            let working = thread::spawn(move || work(File::from(OwnedFd::from(writer))));
            let (mut begun, mut piece) = (false, vec![0; PIECE_BYTES]);
            let copied = loop {
                match reader.read(&mut piece) {
                    Ok(0) => break Ok(()),
                    Ok(length) => {
                        begun = true;
                        if let Err(error) = sink.write_all(&piece[..length]) {
                            break Err(error);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                }
            };
            // A client that left ends the work: nobody reads its pipe any more.
            drop(reader);
            let worked = working.join().unwrap_or_else(|_| Err(Failure::panicked()));
            match worked.and(copied.map_err(Failure::from)) {
                Err(failure) if begun => {
                    sink.fail(io::Error::other(failure.message));
                    Ok(())
                }
                done => done,
            }
        };
        Answer::once_begun(content_type, pass).await
    }

    /// 200 with a body that async code fills.
    pub(crate) fn pieces(content_type: &'static str) -> (Sink, Answer) {
        let (sink, body) = sink::channel();
        let answer = Answer(Response::new(body));
        (
            sink,
            answer.header(CONTENT_TYPE, HeaderValue::from_static(content_type)),
        )
    }

    /// 101: the connection becomes a stream.
    pub(crate) fn upgraded(content_type: &'static str) -> Answer {
        Answer::empty(StatusCode::SWITCHING_PROTOCOLS)
            .header(CONNECTION, HeaderValue::from_static("Upgrade"))
            .header(UPGRADE, HeaderValue::from_static("tcp"))
            .header(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    pub(crate) fn status(mut self, status: StatusCode) -> Answer {
        *self.0.status_mut() = status;
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Answer {
        self.0.headers_mut().insert(name, value);
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        self.0
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Answer {
        #[derive(Serialize)]
        struct Document {
            message: String,
        }
        let document = Document {
            message: failure.message,
        };
        Answer::json(&document).status(failure.status)
    }
}

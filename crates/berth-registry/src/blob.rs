//! A blob's bytes as they come. When the connection breaks or stalls, the next attempt goes on where the last
//! one ended (`Range`), on the next mirror if there is one. Never more bytes than the descriptor says; whether
//! they are the right ones is for the store to verify (security: G13, N13).

use berth_model::ErrorKind;
use berth_oci::header::range::content_range;
use berth_oci::{Descriptor, Reference};
use bytes::{Buf as _, Bytes};
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::client::{Ask, Client, wait_asked};
use crate::limits::{GOOD_PROGRESS_BYTES, MIN_PROGRESS_BYTES};
use crate::transport::{Answer, check_encoding};

/// A blob on its way.
pub struct BlobStream {
    client: Client,
    reference: Reference,
    descriptor: Descriptor,
    body: Option<Body>,
    /// Bytes of the blob that were given out, or that the caller had already.
    offset: u64,
    /// Attempts since all went well.
    attempt: u32,
    /// `offset` when `attempt` was last set to 0.
    good_at: u64,
    /// Which endpoint to ask next, counted on past the last one.
    endpoint: usize,
    ended: bool,
}

struct Body {
    response: Response,
    /// Bytes at its start that we have already.
    skip: u64,
    /// When the next [`MIN_PROGRESS_BYTES`] must be here.
    deadline: Instant,
    since_deadline: u64,
}

impl Client {
    /// The blob of `descriptor` in the repository of `reference`, from byte `from` on (what the caller has
    /// already). Nothing is sent before the first [`BlobStream::next`].
    pub fn fetch_blob(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        from: u64,
    ) -> BlobStream {
        BlobStream {
            client: self.clone(),
            reference: reference.clone(),
            descriptor: descriptor.clone(),
            body: None,
            offset: from.min(descriptor.size),
            attempt: 0,
            good_at: from,
            endpoint: 0,
            ended: false,
        }
    }
}

impl BlobStream {
    /// The next bytes; `None`: that was all of them.
    ///
    /// # Errors
    /// Not there, not allowed; a length other than the descriptor's; cut off or silent as often as
    /// [`crate::Patience`] allows.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.ended {
            if self.offset == self.descriptor.size {
                self.ended = true;
                return match self.check_end().await {
                    // All that was asked for is here, and its digest will tell whether it is right.
                    Err(error) if self.passes_over(&error)? => Ok(None),
                    end => end.map(|()| None),
                };
            }
            match self.step().await {
                Ok(Some(bytes)) => return Ok(Some(bytes)),
                Ok(None) => {}
                Err(error) => self.recover(error).await?,
            }
        }
        Ok(None)
    }

    /// Bytes of the blob that are there, those included that the caller began with.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Opens the connection or reads from it; `None`: once more.
    async fn step(&mut self) -> Result<Option<Bytes>, Error> {
        let progress = self.client.transport().patience().progress;
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.open().await?,
        };
        let chunk = self
            .client
            .transport()
            .chunk(&mut body.response, body.deadline)
            .await?;
        let Some(mut bytes) = chunk else {
            return Err(self.cut(None));
        };
        body.since_deadline += bytes.len() as u64;
        if body.since_deadline >= MIN_PROGRESS_BYTES {
            (body.deadline, body.since_deadline) = (Instant::now() + progress, 0);
        }
        let known = body.skip.min(bytes.len() as u64);
        body.skip -= known;
        // At most the length of `bytes`, so it fits.
        bytes.advance(known as usize);
        self.body = Some(body);
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() as u64 > self.descriptor.size - self.offset {
            return Err(self.too_long());
        }
        self.offset += bytes.len() as u64;
        if self.offset - self.good_at >= GOOD_PROGRESS_BYTES {
            (self.attempt, self.good_at) = (0, self.offset);
        }
        Ok(Some(bytes))
    }

    /// After an error: waits, or gives up.
    async fn recover(&mut self, error: Error) -> Result<(), Error> {
        self.body = None;
        let patience = self.client.transport().patience();
        let endpoints = self.client.endpoints(&self.reference)?.len();
        let lied = self.passes_over(&error)?;
        self.attempt += 1;
        self.endpoint += 1;
        // Another mirror, or the registry itself, may have what this one has not.
        let others = (self.endpoint < endpoints || lied) && self.attempt < patience.attempts;
        let passing = error.is_passing() || matches!(error, Error::CutOff { .. });
        // Nothing ever came: the server is not there.
        let absent = matches!(error, Error::Connect { .. }) && self.offset == 0;
        if others && !matches!(error, Error::RefusedRedirect { .. }) {
            return Ok(());
        }
        if absent || !passing {
            return Err(error);
        }
        if self.attempt >= patience.attempts {
            return Err(match error {
                error @ Error::CutOff { .. } => error,
                error => self.cut(Some(error)),
            });
        }
        sleep(patience.wait_after(self.attempt, wait_asked(&error))).await;
        Ok(())
    }

    /// Whether it was a mirror that did this, and is asked no more.
    fn passes_over(&self, error: &Error) -> Result<bool, Error> {
        let endpoints = self.client.endpoints(&self.reference)?;
        let endpoint = &endpoints[self.endpoint % endpoints.len()];
        self.client.pass_over(endpoint, error);
        // What was cut may go on.
        Ok(error.kind() == ErrorKind::Corrupt && endpoint.distrust())
    }

    async fn open(&mut self) -> Result<Body, Error> {
        let endpoints = self.client.endpoints(&self.reference)?;
        let count = endpoints.len();
        let trusted = |n: &usize| endpoints[n % count].is_trusted();
        let next = (self.endpoint..self.endpoint + count).find(trusted);
        self.endpoint = next.unwrap_or(self.endpoint);
        let endpoint = &endpoints[self.endpoint % count];
        let digest = &self.descriptor.digest;
        let (rest, name) = (
            format!("blobs/{digest}"),
            format!("{}@{digest}", self.reference.familiar_name()),
        );
        let ask = Ask {
            from: self.offset,
            ..Ask::get(&rest, &name)
        };
        let answer = match self.client.ask_once(endpoint, &ask).await {
            Err(Error::Status { status: 416, .. }) => return Err(self.wrong_range()),
            other => other?,
        };
        check_encoding(&answer.url, &answer.response)?;
        let skip = self.check_start(&answer)?;
        endpoint.has_sent(digest);
        Ok(Body {
            response: answer.response,
            skip,
            deadline: Instant::now() + self.client.transport().patience().progress,
            since_deadline: 0,
        })
    }

    /// Checks that the answer is of the right length; gives how many of its bytes we have already.
    fn check_start(&self, answer: &Answer) -> Result<u64, Error> {
        let (size, response) = (self.descriptor.size, &answer.response);
        let skip = match response.status() {
            StatusCode::OK => self.offset,
            StatusCode::PARTIAL_CONTENT if self.offset > 0 => {
                let header = response.headers().get(CONTENT_RANGE);
                let range = header.and_then(|v| v.to_str().ok()).and_then(content_range);
                match range {
                    Some((start, total))
                        if start == self.offset && total.is_none_or(|t| t == size) =>
                    {
                        0
                    }
                    _ => return Err(self.wrong_range()),
                }
            }
            _ => return Err(self.wrong_range()),
        };
        let expected = size - self.offset + skip;
        match response.content_length() {
            Some(length) if length != expected => Err(Error::WrongLength {
                digest: self.descriptor.digest.clone(),
                expected: size,
                actual: length + (self.offset - skip),
            }),
            _ => Ok(skip),
        }
    }

    /// All bytes are here: is there one more? (A length in the header was compared before.)
    async fn check_end(&mut self) -> Result<(), Error> {
        let Some(mut body) = self.body.take() else {
            return Ok(());
        };
        let transport = self.client.transport();
        match transport.chunk(&mut body.response, body.deadline).await {
            Ok(Some(bytes)) if !bytes.is_empty() => Err(self.too_long()),
            // However the connection ends now, the blob is whole.
            _ => Ok(()),
        }
    }

    fn cut(&self, source: Option<Error>) -> Error {
        Error::CutOff {
            digest: self.descriptor.digest.clone(),
            received: self.offset,
            expected: self.descriptor.size,
            source: source.map(Box::new),
        }
    }

    fn too_long(&self) -> Error {
        Error::TooLong {
            digest: self.descriptor.digest.clone(),
            expected: self.descriptor.size,
        }
    }

    fn wrong_range(&self) -> Error {
        Error::WrongRange {
            digest: self.descriptor.digest.clone(),
        }
    }
}

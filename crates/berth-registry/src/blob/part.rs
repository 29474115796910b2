//! A part of a blob from one connection. When that breaks or stalls, the next attempt goes on where the last one
//! ended (`Range`), on the next mirror if there is one. Never more bytes than the descriptor says; whether they
//! are the right ones is for the store to verify (security: G13, N13).

use std::ops::Range;
use std::time::Duration;

use berth_model::ErrorKind;
use berth_oci::header::range::{ContentRange, content_range};
use berth_oci::{Descriptor, Reference};
use bytes::{Buf as _, Bytes};
use reqwest::header::{ACCEPT_RANGES, CONTENT_RANGE, ETAG, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::time::{Instant, sleep};

use crate::Error;
use crate::client::{Ask, Client, wait_asked};
use crate::limits::{GOOD_PROGRESS_BYTES, MIN_PROGRESS_BYTES};
use crate::transport::{Answer, check_encoding};

/// What is read in order, to the blob's end; or a range that is fetched before its turn.
pub(super) struct Part {
    client: Client,
    reference: Reference,
    descriptor: Descriptor,
    body: Option<Body>,
    /// Bytes of the blob that were given out, or that the caller had already.
    offset: u64,
    /// Of a range.
    bounds: Option<Bounds>,
    /// Attempts since all went well.
    attempt: u32,
    /// `offset` when `attempt` was last set to 0.
    good_at: u64,
    /// Which endpoint to ask next, counted on past the last one.
    endpoint: usize,
    ended: bool,
    /// The endpoint says that it answers ranges.
    ranges: bool,
    etag: Option<HeaderValue>,
    /// For how long the network was waited for, and what it brought meanwhile.
    waited: Duration,
    brought: u64,
}

/// Where a range ends, and what it is a range of.
struct Bounds {
    end: u64,
    etag: Option<HeaderValue>,
}

struct Body {
    response: Response,
    /// Bytes at its start that we have already.
    skip: u64,
    /// When the next [`MIN_PROGRESS_BYTES`] must be here.
    deadline: Instant,
    since_deadline: u64,
}

impl Part {
    /// All from byte `from` on.
    pub(super) fn new(
        client: &Client,
        reference: &Reference,
        descriptor: &Descriptor,
        from: u64,
    ) -> Part {
        Part {
            client: client.clone(),
            reference: reference.clone(),
            descriptor: descriptor.clone(),
            body: None,
            offset: from.min(descriptor.size),
            bounds: None,
            attempt: 0,
            good_at: from,
            endpoint: 0,
            ended: false,
            ranges: false,
            etag: None,
            waited: Duration::ZERO,
            brought: 0,
        }
    }

    /// These bytes of the same blob, from the same endpoint.
    pub(super) fn range(&self, range: Range<u64>) -> Part {
        Part {
            bounds: Some(Bounds {
                end: range.end,
                etag: self.etag.clone(),
            }),
            endpoint: self.endpoint,
            ..Part::new(&self.client, &self.reference, &self.descriptor, range.start)
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The byte that comes next.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that are missing.
    pub(super) fn left(&self) -> u64 {
        let end = self.bounds.as_ref().map(|bounds| bounds.end);
        end.unwrap_or(self.descriptor.size) - self.offset
    }

    /// The next bytes came from elsewhere.
    pub(super) fn passed(&mut self, bytes: u64) {
        self.offset += bytes;
        if self.offset - self.good_at >= GOOD_PROGRESS_BYTES {
            (self.attempt, self.good_at) = (0, self.offset);
        }
    }

    /// What comes from byte `offset` on will come from elsewhere.
    pub(super) fn stop_at(&mut self, offset: u64) {
        (self.body, self.offset) = (None, offset);
        self.good_at = self.good_at.min(offset);
    }

    /// Whether ranges may be asked for beside this.
    pub(super) fn has_ranges(&self) -> bool {
        let endpoints = self.client.endpoints(&self.reference);
        let allowed = endpoints.is_ok_and(|e| e[self.endpoint % e.len()].has_ranges());
        self.ranges && allowed
    }

    /// Whether this connection has kept us waiting for `long`, and brought fewer than so many bytes a second.
    pub(super) fn is_slower(&self, long: Duration, bytes_a_second: u64) -> bool {
        let seconds = self.waited.as_secs_f64();
        self.waited >= long && (self.brought as f64) < bytes_a_second as f64 * seconds
    }

    /// The next bytes in order; `None`: that was all of them.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
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

    /// Opens the connection or reads from it; `None`: once more.
    pub(super) async fn step(&mut self) -> Result<Option<Bytes>, Error> {
        let progress = self.client.transport().patience().progress;
        let mut body = match self.body.take() {
            Some(body) => body,
            None => self.open().await?,
        };
        let begin = Instant::now();
        let chunk = self
            .client
            .transport()
            .chunk(&mut body.response, body.deadline)
            .await?;
        let Some(mut bytes) = chunk else {
            return Err(self.cut(None));
        };
        self.waited += begin.elapsed();
        self.brought += bytes.len() as u64;
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
        if bytes.len() as u64 > self.left() {
            return Err(self.too_long());
        }
        self.passed(bytes.len() as u64);
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

    /// After an error of a range: waits, or gives up (`false`), and then it is asked for in order; that decides
    /// what becomes of the blob. A connection that broke is all that is tried again here: who refuses a range, is
    /// busy, or has something else there, gets no more of them.
    pub(super) async fn recover_range(&mut self, error: &Error) -> bool {
        self.body = None;
        self.attempt += 1;
        let broken = matches!(error, Error::CutOff { .. } | Error::Request { .. });
        if !broken && let Ok(endpoints) = self.client.endpoints(&self.reference) {
            endpoints[self.endpoint % endpoints.len()].forgo_ranges();
        }
        let patience = self.client.transport().patience();
        if !broken || self.attempt >= patience.attempts {
            return false;
        }
        sleep(patience.wait_after(self.attempt, None)).await;
        true
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
            until: self.bounds.as_ref().map(|bounds| bounds.end),
            ..Ask::get(&rest, &name)
        };
        let answer = match self.client.ask_once(endpoint, &ask).await {
            Err(Error::Status { status: 416, .. }) => return Err(self.wrong_range()),
            other => other?,
        };
        check_encoding(&answer.url, &answer.response)?;
        let skip = self.check_start(&answer)?;
        endpoint.has_sent(digest);
        let headers = answer.response.headers();
        let accepted = headers.get(ACCEPT_RANGES).map(HeaderValue::as_bytes);
        self.ranges = answer.response.status() == StatusCode::PARTIAL_CONTENT
            || accepted.is_some_and(|units| units.eq_ignore_ascii_case(b"bytes"));
        self.etag = headers.get(ETAG).cloned();
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
            // All again: of use only to who wants the rest.
            StatusCode::OK if self.bounds.is_none() => self.offset,
            StatusCode::PARTIAL_CONTENT if self.offset > 0 => {
                let header = response.headers().get(CONTENT_RANGE);
                let range = header.and_then(|v| v.to_str().ok()).and_then(content_range);
                if !range.is_some_and(|range| self.is_asked_for(&range)) || !self.is_same(response)
                {
                    return Err(self.wrong_range());
                }
                0
            }
            _ => return Err(self.wrong_range()),
        };
        let expected = self.left() + skip;
        match response.content_length() {
            Some(length) if length != expected => Err(Error::WrongLength {
                digest: self.descriptor.digest.clone(),
                expected: size,
                actual: (size + length).saturating_sub(expected),
            }),
            _ => Ok(skip),
        }
    }

    fn is_asked_for(&self, range: &ContentRange) -> bool {
        let size = self.descriptor.size;
        range.first == self.offset
            && range.last + 1 == self.offset + self.left()
            && range.total.is_none_or(|total| total == size)
    }

    /// Whether a range is, as far as the endpoint tells, of what is being read.
    fn is_same(&self, response: &Response) -> bool {
        let known = self.bounds.as_ref().and_then(|bounds| bounds.etag.as_ref());
        let told = response.headers().get(ETAG);
        known.zip(told).is_none_or(|(known, told)| known == told)
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

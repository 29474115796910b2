//! One request and its answer: redirects, bodies, limits. Knows nothing of registries' protocol.
//!
//! Redirects are followed here, one by one, never by the HTTP library (security: G1): a secret stays with its
//! origin; `redirect` says where else we do not go.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE,
    HeaderName, RANGE, RETRY_AFTER,
};
use reqwest::{Method, RequestBuilder, Response, Url};

use crate::connect::Clients;
use crate::content::{Content, Sent};
use crate::error::printable;
use crate::limits::{self, Patience};
use crate::origin::Authorization;
use crate::reach::Reach;
use crate::redirect::{check_target, redirect, refusal_in, refused};
use crate::{Config, Error};

/// What is asked.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// The value of `Accept`.
    pub(crate) accept: &'a str,
    /// Leave out this many bytes of the body,
    pub(crate) from: u64,
    /// and those from here on.
    pub(crate) until: Option<u64>,
    /// A form to post: it holds secrets.
    pub(crate) form: Option<String>,
    /// What is written.
    pub(crate) content: Content,
    /// Further headers.
    pub(crate) headers: &'a [(HeaderName, String)],
    pub(crate) authorization: Option<&'a Authorization>,
    /// Who sent us here, if it is not where the user pointed.
    pub(crate) led_by: Option<Reach>,
    /// Redirects to plain HTTP are followed.
    pub(crate) insecure: bool,
}

impl Request<'_> {
    /// `GET url` of where the user pointed.
    pub(crate) fn get(url: Url) -> Self {
        Request {
            method: Method::GET,
            url,
            accept: "*/*",
            from: 0,
            until: None,
            form: None,
            content: Content::None,
            headers: &[],
            authorization: None,
            led_by: None,
            insecure: false,
        }
    }
}

/// What came back; the body is still to be read.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// Where it came from in the end.
    pub(crate) url: Url,
    /// The farthest of those who had a say.
    pub(crate) reach: Reach,
}

/// Sends requests.
pub(crate) struct Transport {
    clients: Clients,
    patience: Patience,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Transport {
        Transport {
            clients: Clients::new(config),
            patience: config.patience.clone(),
        }
    }

    /// Sends `request` and follows where it leads, until the header of an answer is there.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let mut url = request.url.clone();
        let mut led_by = request.led_by;
        if let Some(reach) = led_by {
            check_target(&request.url, &url, reach)?;
        }
        for _ in 0..=limits::MAX_REDIRECTS {
            let response = self.send_once(request, &url, led_by).await?;
            let reach = self
                .clients
                .reach(&url, &response)
                .max(led_by.unwrap_or(Reach::LinkLocal));
            let Some(next) = redirect(&url, &response, request)? else {
                return Ok(Answer {
                    response,
                    url,
                    reach,
                });
            };
            check_target(&url, &next, reach)?;
            led_by = Some(reach);
            url = next;
        }
        Err(refused(
            &request.url,
            url.as_str(),
            "there were too many before it",
        ))
    }

    async fn send_once(
        &self,
        request: &Request<'_>,
        url: &Url,
        led_by: Option<Reach>,
    ) -> Result<Response, Error> {
        let client = self.clients.get(url, led_by)?;
        let mut builder = client
            .request(request.method.clone(), url.clone())
            .header(ACCEPT, request.accept)
            .header(ACCEPT_ENCODING, "identity");
        if let Some(value) = request.authorization.and_then(|a| a.for_url(url)) {
            builder = builder.header(AUTHORIZATION, value);
        }
        match (request.from, request.until) {
            (0, None) => {}
            (from, None) => builder = builder.header(RANGE, format!("bytes={from}-")),
            (from, Some(until)) => {
                builder = builder.header(RANGE, format!("bytes={from}-{}", until - 1));
            }
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some(form) = &request.form {
            builder = builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
        }
        let mut sent = None;
        match &request.content {
            Content::None => {}
            Content::Empty => builder = builder.header(CONTENT_LENGTH, "0"),
            Content::Bytes(bytes) => builder = builder.body(bytes.clone()),
            Content::Piece(piece) => {
                let (body, watch) = piece.open()?;
                builder = builder.body(body);
                sent = Some(watch);
            }
        }
        self.answer(builder, url, sent.as_deref()).await
    }

    /// Waits for the answer's header: [`Patience::progress`] from the last sign of life, which is also that
    /// more of what is written was taken; longer once all is, because a registry may have much to do then.
    async fn answer(
        &self,
        builder: RequestBuilder,
        url: &Url,
        sent: Option<&Sent>,
    ) -> Result<Response, Error> {
        let mut answer = std::pin::pin!(builder.send());
        let (mut taken, mut patience) = (0, limits::COMMIT_WAITS);
        loop {
            match tokio::time::timeout(self.patience.progress, &mut answer).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(source)) => {
                    let unreadable = sent.and_then(Sent::take_failure);
                    return Err(unreadable.unwrap_or_else(|| failed(url, source)));
                }
                Err(_) => match sent {
                    Some(sent) if sent.taken() > taken => taken = sent.taken(),
                    Some(sent) if sent.is_all() && patience > 0 => patience -= 1,
                    _ => return Err(self.silent(url)),
                },
            }
        }
    }

    /// Reads the whole body, at most `limit` bytes.
    pub(crate) async fn body(
        &self,
        answer: Answer,
        what: &'static str,
        limit: u64,
    ) -> Result<Vec<u8>, Error> {
        let Answer {
            mut response, url, ..
        } = answer;
        check_encoding(&url, &response)?;
        let too_large = || Error::TooLarge {
            what,
            url: shown(&url),
            limit,
        };
        if response.content_length().is_some_and(|n| n > limit) {
            return Err(too_large());
        }
        let reading = async {
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| failed(&url, e))? {
                if (bytes.len() + chunk.len()) as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        };
        match tokio::time::timeout(self.patience.progress, reading).await {
            Ok(result) => result,
            Err(_) => Err(self.silent(&url)),
        }
    }

    /// The next bytes of the body, before `deadline`.
    pub(crate) async fn chunk(
        &self,
        response: &mut Response,
        deadline: tokio::time::Instant,
    ) -> Result<Option<Bytes>, Error> {
        match tokio::time::timeout_at(deadline, response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(source)) => Err(failed(response.url(), source)),
            Err(_) => Err(self.silent(response.url())),
        }
    }

    /// The text of an error that a registry sends as JSON, if there is one.
    pub(crate) async fn message(&self, answer: Answer) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Body {
            #[serde(default)]
            errors: Vec<Entry>,
            #[serde(default)]
            details: Option<String>,
        }
        #[derive(serde::Deserialize)]
        struct Entry {
            #[serde(default)]
            code: String,
            #[serde(default)]
            message: String,
        }
        let bytes = self
            .body(answer, "an error", limits::MAX_ERROR_BYTES)
            .await
            .ok()?;
        let body: Body = berth_oci::image::parse_strict("an error", &bytes).ok()?;
        let first = body.errors.into_iter().next();
        let text = first.map(|e| {
            if e.message.is_empty() {
                e.code
            } else {
                e.message
            }
        });
        text.or(body.details)
            .map(|text| printable(&text))
            .filter(|text| !text.is_empty())
    }

    /// How long to wait and how often to try.
    pub(crate) fn patience(&self) -> &Patience {
        &self.patience
    }

    fn silent(&self, url: &Url) -> Error {
        Error::Silent {
            url: shown(url),
            seconds: self.patience.progress.as_secs(),
        }
    }
}

/// How a URL is shown: without user, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    printable(url.as_str())
}

/// How long the server asks us to wait.
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    berth_oci::header::retry::after(text, now)
}

/// Refuses a body that was packed in another way than it was asked for (security: G13).
pub(crate) fn check_encoding(url: &Url, response: &Response) -> Result<(), Error> {
    match response.headers().get(CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"identity") && !value.is_empty() => {
            Err(Error::Encoded {
                url: shown(url),
                encoding: printable(&String::from_utf8_lossy(value.as_bytes())),
            })
        }
        _ => Ok(()),
    }
}

fn failed(url: &Url, source: reqwest::Error) -> Error {
    let refused = refusal_in(&source);
    let (connect, source) = (source.is_connect(), source.without_url());
    let url_shown = shown(url);
    match (refused, connect) {
        (Some(reason), _) => Error::RefusedRedirect {
            from: "the registry".into(),
            to: url_shown,
            reason,
        },
        (None, true) => Error::Connect {
            url: url_shown,
            source,
        },
        (None, false) => Error::Request {
            url: url_shown,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_urls_are_not_shown() {
        let url = Url::parse("https://u:p@s.example/a?sig=x#y").unwrap();
        assert_eq!(shown(&url), "https://s.example/a");
    }
}

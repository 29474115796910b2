//! A connection that becomes a websocket: what the container says goes in binary messages, what comes in any.
//!
//! ```text
//! frame: fin:1 0:3 opcode:4  mask:1 length:7 [length:16be | length:64be] [mask:32] bytes…      a client masks
//! ```
//! Source: RFC 6455.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::HeaderMap;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::sync::mpsc;

use crate::answer::Answer;
use crate::error::Failure;

/// What is hashed with the client's key.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The longest frame that a client may send, in bytes.
const MAX_FRAME: u64 = 1 << 20;
/// The longest control frame.
const MAX_CONTROL: u64 = 125;
/// Frames that wait for the client, at most.
const FRAMES: usize = 8;

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// The answer that accepts a client's wish.
pub(crate) fn accept(headers: &HeaderMap) -> Result<Answer, Failure> {
    let has = |name, wanted: &str| {
        let values = headers.get_all(name).iter();
        let mut words = values
            .filter_map(|value: &HeaderValue| value.to_str().ok())
            .flat_map(|text| text.split(','));
        words.any(|word| word.trim().eq_ignore_ascii_case(wanted))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let key = key.filter(|key| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16));
    let (true, true, Some(key)) = (has(UPGRADE, "websocket"), has(CONNECTION, "upgrade"), key)
    else {
        return Err(Failure::bad("not a websocket's handshake"));
    };
    if !has(SEC_WEBSOCKET_VERSION, "13") {
        return Err(Failure::new(
            StatusCode::UPGRADE_REQUIRED,
            "websockets have version 13 here",
        ));
    }
    // It protects nothing, here as there.
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, MAGIC.as_bytes()].concat());
    let hash = HeaderValue::from_str(&STANDARD.encode(hash));
    Ok(Answer::empty(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(UPGRADE, HeaderValue::from_static("websocket"))
        .header(
            SEC_WEBSOCKET_ACCEPT,
            hash.expect("base64 has no other characters"),
        ))
}

/// Both directions, once the client has the answer.
///
/// # Errors
/// The client went before.
pub(crate) async fn upgraded(upgrade: OnUpgrade) -> hyper::Result<(Reader, Writer)> {
    let (read, mut write) = tokio::io::split(TokioIo::new(upgrade.await?));
    let (sender, mut frames) = mpsc::channel::<Bytes>(FRAMES);
    // Frames of both directions (pongs are the reader's) go out whole, one after the other.
    tokio::spawn(async move {
        while let Some(frame) = frames.recv().await {
            if write.write_all(&frame).await.is_err() {
                return;
            }
        }
        // A client that is gone needs no end.
        _ = write.shutdown().await;
    });
    let reader = Reader {
        half: read,
        buffer: BytesMut::new(),
        answers: sender.downgrade(),
    };
    Ok((reader, Writer(sender)))
}

/// What the client sends.
#[derive(Debug)]
pub(crate) struct Reader {
    half: ReadHalf<TokioIo<Upgraded>>,
    buffer: BytesMut,
    answers: mpsc::WeakSender<Bytes>,
}

impl Reader {
    /// The next bytes of its messages; `None` at its end. Dropped while it waits, it loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            match take(&mut self.buffer)? {
                Some((CONTINUATION | TEXT | BINARY, bytes)) if bytes.is_empty() => {}
                Some((CONTINUATION | TEXT | BINARY, bytes)) => return Some(bytes),
                Some((PING, bytes)) => self.answer(PONG, &bytes),
                Some((PONG, _)) => {}
                Some((CLOSE, bytes)) => {
                    self.answer(CLOSE, &bytes);
                    return None;
                }
                Some(_) => return None,
                None => {
                    if matches!(self.half.read_buf(&mut self.buffer).await, Ok(0) | Err(_)) {
                        return None;
                    }
                }
            }
        }
    }

    /// One who does not read what we send has no use for an answer either.
    fn answer(&self, opcode: u8, bytes: &[u8]) {
        if let Some(answers) = self.answers.upgrade() {
            _ = answers.try_send(frame(opcode, bytes));
        }
    }
}

/// Where the client reads.
#[derive(Debug)]
pub(crate) struct Writer(mpsc::Sender<Bytes>);

impl Writer {
    /// Sends a message.
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) async fn send(&self, bytes: &[u8]) -> std::io::Result<()> {
        let gone = |_| std::io::ErrorKind::BrokenPipe.into();
        self.0.send(frame(BINARY, bytes)).await.map_err(gone)
    }

    /// Ends our direction.
    pub(crate) async fn end(self) {
        // 1000: all was done.
        _ = self.0.send(frame(CLOSE, &1000_u16.to_be_bytes())).await;
    }
}

fn frame(opcode: u8, bytes: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(10 + bytes.len());
    frame.put_u8(0x80 | opcode);
    match bytes.len() {
        short @ 0..=125 => frame.put_u8(short as u8),
        middle @ 126..=0xffff => {
            frame.put_u8(126);
            frame.put_u16(middle as u16);
        }
        long => {
            frame.put_u8(127);
            frame.put_u64(long as u64);
        }
    }
    frame.put_slice(bytes);
    frame.freeze()
}

/// The first frame of what has come: its opcode and its bytes; `Some(None)`: it has not all come; `None`: no client
/// sends such.
fn take(buffer: &mut BytesMut) -> Option<Option<(u8, Bytes)>> {
    let [first, second, rest @ ..] = &buffer[..] else {
        return Some(None);
    };
    let (opcode, extended) = (first & 0x0f, second & 0x7f);
    let (is_masked, is_control) = (second & 0x80 != 0, opcode >= CLOSE);
    let (length, head) = match (extended, rest) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10)
        }
        (126 | 127, _) => return Some(None),
        (short, _) => (u64::from(short), 2),
    };
    let is_whole = first & 0x80 != 0;
    if !is_masked
        || first & 0x70 != 0
        || length > MAX_FRAME
        || is_control && (length > MAX_CONTROL || !is_whole)
    {
        return None;
    }
    let length = usize::try_from(length).ok()?;
    if buffer.len() < head + 4 + length {
        return Some(None);
    }
    buffer.advance(head);
    let mask = buffer.split_to(4);
    let mut bytes = buffer.split_to(length);
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte ^= mask[index % 4];
    }
    Some(Some((opcode, bytes.freeze())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a client sends it.
    fn masked(first: u8, bytes: &[u8]) -> Vec<u8> {
        let plain = frame(first & 0x0f, bytes);
        let head = plain.len() - bytes.len();
        let mask = [1, 2, 3, 4];
        let mut frame = plain[..head].to_vec();
        frame[0] = first;
        frame[1] |= 0x80;
        frame.extend(mask);
        frame.extend(
            bytes
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        frame
    }

    #[test]
    fn frames_are_taken_as_they_come() {
        for length in [0, 1, 125, 126, 0xffff, 0x10000] {
            let bytes = vec![7; length];
            let sent = masked(0x82, &bytes);
            let mut buffer = BytesMut::new();
            for byte in &sent[..sent.len() - 1] {
                buffer.put_u8(*byte);
                if buffer.len() < 20 {
                    assert_eq!(take(&mut buffer), Some(None));
                }
            }
            assert_eq!(take(&mut buffer), Some(None));
            buffer.put_slice(&[*sent.last().unwrap(), 0x82]);
            assert_eq!(take(&mut buffer), Some(Some((BINARY, bytes.into()))));
            assert_eq!(buffer.len(), 1);
        }
    }

    #[test]
    fn what_no_client_sends_ends_it() {
        let long = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        let bare = frame(BINARY, b"a");
        let control = masked(0x89, &[0; 126]);
        for bytes in [
            &long[..],
            &bare,
            &masked(0xc2, b"a"),
            &masked(0x09, b"a"),
            &control,
        ] {
            assert_eq!(take(&mut BytesMut::from(bytes)), None, "{bytes:?}");
        }
    }

    /// Source: RFC 6455, section 1.3.
    #[test]
    fn a_key_is_answered() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (UPGRADE, "WebSocket"),
            (CONNECTION, "keep-alive, Upgrade"),
            (SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
            (SEC_WEBSOCKET_VERSION, "13"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let answer = accept(&headers).unwrap().into_response();
        assert_eq!(
            answer.headers()[SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        for name in [
            UPGRADE,
            CONNECTION,
            SEC_WEBSOCKET_KEY,
            SEC_WEBSOCKET_VERSION,
        ] {
            let mut lacking = headers.clone();
            lacking.remove(name);
            assert!(accept(&lacking).is_err());
        }
    }
}

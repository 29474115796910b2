//! `POST /berth/v1/command`: a verb of `berth`, run here for a client elsewhere; not Docker's.
//!
//! The verb is `berth` itself, a child with this daemon's directories, so every verb works from elsewhere as it does
//! here. It grants nothing that the rest of the API does not: who may make containers may mount the host's root into
//! one, and is root by it. The words are berth-model's (`command.rs`).

mod child;
mod session;

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use berth_model::command::PROTOCOL;
use bytes::BytesMut;
use http::StatusCode;
use http::header::UPGRADE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::serve::stream::{Back, Input};

use child::Launch;

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 64 << 10;

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let asked = ask.headers.get(UPGRADE);
    if asked.is_none_or(|protocol| protocol.as_bytes() != PROTOCOL.as_bytes()) {
        let message = format!("this is a stream: ask with `Upgrade: {PROTOCOL}`");
        return Err(Failure::new(StatusCode::UPGRADE_REQUIRED, message));
    }
    let launch = Launch::of(&ask.docker.engine);
    let (answer, directions) = ask.hijack("application/vnd.berth.command");
    tokio::spawn(async move {
        let Some((input, back)) = directions.await else {
            return;
        };
        // The session waits in threads; a socket is between it and tokio.
        if let Ok((ours, theirs)) = UnixStream::pair() {
            let session = std::thread::Builder::new().name("command".to_owned());
            // Without a thread there is no session: the client sees the end.
            let started = session.spawn(move || session::run(theirs, &launch));
            if started.is_ok() {
                // However it ends, both sides see it.
                _ = pass(input, back, ours).await;
            }
        }
    });
    Ok(answer)
}

/// Copies both ways. When the client is gone the session reads an end; when the session has ended, so does this.
async fn pass(mut input: Input, mut back: Back, stream: UnixStream) -> io::Result<()> {
    let whole = stream.try_clone()?;
    stream.set_nonblocking(true)?;
    let (mut read, mut write) = tokio::net::UnixStream::from_std(stream)?.into_split();
    let up = async move {
        while let Some(piece) = input.next().await {
            write.write_all(&piece).await?;
        }
        write.shutdown().await
    };
    let up = tokio::spawn(up);
    let down = async {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        loop {
            piece.reserve(PIECE_BYTES);
            if read.read_buf(&mut piece).await? == 0 {
                return io::Result::Ok(());
            }
            back.send(piece.split().freeze()).await?;
        }
    };
    let ended = down.await;
    up.abort();
    // A client that is gone while its verb says nothing is seen by `up`; one that is gone while it speaks, here.
    _ = whole.shutdown(Shutdown::Both);
    back.end().await;
    ended
}

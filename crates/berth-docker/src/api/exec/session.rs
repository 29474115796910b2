//! The client of a process: its input, and what comes back. A client that leaves does not end the process.

use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_engine::attach::DetachKeys;
use bytes::{Buf, Bytes};

use super::process::{Piece, Process, Stream, Streams};
use crate::execs::Exec;
use crate::serve::stream::{self, Back, Input, Output, piece};

/// How often is looked whether a client that sends no more still reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Until the process ends.
pub(crate) async fn run(
    mut process: Process,
    engine: &Arc<Engine>,
    exec: &Exec,
    framed: bool,
    input: Input,
    back: Back,
    peer: Arc<OwnedFd>,
) {
    let Ok(streams) = process.streams() else {
        let code = process.wait().await;
        back.end().await;
        return exec.died(engine, code);
    };
    let tty = exec.request.tty;
    let mut client = Client {
        streams,
        input,
        back: Some(back),
        framed,
        tty,
        keys: if tty {
            exec.detach_keys.clone()
        } else {
            DetachKeys::none()
        },
        peer,
        ended: false,
        typed: Bytes::new(),
    };
    let code = {
        let mut end = pin!(process.wait());
        loop {
            if let Some(code) = client.pass(end.as_mut()).await {
                break code;
            }
        }
    };
    // Before the client sees the end: it asks for the code then.
    exec.died(engine, code);
    client.drain().await;
    if let Some(back) = client.back {
        back.end().await;
    }
}

struct Client {
    streams: Streams,
    input: Input,
    /// `None`: it has left.
    back: Option<Back>,
    framed: bool,
    tty: bool,
    keys: DetachKeys,
    peer: Arc<OwnedFd>,
    /// Its input has ended.
    ended: bool,
    /// What it has sent and the process has not taken.
    typed: Bytes,
}

impl Client {
    /// One step; the exit code, if the process has ended. What was read is given before that is looked at.
    async fn pass(&mut self, end: Pin<&mut impl Future<Output = i32>>) -> Option<i32> {
        let Client { streams, .. } = self;
        tokio::select! {
            code = end => return Some(code),
            piece = next(&streams.stdout) => match piece {
                Some(bytes) => self.give(Output::Stdout, bytes).await,
                None => self.streams.stdout = None,
            },
            piece = next(&streams.stderr) => match piece {
                Some(bytes) => self.give(Output::Stderr, bytes).await,
                None => self.streams.stderr = None,
            },
            taken = write(&streams.stdin, &self.typed), if !self.typed.is_empty() => match taken {
                Some(taken) => self.typed.advance(taken),
                None => (self.typed, self.streams.stdin) = (Bytes::new(), None),
            },
            piece = self.input.next(), if !self.ended && self.typed.is_empty() => {
                if self.take(piece) {
                    self.leave().await;
                }
            }
            () = tokio::time::sleep(LOOK_EVERY), if self.back.is_some() => {
                if stream::is_gone(&self.peer) {
                    self.leave().await;
                }
            }
        }
        None
    }

    /// Takes input; whether it has the keys that detach.
    fn take(&mut self, piece: Option<Bytes>) -> bool {
        let Some(piece) = piece else {
            self.ended = true;
            self.input = Input::Ended;
            if !self.tty {
                // A terminal's end is a key that is typed.
                self.streams.stdin = None;
            }
            return false;
        };
        let mut typed = Vec::with_capacity(piece.len());
        if self.keys.filter(&piece, &mut typed) {
            return true;
        }
        if self.streams.stdin.is_some() {
            self.typed = typed.into();
        }
        false
    }

    async fn leave(&mut self) {
        if let Some(back) = self.back.take() {
            // The connection is open in more than one place: dropping this half would not end it.
            back.end().await;
        }
        self.ended = true;
        self.input = Input::Ended;
    }

    async fn give(&mut self, output: Output, bytes: Bytes) {
        let Some(back) = &mut self.back else {
            return;
        };
        let bytes = piece(self.framed, output, bytes);
        if back.send(bytes).await.is_err() {
            self.leave().await;
        }
    }

    /// What the process said last.
    async fn drain(&mut self) {
        for output in [Output::Stdout, Output::Stderr] {
            let stream = match output {
                Output::Stdout => self.streams.stdout.clone(),
                Output::Stderr => self.streams.stderr.clone(),
            };
            let Some(stream) = stream else { continue };
            while let Piece::Bytes(bytes) = stream.take() {
                self.give(output, bytes).await;
            }
        }
    }
}

async fn next(stream: &Option<Stream>) -> Option<Bytes> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn write(stream: &Option<Stream>, bytes: &[u8]) -> Option<usize> {
    match stream {
        Some(stream) => stream.write(bytes).await,
        None => None,
    }
}

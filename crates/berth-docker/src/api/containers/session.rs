//! One attached client: the monitor on one side, the client on the other, nothing in between but bytes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_engine::attach::{AttachStream, DetachKeys, Event};
use berth_model::ContainerId;
use bytes::{Buf, Bytes};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};

use crate::serve::ready::register;
use crate::serve::stream::{self, Back, Input, Output, piece};

/// How often is looked whether a client that sends no more still reads.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a session needs.
pub(crate) struct Session {
    pub(crate) stream: AttachStream,
    pub(crate) input: Input,
    pub(crate) back: Back,
    /// Output goes in frames.
    pub(crate) framed: bool,
    pub(crate) keys: DetachKeys,
    /// The client's end of input is the container's.
    pub(crate) end_stdin: bool,
    pub(crate) peer: Arc<OwnedFd>,
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The container ended.
    Exit,
    /// The client typed the keys.
    Detached,
    /// The client left; or the monitor died.
    Left,
}

impl Session {
    /// Until the container ends or the client leaves. A `foreground` client's container is reaped here.
    pub(crate) async fn run(self, engine: &Arc<Engine>, id: &ContainerId, foreground: bool) {
        let Session { stream, back, .. } = self;
        let Ok(mut wire) = register(stream) else {
            return back.end().await;
        };
        let mut client = Client {
            input: self.input,
            back,
            framed: self.framed,
            keys: self.keys,
            end_stdin: self.end_stdin,
            peer: self.peer,
            ended: false,
            typed: Bytes::new(),
            owes_end: false,
        };
        let end = client.pass(&mut wire).await;
        let (engine, id) = (engine.clone(), id.clone());
        let stream = wire.into_inner();
        let last = move || match end {
            End::Exit if foreground => engine.take_over(stream, &id),
            End::Detached => engine.record_of(&id, "detach"),
            End::Exit | End::Left => {}
        };
        _ = tokio::task::spawn_blocking(last).await;
        client.back.end().await;
    }
}

struct Client {
    input: Input,
    back: Back,
    framed: bool,
    keys: DetachKeys,
    end_stdin: bool,
    peer: Arc<OwnedFd>,
    /// Its input has ended.
    ended: bool,
    /// What it has sent and the container has not taken.
    typed: Bytes,
    /// The container is to be told the end of input.
    owes_end: bool,
}

impl Client {
    async fn pass(&mut self, wire: &mut AsyncFd<AttachStream>) -> End {
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let owes = !self.typed.is_empty() || self.owes_end;
            let interest = match owes {
                true => Interest::READABLE | Interest::WRITABLE,
                false => Interest::READABLE,
            };
            tokio::select! {
                ready = wire.ready_mut(interest) => {
                    let Ok(mut ready) = ready else { return End::Left };
                    // First, so that a client that reads slowly can still end what it cannot read.
                    if owes && ready.ready().is_writable() {
                        match self.pass_input(ready.get_inner()) {
                            Ok(true) => {}
                            Ok(false) => ready.clear_ready_matching(Ready::WRITABLE),
                            // The monitor is gone, or about to tell the end: reading says which.
                            Err(()) => (self.typed, self.owes_end) = (Bytes::new(), false),
                        }
                    }
                    if ready.ready().is_readable() {
                        match receive(ready.get_inner_mut()) {
                            Received::Nothing => ready.clear_ready_matching(Ready::READABLE),
                            Received::Output(output, bytes) => {
                                if self.give(output, bytes).await.is_err() {
                                    return End::Left;
                                }
                            }
                            Received::Exit => return End::Exit,
                            Received::End => return End::Left,
                        }
                    }
                }
                piece = self.input.next(), if !self.ended && self.typed.is_empty() => match piece {
                    Some(piece) => {
                        let mut typed = Vec::with_capacity(piece.len());
                        if self.keys.filter(&piece, &mut typed) {
                            return End::Detached;
                        }
                        self.typed = typed.into();
                    }
                    None => {
                        self.ended = true;
                        self.owes_end = self.end_stdin;
                        self.input = Input::Ended;
                    }
                },
                _ = look.tick() => if stream::is_gone(&self.peer) { return End::Left },
            }
        }
    }

    /// Passes on what the client has sent, as far as there is room; `false`: there was none.
    fn pass_input(&mut self, stream: &AttachStream) -> Result<bool, ()> {
        if self.typed.is_empty() {
            let told = stream.try_close_stdin().map_err(drop)?;
            self.owes_end &= !told;
            return Ok(told);
        }
        let taken = stream.try_write_stdin(&self.typed).map_err(drop)?;
        self.typed.advance(taken);
        Ok(taken > 0)
    }

    async fn give(&mut self, output: Output, bytes: Bytes) -> std::io::Result<()> {
        self.back.send(piece(self.framed, output, bytes)).await
    }
}

enum Received {
    Nothing,
    Output(Output, Bytes),
    Exit,
    End,
}

fn receive(stream: &mut AttachStream) -> Received {
    match stream.try_receive() {
        Ok(None) => Received::Nothing,
        Ok(Some(Event::Stdout(bytes))) => {
            Received::Output(Output::Stdout, Bytes::copy_from_slice(bytes))
        }
        Ok(Some(Event::Stderr(bytes))) => {
            Received::Output(Output::Stderr, Bytes::copy_from_slice(bytes))
        }
        Ok(Some(Event::Exit { .. })) => Received::Exit,
        Ok(Some(Event::End)) | Err(_) => Received::End,
    }
}

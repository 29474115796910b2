//! `POST /containers/{id}/attach`: the container's streams over the connection.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use berth_engine::Engine;
use berth_engine::attach::{AttachStream, DetachKeys, Wants};
use berth_model::{ContainerConfig, ContainerId, Status};
use http::StatusCode;
use tokio::sync::oneshot;

use super::logs;
use super::session::Session;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::pending::Attached;
use crate::serve::sink;
use crate::serve::stream::{self, Back, Input};
use crate::{Docker, Version};

/// How often is looked whether somebody else has started or removed a container that a client waits for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The type of a stream of one output, of frames of two.
pub(crate) fn content_type(tty: bool, version: Version) -> &'static str {
    match tty || version < Version(1, 42) {
        true => "application/vnd.docker.raw-stream",
        false => "application/vnd.docker.multiplexed-stream",
    }
}

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let prepared = Prepared::of(&ask, name).await?;
    let kind = content_type(prepared.config.process.tty, ask.version);
    let (answer, directions) = ask.hijack(kind);
    tokio::spawn(prepared.run(directions, true));
    Ok(answer)
}

/// `GET /containers/{id}/attach/ws`: a websocket's messages have no room for which output they are of.
pub(crate) async fn answer_websocket(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let prepared = Prepared::of(&ask, name).await?;
    let (answer, directions) = ask.websocket()?;
    tokio::spawn(prepared.run(directions, false));
    Ok(answer)
}

/// What is known before the client has its answer.
struct Prepared {
    docker: Arc<Docker>,
    config: ContainerConfig,
    wants: Wants,
    with_logs: bool,
    stream: Option<Streams>,
    keys: DetachKeys,
    peer: Arc<OwnedFd>,
}

impl Prepared {
    async fn of(ask: &Ask, name: &str) -> Result<Prepared, Failure> {
        let wants = Wants {
            stdin: ask.query.is_on("stdin"),
            stdout: ask.query.is_on("stdout"),
            stderr: ask.query.is_on("stderr"),
        };
        let (with_logs, with_stream) = (ask.query.is_on("logs"), ask.query.is_on("stream"));
        let keys = detach_keys(ask)?;
        let name = name.to_owned();
        let docker = ask.docker.clone();
        let found = ask.work(move |engine| {
            let (config, status) = look(engine, &name)?;
            // Now, not once the answer is out: the client starts the container as soon as it has it.
            let stream = match with_stream {
                true => Some(connect(&docker, &config.id, &status, wants)?),
                false => None,
            };
            Ok::<_, Failure>((config, stream))
        });
        let (config, stream) = found.await?;
        Ok(Prepared {
            docker: ask.docker.clone(),
            config,
            wants,
            with_logs,
            stream,
            keys,
            peer: ask.peer.clone(),
        })
    }

    /// `framed`: it is told which output bytes are of, unless a terminal makes one of both.
    async fn run(self, directions: impl Future<Output = Option<(Input, Back)>>, framed: bool) {
        let Some((input, mut back)) = directions.await else {
            return;
        };
        let (docker, config, wants) = (self.docker, self.config, self.wants);
        let tty = config.process.tty;
        let framed = framed && !tty;
        if self.with_logs
            && replay(&docker, &config, wants, framed, &mut back)
                .await
                .is_err()
        {
            return;
        }
        let attached = match self.stream {
            Some(stream) => stream.wait(&docker, &config.id, wants, &self.peer).await,
            None => None,
        };
        let Some(attached) = attached else {
            return back.end().await;
        };
        let session = Session {
            stream: attached.stream,
            input: if wants.stdin { input } else { Input::Ended },
            back,
            framed,
            keys: if tty { self.keys } else { DetachKeys::none() },
            end_stdin: config.process.stdin_once && !tty,
            peer: self.peer,
        };
        session
            .run(&docker.engine, &config.id, attached.foreground)
            .await;
    }
}

/// The keys that detach, as the client says.
pub(crate) fn detach_keys(ask: &Ask) -> Result<DetachKeys, Failure> {
    match ask.query.get("detachKeys") {
        Some(text) => Ok(text.parse()?),
        None => Ok(DetachKeys::default()),
    }
}

fn look(engine: &Engine, name: &str) -> Result<(ContainerConfig, Status), Failure> {
    let id = engine.find(name)?;
    let container = engine.inspect(&id)?;
    if container.status == Status::Paused {
        let message = format!("Container {id} is paused, unpause the container before attach.");
        return Err(Failure::new(StatusCode::CONFLICT, message));
    }
    Ok((container.config, container.status))
}

/// The streams, or the wait for them.
enum Streams {
    Now(AttachStream),
    Later(oneshot::Receiver<Attached>),
}

fn connect(
    docker: &Docker,
    id: &ContainerId,
    status: &Status,
    wants: Wants,
) -> Result<Streams, Failure> {
    if *status == Status::Running {
        return Ok(Streams::Now(docker.engine.attach(id, wants)?));
    }
    Ok(Streams::Later(docker.waiting.add(id, wants)))
}

impl Streams {
    /// Until the container runs; `None`: it will not, or the client has gone.
    async fn wait(
        self,
        docker: &Docker,
        id: &ContainerId,
        wants: Wants,
        peer: &OwnedFd,
    ) -> Option<Attached> {
        let mut given = match self {
            Streams::Now(stream) => {
                return Some(Attached {
                    stream,
                    foreground: false,
                });
            }
            Streams::Later(given) => given,
        };
        loop {
            match tokio::time::timeout(LOOK_EVERY, &mut given).await {
                Ok(given) => return given.ok(),
                Err(_) if stream::is_gone(peer) => return None,
                // Not a start of ours, perhaps the command's.
                Err(_) => {
                    let (engine, id) = (docker.engine.clone(), id.clone());
                    let look = move || match engine.status(&id) {
                        Ok(Status::Running) => Some(engine.attach(&id, wants).ok()),
                        Ok(_) => None,
                        Err(_) => Some(None),
                    };
                    if let Some(stream) = tokio::task::spawn_blocking(look).await.ok()? {
                        return stream.map(|stream| Attached {
                            stream,
                            foreground: false,
                        });
                    }
                }
            }
        }
    }
}

/// What the container has said so far.
async fn replay(
    docker: &Docker,
    config: &ContainerConfig,
    wants: Wants,
    framed: bool,
    back: &mut Back,
) -> std::io::Result<()> {
    let options = berth_engine::logs::Options {
        stdout: wants.stdout,
        stderr: wants.stderr,
        ..Default::default()
    };
    let (engine, id) = (docker.engine.clone(), config.id.clone());
    let (sink, mut pieces) = sink::raw_channel();
    tokio::task::spawn_blocking(move || {
        let mut writer = logs::Writer::new(sink, framed, false);
        // A log that cannot be read has nothing to replay.
        _ = berth_engine::logs::read(&engine.layout().log(&id), &options, None, &mut |record| {
            writer.write(record)
        });
    });
    while let Some(piece) = pieces.recv().await {
        back.send(piece?).await?;
    }
    Ok(())
}

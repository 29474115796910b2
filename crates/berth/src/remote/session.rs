//! A verb that runs elsewhere, seen from here: its output is ours, our input, signals and terminal are its.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use berth_engine::attach::{RawTerminal, Signal, Signals, terminal};
use berth_model::command::{Down, FRAME_MAX, Size, Start, Up, WINDOW};
use rustix::event::{PollFd, PollFlags, poll};

use super::Remote;
use super::connect::{connect, upgrade};
use super::request::Request;
use crate::ui::diagnostic::Failure;
use crate::verbs::Outcome;

/// To the daemon, from several threads.
type Writer = Arc<Mutex<Box<dyn Write + Send>>>;

/// Runs the verb there, and stands for it.
///
/// # Errors
/// The daemon is not there or refuses; the connection breaks.
pub fn run(remote: &Remote, request: Request) -> Outcome {
    // While this is the only thread, so that all inherit what is blocked.
    let signals = Signals::listen()?;
    let mut files = Vec::new();
    for path in &request.files {
        files.push(Returned::open(path)?);
    }
    let mut connection = connect(remote)?;
    upgrade(&mut connection, &remote.host)?;
    let streams = [
        io::stdin().is_terminal(),
        io::stdout().is_terminal() && request.output.is_none(),
        io::stderr().is_terminal(),
    ];
    // Keys of a terminal whose output goes elsewhere belong to who shows it (`… | less`).
    let typed = streams[0] && (streams[1] || streams[2]);
    let start = Start {
        arguments: request.arguments,
        environment: request.environment,
        terminal: [typed, streams[1], streams[2]],
        size: size(),
        input: request.input.is_some(),
    };
    let raw = match (typed, &request.input) {
        (true, Some(Input::Typed)) => RawTerminal::enter(io::stdin())?,
        _ => None,
    };
    let writer: Writer = Arc::new(Mutex::new(connection.write));
    send(&writer, &Up::Start(Box::new(start))).map_err(|error| broken(&error))?;
    let window = Arc::new(Window::default());
    if let Some(input) = request.input {
        let (writer, window) = (writer.clone(), window.clone());
        std::thread::spawn(move || pass_input(input, &writer, &window));
    }
    std::thread::spawn({
        let writer = writer.clone();
        move || pass_signals(&signals, &writer)
    });
    let (stdout, unfinished): (Box<dyn Write>, _) = match request.output {
        Some(output) => (Box::new(output.file), Some(output.unfinished)),
        None => (Box::new(io::stdout()), None),
    };
    let mut outputs = Outputs { stdout, files };
    let ended = loop {
        match Down::read(&mut connection.read) {
            Ok(Some(Down::Exit(code))) => break Ok(u8::try_from(code).unwrap_or(255)),
            Ok(Some(Down::Failed(message))) => break Err(Failure::new(message)),
            Ok(Some(Down::Taken(count))) => window.give(count as usize),
            Ok(Some(down)) => outputs.take(down)?,
            Ok(None) => break Err(Failure::new("the daemon has ended the connection")),
            Err(error) => break Err(broken(&error)),
        }
    };
    drop(raw);
    let code = ended?;
    if let (0, Some(unfinished)) = (code, unfinished) {
        unfinished.finish()?;
    }
    Ok(code)
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::of(error).within("the connection to the daemon broke")
}

fn size() -> Size {
    let found = terminal::size(io::stdout()).or_else(|| terminal::size(io::stdin()));
    let (rows, columns) = found
        .or_else(|| terminal::size(io::stderr()))
        .unwrap_or_default();
    Size { rows, columns }
}

/// What standard input is.
pub enum Input {
    /// Our own.
    Typed,
    /// A file in its place.
    File(File),
}

/// How much more input may be sent.
#[derive(Default)]
struct Window {
    under_way: Mutex<usize>,
    given: Condvar,
}

impl Window {
    fn take(&self, count: usize) {
        let mut under_way = lock(&self.under_way);
        while *under_way + count > WINDOW {
            under_way = self
                .given
                .wait(under_way)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *under_way += count;
    }

    fn give(&self, count: usize) {
        let mut under_way = lock(&self.under_way);
        *under_way = under_way.saturating_sub(count);
        self.given.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is locked is whole at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn send(writer: &Writer, up: &Up) -> io::Result<()> {
    let mut writer = lock(writer);
    writer.write_all(&up.frame())?;
    writer.flush()
}

/// Until its end, or the connection's: then who reads the connection tells.
fn pass_input(input: Input, writer: &Writer, window: &Window) {
    let mut read: Box<dyn Read> = match input {
        Input::Typed => Box::new(io::stdin()),
        Input::File(file) => Box::new(file),
    };
    let mut buffer = vec![0; FRAME_MAX];
    loop {
        match read.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                window.take(count);
                if send(writer, &Up::Input(buffer[..count].to_vec())).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A terminal that is gone, and a directory in the place of a file, end it as well.
            Err(_) => break,
        }
    }
    let _ = send(writer, &Up::InputEnd);
}

fn pass_signals(signals: &Signals, writer: &Writer) {
    loop {
        let mut look = [PollFd::new(signals, PollFlags::IN)];
        match poll(&mut look, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        while let Ok(Some(signal)) = signals.take() {
            let up = match signal {
                Signal::Resized => Up::Resize(size()),
                Signal::Other(number) => Up::Signal(number),
            };
            if send(writer, &up).is_err() {
                return;
            }
        }
    }
}

struct Outputs {
    stdout: Box<dyn Write>,
    files: Vec<Returned>,
}

impl Outputs {
    fn take(&mut self, down: Down) -> Result<(), Failure> {
        let written = match down {
            Down::Output(bytes) => write(&mut self.stdout, &bytes),
            Down::Errors(bytes) => {
                crate::cmd::note_bytes(&bytes);
                Ok(())
            }
            Down::File(number, bytes) => match self.files.get_mut(number as usize) {
                Some(file) => file.write(&bytes),
                None => Ok(()),
            },
            _ => Ok(()),
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(Failure::exit(crate::ui::diagnostic::FAILED))
            }
            other => other.map_err(|error| Failure::of(&error).within("cannot write the output")),
        }
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes)?;
    to.flush()
}

/// A file of ours that the verb writes over there: made before anything is asked for, gone again if it stays empty.
struct Returned {
    path: PathBuf,
    file: File,
    written: bool,
}

impl Returned {
    fn open(path: &std::path::Path) -> Result<Returned, Failure> {
        Ok(Returned {
            file: crate::cmd::create::open_new(path)?,
            path: path.to_owned(),
            written: false,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written = true;
        self.file.write_all(bytes)
    }
}

impl Drop for Returned {
    fn drop(&mut self) {
        if !self.written {
            // Empty: it names nothing, and would be in the next one's way.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

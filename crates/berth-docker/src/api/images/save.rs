//! `GET /images/get`, `GET /images/{name}/get`: an archive of images.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::thread;

use berth_engine::image::{Error, SaveFormat};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::serve::sink::Sink;

/// Bytes of the archive that are sent at once.
const PIECE_BYTES: usize = 64 << 10;

pub(crate) async fn answer(ask: Ask, names: Vec<String>) -> Result<Answer, Failure> {
    if names.is_empty() {
        return Err(Failure::bad("no image is named: `names` lists them"));
    }
    let platform = super::platform(&ask)?;
    let engine = ask.docker.engine.clone();
    Answer::once_begun("application/x-tar", move |sink| {
        send(sink, |output| {
            engine.save_images(&names, platform.as_ref(), SaveFormat::Both, output)
        })
    })
    .await
}

/// The names in the query: several, or one text with commas as docker-compose sends it.
pub(crate) fn names(ask: &Ask) -> Vec<String> {
    let all = ask.query.all("names").into_iter();
    let names = all.flat_map(|text| text.split(','));
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The engine has the kernel copy blobs into a pipe; we read the other end.
fn send(
    mut sink: Sink,
    save: impl FnOnce(File) -> Result<(), Error> + Send,
) -> Result<(), Failure> {
    let (mut reader, writer) = io::pipe()?;
    thread::scope(|scope| {
        let saving = scope.spawn(move || save(File::from(OwnedFd::from(writer))));
        let mut begun = false;
        let mut piece = vec![0; PIECE_BYTES];
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
        // A client that left ends the archive: nobody reads the pipe any more.
        drop(reader);
        let saved = saving.join();
        let saved = saved.map_err(|_| Failure::from(io::Error::other("saving panicked")));
        match saved?
            .map_err(Failure::from)
            .and(copied.map_err(Failure::from))
        {
            Err(failure) if begun => {
                sink.fail(io::Error::other(failure.message));
                Ok(())
            }
            done => done,
        }
    })
}

//! `GET /containers/{id}/export`.

use std::io::{self, Read, Write};

use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;

/// Bytes that are sent at once.
const PIECE: usize = 64 << 10;

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let name = name.to_owned();
    let id = ask.work(move |engine| engine.find(&name)).await?;
    let engine = ask.docker.engine.clone();
    let (mut reader, writer) = io::pipe()?;
    Ok(Answer::stream(
        "application/octet-stream",
        move |mut sink| {
            let exporting = std::thread::spawn(move || engine.export(&id, writer.into()));
            // A client that is gone ends the writer, too: nobody reads its pipe any more.
            let copied = copy(&mut reader, &mut sink);
            drop(reader);
            let exported = exporting.join();
            if copied.is_ok() && !matches!(exported, Ok(Ok(()))) {
                sink.fail(io::Error::other("the container's files could not be read"));
            }
        },
    ))
}

pub(super) fn copy(reader: &mut impl Read, writer: &mut impl Write) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => writer.write_all(&piece[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

//! `POST /exec/{id}/resize`.

use std::os::fd::OwnedFd;

use http::StatusCode;
use rustix::termios::{Winsize, tcsetwinsize};

use crate::answer::Answer;
use crate::api::containers::resize::size;
use crate::ask::Ask;
use crate::error::Failure;

pub(crate) async fn answer(ask: Ask, id: &str) -> Result<Answer, Failure> {
    let (rows, columns) = size(&ask)?;
    let exec = ask.docker.execs.find(id)?;
    let terminal = exec.state().terminal.clone();
    let Some(terminal) = terminal else {
        let message = match exec.request.tty {
            true => "cannot resize: the process does not run",
            false => "cannot resize: the process has no terminal",
        };
        return Err(Failure::new(StatusCode::CONFLICT, message));
    };
    set_size(&terminal, rows, columns)?;
    Ok(Answer::empty(StatusCode::OK))
}

/// Sets a terminal's size in characters.
pub(crate) fn set_size(terminal: &OwnedFd, rows: u16, columns: u16) -> std::io::Result<()> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}

//! `list`: all containers of this state root.

use super::args::{Args, unknown};
use super::state::{View, owner};
use super::{Global, json_wanted, print, print_compact};
use crate::error::{Error, Result};

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (mut quiet, mut json) = (false, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-q" | "--quiet" => quiet = args.flag()?,
            "-f" | "--format" => json = json_wanted(&mut args)?,
            other => return Err(unknown(other)),
        }
    }
    args.end()?;
    let mut views = Vec::new();
    for id in global.root.ids()? {
        match global.root.find(&id).and_then(|dir| look(&dir)) {
            Ok(view) => views.push(view),
            // Deleted meanwhile.
            Err(Error::NoContainer { .. } | Error::ReadFile { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if quiet {
        let ids: String = views.iter().map(|view| format!("{}\n", view.id)).collect();
        print(ids)?;
    } else if json {
        print_compact(&views)?;
    } else {
        print(table(&views))?;
    }
    Ok(0)
}

fn look(dir: &crate::state::Dir) -> Result<View> {
    let mut view = View::of(dir)?;
    view.owner = owner(dir.path());
    Ok(view)
}

fn table(views: &[View]) -> String {
    let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(views.iter().map(|view| {
        let bundle = view.bundle.display().to_string();
        let (pid, status) = (view.pid.to_string(), view.status.to_owned());
        let (created, owner) = (view.created.clone(), view.owner.clone());
        [view.id.clone(), pid, status, bundle, created, owner]
    }));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len() + GAP).max(NARROWEST);
        }
    }
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            text.push_str(&format!("{cell:width$}"));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Spaces between columns, and a column's least width.
const GAP: usize = 3;
const NARROWEST: usize = 12;

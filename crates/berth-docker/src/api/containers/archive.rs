//! `GET`, `HEAD`, `PUT /containers/{id}/archive`.

use std::io::{self, BufReader};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_engine::archive::{PathStat, PutOptions, go_mode};
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use crate::answer::{Answer, PIECE_BYTES};
use crate::ask::Ask;
use crate::error::Failure;

const STAT: HeaderName = HeaderName::from_static("x-docker-container-path-stat");
const TAR: &str = "application/x-tar";

#[derive(Serialize)]
struct Document<'a> {
    name: &'a str,
    size: u64,
    mode: u32,
    mtime: String,
    #[serde(rename = "linkTarget")]
    link_target: &'a str,
}

/// An archive of what is at a path.
pub(crate) async fn get(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, path) = (name.to_owned(), path(&ask)?);
    let archive = ask
        .work(move |engine| engine.read_archive(&engine.find(&name)?, &path))
        .await?;
    let stat = header(&archive.stat);
    // Pieces of this size, not of what `copy` takes by itself.
    let mut archive = BufReader::with_capacity(PIECE_BYTES, archive);
    let answer = Answer::stream(TAR, move |mut sink| {
        if let Err(error) = io::copy(&mut archive, &mut sink)
            && !sink.is_closed()
        {
            sink.fail(error);
        }
    });
    Ok(answer.header(STAT, stat))
}

/// What is at a path.
pub(crate) async fn stat(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, path) = (name.to_owned(), path(&ask)?);
    let stat = ask
        .work(move |engine| engine.path_stat(&engine.find(&name)?, &path))
        .await?;
    Ok(Answer::empty(StatusCode::OK).header(STAT, header(&stat)))
}

/// Unpacks an archive at a path.
pub(crate) async fn put(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let (name, path) = (name.to_owned(), path(&ask)?);
    let options = PutOptions {
        no_overwrite_dir_non_dir: ask.query.is_on("noOverwriteDirNonDir"),
        copy_uid_gid: ask.query.is_on("copyUIDGID"),
    };
    let docker = ask.docker.clone();
    let source = ask.into_source();
    let unpack = move || {
        let engine = &docker.engine;
        engine.write_archive(&engine.find(&name)?, &path, options, source)
    };
    tokio::task::spawn_blocking(unpack).await??;
    Ok(Answer::empty(StatusCode::OK))
}

fn path(ask: &Ask) -> Result<String, Failure> {
    let path = ask.query.get("path").map(str::to_owned);
    path.ok_or_else(|| Failure::bad("bad parameter: path cannot be empty"))
}

fn header(stat: &PathStat) -> HeaderValue {
    let (seconds, nanos) = stat.mtime;
    let mtime = Timestamp::new(seconds, nanos as i32).unwrap_or_default();
    let document = Document {
        name: &stat.name,
        size: stat.size,
        mode: go_mode(stat.mode),
        mtime: mtime.to_string(),
        link_target: &stat.link_target,
    };
    let text = serde_json::to_vec(&document).expect("its keys are texts");
    HeaderValue::from_str(&STANDARD.encode(text)).expect("base64 has no other characters")
}

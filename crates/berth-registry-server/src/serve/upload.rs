//! Uploads: begun, gone on with, finished, cancelled; and blobs that are taken over from another repository.
//!
//! What has come is written even if the client is gone in the middle, so that it can go on later: so a request that brings
//! content runs in a task of its own, which the end of its connection does not end.

use std::ops::Range;

use berth_oci::Digest;
use http::StatusCode;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, LOCATION, RANGE};
use tokio::task::{JoinHandle, spawn_blocking};

use super::answer::{Answer, DIGEST, UPLOAD_ID};
use super::handle::Ask;
use super::intake::Intake;
use crate::access::{Rights, Scope};
use crate::error::{Code, Failure};
use crate::name::RepositoryName;
use crate::range;
use crate::storage::Upload;

/// What is written at once. While one such part is, the next comes in: a client costs at most two.
const PART_BYTES: usize = 256 << 10;

/// `POST` of an upload: begins one; or takes all of the content, or a blob of another repository.
pub(crate) async fn begin(
    ask: Ask,
    digest: Option<Digest>,
    mount: Option<(Digest, Option<RepositoryName>)>,
    intake: Intake,
) -> Result<Answer, Failure> {
    if let Some((digest, from)) = mount
        && is_mounted(&ask, &digest, from).await?
    {
        return Ok(created(&ask, &digest));
    }
    if let Some(digest) = &digest {
        too_large(&ask, 0, &intake)?;
        // Where it is already, its bytes are still read and compared: who sends them may not have it.
        let upload = begun(&ask).await?;
        return complete(&ask, upload, digest, None, intake).await;
    }
    let upload = begun(&ask).await?;
    Ok(progress(&ask, StatusCode::ACCEPTED, &upload))
}

/// `GET` of an upload.
pub(crate) async fn get(ask: Ask, id: String) -> Result<Answer, Failure> {
    let upload = find(&ask, id).await?;
    Ok(progress(&ask, StatusCode::NO_CONTENT, &upload))
}

/// `PATCH` of an upload: a chunk, or as much as comes.
pub(crate) async fn append(ask: Ask, id: String, intake: Intake) -> Result<Answer, Failure> {
    let upload = find(&ask, id).await?;
    let chunk = match chunk(&ask, &upload, &intake) {
        Ok(chunk) => chunk,
        Err(failure) => return Ok(out_of_order(&ask, &upload, failure)),
    };
    too_large(&ask, upload.offset(), &intake)?;
    let (upload, received) = receive(&ask, upload, chunk, intake).await?;
    received?;
    Ok(progress(&ask, StatusCode::ACCEPTED, &upload))
}

/// `PUT` of an upload: the last chunk, if there is one, and what all of it should be.
pub(crate) async fn finish(
    ask: Ask,
    id: String,
    digest: Digest,
    intake: Intake,
) -> Result<Answer, Failure> {
    let upload = find(&ask, id).await?;
    let chunk = match chunk(&ask, &upload, &intake) {
        Ok(chunk) => chunk,
        Err(failure) => return Ok(out_of_order(&ask, &upload, failure)),
    };
    too_large(&ask, upload.offset(), &intake)?;
    complete(&ask, upload, &digest, chunk, intake).await
}

/// `DELETE` of an upload.
pub(crate) async fn cancel(ask: Ask, id: String) -> Result<Answer, Failure> {
    let upload = find(&ask, id).await?;
    let cancel = move |_: &_| {
        upload.cancel();
        Ok(())
    };
    ask.work(cancel).await?;
    Ok(Answer::new(StatusCode::NO_CONTENT))
}

/// A new upload, within the quota.
async fn begun(ask: &Ask) -> Result<Upload, Failure> {
    let rules = ask.rules();
    ask.work(move |repository| Ok(repository.begin_upload()?.under(&rules)))
        .await
}

/// One that was begun, within the quota.
async fn find(ask: &Ask, id: String) -> Result<Upload, Failure> {
    let rules = ask.rules();
    let found = ask.work(move |repository| repository.upload(&id)).await?;
    let found = found.map(|upload| upload.under(&rules));
    found.ok_or_else(|| Failure::new(Code::BlobUploadUnknown, "there is no such upload"))
}

/// Whether the blob is here now. One who may not read the other repository learns nothing of it (security: G7).
async fn is_mounted(
    ask: &Ask,
    digest: &Digest,
    from: Option<RepositoryName>,
) -> Result<bool, Failure> {
    let wanted = digest.clone();
    let is_here = ask.work(move |here| Ok(here.blob(&wanted)?.is_some()));
    if is_here.await? {
        return Ok(true);
    }
    let Some(from) = from else { return Ok(false) };
    let registry = &ask.context.registry;
    let scope = Scope::Repository(&from);
    let decided = registry
        .access
        .decide(&ask.head.headers, scope, Rights::PULL);
    if decided.await.is_err() {
        return Ok(false);
    }
    let (from, digest) = (registry.storage.repository(&from), digest.clone());
    ask.work(move |here| here.mount_blob(&from, &digest)).await
}

/// The bytes that the request says it brings; `None`: it does not say, and what comes is what comes next.
fn chunk(ask: &Ask, upload: &Upload, intake: &Intake) -> Result<Option<Range<u64>>, Failure> {
    let Some(text) = ask.head.headers.get(CONTENT_RANGE) else {
        return Ok(None);
    };
    let bad = |message: &str| Failure::new(Code::RangeInvalid, message);
    let chunk = range::chunk(text.to_str().unwrap_or_default());
    let chunk = chunk.ok_or_else(|| bad("the content range is malformed"))?;
    if chunk.start != upload.offset() {
        let message = format!("the next byte is {}, not {}", upload.offset(), chunk.start);
        return Err(bad(&message));
    }
    let length = chunk.end - chunk.start;
    if intake
        .announced_bytes()
        .is_some_and(|bytes| bytes != length)
    {
        return Err(bad("the content range and the content length differ"));
    }
    Ok(Some(chunk))
}

/// Refuses what is announced to be too large before any of it is taken (security: G5).
fn too_large(ask: &Ask, offset: u64, intake: &Intake) -> Result<(), Failure> {
    let limit = ask.context.registry.settings.limits.blob_bytes;
    let announced = intake.announced_bytes().unwrap_or(0);
    match offset.saturating_add(announced) > limit {
        true => Err(larger_than(limit)),
        false => Ok(()),
    }
}

fn larger_than(limit: u64) -> Failure {
    Failure::new(
        Code::TooLarge,
        format!("blobs may have at most {limit} bytes"),
    )
}

async fn complete(
    ask: &Ask,
    upload: Upload,
    digest: &Digest,
    chunk: Option<Range<u64>>,
    intake: Intake,
) -> Result<Answer, Failure> {
    let (upload, received) = receive(ask, upload, chunk, intake).await?;
    received?;
    let wanted = digest.clone();
    ask.work(move |_| upload.finish(&wanted)).await?;
    Ok(created(ask, digest))
}

/// Takes what comes, in a task of its own. Gives the upload back with what came of it.
async fn receive(
    ask: &Ask,
    upload: Upload,
    chunk: Option<Range<u64>>,
    intake: Intake,
) -> Result<(Upload, Result<(), Failure>), Failure> {
    let registry = ask.context.registry.clone();
    let room = registry
        .settings
        .limits
        .blob_bytes
        .saturating_sub(upload.offset());
    let allowed = chunk.as_ref().map(|chunk| chunk.end - chunk.start);
    let task = tokio::spawn(async move {
        registry.metrics.uploads.add(1);
        let mut writer = Writer::Idle(Box::new(upload));
        let taken = take(&mut writer, intake, allowed, room).await;
        let upload = writer.end().await;
        registry.metrics.uploads.take(1);
        upload.map(|(upload, written)| (upload, taken.and(written)))
    });
    task.await?
}

/// Writes all of the body, at most `room` bytes; of a chunk exactly `chunk` bytes.
async fn take(
    writer: &mut Writer,
    mut intake: Intake,
    chunk: Option<u64>,
    room: u64,
) -> Result<(), Failure> {
    let capacity = intake
        .announced_bytes()
        .unwrap_or(u64::MAX)
        .min(PART_BYTES as u64);
    let mut part = Vec::with_capacity(capacity as usize);
    let mut taken = 0;
    let ended = loop {
        let data = match intake.next().await {
            Ok(Some(data)) => data,
            Ok(None) => break Ok(()),
            Err(failure) => break Err(failure),
        };
        taken += data.len() as u64;
        if taken > room {
            break Err(larger_than(taken - 1));
        }
        if chunk.is_some_and(|chunk| taken > chunk) {
            break Err(differs());
        }
        part.extend_from_slice(&data);
        if part.len() >= PART_BYTES {
            part = writer.write(part).await?;
        }
    };
    // What came before a client was gone is kept; what came with a lie is not.
    let is_gone = matches!(&ended, Err(failure) if failure.code == Code::BlobUploadInvalid);
    if !part.is_empty() && (ended.is_ok() || is_gone) {
        writer.write(part).await?;
    }
    match chunk {
        Some(chunk) if ended.is_ok() && taken < chunk => Err(differs()),
        _ => ended,
    }
}

fn differs() -> Failure {
    Failure::new(Code::SizeInvalid, "the content is not as long as its range")
}

/// Writes one part while the next comes in.
enum Writer {
    Idle(Box<Upload>),
    Busy(JoinHandle<Written>),
    /// In between; or a panic has taken the upload along.
    Lost,
}

struct Written {
    upload: Upload,
    buffer: Vec<u8>,
    result: Result<(), Failure>,
}

impl Writer {
    /// Begins to write this, once what was written before is. Gives an empty buffer back.
    async fn write(&mut self, part: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let (mut upload, buffer) = match std::mem::replace(self, Writer::Lost) {
            Writer::Idle(upload) => (*upload, Vec::with_capacity(part.capacity().min(PART_BYTES))),
            Writer::Busy(job) => {
                let written = job.await?;
                if let Err(failure) = written.result {
                    *self = Writer::Idle(Box::new(written.upload));
                    return Err(failure);
                }
                (written.upload, written.buffer)
            }
            Writer::Lost => return Err(Failure::lost()),
        };
        *self = Writer::Busy(spawn_blocking(move || {
            let result = upload.append(&part);
            let mut buffer = part;
            buffer.clear();
            Written {
                upload,
                buffer,
                result,
            }
        }));
        Ok(buffer)
    }

    /// The upload, when nothing is written any more.
    async fn end(self) -> Result<(Upload, Result<(), Failure>), Failure> {
        match self {
            Writer::Idle(upload) => Ok((*upload, Ok(()))),
            Writer::Busy(job) => {
                let written = job.await?;
                Ok((written.upload, written.result))
            }
            Writer::Lost => Err(Failure::lost()),
        }
    }
}

/// What is there of an upload, and where it goes on.
fn progress(ask: &Ask, status: StatusCode, upload: &Upload) -> Answer {
    let answer = at(ask, upload, Answer::new(status)).with(UPLOAD_ID, upload.id());
    match status {
        StatusCode::NO_CONTENT => answer,
        _ => answer.with(CONTENT_LENGTH, "0"),
    }
}

/// With where it goes on, if it is the order that is wrong.
fn out_of_order(ask: &Ask, upload: &Upload, failure: Failure) -> Answer {
    at(ask, upload, Answer::from(failure))
}

/// After no byte at all the range is `0-0` too: clients insist on one.
fn at(ask: &Ask, upload: &Upload, answer: Answer) -> Answer {
    let location = format!("/v2/{}/blobs/uploads/{}", ask.name, upload.id());
    let range = format!("0-{}", upload.offset().saturating_sub(1));
    answer.with(LOCATION, location).with(RANGE, range)
}

fn created(ask: &Ask, digest: &Digest) -> Answer {
    Answer::new(StatusCode::CREATED)
        .with(LOCATION, format!("/v2/{}/blobs/{digest}", ask.name))
        .with(DIGEST, digest.to_string())
        .with(CONTENT_LENGTH, "0")
}

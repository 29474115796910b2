//! `artifact push`: files to a registry, each a blob, and a manifest that names them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use berth_oci::{Descriptor, Digest, Manifest, Reference, media};
use berth_registry::{Bytes, Client, Config, PushedBlob, Source};
use sha2::Digest as _;

use super::pull::check_name;
use super::{Cause, Error, Event, FILE_TYPE, FileStep, TITLE, UNKNOWN_TYPE, WithSubject, run};

/// The configuration of what has none. Source: OCI image-spec 1.1, "Guidance for an Empty Descriptor".
const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// How files become an artifact.
#[derive(Debug, Clone, Default)]
pub struct PushOptions {
    /// What sort of artifact it is; `None`: [`UNKNOWN_TYPE`].
    pub artifact_type: Option<String>,
    /// What the files are; `None`: [`FILE_TYPE`].
    pub file_type: Option<String>,
    /// Of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// What it is about: a tag or digest of the same repository.
    pub subject: Option<Reference>,
    /// It gets no tag: whoever lists the subject's artifacts finds it.
    pub untagged: bool,
}

/// Brings `files` to the registry as the artifact `reference`; `told` hears of each file.
///
/// # Errors
/// [`Error`]. Then the name in the registry is as before.
pub fn push(
    config: Config,
    reference: &Reference,
    files: &[PathBuf],
    options: &PushOptions,
    told: &mut dyn FnMut(Event<'_>),
) -> Result<Descriptor, Error> {
    run("push the artifact", reference, async {
        let files = open(files, options)?;
        let artifact_type = options.artifact_type.as_deref().unwrap_or(UNKNOWN_TYPE);
        check_type(artifact_type)?;
        let client = Client::new(config);
        let subject = match &options.subject {
            Some(subject) => Some(resolve(&client, reference, subject).await?),
            None => None,
        };
        let empty = Descriptor::of(EMPTY_TYPE, EMPTY);
        let bytes = Arc::new(Bytes::from_static(EMPTY));
        let plain = berth_registry::PushOptions::default();
        client.push_blob(reference, &empty, bytes, &plain).await?;
        for (layer, file) in &files {
            push_file(&client, reference, layer, file.clone(), told).await?;
        }
        let manifest = Manifest {
            artifact_type: Some(artifact_type.to_owned()),
            annotations: options.annotations.clone(),
            ..Manifest::new(empty, files.into_iter().map(|(layer, _)| layer).collect())
        };
        let whole = WithSubject {
            manifest: &manifest,
            subject: subject.as_ref(),
        };
        let text = serde_json::to_vec(&whole).expect("strings and numbers have a JSON form");
        let place = match options.untagged {
            true => reference.with_digest(Digest::of(&text)),
            false => reference.clone(),
        };
        Ok(client.push_manifest(&place, media::MANIFEST, &text).await?)
    })
}

async fn push_file(
    client: &Client,
    reference: &Reference,
    layer: &Descriptor,
    file: Arc<OpenFile>,
    told: &mut dyn FnMut(Event<'_>),
) -> Result<(), Cause> {
    let name = &layer.annotations[TITLE];
    let (sender, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let options = berth_registry::PushOptions {
        progress: Some(Arc::new(move |bytes| {
            // Nobody listens any more when all is sent.
            let _ = sender.send(bytes);
        })),
        ..Default::default()
    };
    let pushing = client.push_blob(reference, layer, file, &options);
    tokio::pin!(pushing);
    let pushed = loop {
        tokio::select! {
            Some(bytes) = sent.recv() => {
                told(Event::of(name, layer, FileStep::Pushing(bytes)));
            }
            pushed = &mut pushing => break pushed?,
        }
    };
    let step = match pushed {
        PushedBlob::Existed => FileStep::Exists,
        PushedBlob::Mounted(_) | PushedBlob::Uploaded => FileStep::Pushed,
    };
    told(Event::of(name, layer, step));
    Ok(())
}

/// The descriptor of what the artifact is about.
async fn resolve(
    client: &Client,
    reference: &Reference,
    subject: &Reference,
) -> Result<Descriptor, Cause> {
    if subject.name() != reference.name() {
        return Err(Cause::OtherRepository {
            subject: subject.familiar(),
        });
    }
    Ok(client.resolve(subject).await?)
}

/// Opens the files and hashes them.
fn open(
    files: &[PathBuf],
    options: &PushOptions,
) -> Result<Vec<(Descriptor, Arc<OpenFile>)>, Cause> {
    let file_type = options.file_type.as_deref().unwrap_or(FILE_TYPE);
    check_type(file_type)?;
    let mut opened: Vec<(Descriptor, Arc<OpenFile>)> = Vec::new();
    for path in files {
        let bad = |reason| Cause::BadPath {
            path: path.clone(),
            reason,
        };
        let name = path.file_name().ok_or_else(|| bad("it is a directory"))?;
        let name = name.to_str().ok_or_else(|| bad("it is not UTF-8"))?;
        check_name(name).map_err(bad)?;
        if opened
            .iter()
            .any(|(layer, _)| layer.annotations[TITLE] == name)
        {
            return Err(bad("another file has the same"));
        }
        let (mut layer, file) = describe(path, file_type)?;
        layer.annotations.insert(TITLE.to_owned(), name.to_owned());
        opened.push((layer, Arc::new(file)));
    }
    Ok(opened)
}

fn describe(path: &Path, media_type: &str) -> Result<(Descriptor, OpenFile), Cause> {
    let failed = |source| Cause::ReadFile {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Cause::NoFile {
            path: path.to_owned(),
        });
    }
    let mut hash = sha2::Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
    let digest = Digest::sha256(hash.finalize().into());
    Ok((Descriptor::new(media_type, digest, size), OpenFile(file)))
}

/// The same file that was hashed, whatever its name means now. If it is changed meanwhile the registry refuses it.
struct OpenFile(File);

impl Source for OpenFile {
    fn open(&self, from: u64) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(At {
            file: self.0.try_clone()?,
            offset: from,
        }))
    }
}

/// A reader with a place of its own in a file that others read too.
struct At {
    file: File,
    offset: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// `type/subtype`. Source: RFC 6838, section 4.2.
fn check_type(text: &str) -> Result<(), Cause> {
    let name = |part: &str| {
        let other = |b: u8| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b);
        part.len() <= 127
            && part
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric())
            && part.bytes().all(other)
    };
    match text.split_once('/') {
        Some((kind, subtype)) if name(kind) && name(subtype) => Ok(()),
        _ => Err(Cause::BadType {
            media_type: text.to_owned(),
        }),
    }
}

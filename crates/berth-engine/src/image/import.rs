//! `import`: the tar of a root file system → an image of one layer.
//!
//! The archive is read strictly while it is stored, and then unpacked, before the image gets a name.

use std::io::{BufReader, Read, Write};

use berth_layer::decompress::decompress;
use berth_layer::tar::Reader;
use berth_layer::{Error as LayerError, Limits};
use berth_oci::image::History;
use berth_oci::{ImageConfig, Platform};

use super::error::store;
use super::layer::{LayerWriter, one_layer_image};
use super::{Error, Loaded, change, new_name};
use crate::Engine;

/// What to make of the archive.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The image's name; `None`: only its id.
    pub name: Option<String>,
    /// Instructions as in a Dockerfile: `CMD ["sh"]`.
    pub changes: Vec<String>,
    /// A remark for the history.
    pub message: String,
    /// Where the archive came from, for the history: a file's name or `-`.
    pub source: String,
    /// What it runs on; `None`: the host's.
    pub platform: Option<Platform>,
    /// When the image was made, seconds since 1970 (`SOURCE_DATE_EPOCH`); `None`: now.
    pub created_s: Option<i64>,
}

impl Engine {
    /// Makes an image of the archive, compressed or not, that `input` yields.
    ///
    /// # Errors
    /// [`Error`]; then nothing of it is visible.
    pub fn import_image(
        &self,
        input: impl Read + Send,
        options: &ImportOptions,
    ) -> Result<Loaded, Error> {
        let names = options.name.as_deref().map(new_name).transpose()?;
        let mut config = ImageConfig::default();
        for text in &options.changes {
            change::apply(&mut config.config, text)?;
        }
        let lease = self.store.lease().map_err(store("hold the image"))?;
        let platform = options.platform.clone().unwrap_or_else(Platform::host);
        let created = options.created_s.map_or_else(crate::clock::now, timestamp);
        config.architecture = platform.architecture;
        config.os = platform.os;
        config.variant = platform.variant;
        config.history = vec![History {
            created: Some(created.clone()),
            created_by: format!("berth import {}", options.source),
            comment: options.message.clone(),
            ..History::default()
        }];
        config.created = Some(created);

        let layer = copy_archive(LayerWriter::new(&lease)?, input)?.finish()?;
        let descriptor = one_layer_image(&lease, layer, config)?;
        let made = self.admit(descriptor, names.into_iter().collect())?;
        self.record_image_id("import", &made.id);
        Ok(made)
    }
}

/// RFC 3339 of seconds since 1970.
pub(crate) fn timestamp(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jiff::fmt::strtime::format("%Y-%m-%dT%H:%M:%SZ", time).unwrap_or_else(|_| time.to_string())
}

/// Copies the archive as it is while the strict reader goes over it.
fn copy_archive<W: Write + Send>(output: W, input: impl Read + Send) -> Result<W, Error> {
    let archive = |source| Error::Archive { source };
    let limits = Limits::default();
    let mut tee = Tee {
        input: decompress(input, limits).map_err(archive)?,
        output,
    };
    let mut reader = Reader::new(BufReader::with_capacity(256 << 10, &mut tee), limits);
    let mut entries = 0u64;
    while reader.next().map_err(archive)?.is_some() {
        entries += 1;
    }
    if entries == 0 {
        let (offset, reason) = (0, "it holds no files".to_owned());
        return Err(archive(LayerError::Archive { offset, reason }));
    }
    Ok(tee.output)
}

/// Passes on what it reads.
struct Tee<R, W> {
    input: R,
    output: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.output.write_all(&buffer[..count])?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_layer::tar::{Entry, Kind, Writer};

    #[test]
    fn the_archive_is_copied_byte_by_byte_and_checked() {
        let mut writer = Writer::new(Vec::new());
        let entry = Entry {
            size: 5,
            ..Entry::new("f", Kind::File)
        };
        writer.append(&entry, &mut &b"hello"[..]).unwrap();
        let tar = writer.finish().unwrap();
        assert_eq!(copy_archive(Vec::new(), &tar[..]).unwrap(), tar);
        for bad in [&b""[..], b"no archive at all", &[0; 10240], &tar[..700]] {
            assert!(copy_archive(Vec::new(), bad).is_err());
        }
    }

    #[test]
    fn seconds_become_rfc_3339() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_700_000_000), "2023-11-14T22:13:20Z");
    }
}

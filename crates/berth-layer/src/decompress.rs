//! From a blob to the archive: none, gzip (any number of members) or zstd (any number of frames), told apart
//! by their first bytes. All in this process: no helper program is ever run.
//!
//! Guards: the ratio of output to input, the zstd window, input that yields nothing, the total.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use crate::limits::{BARREN_INPUT_BYTES, ZSTD_WINDOW_LOG_MAX};
use crate::{Error, Limits};

/// How a blob is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd, possibly beginning with a skippable frame.
    Zstd,
}

const INPUT_BUFFER_BYTES: usize = 128 << 10;
/// What [`sniff`] wants to see.
const MAGIC_BYTES: u64 = 6;

/// Tells the format from a blob's first bytes. The media type is no better witness: registries hold layers
/// with wrong ones, and a wrong guess here could only make the diff-id differ.
///
/// # Errors
/// `UnsupportedLayer` for compressions that berth does not read.
pub fn sniff(first: &[u8]) -> Result<Format, Error> {
    let unsupported = |name: &str| {
        Err(Error::UnsupportedLayer {
            name: name.to_owned(),
        })
    };
    match first {
        [0x1f, 0x8b, ..] => Ok(Format::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Format::Zstd),
        // Skippable frames. Source: RFC 8878, section 3.1.2.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Format::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => unsupported("xz"),
        [b'B', b'Z', b'h', ..] => unsupported("bzip2"),
        [0x04, 0x22, 0x4d, 0x18, ..] => unsupported("lz4"),
        _ => Ok(Format::None),
    }
}

/// Whether layers of this media type can be unpacked.
///
/// # Errors
/// `UnsupportedLayer` (foreign, encrypted, unknown).
pub fn check_media_type(media_type: &str) -> Result<(), Error> {
    match berth_oci::media::layer_compression(media_type) {
        Some(_) => Ok(()),
        None => Err(Error::UnsupportedLayer {
            name: media_type.to_owned(),
        }),
    }
}

/// Counts shared by the two ends of the decoder.
#[derive(Default)]
struct Counts {
    input: AtomicU64,
    output: AtomicU64,
}

/// The uncompressed bytes of `input`.
///
/// # Errors
/// `Read` if the first bytes cannot be had; `UnsupportedLayer`. Later failures come as `io::Error`s that
/// hold an [`Error`].
pub fn decompress<'a, R: Read + Send + 'a>(
    input: R,
    limits: Limits,
) -> Result<Box<dyn Read + Send + 'a>, Error> {
    let counts = Arc::new(Counts::default());
    let mut counted = Counted {
        inner: input,
        counts: counts.clone(),
        output_before: 0,
        input_before: 0,
    };
    // A pipe may give them one by one.
    let mut first = Vec::with_capacity(MAGIC_BYTES as usize);
    let mut beginning = (&mut counted).take(MAGIC_BYTES);
    beginning.read_to_end(&mut first).map_err(Error::from_io)?;
    let format = sniff(&first)?;
    let input = Cursor::new(first).chain(counted);
    let input = BufReader::with_capacity(INPUT_BUFFER_BYTES, input);
    Ok(match format {
        Format::None => Box::new(Guarded {
            decoder: input,
            format,
            counts,
            limits,
        }),
        Format::Gzip => Box::new(Guarded {
            decoder: MultiGzDecoder::new(input),
            format,
            counts,
            limits,
        }),
        Format::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(input)
                .and_then(|mut decoder| {
                    decoder
                        .window_log_max(ZSTD_WINDOW_LOG_MAX)
                        .map(|()| decoder)
                })
                .map_err(|source| Error::Decompress {
                    format: "zstd",
                    source,
                })?;
            Box::new(Guarded {
                decoder,
                format,
                counts,
                limits,
            })
        }
    })
}

/// The compressed side.
struct Counted<R> {
    inner: R,
    counts: Arc<Counts>,
    output_before: u64,
    input_before: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self
            .inner
            .read(buffer)
            .map_err(|source| Error::Read { source })?;
        let input = self
            .counts
            .input
            .fetch_add(length as u64, Ordering::Relaxed)
            + length as u64;
        let output = self.counts.output.load(Ordering::Relaxed);
        if output != self.output_before {
            self.output_before = output;
            self.input_before = input;
        } else if input - self.input_before > BARREN_INPUT_BYTES {
            return Err(Error::Limit {
                limit: BARREN_INPUT_BYTES,
                unit: "bytes of input without output",
            }
            .into());
        }
        Ok(length)
    }
}

/// The uncompressed side.
struct Guarded<D> {
    decoder: D,
    format: Format,
    counts: Arc<Counts>,
    limits: Limits,
}

impl<D: Read> Read for Guarded<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self
            .decoder
            .read(buffer)
            .map_err(|error| self.explain(error))?;
        let output = self
            .counts
            .output
            .fetch_add(length as u64, Ordering::Relaxed)
            + length as u64;
        let input = self.counts.input.load(Ordering::Relaxed);
        let Limits {
            total_bytes,
            ratio,
            ratio_after_bytes,
            ..
        } = self.limits;
        if output > total_bytes {
            return Err(Error::Limit {
                limit: total_bytes,
                unit: "bytes",
            }
            .into());
        }
        if output > ratio_after_bytes && output / ratio > input {
            return Err(Error::Limit {
                limit: ratio,
                unit: "bytes from one compressed byte",
            }
            .into());
        }
        Ok(length)
    }
}

impl<D> Guarded<D> {
    /// An error of ours, or of the blob's reader, passes; else it is the format's.
    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted
            || error.get_ref().is_some_and(|inner| inner.is::<Error>())
        {
            return error;
        }
        match self.format {
            Format::None => error,
            Format::Gzip => Error::Decompress {
                format: "gzip",
                source: error,
            }
            .into(),
            Format::Zstd => Error::Decompress {
                format: "zstd",
                source: error,
            }
            .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn all(bytes: &[u8], limits: Limits) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        decompress(bytes, limits)?
            .read_to_end(&mut out)
            .map_err(Error::from_io)?;
        Ok(out)
    }

    fn small() -> Limits {
        Limits {
            ratio_after_bytes: 1 << 20,
            ..Limits::default()
        }
    }

    #[test]
    fn formats() {
        let text = b"hello".repeat(1000);
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        assert_eq!(all(&text, small()).unwrap(), text);
        assert_eq!(all(&gzip(&text), small()).unwrap(), text);
        assert_eq!(all(&zstd, small()).unwrap(), text);
        assert_eq!(
            all(&[gzip(&text), gzip(&text)].concat(), small()).unwrap(),
            text.repeat(2)
        );
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd].concat();
        assert_eq!(all(&skippable, small()).unwrap(), text);
        assert_eq!(all(b"", small()).unwrap(), b"");
    }

    /// As from a pipe.
    #[test]
    fn pieces_of_any_size_are_the_same_blob() {
        struct Bytewise<'a>(&'a [u8]);
        impl Read for Bytewise<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(1);
                self.0.read(&mut buffer[..length])
            }
        }
        let text = b"hello".repeat(10);
        for blob in [
            gzip(&text),
            zstd::encode_all(&text[..], 1).unwrap(),
            text.clone(),
        ] {
            let mut out = Vec::new();
            let mut input = decompress(Bytewise(&blob), small()).unwrap();
            input.read_to_end(&mut out).unwrap();
            assert_eq!(out, text);
        }
        assert!(decompress(Bytewise(b"\xfd7zXZ\0"), small()).is_err());
    }

    #[test]
    fn t4_damaged_streams_are_errors() {
        let text = b"hello".repeat(1000);
        for whole in [gzip(&text), zstd::encode_all(&text[..], 1).unwrap()] {
            let truncated = all(&whole[..whole.len() - 1], small());
            assert!(
                matches!(truncated, Err(Error::Decompress { .. })),
                "{truncated:?}"
            );
            let garbage = all(&[&whole[..], b"garbage"].concat(), small());
            assert!(
                matches!(garbage, Err(Error::Decompress { .. })),
                "{garbage:?}"
            );
        }
        let mut wrong_checksum = gzip(&text);
        let at = wrong_checksum.len() - 6;
        wrong_checksum[at] ^= 1;
        assert!(matches!(
            all(&wrong_checksum, small()),
            Err(Error::Decompress { .. })
        ));
    }

    #[test]
    fn t15_bombs() {
        let zeros = vec![0; 8 << 20];
        for bomb in [gzip(&zeros), zstd::encode_all(&zeros[..], 1).unwrap()] {
            let result = all(&bomb, small());
            assert!(
                matches!(result, Err(Error::Limit { limit: 200, .. })),
                "{:?}",
                result.map(|out| out.len())
            );
        }
        let total = Limits {
            total_bytes: 1000,
            ..small()
        };
        assert!(matches!(
            all(&[1; 1001], total),
            Err(Error::Limit { limit: 1000, .. })
        ));
        for (magic, name) in [(&b"\xfd7zXZ\0"[..], "xz"), (b"BZh9", "bzip2")] {
            let result = all(magic, small());
            assert!(
                matches!(&result, Err(Error::UnsupportedLayer { name: found }) if found == name)
            );
        }
    }

    #[test]
    fn t15_zstd_with_a_huge_window() {
        // Frame header: window descriptor for 2^31, no single segment, no checksum; then an empty last raw block.
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0];
        assert!(matches!(
            all(&frame, small()),
            Err(Error::Decompress { format: "zstd", .. })
        ));
        let modest = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 1, 0, 0];
        assert_eq!(all(&modest, small()).unwrap(), b"");
    }

    #[test]
    fn t15_input_that_yields_nothing() {
        struct Frames;
        impl Read for Frames {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let frame = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
                let whole = buffer.len() / 8 * 8;
                buffer[..whole]
                    .as_chunks_mut::<8>()
                    .0
                    .iter_mut()
                    .for_each(|chunk| *chunk = frame);
                Ok(whole)
            }
        }
        let mut out = Vec::new();
        let error = decompress(BufReader::new(Frames), small())
            .unwrap()
            .read_to_end(&mut out)
            .unwrap_err();
        assert!(matches!(
            Error::from_io(error),
            Error::Limit {
                limit: BARREN_INPUT_BYTES,
                ..
            }
        ));
    }
}

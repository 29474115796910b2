//! The files of a project, from the disk and standard input.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use berth_compose::Files;

/// The file system; `-` is standard input, which is read once.
#[derive(Debug, Default)]
pub struct OnDisk {
    input: OnceCell<String>,
}

impl Files for OnDisk {
    fn read(&self, path: &Path, most: usize) -> io::Result<String> {
        if path == Path::new("-") {
            if self.input.get().is_none() {
                let text = within(io::stdin().lock(), most)?;
                return Ok(self.input.get_or_init(|| text).clone());
            }
            return Ok(self.input.get().cloned().unwrap_or_default());
        }
        within(File::open(path)?, most)
    }

    fn exists(&self, path: &Path) -> bool {
        // Not only regular files: `/dev/stdin`, and pipes of a shell.
        path.metadata().is_ok_and(|metadata| !metadata.is_dir())
    }
}

/// A text of at most so many bytes.
fn within(from: impl Read, most: usize) -> io::Result<String> {
    let mut text = String::new();
    from.take(most as u64 + 1).read_to_string(&mut text)?;
    match text.len() > most {
        true => {
            let text = format!("it is larger than {} MiB", most >> 20);
            Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
        }
        false => Ok(text),
    }
}

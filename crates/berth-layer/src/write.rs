//! A directory tree as a deterministic archive: same tree, same bytes.
//!
//! Order: each directory before its content, names sorted by their bytes. Times, owners and allowed extended
//! attributes are kept; further names of a file are hard links to its first name. Sockets, which no archive
//! can hold, are left out. A name that begins with `.wh.` is an error: read back, it would be a whiteout.
//!
//! [`write_layer`] does the same with the upper directory of an overlay, whose whiteouts and opaque
//! directories become those of the layer format: a container's changes as a layer. [`write_merged`] writes what the
//! layers of an overlay show together.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Dir, FileType, OFlags, Stat};
use rustix::io::Errno;

use crate::changes::Change;
use crate::error::{shown, tree};
use crate::metadata::{self, Metadata};
use crate::path;
use crate::tar::{Entry, Kind, Writer};
use crate::view::{self, Found, View};
use crate::{Error, lookup};

/// How to write a tree.
#[derive(Debug, Clone, Default)]
pub struct WriteOptions {
    /// No time is later than this, in seconds since 1970 (`SOURCE_DATE_EPOCH`); whole seconds where it applies.
    pub mtime_clamp_secs: Option<i64>,
    /// Write the root itself, as `./`: it carries the mode and owner of `/`.
    pub root: bool,
    /// What the root is called in place of `./`, and its content below it.
    pub root_name: Vec<u8>,
    /// The tree is in use and made of mounts, which are entered; of the kernel's own only the directory is written.
    /// What vanishes meanwhile is left out.
    pub live: bool,
}

/// File systems that show the kernel's state. Source: linux/magic.h.
const OF_THE_KERNEL: [u32; 10] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x1cd1,      // devpts
    0x1980_0202, // mqueue
    0x6462_6720, // debugfs
    0x7472_6163, // tracefs
    0x7363_6673, // securityfs
    0xcafe_4a11, // bpf
];

/// Whether a directory shows the kernel's state, not files.
fn is_of_the_kernel(dir: &OwnedFd) -> Result<bool, Errno> {
    let kind = rustix::fs::fstatfs(dir)?.f_type as u64;
    Ok(OF_THE_KERNEL.iter().any(|other| u64::from(*other) == kind))
}

/// Writes the tree below `root` to `output` and closes the archive.
///
/// # Errors
/// `Tree` if the tree cannot be read, `Entry` for what no layer can hold, `Write` if the output fails.
pub fn write_tree<W: Write>(
    root: BorrowedFd<'_>,
    output: W,
    options: &WriteOptions,
) -> Result<W, Error> {
    write(root, output, options, None)
}

/// Writes these changes in an overlay's upper directory (see [`crate::changes`](mod@crate::changes)) as a layer. Nothing
/// may write to it meanwhile.
///
/// # Errors
/// As [`write_tree`].
pub fn write_layer<W: Write>(
    upper: BorrowedFd<'_>,
    changes: &BTreeMap<Vec<u8>, Change>,
    output: W,
    options: &WriteOptions,
) -> Result<W, Error> {
    write(upper, output, options, Some(changes))
}

/// Writes the merged view of an overlay's layers (topmost first). What vanishes meanwhile is left out.
///
/// # Errors
/// As [`write_tree`].
pub fn write_merged<W: Write>(
    layers: Vec<OwnedFd>,
    output: W,
    options: &WriteOptions,
) -> Result<W, Error> {
    write_view(&mut View::new(layers), b"", output, options)
}

/// As [`write_merged`], of the directory at the clean path `from`, which is the archive's root.
///
/// # Errors
/// Likewise.
pub(crate) fn write_view<W: Write>(
    view: &mut View,
    from: &[u8],
    output: W,
    options: &WriteOptions,
) -> Result<W, Error> {
    let mut walk = TreeWriter::new(output, options, false);
    let mut work = vec![(from.to_vec(), true)];
    while let Some((path, is_dir)) = work.pop() {
        let failed = |errno| tree("read", &path, errno);
        let inside = path[from.len()..].strip_prefix(b"/");
        let inside = inside.unwrap_or(&path[from.len()..]);
        if !is_dir {
            if let Some(Found::Other(dir, _)) = view.find(&path).map_err(failed)? {
                walk.other(&dir, inside)?;
            }
            continue;
        }
        let parts = view.dir(&path).map_err(failed)?;
        let Some(top) = parts.first() else { continue };
        if options.root || !inside.is_empty() {
            walk.dir(inside, top)?;
        }
        let names = view::names(parts).map_err(failed)?.into_iter().rev();
        work.extend(names.map(|(name, is_dir)| (path::join(&path, &name), is_dir)));
    }
    walk.writer.finish()
}

/// Writes one thing that is no directory, by the directory that it lies in, as `root_name`.
///
/// # Errors
/// As [`write_tree`].
pub fn write_single<W: Write>(
    parent: &OwnedFd,
    name: &[u8],
    output: W,
    options: &WriteOptions,
) -> Result<W, Error> {
    let mut walk = TreeWriter::new(output, options, false);
    walk.entry(parent, name, b"", b"")?;
    walk.writer.finish()
}

fn write<W: Write>(
    root: BorrowedFd<'_>,
    output: W,
    options: &WriteOptions,
    changes: Option<&BTreeMap<Vec<u8>, Change>>,
) -> Result<W, Error> {
    let mut walk = TreeWriter::new(output, options, changes.is_some());
    let open = |path: &[u8], flags| {
        let opened = match options.live {
            true => lookup::open_across(root, path, flags | OFlags::DIRECTORY),
            false => lookup::open_dir(root, path, flags),
        };
        present(opened, options, |errno| tree("open", path, errno))
    };
    let Some(top) = open(b"", OFlags::RDONLY)? else {
        return walk.writer.finish();
    };
    let own_kind =
        options.live && is_of_the_kernel(&top).map_err(|errno| tree("look at", b"", errno))?;
    if options.root {
        walk.dir(b"", &top)?;
    }
    let mut work = children(b"", &top)?;
    while let Some((path, file_type)) = work.pop() {
        if changes.is_some_and(|changes| !changes.contains_key(&path)) {
            continue;
        }
        let (dir, name) = path::split(&path);
        if !options.live && name.starts_with(path::WHITEOUT) {
            return Err(Error::Entry {
                path: shown(&path),
                reason: "a layer cannot hold a name that begins with `.wh.`".to_owned(),
            });
        }
        if file_type == FileType::Directory {
            let Some(fd) = open(&path, OFlags::RDONLY)? else {
                continue;
            };
            walk.dir(&path, &fd)?;
            let closed = options.live
                && !own_kind
                && is_of_the_kernel(&fd).map_err(|errno| tree("look at", &path, errno))?;
            if !closed {
                work.extend(children(&path, &fd)?);
            }
        } else if let Some(parent) = open(dir, OFlags::PATH)? {
            walk.other(&parent, &path)?;
        }
    }
    walk.writer.finish()
}

/// Of a tree in use, what has vanished or become something else is none.
fn present<T>(
    result: Result<T, Errno>,
    options: &WriteOptions,
    failed: impl FnOnce(Errno) -> Error,
) -> Result<Option<T>, Error> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO) if options.live => Ok(None),
        Err(errno) => Err(failed(errno)),
    }
}

/// The children of a directory, last name first: they are taken from the end.
fn children(path: &[u8], fd: &OwnedFd) -> Result<Vec<(Vec<u8>, FileType)>, Error> {
    let failed = |errno| tree("read", path, errno);
    let mut found = BTreeMap::new();
    for entry in Dir::read_from(fd).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let file_type = match entry.file_type() {
            FileType::Unknown => match lookup::stat(fd, name).map_err(failed)? {
                Some(stat) => FileType::from_raw_mode(stat.st_mode),
                None => continue,
            },
            known => known,
        };
        found.insert(path::join(path, name), file_type);
    }
    Ok(found.into_iter().rev().collect())
}

struct TreeWriter<'a, W> {
    options: &'a WriteOptions,
    /// The tree is the upper directory of an overlay.
    overlay: bool,
    writer: Writer<W>,
    /// Device and inode of files with several names, and the name that was written.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<'a, W: Write> TreeWriter<'a, W> {
    fn new(output: W, options: &'a WriteOptions, overlay: bool) -> TreeWriter<'a, W> {
        TreeWriter {
            options,
            overlay,
            writer: Writer::new(output),
            linked: HashMap::new(),
        }
    }

    fn dir(&mut self, path: &[u8], fd: &OwnedFd) -> Result<(), Error> {
        let found =
            Metadata::of(fd.as_fd()).map_err(|errno| tree("read the metadata of", path, errno))?;
        let mut entry = self.described(path, Kind::Dir, found);
        if entry.path.is_empty() {
            entry.path = b"./".to_vec();
        }
        self.writer.append(&entry, &mut io::empty())?;
        if !self.overlay {
            return Ok(());
        }
        self.refuse_redirected(path, fd)?;
        match metadata::is_opaque(fd).map_err(|errno| tree("look at", path, errno))? {
            true => self.whiteout(path, path::OPAQUE),
            false => Ok(()),
        }
    }

    fn refuse_redirected(&self, path: &[u8], fd: &OwnedFd) -> Result<(), Error> {
        match metadata::is_redirected(fd) {
            Ok(false) => Ok(()),
            Ok(true) => Err(tree("make a layer of the renamed", path, Errno::OPNOTSUPP)),
            Err(errno) => Err(tree("look at", path, errno)),
        }
    }

    fn whiteout(&mut self, dir: &[u8], name: &[u8]) -> Result<(), Error> {
        let entry = Entry::new(path::join(dir, name), Kind::File);
        self.writer.append(&entry, &mut io::empty())
    }

    /// Whatever is no directory, by the directory that it lies in.
    fn other(&mut self, parent: &OwnedFd, path: &[u8]) -> Result<(), Error> {
        let (dir, name) = path::split(path);
        self.entry(parent, name, path, dir)
    }

    /// As `other`, whatever it is called in the archive.
    fn entry(
        &mut self,
        parent: &OwnedFd,
        name: &[u8],
        path: &[u8],
        dir: &[u8],
    ) -> Result<(), Error> {
        let failed = |errno| tree("look at", path, errno);
        let Some(stat) = lookup::stat(parent, name).map_err(failed)? else {
            return match self.options.live {
                true => Ok(()),
                false => Err(tree("look at", path, Errno::NOENT)),
            };
        };
        if self.overlay && metadata::is_whiteout(&stat) {
            return self.whiteout(dir, &[path::WHITEOUT, name].concat());
        }
        if self.is_further_name(path, &stat)? {
            return Ok(());
        }
        let found = Metadata::from_stat(&stat);
        let (major, minor) = (
            rustix::fs::major(stat.st_rdev),
            rustix::fs::minor(stat.st_rdev),
        );
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.file(parent, name, path),
            FileType::Symlink => {
                let link = rustix::fs::readlinkat(parent, name, Vec::new());
                let Some(link) = present(link, self.options, |errno| {
                    tree("read the link", path, errno)
                })?
                else {
                    return Ok(());
                };
                let mut entry = self.described(path, Kind::Symlink, found);
                entry.link = link.into_bytes();
                return self.writer.append(&entry, &mut io::empty());
            }
            FileType::CharacterDevice => Kind::Char { major, minor },
            FileType::BlockDevice => Kind::Block { major, minor },
            FileType::Fifo => Kind::Fifo,
            _ => return Ok(()),
        };
        let entry = self.described(path, kind, found);
        self.writer.append(&entry, &mut io::empty())
    }

    fn file(&mut self, parent: &OwnedFd, name: &[u8], path: &[u8]) -> Result<(), Error> {
        let failed = |errno| tree("open", path, errno);
        // Non-blocking: a file that is replaced by a pipe meanwhile must not hang us.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let opened = match self.options.live {
            true => lookup::open_across(parent.as_fd(), name, flags),
            false => lookup::open(parent.as_fd(), name, flags),
        };
        let Some(fd) = present(opened, self.options, failed)? else {
            return Ok(());
        };
        if self.overlay {
            self.refuse_redirected(path, &fd)?;
        }
        let found =
            Metadata::of(fd.as_fd()).map_err(|errno| tree("read the metadata of", path, errno))?;
        let stat = rustix::fs::fstat(&fd).map_err(failed)?;
        let mut entry = self.described(path, Kind::File, found);
        entry.size = u64::try_from(stat.st_size).unwrap_or(0);
        self.writer.append(&entry, &mut File::from(fd))
    }

    /// Writes a hard link if the inode was written before under another name.
    fn is_further_name(&mut self, path: &[u8], stat: &Stat) -> Result<bool, Error> {
        if stat.st_nlink < 2 || FileType::from_raw_mode(stat.st_mode) == FileType::Socket {
            return Ok(false);
        }
        let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) else {
            let name = self.named(path);
            self.linked.insert((stat.st_dev, stat.st_ino), name);
            return Ok(false);
        };
        let link = first.clone();
        let mut entry = self.described(path, Kind::Hardlink, Metadata::from_stat(stat));
        entry.link = link;
        self.writer.append(&entry, &mut io::empty())?;
        Ok(true)
    }

    /// What a path below the root is called in the archive.
    fn named(&self, path: &[u8]) -> Vec<u8> {
        match &self.options.root_name[..] {
            b"" => path.to_vec(),
            root if path.is_empty() => root.to_vec(),
            // Of the root directory the content's names begin with its slash.
            b"/" => [b"/", path].concat(),
            root => path::join(root, path),
        }
    }

    fn described(&self, path: &[u8], kind: Kind, found: Metadata) -> Entry {
        let mut entry = Entry::new(self.named(path), kind);
        entry.mode = found.mode;
        entry.uid = found.uid;
        entry.gid = found.gid;
        entry.mtime = found.mtime;
        entry.xattrs = found.xattrs;
        if let Some(latest) = self.options.mtime_clamp_secs
            && entry.mtime.secs >= latest
        {
            entry.mtime = crate::tar::Time {
                secs: latest,
                nanos: 0,
            };
        }
        entry
    }
}

//! Layers of files, links, directories and whiteouts over each other: both forms of the result show what a model of
//! the merged view says. Runs as root.

#![cfg_attr(not(test), no_main)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use berth_layer::Limits;
use berth_layer::apply::{Form, Options, apply};
use berth_layer::tar::{Entry, Kind, Reader, Writer};

#[path = "../recipe.rs"]
mod recipe;
use recipe::Recipe;

/// A path, and what is there: `/`, `@` and a link's target, or a file's content.
type Tree = BTreeMap<String, String>;

enum Item {
    Node(String, String),
    Whiteout(String),
    Opaque(String),
}

/// Panics where what is said above does not hold.
pub fn check(bytes: &[u8]) {
    let mut recipe = Recipe(bytes);
    let layers: Vec<Vec<Item>> = (0..2 + recipe.below(2))
        .map(|layer| items(&mut recipe, layer))
        .collect();
    rustix::process::umask(rustix::fs::Mode::empty());
    let world = tempfile::tempdir().expect("a temporary directory");
    let (mut model, mut overlay): (Tree, Vec<PathBuf>) = Default::default();
    let plain = world.path().join("plain");
    fs::create_dir(&plain).expect("a new directory");
    for (number, items) in layers.iter().enumerate() {
        model = expected(&model, items);
        let archive = archive(items);
        unpack(&archive, &plain, &[], Form::Plain);
        let mut found = Tree::new();
        list(std::slice::from_ref(&plain), "", &mut found);
        assert_eq!(found, model, "plain, layer {number}");
        let target = world.path().join(number.to_string());
        fs::create_dir(&target).expect("a new directory");
        unpack(&archive, &target, &overlay, Form::Overlay);
        overlay.insert(0, target);
        let mut found = Tree::new();
        list(&overlay, "", &mut found);
        assert_eq!(found, model, "overlay, layer {number}");
    }
}

fn items(recipe: &mut Recipe<'_>, layer: usize) -> Vec<Item> {
    let mut items = Vec::new();
    for number in 0..recipe.below(12) {
        let kind = recipe.below(8);
        let path = path(recipe);
        items.push(match kind {
            0 | 1 => Item::Node(path, format!("{layer}.{number}")),
            2 | 3 => Item::Node(path, "/".to_owned()),
            4 => Item::Node(path, "@a/b".to_owned()),
            5 | 6 => Item::Whiteout(path),
            _ if recipe.below(4) == 0 => Item::Opaque(String::new()),
            _ => Item::Opaque(path),
        });
    }
    items
}

fn path(recipe: &mut Recipe<'_>) -> String {
    let choice = recipe.byte();
    let depth = 1 + usize::from(choice >> 6) % 3;
    let names = (0..depth).map(|i| ["a", "b", "c"][usize::from(choice >> (2 * i) & 3) % 3]);
    names.collect::<Vec<_>>().join("/")
}

/// Whether `path` lies in `dir`, the root included.
fn is_in(path: &str, dir: &str) -> bool {
    let rest = path.strip_prefix(dir);
    dir.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'))
}

/// The merged view after one more layer. Source: OCI image-spec, layer.md, "Whiteouts": they hide what the layers
/// below have, wherever they stand in the archive.
fn expected(below: &Tree, items: &[Item]) -> Tree {
    let (mut tree, mut own) = (below.clone(), BTreeSet::new());
    let mut put = |path: &str, what: &str| {
        let stays = what == "/" && tree.get(path).is_some_and(|old| old == "/");
        if !stays {
            tree.retain(|p, _| p != path && !is_in(p, path));
            own.retain(|p: &String| p != path && !is_in(p, path));
        }
        tree.insert(path.to_owned(), what.to_owned());
        own.insert(path.to_owned());
    };
    for item in items {
        let Item::Node(path, what) = item else {
            continue;
        };
        for (end, _) in path.match_indices('/') {
            put(&path[..end], "/");
        }
        put(path, what);
    }
    tree.retain(|path, _| {
        let hides = |item: &Item| match item {
            Item::Node(..) => false,
            Item::Whiteout(hidden) => path == hidden || is_in(path, hidden),
            Item::Opaque(dir) => path != dir && is_in(path, dir),
        };
        own.contains(path) || !items.iter().any(hides)
    });
    tree
}

fn archive(items: &[Item]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for item in items {
        let beside = |path: &str, name: &str| match path.rsplit_once('/') {
            Some((dir, base)) => format!("{dir}/{}", name.replace('*', base)),
            None => name.replace('*', path),
        };
        let (path, kind, data, link) = match item {
            Item::Whiteout(path) => (beside(path, ".wh.*"), Kind::File, "", ""),
            Item::Opaque(dir) => (format!("{dir}/.wh..wh..opq"), Kind::File, "", ""),
            Item::Node(path, what) => match what.strip_prefix('@') {
                Some(link) => (path.clone(), Kind::Symlink, "", link),
                None if what == "/" => (path.clone(), Kind::Dir, "", ""),
                None => (path.clone(), Kind::File, &what[..], ""),
            },
        };
        let mut entry = Entry::new(path, kind);
        entry.size = data.len() as u64;
        entry.link = link.as_bytes().to_vec();
        let mut data = data.as_bytes();
        writer.append(&entry, &mut data).expect("memory takes all");
    }
    writer.finish().expect("memory takes all")
}

fn unpack(archive: &[u8], target: &Path, lowers: &[PathBuf], form: Form) {
    let limits = Limits::default();
    let options = Options {
        form,
        skip_devices: false,
        limits,
    };
    let open = |path: &Path| File::open(path).expect("it was made before").into();
    let lowers: Vec<_> = lowers.iter().map(|path| open(path)).collect();
    let mut reader = Reader::new(archive, limits);
    apply(&mut reader, open(target), lowers, options).expect("a layer that any tool may have made");
}

/// What these directories over each other (topmost first) show, as overlay does it.
fn list(layers: &[PathBuf], dir: &str, found: &mut Tree) {
    let mut names: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for layer in layers {
        for entry in fs::read_dir(layer.join(dir)).expect("a directory") {
            let entry = entry.expect("a directory");
            let name = entry.file_name().into_string().expect("ours are text");
            names.entry(name).or_default().push(layer.clone());
        }
    }
    for (name, layers) in names {
        let path = if dir.is_empty() {
            name
        } else {
            format!("{dir}/{name}")
        };
        let top = layers[0].join(&path);
        let metadata = fs::symlink_metadata(&top).expect("it was listed");
        let kind = metadata.file_type();
        if kind.is_char_device() && metadata.rdev() == 0 {
            continue;
        }
        if kind.is_dir() {
            found.insert(path.clone(), "/".to_owned());
            let is_dir = |layer: &&PathBuf| {
                let metadata = fs::symlink_metadata(layer.join(&path));
                metadata.is_ok_and(|m| m.is_dir())
            };
            let merged: Vec<_> = layers.iter().take_while(is_dir).cloned().collect();
            list(&merged, &path, found);
        } else if kind.is_symlink() {
            let target = fs::read_link(&top).expect("a link");
            found.insert(path, format!("@{}", target.display()));
        } else {
            let content = fs::read_to_string(&top).expect("a file");
            found.insert(path, content);
        }
    }
}

#[cfg(not(test))]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check(bytes));

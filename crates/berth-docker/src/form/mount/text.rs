//! The short ways of writing mounts: `Binds`, `Tmpfs`, `VolumesFrom`.

use berth_model::config::{MountConfig, MountKind, MountSyntax, VolumesFrom};

use super::{Parsed, clean, destination, propagation, volume_name};

/// `SOURCE:DESTINATION[:MODE]` as `Binds` has it. A source that is no path is a volume's name.
pub(crate) fn bind(text: &str) -> Parsed<MountConfig> {
    let wrong = |why: String| format!("invalid volume specification: '{text}': {why}");
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(format!("invalid volume specification: '{text}'")),
    };
    if target.is_empty() || (parts.len() > 1 && source.is_empty()) {
        return Err(format!("invalid volume specification: '{text}'"));
    }
    let kind = match source.starts_with('/') {
        true => "bind",
        false => "volume",
    };
    let destination = destination(target)
        .map_err(|why| wrong(format!("invalid mount config for type \"{kind}\": {why}")))?;
    let mut mount = MountConfig {
        destination,
        ..MountConfig::default()
    };
    if source.starts_with('/') {
        mount.kind = MountKind::Bind;
        mount.source = clean(source).map_err(&wrong)?;
    } else {
        volume_name(source).map_err(|why| format!("create {source}: {why}"))?;
        source.clone_into(&mut mount.source);
        mount.anonymous = source.is_empty();
    }
    for word in mode.split(',').filter(|word| !word.is_empty()) {
        match word {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" if mount.kind == MountKind::Volume => mount.no_copy = true,
            // Labels of SELinux, which the engine does not use; hints for other systems' file sharing.
            "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            word if mount.kind == MountKind::Bind => {
                let known = propagation(word);
                mount.propagation =
                    Some(known.map_err(|_| wrong(format!("invalid mode: {mode}")))?);
            }
            _ => return Err(wrong(format!("invalid mode: {mode}"))),
        }
    }
    Ok(mount)
}

/// The same text again.
pub(crate) fn bind_text(mount: &MountConfig) -> String {
    let mode = mode(mount);
    match mode.is_empty() {
        true => format!("{}:{}", mount.source, mount.destination),
        false => format!("{}:{}:{mode}", mount.source, mount.destination),
    }
}

pub(super) fn mode(mount: &MountConfig) -> String {
    if mount.syntax != MountSyntax::Volume {
        return String::new();
    }
    let mut words = Vec::new();
    words.extend(mount.read_only.then_some("ro"));
    words.extend(mount.no_copy.then_some("nocopy"));
    words.extend(mount.propagation.as_deref());
    words.join(",")
}

/// A `Tmpfs` entry.
pub(crate) fn tmpfs(target: &str, options: &str) -> Parsed<MountConfig> {
    let mut mount = MountConfig {
        kind: MountKind::Tmpfs,
        destination: destination(target)?,
        ..MountConfig::default()
    };
    mount.set_tmpfs(options)?;
    Ok(mount)
}

/// The same text again.
pub(crate) fn tmpfs_text(mount: &MountConfig) -> String {
    if !mount.written.is_empty() {
        return mount.written.clone();
    }
    let mut words: Vec<String> = mount.options.clone();
    words.extend(mount.read_only.then(|| "ro".to_owned()));
    words.extend(mount.tmpfs_size_bytes.map(|bytes| format!("size={bytes}")));
    words.extend(mount.tmpfs_mode.map(|mode| format!("mode={mode:o}")));
    words.join(",")
}

/// The same text again.
pub(crate) fn from_text(from: &VolumesFrom) -> String {
    let mode = match from.read_only {
        None => "",
        Some(true) => ":ro",
        Some(false) => ":rw",
    };
    format!("{}{mode}", from.container)
}

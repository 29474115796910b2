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
    let mut mount = MountConfig {
        destination: destination(target).map_err(&wrong)?,
        ..MountConfig::default()
    };
    if source.starts_with('/') {
        mount.kind = MountKind::Bind;
        mount.source = clean(source).map_err(&wrong)?;
    } else {
        volume_name(source).map_err(&wrong)?;
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

/// The options of a `Tmpfs` entry: `size=1m,mode=1777,noexec`.
pub(crate) fn tmpfs(target: &str, options: &str) -> Parsed<MountConfig> {
    let mut mount = MountConfig {
        kind: MountKind::Tmpfs,
        destination: destination(target)?,
        syntax: MountSyntax::Tmpfs,
        written: options.to_owned(),
        ..MountConfig::default()
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        tmpfs_option(&mut mount, option)?;
    }
    Ok(mount)
}

pub(super) fn tmpfs_option(mount: &mut MountConfig, option: &str) -> Parsed<()> {
    const FLAGS: [&str; 11] = [
        "exec",
        "noexec",
        "suid",
        "nosuid",
        "dev",
        "nodev",
        "sync",
        "async",
        "noatime",
        "relatime",
        "nodiratime",
    ];
    let wrong = || format!("invalid tmpfs option [\"{option}\"]");
    match option.split_once('=') {
        Some(("size", value)) => {
            mount.tmpfs_size_bytes = Some(berth_model::size::bytes(value).map_err(|_| wrong())?)
        }
        Some(("mode", value)) => {
            let mode = u32::from_str_radix(value, 8).ok();
            mount.tmpfs_mode = Some(mode.filter(|mode| *mode <= 0o7777).ok_or_else(wrong)?);
        }
        Some(("uid" | "gid" | "nr_inodes", value)) if value.parse::<u32>().is_ok() => {
            mount.options.push(option.to_owned());
        }
        None if matches!(option, "ro" | "rw") => mount.read_only = option == "ro",
        None if FLAGS.contains(&option) => mount.options.push(option.to_owned()),
        _ => return Err(wrong()),
    }
    Ok(())
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

/// `CONTAINER[:ro|:rw]`.
pub(crate) fn volumes_from(text: &str) -> Parsed<VolumesFrom> {
    let (container, mode) = text.split_once(':').unwrap_or((text, ""));
    if container.is_empty() {
        return Err(format!("malformed volumes-from specification: \"{text}\""));
    }
    let mut read_only = None;
    for word in mode.split(',').filter(|word| !word.is_empty()) {
        match word {
            "ro" => read_only = Some(true),
            "rw" => read_only = Some(false),
            "z" | "Z" => {}
            _ => return Err(format!("invalid mode for volumes-from: \"{mode}\"")),
        }
    }
    Ok(VolumesFrom {
        container: container.to_owned(),
        read_only,
    })
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

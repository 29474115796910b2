//! `-v`, `--mount` and `--tmpfs` → [`MountConfig`].

use std::path::{Component, Path};

use berth_model::config::{MountConfig, MountKind, MountSyntax};
use berth_model::truth;

use super::{Parsed, number};

/// `[SOURCE:]DESTINATION[:OPTIONS]`. A relative source that begins with `.` is taken from `cwd`.
pub fn volume(text: &str, cwd: &Path) -> Parsed<MountConfig> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => {
            return Err(format!(
                "`{text}` is not of the form [SOURCE:]DESTINATION[:OPTIONS]"
            ));
        }
    };
    if parts.len() > 1 && source.is_empty() {
        return Err(format!("`{text}` has an empty source"));
    }
    let mut mount = if source.starts_with('/') || source.starts_with('.') || source.starts_with('~')
    {
        new(MountKind::Bind, host_path(source, cwd)?, target)?
    } else {
        volume_name(source)?;
        new(MountKind::Volume, source.to_owned(), target)?
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" | "readonly" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" if mount.kind == MountKind::Volume => mount.no_copy = true,
            "nocopy" => return Err("`nocopy` is for volumes only".into()),
            // Labels of SELinux, which the engine does not use; hints for other systems' file sharing.
            "z" | "Z" | "cached" | "delegated" | "consistent" => {}
            other => mount.propagation = Some(propagation(other, mount.kind)?),
        }
    }
    Ok(mount)
}

/// `type=bind,src=…,dst=…[,readonly]…`, a line of comma-separated values.
pub fn mount(text: &str, cwd: &Path) -> Parsed<MountConfig> {
    let mut kind = MountKind::Volume;
    let (mut source, mut target) = (String::new(), String::new());
    let mut rest = Vec::new();
    for field in csv(text)? {
        let (key, value) = field
            .split_once('=')
            .map_or((field.as_str(), None), |(k, v)| (k, Some(v)));
        let key = key.to_ascii_lowercase();
        match (key.as_str(), value) {
            ("type", Some("bind")) => kind = MountKind::Bind,
            ("type", Some("volume")) => kind = MountKind::Volume,
            ("type", Some("tmpfs")) => kind = MountKind::Tmpfs,
            ("type", other) => {
                return Err(format!(
                    "mount type `{}` is not known (bind, volume, tmpfs)",
                    other.unwrap_or("")
                ));
            }
            ("source" | "src", Some(value)) => source = value.to_owned(),
            ("target" | "dst" | "destination", Some(value)) => target = value.to_owned(),
            (_, value) => rest.push((key, value.map(str::to_owned))),
        }
    }
    if target.is_empty() {
        return Err("a mount needs a target (target=/path)".into());
    }
    let source = match kind {
        MountKind::Bind if source.is_empty() => {
            return Err("a bind mount needs a source (source=/path)".into());
        }
        MountKind::Bind => host_path(&source, cwd)?,
        MountKind::Volume => volume_name(&source).map(|()| source)?,
        MountKind::Tmpfs if !source.is_empty() => return Err("a tmpfs has no source".into()),
        MountKind::Tmpfs => source,
    };
    let mut mount = new(kind, source, &target)?;
    mount.syntax = MountSyntax::Mount;
    for (key, value) in rest {
        mount_option(&mut mount, &key, value.as_deref())?;
    }
    Ok(mount)
}

fn mount_option(mount: &mut MountConfig, key: &str, value: Option<&str>) -> Parsed<()> {
    let needed = || value.ok_or_else(|| format!("`{key}` needs a value"));
    match (key, mount.kind) {
        ("readonly" | "ro", _) => mount.read_only = boolean(key, value)?,
        ("bind-propagation", MountKind::Bind) => {
            mount.propagation = Some(propagation(needed()?, mount.kind)?)
        }
        ("consistency", _) => {}
        ("bind-nonrecursive", MountKind::Bind) => mount.non_recursive = boolean(key, value)?,
        ("bind-recursive", MountKind::Bind) => recursive(mount, needed()?)?,
        ("bind-create-src", MountKind::Bind) => mount.create_source = boolean(key, value)?,
        ("volume-subpath", MountKind::Volume) => mount.subpath = relative(needed()?)?,
        ("volume-driver", MountKind::Volume) => needed()?.clone_into(&mut mount.driver),
        ("volume-opt", MountKind::Volume) => {
            let (name, value) = super::annotation(needed()?)?;
            mount.driver_options.insert(name, value);
        }
        ("volume-label", MountKind::Volume) => {
            let (name, value) = super::label(needed()?)?;
            mount.labels.insert(name, value);
        }
        ("volume-nocopy", MountKind::Volume) => mount.no_copy = boolean(key, value)?,
        ("tmpfs-size", MountKind::Tmpfs) => {
            mount.tmpfs_size_bytes = Some(number::bytes(needed()?)?)
        }
        ("tmpfs-mode", MountKind::Tmpfs) => mount.tmpfs_mode = Some(mode(needed()?)?),
        (key, _) if MOUNT_OPTIONS.contains(&key) => {
            return Err(format!("`{key}` does not fit this mount's type"));
        }
        _ => return Err(format!("mount option `{key}` is not known")),
    }
    Ok(())
}

const MOUNT_OPTIONS: &[&str] = &[
    "bind-propagation",
    "bind-nonrecursive",
    "bind-recursive",
    "bind-create-src",
    "volume-subpath",
    "volume-driver",
    "volume-opt",
    "volume-label",
    "volume-nocopy",
    "tmpfs-size",
    "tmpfs-mode",
];

/// How mounts below the source come along.
fn recursive(mount: &mut MountConfig, text: &str) -> Parsed<()> {
    match text {
        "enabled" => {}
        "disabled" => mount.non_recursive = true,
        "writable" => mount.read_only_non_recursive = true,
        "readonly" => mount.read_only_force_recursive = true,
        _ => {
            return Err(format!(
                "`{text}` is not one of enabled, disabled, writable, readonly"
            ));
        }
    }
    Ok(())
}

/// A path that leads nowhere else.
fn relative(text: &str) -> Parsed<String> {
    let plain = !text.is_empty()
        && !text.starts_with('/')
        && !text.split('/').any(|part| part == "..")
        && !text.contains('\0');
    match plain {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not a path below the volume")),
    }
}

/// `DESTINATION[:OPTIONS]`.
pub fn tmpfs(text: &str) -> Parsed<MountConfig> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let mut mount = new(MountKind::Tmpfs, String::new(), target)?;
    mount.set_tmpfs(options)?;
    Ok(mount)
}

fn new(kind: MountKind, source: String, target: &str) -> Parsed<MountConfig> {
    let destination = clean(target)?;
    if destination == "/" {
        return Err("the container's root cannot be a mount's destination".into());
    }
    let anonymous = kind == MountKind::Volume && source.is_empty();
    Ok(MountConfig {
        kind,
        source,
        destination,
        anonymous,
        ..MountConfig::default()
    })
}

/// An absolute path without `.`, `..`, doubled and trailing slashes, as Go's `path.Clean` makes it.
pub fn clean(path: &str) -> Parsed<String> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err(format!("`{path}` is not an absolute path"));
    }
    Ok(berth_model::path::clean(path))
}

/// `-v` with a relative source in full, for who has another working directory.
pub fn volume_in_full(text: &str, cwd: &Path) -> Parsed<String> {
    match text.split_once(':') {
        Some((source, rest)) if source.starts_with('.') => {
            Ok(format!("{}:{rest}", host_path(source, cwd)?))
        }
        _ => Ok(text.to_owned()),
    }
}

/// `--mount`, the same.
pub fn mount_in_full(text: &str, cwd: &Path) -> Parsed<String> {
    let fields = csv(text)?;
    let is_bind = fields
        .iter()
        .any(|field| field.eq_ignore_ascii_case("type=bind"));
    let full = fields.into_iter().map(|field| {
        let field = match field.split_once('=') {
            Some((key @ ("source" | "src"), value)) if is_bind => {
                format!("{key}={}", host_path(value, cwd)?)
            }
            _ => field,
        };
        Ok(match field.contains([',', '"']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field,
        })
    });
    Ok(full.collect::<Parsed<Vec<_>>>()?.join(","))
}

fn host_path(source: &str, cwd: &Path) -> Parsed<String> {
    if source.starts_with('~') {
        return Err(format!(
            "`{source}`: `~` is the shell's to expand; give the path in full"
        ));
    }
    let joined = cwd.join(source);
    let mut absolute = std::path::PathBuf::new();
    for part in joined.components() {
        match part {
            Component::CurDir => {}
            // As the shell would go: an earlier symbolic link is not followed.
            Component::ParentDir => {
                absolute.pop();
            }
            other => absolute.push(other),
        }
    }
    absolute
        .into_os_string()
        .into_string()
        .map_err(|_| format!("`{source}` is not UTF-8"))
}

fn volume_name(name: &str) -> Parsed<()> {
    if name.is_empty() || berth_model::id::valid_name(name) {
        return Ok(());
    }
    let hint = if name.contains('/') {
        "; a host path must be absolute or begin with ./"
    } else {
        ""
    };
    Err(format!(
        "`{name}` is not a volume name ([a-zA-Z0-9][a-zA-Z0-9_.-]+){hint}"
    ))
}

fn propagation(text: &str, kind: MountKind) -> Parsed<String> {
    if kind == MountKind::Bind
        && matches!(
            text,
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave"
        )
    {
        return Ok(text.to_owned());
    }
    Err(format!("mount option `{text}` is not known"))
}

fn mode(text: &str) -> Parsed<u32> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777)
        .ok_or_else(|| format!("`{text}` is not an octal mode (such as 1777)"))
}

fn boolean(key: &str, value: Option<&str>) -> Parsed<bool> {
    let text = value.unwrap_or("true");
    truth::parse(text).ok_or_else(|| format!("`{key}={text}` is neither true nor false"))
}

/// One line of comma-separated values; a field in double quotes may hold commas, `""` is a quote.
pub fn csv(text: &str) -> Parsed<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                fields[last].push('"');
            }
            '"' if quoted || fields[last].is_empty() => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields[last].push(other),
        }
    }
    if quoted {
        return Err(format!("`{text}`: a quote is not closed"));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<MountConfig> {
        volume(text, Path::new("/cwd/sub"))
    }

    #[test]
    fn volume_forms() {
        for (text, kind, source, target, read_only) in [
            ("/a:/b", MountKind::Bind, "/a", "/b", false),
            ("/a:/b:ro", MountKind::Bind, "/a", "/b", true),
            (
                "./a:/b/../c//d/:rw,z",
                MountKind::Bind,
                "/cwd/sub/a",
                "/c/d",
                false,
            ),
            ("../a:/b", MountKind::Bind, "/cwd/a", "/b", false),
            ("data:/b:ro", MountKind::Volume, "data", "/b", true),
            ("/b", MountKind::Volume, "", "/b", false),
        ] {
            let got = parse(text).expect(text);
            assert_eq!(
                (got.kind, &*got.source, &*got.destination, got.read_only),
                (kind, source, target, read_only),
                "{text}"
            );
            assert_eq!(got.anonymous, source.is_empty(), "{text}");
        }
        assert_eq!(
            parse("/a:/b:rshared").map(|m| m.propagation),
            Ok(Some("rshared".into()))
        );
        for bad in [
            "",
            ":",
            "a",
            ":/b",
            "/a:",
            "/a:b",
            "/a:/",
            "/a:/b:ro:x",
            "/a:/b:bad",
            "x/y:/b",
            "data:/b:rshared",
            "/a:/b:nocopy",
            "~/a:/b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn mount_forms() {
        let cwd = Path::new("/cwd");
        let bind = mount("type=bind,src=/a,dst=/b,ro", cwd).expect("bind");
        assert_eq!(
            (bind.kind, &*bind.source, &*bind.destination, bind.read_only),
            (MountKind::Bind, "/a", "/b", true)
        );
        let quoted =
            mount("type=bind,\"source=/a,b\",target=/c,readonly=false", cwd).expect("quoted");
        assert_eq!((&*quoted.source, quoted.read_only), ("/a,b", false));
        let tmp = mount("type=tmpfs,target=/t,tmpfs-size=64m,tmpfs-mode=1770", cwd).expect("tmpfs");
        assert_eq!(
            (tmp.tmpfs_size_bytes, tmp.tmpfs_mode),
            (Some(64 << 20), Some(0o1770))
        );
        let named = mount("source=data,target=/d,volume-nocopy", cwd).expect("volume");
        assert_eq!(
            (named.kind, named.no_copy, named.anonymous),
            (MountKind::Volume, true, false)
        );
        let whole = "src=data,dst=/d,volume-subpath=a/b,volume-driver=local,volume-opt=type=tmpfs,volume-label=k=v";
        let whole = mount(whole, cwd).expect("volume");
        assert_eq!(
            (
                &*whole.subpath,
                &*whole.driver,
                &*whole.driver_options["type"],
                &*whole.labels["k"]
            ),
            ("a/b", "local", "tmpfs", "v")
        );
        let bind = mount("type=bind,src=/a,dst=/b,bind-recursive=readonly,ro", cwd).expect("bind");
        assert!(bind.read_only_force_recursive && bind.syntax == MountSyntax::Mount);
        for bad in [
            "type=bind,dst=/b",
            "type=bind,src=/a",
            "type=nfs,dst=/b",
            "type=tmpfs,src=/a,dst=/b",
            "type=bind,src=/a,dst=/b,tmpfs-size=1m",
            "type=bind,src=/a,dst=/b,wat=1",
            "type=bind,src=/a,dst=/b,bind-recursive=maybe",
            "type=volume,src=a1,dst=/b,volume-subpath=../c",
            "type=volume,src=a1,dst=/b,bind-nonrecursive",
            "type=bind,\"src=/a,dst=/b",
            "type=bind,src=/a,dst=/b,ro=maybe",
        ] {
            assert!(mount(bad, cwd).is_err(), "{bad}");
        }
    }

    #[test]
    fn tmpfs_forms() {
        let got = tmpfs("/x:size=1m,mode=755,exec,uid=5").expect("tmpfs");
        assert_eq!(
            (got.tmpfs_size_bytes, got.tmpfs_mode),
            (Some(1 << 20), Some(0o755))
        );
        assert_eq!(got.options, ["exec", "uid=5"]);
        for bad in [
            "x",
            "/",
            "/x:size",
            "/x:mode=9",
            "/x:uid=a",
            "/x:huge=always",
        ] {
            assert!(tmpfs(bad).is_err(), "{bad}");
        }
    }
}

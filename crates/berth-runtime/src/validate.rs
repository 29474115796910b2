//! What a configuration's types cannot say: contradictions and values that nothing can follow, told before
//! anything is made.
//!
//! Source: OCI runtime-spec, config.md and config-linux.md.

use berth_oci::spec::{Namespace, NamespaceKind, Process, Spec};

use crate::error::{Result, invalid};

/// Checks what the types cannot say.
///
/// # Errors
/// [`crate::Error::InvalidSpec`].
pub fn spec(spec: &Spec) -> Result<()> {
    let version = spec.oci_version.as_str();
    if !version.starts_with("1.") || !is_semver(version) {
        return invalid(format!(
            "ociVersion `{version}` is not 1.x.y, a semantic version"
        ));
    }
    if spec.annotations.contains_key("") {
        return invalid("an annotation has an empty key".into());
    }
    if spec.hostname.len() > 64 || spec.domainname.len() > 64 {
        return invalid("hostname and domainname have at most 64 bytes".into());
    }
    if let Some(root) = &spec.root
        && root.path.as_os_str().is_empty()
    {
        return invalid("root.path is empty".into());
    }
    spec.process.as_ref().map_or(Ok(()), process)?;
    crate::mounts::check(&spec.mounts, spec.linux.as_ref())?;
    crate::hooks::check(spec)?;
    linux(spec)
}

/// Checks a process, of a container or of an exec.
///
/// # Errors
/// [`crate::Error::InvalidSpec`].
pub fn process(process: &Process) -> Result<()> {
    if !process.cwd.starts_with('/') {
        return invalid(format!("process.cwd `{}` is not absolute", process.cwd));
    }
    if process.args.first().is_none_or(String::is_empty) {
        return invalid("process.args names no program".into());
    }
    let texts = process
        .args
        .iter()
        .chain(&process.env)
        .chain([&process.cwd]);
    if texts.into_iter().any(|text| text.contains('\0')) {
        return invalid("a NUL byte in process.args, env or cwd".into());
    }
    // R20: numbers that other tools take for -1 or for negative ones name nobody.
    let ids = process
        .user
        .additional_gids
        .iter()
        .chain([&process.user.uid, &process.user.gid]);
    if let Some(id) = ids.into_iter().find(|id| **id > i32::MAX as u32) {
        return invalid(format!("user or group id {id} is above 2147483647"));
    }
    if let Some(twice) = twin(&process.rlimits, |r| &r.kind) {
        return invalid(format!("rlimit {} is given twice", twice.kind));
    }
    Ok(())
}

/// The first of a handful that has the key of one before it.
fn twin<T, K: PartialEq>(list: &[T], key: impl Fn(&T) -> &K) -> Option<&T> {
    let before = |at: usize, item| list[..at].iter().any(|other| key(other) == key(item));
    list.iter()
        .enumerate()
        .find(|(at, item)| before(*at, item))
        .map(|(_, item)| item)
}

fn linux(spec: &Spec) -> Result<()> {
    let Some(linux) = &spec.linux else {
        return Ok(());
    };
    if let Some(twice) = twin(&linux.namespaces, |n| &n.kind) {
        return invalid(format!("the {:?} namespace is given twice", twice.kind));
    }
    let has = |kind| linux.namespace(kind).is_some();
    if !spec.hostname.is_empty() && !has(NamespaceKind::Uts) {
        return invalid("a hostname needs a uts namespace".into());
    }
    if !spec.domainname.is_empty() && !has(NamespaceKind::Uts) {
        return invalid("a domainname needs a uts namespace".into());
    }
    crate::namespaces::check(linux)?;
    crate::net_devices::check(&linux.net_devices)?;
    crate::id_maps::check(linux, spec.process.as_ref().map(|p| &p.user))?;
    let mapped = !linux.uid_mappings.is_empty() || !linux.gid_mappings.is_empty();
    match linux.namespace(NamespaceKind::User) {
        None if mapped => return invalid("id mappings need a user namespace".into()),
        Some(Namespace { path: None, .. })
            if linux.uid_mappings.is_empty() || linux.gid_mappings.is_empty() =>
        {
            return invalid("a new user namespace needs uidMappings and gidMappings".into());
        }
        _ => {}
    }
    // As the kernel names them. Source: config-linux.md "Huge page limits".
    let pages = linux.resources.iter().flat_map(|r| &r.hugepage_limits);
    for size in pages.map(|limit| &limit.page_size) {
        let number = size
            .strip_suffix("KB")
            .or(size.strip_suffix("MB"))
            .or(size.strip_suffix("GB"));
        if !number.is_some_and(|n| !n.starts_with('0') && n.parse::<u32>().is_ok()) {
            return invalid(format!(
                "hugepageLimits: `{size}` is no page size, as `2MB`"
            ));
        }
    }
    let mut weights = (linux.resources.iter())
        .flat_map(|r| &r.block_io)
        .flat_map(|b| &b.weight_device);
    if let Some(device) = weights.find(|d| d.weight.is_none() && d.leaf_weight.is_none()) {
        return invalid(format!(
            "blockIO.weightDevice {}:{} has neither weight nor leafWeight",
            device.major, device.minor
        ));
    }
    for path in linux.masked_paths.iter().chain(&linux.readonly_paths) {
        if !path.starts_with('/') {
            return invalid(format!("masked or read-only path `{path}` is not absolute"));
        }
    }
    Ok(())
}

/// Source: Semantic Versioning 2.0.0, 2, 9 and 10.
fn is_semver(text: &str) -> bool {
    let number = |n: &str| {
        n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty() && (n == "0" || !n.starts_with('0'))
    };
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let (version, build) = text.split_once('+').unwrap_or((text, "0"));
    let (numbers, pre) = version.split_once('-').unwrap_or((version, "0"));
    let digits = |w: &str| w.bytes().all(|b| b.is_ascii_digit());
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && pre.split('.').all(|w| word(w) && (!digits(w) || number(w)))
        && build.split('.').all(word)
}

//! Docker's profiles: the specification's rules, with conditions on when a rule is there at all.
//!
//! ```json
//! {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
//!  "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
//!  "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "args": [],
//!                "includes": {"caps": ["CAP_BPF"], "arches": ["amd64"], "minKernel": "4.8"},
//!                "excludes": {}}]}
//! ```
//!
//! Source: moby/profiles, seccomp/seccomp.go and seccomp_linux.go.

use berth_oci::spec::{Seccomp, SeccompArg, SeccompRule};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::{Action, Arch};

/// Docker's default profile, less one call: `socketcall` of i386 reaches all of the socket calls
/// with arguments that no filter can see (security: K7). Every libc since 2016 does without it.
pub const DEFAULT_PROFILE: &str = include_str!("../data/docker-default.json");

/// What a profile's conditions are about.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The machine's.
    pub arch: Arch,
    /// The container's bounding set, `CAP_X` in upper case.
    pub caps: &'a [String],
    /// Version and patch level: (6, 18).
    pub kernel: (u32, u32),
}

/// A misspelt field would be a rule or a condition that is not there: so none is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: String,
    #[serde(default)]
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    arch_map: Option<Vec<ArchMap>>,
    #[serde(default)]
    flags: Option<Vec<String>>,
    #[serde(default)]
    listener_path: Option<String>,
    #[serde(default)]
    listener_metadata: Option<String>,
    #[serde(default)]
    syscalls: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ArchMap {
    architecture: String,
    #[serde(default)]
    sub_architectures: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    action: String,
    #[serde(default)]
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<Arg>>,
    #[serde(default)]
    #[serde(rename = "comment")]
    _comment: serde::de::IgnoredAny,
    #[serde(default)]
    includes: Option<When>,
    #[serde(default)]
    excludes: Option<When>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Arg {
    index: u32,
    value: u64,
    #[serde(default)]
    value_two: Option<u64>,
    op: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct When {
    #[serde(default)]
    caps: Option<Vec<String>>,
    #[serde(default)]
    arches: Option<Vec<String>>,
    #[serde(default)]
    min_kernel: Option<String>,
}

/// The rules of a Docker profile that hold for a container.
///
/// # Errors
/// Anything that is not understood: fields, actions, operators, architectures, and system calls
/// in rules that forbid (unknown ones in rules that allow stay forbidden, as in Docker: its
/// profile names calls of many kernels).
pub fn resolve_profile(json: &str, target: &Target<'_>) -> Result<Seccomp> {
    let profile: Profile = serde_json::from_str(json).map_err(Error::Parse)?;
    let architectures = architectures(&profile, target)?;
    let mut syscalls = Vec::new();
    for rule in profile.syscalls.unwrap_or_default() {
        if applies(&rule, target)? {
            syscalls.push(resolve_rule(rule)?);
        } else {
            Action::parse(&rule.action, rule.errno_ret)?;
        }
    }
    let resolved = Seccomp {
        default_action: profile.default_action,
        default_errno_ret: profile.default_errno_ret,
        architectures,
        flags: profile.flags.unwrap_or_default(),
        listener_path: profile
            .listener_path
            .filter(|p| !p.is_empty())
            .map(Into::into),
        listener_metadata: profile.listener_metadata.filter(|m| !m.is_empty()),
        syscalls,
    };
    let default = Action::parse(&resolved.default_action, resolved.default_errno_ret)?;
    crate::compile::understand(&resolved, default)?;
    Ok(resolved)
}

fn architectures(profile: &Profile, target: &Target<'_>) -> Result<Vec<String>> {
    let plain = profile.architectures.as_deref().unwrap_or_default();
    let map = profile.arch_map.as_deref().unwrap_or_default();
    for name in plain.iter().chain(map.iter().map(|m| &m.architecture)) {
        Arch::parse(name)?;
    }
    if map.is_empty() {
        return Ok(plain.to_vec());
    }
    if !plain.is_empty() {
        return Err(Error::Contradiction {
            why: "both `architectures` and `archMap` are given",
        });
    }
    let own = target.arch.scmp_name();
    let Some(entry) = map.iter().find(|m| m.architecture == own) else {
        return Ok(vec![own.to_owned()]);
    };
    let mut list = vec![entry.architecture.clone()];
    list.extend(entry.sub_architectures.iter().flatten().cloned());
    Ok(list)
}

fn applies(rule: &Rule, target: &Target<'_>) -> Result<bool> {
    let own_arch = |list: &[String]| list.iter().any(|a| a == target.arch.docker_name());
    let has_cap = |cap: &String| target.caps.contains(cap);
    if let Some(when) = &rule.excludes {
        let caps = when.caps.as_deref().unwrap_or_default();
        if own_arch(when.arches.as_deref().unwrap_or_default())
            || caps.iter().any(has_cap)
            || when
                .min_kernel
                .as_deref()
                .map(|k| at_least(k, target))
                .transpose()?
                .unwrap_or(false)
        {
            return Ok(false);
        }
    }
    let Some(when) = &rule.includes else {
        return Ok(true);
    };
    let arches = when.arches.as_deref().unwrap_or_default();
    Ok((arches.is_empty() || own_arch(arches))
        && when.caps.as_deref().unwrap_or_default().iter().all(has_cap)
        && when
            .min_kernel
            .as_deref()
            .map(|k| at_least(k, target))
            .transpose()?
            .unwrap_or(true))
}

/// Whether the kernel is `4.8` or newer.
fn at_least(version: &str, target: &Target<'_>) -> Result<bool> {
    let parse = || {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    let wanted = parse().ok_or(Error::Contradiction {
        why: "minKernel is not of the form `4.8`",
    })?;
    Ok(target.kernel >= wanted)
}

fn resolve_rule(rule: Rule) -> Result<SeccompRule> {
    let names = match (rule.name, rule.names) {
        (Some(_), names) if !names.is_empty() => {
            return Err(Error::Contradiction {
                why: "a rule has both `name` and `names`",
            });
        }
        (Some(name), _) => vec![name],
        (None, names) => names,
    };
    let args = rule.args.unwrap_or_default().into_iter();
    let args = args.map(|a| SeccompArg {
        index: a.index,
        value: a.value,
        value_two: a.value_two,
        op: a.op,
    });
    Ok(SeccompRule {
        names,
        action: rule.action,
        errno_ret: rule.errno_ret,
        args: args.collect(),
    })
}

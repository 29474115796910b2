//! Every section of the runtime specification 1.3 in which something MUST be, for Linux, is shown by a test,
//! which cites it: `Source: config.md, "Mounts"`. This test reads the tests.
#![allow(clippy::unwrap_used)] // this whole file is a test

use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Sections with a MUST, a SHALL or a REQUIRED that is addressed to a runtime on Linux.
const SECTIONS: &[(&str, &[&str])] = &[
    ("bundle.md", &["Container Format"]),
    (
        "config.md",
        &[
            "Specification version",
            "Root",
            "Mounts",
            "Linux mount options",
            "POSIX-platform Mounts",
            "Process",
            "POSIX process",
            "Linux Process",
            "POSIX-platform User",
            "POSIX-platform Hooks",
            "Prestart",
            "CreateRuntime Hooks",
            "CreateContainer Hooks",
            "StartContainer Hooks",
            "Poststart",
            "Poststop",
            "Annotations",
            "Extensibility",
            "Valid values",
        ],
    ),
    (
        "config-linux.md",
        &[
            "Namespaces",
            "User namespace mappings",
            "Offset for Time Namespace",
            "Devices",
            "Default Devices",
            "Network Devices",
            "Namespace Lifecycle and Container Termination",
            "Control groups",
            "Cgroups Path",
            "Cgroup ownership",
            "Allowed Device list",
            "Memory",
            "CPU",
            "Block IO",
            "Huge page limits",
            "Network",
            "RDMA",
            "Unified",
            "IntelRdt",
            "Memory policy",
            "Sysctl",
            "Seccomp",
            "The Container Process State",
            "Rootfs Mount Propagation",
            "Masked Paths",
            "Readonly Paths",
            "Personality",
            "Default Filesystems",
        ],
    ),
    (
        "runtime.md",
        &[
            "Scope of a Container",
            "State",
            "Lifecycle",
            "Errors",
            "Warnings",
            "Operations",
            "Query State",
            "Create",
            "Start",
            "Kill",
            "Delete",
        ],
    ),
    ("runtime-linux.md", &["Dev symbolic links"]),
    (
        "features.md",
        &[
            "Features Structure",
            "Specification version",
            "Hooks",
            "Mount Options",
            "Annotations",
        ],
    ),
    (
        "features-linux.md",
        &[
            "Namespaces",
            "Capabilities",
            "Seccomp",
            "MemoryPolicy",
            "MountExtensions",
        ],
    ),
];

#[test]
fn every_section_has_a_test() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for tests in [
        "berth-runtime/tests",
        "berth-cgroup/src",
        "berth-seccomp/src",
        "berth-oci/tests",
        "../tests/vm",
    ] {
        collect(&crates.join(tests), &mut files);
    }
    let cited: HashSet<String> = files.iter().flat_map(|file| citations(file)).collect();
    let missing: Vec<String> = SECTIONS
        .iter()
        .flat_map(|(file, sections)| {
            sections
                .iter()
                .map(move |section| format!("{file}, \"{section}\""))
        })
        .filter(|citation| !cited.contains(citation))
        .collect();
    assert!(missing.is_empty(), "no test cites: {missing:#?}");
}

/// The Rust sources below `dir` that hold tests.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("sections.rs") {
            files.push(path);
        }
    }
}

/// What the comments of a file of tests cite: `config.md "Mounts", "Process" and "Root"` is three sections.
fn citations(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    if !text.contains("#[test]") && !file.to_string_lossy().contains("/tests/") {
        return Vec::new();
    }
    let comments = text
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("//"));
    let words = comments.flat_map(|line| line.trim_start_matches(['/', '!']).split_whitespace());
    let text = words.collect::<Vec<_>>().join(" ");
    let mut cited = Vec::new();
    for (end, _) in text.match_indices(".md") {
        let end = end + ".md".len();
        let document = text[..end].rsplit(' ').next().unwrap();
        let mut rest = &text[end..];
        loop {
            rest = rest.trim_start_matches([',', ' ']);
            rest = rest.strip_prefix("and ").unwrap_or(rest);
            let quoted = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let Some((section, after)) = quoted else {
                break;
            };
            cited.push(format!("{document}, \"{section}\""));
            rest = after;
        }
    }
    cited
}

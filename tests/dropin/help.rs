//! `alias docker=berth`: every verb and every flag that docker's own help shows, of Debian's client and of a newer
//! one where one is on the path, is berth's too, but for a list of exceptions, each with its reason.

use std::collections::BTreeSet;
use std::process::Command;

use testkit::programs;

/// Groups that have their own time: what berth has not yet is no gap of what it has.
const LATER: &[(&str, &str)] = &[
    ("build", "comes with the builder"),
    ("builder", "comes with the builder"),
    ("buildx", "comes with the builder"),
    ("compose", "is a program of its own"),
    ("config", "comes with the cluster"),
    ("image build", "comes with the builder"),
    ("node", "comes with the cluster"),
    ("secret", "comes with the cluster"),
    ("service", "comes with the cluster"),
    ("stack", "comes with the cluster"),
    ("swarm", "comes with the cluster"),
    (
        "checkpoint",
        "is experimental in docker; the runtime has it",
    ),
    ("plugin", "managed plugins: volume plugins are used without"),
    (
        "trust",
        "is Notary's, whose servers are gone; berth's own `trust` says what may be pulled",
    ),
    (
        "manifest",
        "berth's takes the names; docker's is experimental",
    ),
    ("completion", "berth's takes the shell's name alone"),
    ("help", "is `--help`"),
    ("volume update", "comes with the cluster"),
    ("network connect", "comes with the networks"),
    ("network create", "comes with the networks"),
    ("network disconnect", "comes with the networks"),
    ("network prune", "comes with the networks"),
    ("network rm", "comes with the networks"),
];

/// Flags that berth does not have: of one verb, or of all with `*`.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("*", "--kubeconfig", KUBERNETES),
    ("*", "--kubernetes", KUBERNETES),
    ("*", "--orchestrator", KUBERNETES),
    ("*", "--default-stack-orchestrator", KUBERNETES),
    ("*", "--cpu-count", WINDOWS),
    ("*", "--cpu-percent", WINDOWS),
    ("*", "--io-maxbandwidth", WINDOWS),
    ("*", "--io-maxiops", WINDOWS),
    ("*", "--checkpoint", EXPERIMENTAL),
    ("*", "--checkpoint-dir", EXPERIMENTAL),
    ("*", "--tree", EXPERIMENTAL),
    ("*", "--use-api-socket", EXPERIMENTAL),
    (
        "*",
        "--kernel-memory",
        "the kernel has it no more (5.16), and docker ignores it",
    ),
    (
        "exec",
        "--detach-keys",
        "a process that `exec` has left would have nobody to come back to; `run` and `attach` have it",
    ),
    (
        "rmi",
        "--platform",
        "an index keeps what it names: `rmi` removes an image whole",
    ),
    ("volume create", "--availability", CLUSTER),
    ("volume create", "--group", CLUSTER),
    ("volume create", "--limit-bytes", CLUSTER),
    ("volume create", "--required-bytes", CLUSTER),
    ("volume create", "--scope", CLUSTER),
    ("volume create", "--secret", CLUSTER),
    ("volume create", "--sharing", CLUSTER),
    ("volume create", "--topology-preferred", CLUSTER),
    ("volume create", "--topology-required", CLUSTER),
    ("volume create", "--type", CLUSTER),
    ("volume ls", "--cluster", CLUSTER),
];
const KUBERNETES: &str = "of Docker's Kubernetes, which is gone";
const WINDOWS: &str = "of Docker's Windows";
const EXPERIMENTAL: &str = "is experimental in docker";
const CLUSTER: &str = "comes with the cluster";

struct Help {
    verbs: Vec<String>,
    /// A long flag, and its letter.
    flags: Vec<(String, Option<String>)>,
    /// Every word that looks like a flag.
    words: BTreeSet<String>,
}

fn help(program: &str, path: &[&str]) -> Option<Help> {
    let mut command = Command::new(program);
    let path_variable = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("HOME", "/nonexistent")
        .env("PATH", path_variable)
        .args(path);
    // Some of 20.10's flags are shown to a daemon's version only; asking none shows all.
    let output = command.arg("--help").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && !text.is_empty()).then(|| read(&text))
}

/// docker's help and clap's have the same lines: `  verb   what it does` in a section of commands, and
/// `  -x, --long type   what it is`.
fn read(text: &str) -> Help {
    let mut help = Help {
        verbs: Vec::new(),
        flags: Vec::new(),
        words: BTreeSet::new(),
    };
    let mut section = "";
    for line in text.lines() {
        if !line.starts_with(' ') && line.ends_with(':') {
            section = line;
        }
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        if section.contains("ommands") && indent == 2 {
            help.verbs.push(first.trim_end_matches('*').to_owned());
        }
        let is_letter = first.len() == 3 && first.starts_with('-') && first.ends_with(',');
        let long = if is_letter {
            words.next().unwrap_or_default()
        } else {
            first
        };
        if long.starts_with("--") {
            let letter = is_letter.then(|| first.trim_end_matches(',').to_owned());
            help.flags.push((name(long).to_owned(), letter));
        }
        let flags = line.split_whitespace().filter(|word| word.starts_with('-'));
        help.words.extend(flags.map(|word| name(word).to_owned()));
    }
    help
}

/// `--cpus=…`, `--publish,` → the flag alone.
fn name(word: &str) -> &str {
    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    &word[..end.unwrap_or(word.len())]
}

fn gaps(docker: &str, berth: &str, path: &[&str], found: &mut Vec<String>) {
    let Some(theirs) = help(docker, path) else {
        return;
    };
    let joined = path.join(" ");
    let Some(ours) = help(berth, path) else {
        found.push(format!("{joined}: no such verb"));
        return;
    };
    for (flag, letter) in &theirs.flags {
        let excepted = |(verb, name, _): &&(&str, &str, &str)| {
            let here = joined.trim_start_matches("container ");
            let here = if joined == "image rm" { "rmi" } else { here };
            name == flag && (*verb == "*" || *verb == here)
        };
        if WITHOUT.iter().any(|row| excepted(&row)) {
            continue;
        }
        for name in [Some(flag), letter.as_ref()].into_iter().flatten() {
            if !ours.words.contains(name) {
                found.push(format!("{joined}: no {name}"));
            }
        }
    }
    for verb in &theirs.verbs {
        let inner = [path, &[verb.as_str()]].concat();
        if LATER.iter().any(|(name, _)| *name == inner.join(" ")) {
            continue;
        }
        gaps(docker, berth, &inner, found);
    }
}

#[track_caller]
fn has_all_of(docker: &str) {
    let berth = programs::directory().join("berth");
    let mut found = Vec::new();
    let all = help(docker, &[]).expect("docker has a help");
    assert!(all.verbs.len() > 30, "{docker}: {:?}", all.verbs);
    gaps(docker, berth.to_str().unwrap(), &[], &mut found);
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "of {docker}:\n{}", found.join("\n"));
}

/// 20.10 of Debian.
#[test]
fn berth_has_every_verb_and_flag_of_debians_docker() {
    has_all_of("/usr/bin/docker");
}

/// A newer one that somebody put before Debian's; the same once more where there is none.
#[test]
fn berth_has_every_verb_and_flag_of_the_docker_on_the_path() {
    has_all_of("docker");
}

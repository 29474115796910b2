//! What is mounted in a container, and the layers of its root.
//!
//! Source: proc_pid_mountinfo(5); Documentation/filesystems/overlayfs.rst.

use super::kernel::{Process, read};
use super::{Causes, Group};
use crate::Error;

impl Process {
    /// What is mounted, and the layers of the root.
    pub(super) fn mounts(&self, causes: &Causes<'_>) -> Result<Vec<Group>, Error> {
        let text = read(&self.file("mountinfo"))?;
        let mounts: Vec<Mount<'_>> = text.lines().filter_map(Mount::parse).collect();
        let (mut shown, mut masked, mut fixed) = (Vec::new(), Vec::new(), Vec::new());
        for mount in &mounts {
            match mount.protection(&causes.config.mounts) {
                Some(Protection::Masked) => masked.push(mount.point.as_str()),
                Some(Protection::ReadOnly) => fixed.push(mount.point.as_str()),
                None => {
                    let cause = mount_cause(mount, causes);
                    shown.push(self.row(&mount.point, mount.describe(), "mountinfo", cause));
                }
            }
        }
        for (name, paths) in [("(masked)", masked), ("(read-only)", fixed)] {
            if !paths.is_empty() {
                shown.push(self.row(name, paths.join(" "), "mountinfo", "default".to_owned()));
            }
        }
        let mut groups = vec![Group {
            title: "mounts".to_owned(),
            source: self.file("mountinfo"),
            rows: shown,
        }];
        if let Some(root) = mounts
            .iter()
            .find(|mount| mount.point == "/" && mount.kind == "overlay")
        {
            groups.push(self.layers(root, causes));
        }
        Ok(groups)
    }

    fn layers(&self, root: &Mount<'_>, causes: &Causes<'_>) -> Group {
        let option = |key: &str| {
            let found = root
                .super_options
                .split(',')
                .filter_map(|o| o.split_once('='));
            let found = found.filter(|(k, _)| *k == key).map(|(_, v)| v.to_owned());
            found.collect::<Vec<String>>()
        };
        let mut rows = Vec::new();
        let writable = if causes.config.read_only {
            "not written: --read-only"
        } else {
            "this container's changes"
        };
        for path in option("upperdir") {
            rows.push(self.row("writable", path, "mountinfo", writable.to_owned()));
        }
        let mut lower = option("lowerdir");
        lower.extend(option("lowerdir+"));
        let lower: Vec<String> = lower.iter().flat_map(|l| split_layers(l)).collect();
        let count = lower.len();
        let image = &causes.config.image.reference;
        for (at, path) in lower.into_iter().enumerate() {
            let name = format!("layer {}", count - at);
            rows.push(self.row(&name, path, "mountinfo", format!("image {image}")));
        }
        Group {
            title: "layers of / (the upper hide the lower)".to_owned(),
            source: self.file("mountinfo"),
            rows,
        }
    }
}

/// How a path of `/proc` or `/sys` is kept from the container.
enum Protection {
    Masked,
    ReadOnly,
}

/// A line of `mountinfo`.
pub(super) struct Mount<'a> {
    root: &'a str,
    point: String,
    options: &'a str,
    kind: &'a str,
    source: &'a str,
    super_options: &'a str,
}

impl<'a> Mount<'a> {
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (head, tail) = line.split_once(" - ")?;
        let mut head = head.split(' ').skip(3);
        let mut tail = tail.split(' ');
        Some(Mount {
            root: head.next()?,
            point: unescape(head.next()?),
            options: head.next()?,
            kind: tail.next()?,
            source: tail.next()?,
            super_options: tail.next()?,
        })
    }

    fn read_only(&self) -> bool {
        self.options.split(',').next() == Some("ro")
    }

    fn protection(&self, asked: &[berth_model::config::MountConfig]) -> Option<Protection> {
        let inside = self.point.starts_with("/proc/")
            || (self.point.starts_with("/sys/") && !self.point.starts_with("/sys/fs/cgroup"));
        if !inside || asked.iter().any(|mount| mount.destination == self.point) {
            return None;
        }
        match self.kind {
            "proc" | "sysfs" if self.read_only() => Some(Protection::ReadOnly),
            "tmpfs" | "devtmpfs" | "proc" | "sysfs" => Some(Protection::Masked),
            _ => None,
        }
    }

    /// `tmpfs, rw nosuid nodev`, `ext4 /dev/vda:/srv/x, ro`.
    fn describe(&self) -> String {
        let words: Vec<&str> = self
            .options
            .split(',')
            .filter(|o| !o.ends_with("atime"))
            .collect();
        let size = self
            .super_options
            .split(',')
            .find(|o| o.starts_with("size="))
            .map(|o| format!(" {o}"));
        let from = match self.kind {
            // Which cgroup it is stands among the limits.
            "cgroup" | "cgroup2" => String::new(),
            "overlay" | "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" if self.root == "/" => {
                String::new()
            }
            _ => format!(" {}:{}", self.source, unescape(self.root)),
        };
        format!(
            "{}{from}, {}{}",
            self.kind,
            words.join(" "),
            size.unwrap_or_default()
        )
    }
}

fn mount_cause(mount: &Mount<'_>, causes: &Causes<'_>) -> String {
    let config = causes.config;
    match mount.point.as_str() {
        "/" => causes.of("read_only", &format!("image {}", config.image.reference)),
        point if point == "/sys" || point.starts_with("/sys/fs/cgroup") => {
            causes.of_privilege(&format!("mounts.{point}"), "default")
        }
        "/dev/shm" => causes.of("shm", &causes.of("mounts./dev/shm", "default")),
        "/sbin/docker-init" => causes.of("init", "default"),
        "/dev/console" => causes.of("tty", "default"),
        // What is mounted by request may carry others below it.
        point => {
            let over = config.mounts.iter().filter(|m| {
                point
                    .strip_prefix(m.destination.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            let nearest = over.max_by_key(|m| m.destination.len());
            nearest.map_or("default".to_owned(), |m| {
                causes.of(&format!("mounts.{}", m.destination), "default")
            })
        }
    }
}

/// The layers of `lowerdir=`: separated by `:`, a `:` in a path being `\:` (`\072` to mountinfo).
pub(super) fn split_layers(text: &str) -> Vec<String> {
    let (mut layers, mut layer) = (Vec::new(), String::new());
    let text = unescape(text);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => layers.push(std::mem::take(&mut layer)),
            '\\' => layer.extend(chars.next()),
            c => layer.push(c),
        }
    }
    layers.push(layer);
    // `::` begins data-only layers; an empty name is none.
    layers.retain(|layer| !layer.is_empty());
    layers
}

/// Undoes the kernel's `\040`-style escapes.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok())
        {
            Some(byte) => {
                out.push(byte);
                out.extend(&part.as_bytes()[3..]);
            }
            None => {
                out.push(b'\\');
                out.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

//! What the kernel keeps of a process beside its rights: scheduling, I/O priority, memory policy, execution
//! domain, and the CPUs of an exec'd one. Words become numbers before the process is made.
//!
//! Source: config.md "Linux Process", config-linux.md "Memory policy" and "Personality"; linux/sched.h,
//! linux/ioprio.h, linux/mempolicy.h, linux/personality.h.

use std::io;

use berth_oci::spec::{IoPriority, Linux, MemoryPolicy, Personality, Process, Scheduler};
use berth_sys::attributes::{self as sys, Bits, Scheduling};

use crate::error::{Error, Result, invalid};

type Words<T> = &'static [(&'static str, T)];

const POLICIES: Words<u32> = &[
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4), // reserved by the kernel, never made
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];
const FIFO: u32 = 1;
const RR: u32 = 2;
const DEADLINE: u32 = 6;

const SCHEDULER_FLAGS: Words<u64> = &[
    ("SCHED_FLAG_RESET_ON_FORK", RESET_ON_FORK),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];
const RESET_ON_FORK: u64 = 0x01;

const IO_CLASSES: Words<u32> = &[
    ("IOPRIO_CLASS_RT", 1),
    ("IOPRIO_CLASS_BE", 2),
    ("IOPRIO_CLASS_IDLE", 3),
];

/// Modes of a memory policy, as `features` lists them.
pub const MEMORY_MODES: Words<u32> = &[
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];
/// Flags of a memory policy.
pub const MEMORY_FLAGS: Words<u32> = &[
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", RELATIVE_NODES),
    ("MPOL_F_STATIC_NODES", STATIC_NODES),
];
const RELATIVE_NODES: u32 = 1 << 14;
const STATIC_NODES: u32 = 1 << 15;

const DOMAINS: Words<u32> = &[("LINUX", 0), ("LINUX32", 8)];

/// Attributes, ready to be set.
#[derive(Debug, Default)]
pub struct Attributes {
    scheduling: Option<(&'static str, Scheduling)>,
    io_priority: Option<(&'static str, u32)>,
    memory: Option<(String, u32, Bits)>,
    domain: Option<u32>,
    /// CPUs of an exec'd process before it is in the container's cgroup.
    pub initial_cpus: Option<Bits>,
    /// And after that.
    pub final_cpus: Option<Bits>,
}

impl Attributes {
    /// Understands what a process and its container ask for.
    ///
    /// # Errors
    /// [`Error::InvalidSpec`].
    pub fn new(process: &Process, linux: &Linux) -> Result<Attributes> {
        let mut attributes = Attributes::default();
        if let Some(scheduler) = &process.scheduler {
            attributes.scheduling = Some(scheduling(scheduler)?);
        }
        if let Some(priority) = &process.io_priority {
            attributes.io_priority = Some(io_priority(priority)?);
        }
        if let Some(policy) = &linux.memory_policy {
            attributes.memory = Some(memory_policy(policy)?);
        }
        if let Some(personality) = &linux.personality {
            attributes.domain = Some(domain(personality)?);
        }
        if let Some(wanted) = &process.exec_cpu_affinity {
            attributes.initial_cpus = cpus(wanted.initial.as_deref(), "initial")?;
            attributes.final_cpus = cpus(wanted.last.as_deref(), "final")?;
        }
        Ok(attributes)
    }

    /// Whether the process may make no other (a hook, say). Source: sched(7), "Deadline scheduling".
    pub fn forbids_forks(&self) -> bool {
        self.scheduling
            .is_some_and(|(_, s)| s.policy == DEADLINE && s.flags & RESET_ON_FORK == 0)
    }

    /// Sets them, but for the CPUs. Some take privileges, so it comes before these are dropped.
    ///
    /// # Errors
    /// [`Error::Attribute`].
    pub fn apply(&self) -> Result<()> {
        if let Some((policy, scheduling)) = &self.scheduling {
            sys::set_scheduling(scheduling).map_err(|source| Error::Attribute {
                hint: scheduling_hint(policy, scheduling, &source),
                what: format!("the scheduling policy {policy}"),
                source,
            })?;
        }
        if let Some((class, priority)) = self.io_priority {
            sys::set_io_priority(priority).map_err(|source| Error::Attribute {
                what: format!("the I/O priority {class}"),
                hint: denied(&source).then_some("IOPRIO_CLASS_RT needs CAP_SYS_NICE"),
                source,
            })?;
        }
        if let Some((words, mode, nodes)) = &self.memory {
            sys::set_memory_policy(*mode, nodes).map_err(|source| Error::Attribute {
                what: format!("the memory policy {words}"),
                hint: Some("/sys/devices/system/node/has_memory lists the nodes that there are"),
                source,
            })?;
        }
        if let Some(domain) = self.domain {
            sys::set_personality(domain).map_err(|source| Error::Attribute {
                what: "the personality".to_owned(),
                hint: None,
                source,
            })?;
        }
        Ok(())
    }
}

/// Lets the calling process run on these CPUs only.
///
/// # Errors
/// [`Error::Attribute`].
pub fn run_on(cpus: &Bits) -> Result<()> {
    sys::set_affinity(cpus).map_err(|source| Error::Attribute {
        what: "the CPU affinity of execCPUAffinity".to_owned(),
        hint: Some("at least one of the CPUs must be online and in the container's cpuset"),
        source,
    })
}

fn denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn scheduling_hint(policy: &str, wanted: &Scheduling, error: &io::Error) -> Option<&'static str> {
    match wanted.policy {
        DEADLINE if denied(error) => Some(
            "SCHED_DEADLINE needs CAP_SYS_NICE and all CPUs of the machine: no cpuset, no affinity",
        ),
        FIFO | RR if denied(error) => Some(
            "it needs CAP_SYS_NICE and, in a v1 cgroup, time of its own: linux.resources.cpu.realtimeRuntime",
        ),
        _ if denied(error) => Some("a nice value below 0 needs CAP_SYS_NICE"),
        _ if policy == "SCHED_ISO" => Some("no Linux has SCHED_ISO"),
        _ => None,
    }
}

fn lookup<T: Copy>(words: Words<T>, word: &str, place: &str) -> Result<(&'static str, T)> {
    match words.iter().find(|(known, _)| *known == word) {
        Some(entry) => Ok(*entry),
        None => invalid(format!("{place}: `{word}` is not known")),
    }
}

fn scheduling(wanted: &Scheduler) -> Result<(&'static str, Scheduling)> {
    let (name, policy) = lookup(POLICIES, &wanted.policy, "process.scheduler.policy")?;
    let (nice, priority) = (wanted.nice.unwrap_or(0), wanted.priority.unwrap_or(0));
    if !(-20..=19).contains(&nice) {
        return invalid(format!("process.scheduler.nice {nice} is not in -20 to 19"));
    }
    let real_time = matches!(policy, FIFO | RR);
    if real_time != (1..=99).contains(&priority) || (!real_time && priority != 0) {
        return invalid(format!(
            "process.scheduler.priority {priority}: SCHED_FIFO and SCHED_RR have 1 to 99, {name} {}",
            if real_time { "too" } else { "none" }
        ));
    }
    let times = [wanted.runtime, wanted.deadline, wanted.period].map(Option::unwrap_or_default);
    if policy != DEADLINE && times != [0; 3] {
        return invalid(format!(
            "process.scheduler: runtime, deadline and period are SCHED_DEADLINE's, not {name}'s"
        ));
    }
    let mut flags = 0;
    for flag in &wanted.flags {
        flags |= lookup(SCHEDULER_FLAGS, flag, "process.scheduler.flags")?.1;
    }
    let scheduling = Scheduling {
        policy,
        flags,
        nice,
        priority: priority.unsigned_abs(),
        runtime: times[0],
        deadline: times[1],
        period: times[2],
    };
    Ok((name, scheduling))
}

fn io_priority(wanted: &IoPriority) -> Result<(&'static str, u32)> {
    let (name, class) = lookup(IO_CLASSES, &wanted.class, "process.ioPriority.class")?;
    match u32::try_from(wanted.priority) {
        Ok(level @ 0..=7) => Ok((name, class << 13 | level)),
        _ => invalid(format!(
            "process.ioPriority.priority {} is not in 0 to 7",
            wanted.priority
        )),
    }
}

fn memory_policy(wanted: &MemoryPolicy) -> Result<(String, u32, Bits)> {
    let (name, mut mode) = lookup(MEMORY_MODES, &wanted.mode, "linux.memoryPolicy.mode")?;
    for flag in &wanted.flags {
        mode |= lookup(MEMORY_FLAGS, flag, "linux.memoryPolicy.flags")?.1;
    }
    let both = RELATIVE_NODES | STATIC_NODES;
    if mode & both == both {
        return invalid("linux.memoryPolicy: nodes are either relative or static".into());
    }
    let nodes = list(&wanted.nodes, "linux.memoryPolicy.nodes")?;
    match name {
        "MPOL_DEFAULT" | "MPOL_LOCAL" if !nodes.is_empty() => {
            return invalid(format!("linux.memoryPolicy: {name} has no nodes"));
        }
        // Preferring none is preferring the local one.
        "MPOL_DEFAULT" | "MPOL_LOCAL" | "MPOL_PREFERRED" => {}
        _ if nodes.is_empty() => {
            return invalid(format!("linux.memoryPolicy: {name} needs nodes"));
        }
        _ => {}
    }
    let words = match wanted.nodes.as_str() {
        "" => name.to_owned(),
        nodes => format!("{name} of the nodes {nodes}"),
    };
    Ok((words, mode, nodes))
}

fn domain(wanted: &Personality) -> Result<u32> {
    if let Some(flag) = wanted.flags.first() {
        // The specification has a place for them, and none yet.
        return invalid(format!("linux.personality.flags: `{flag}` is not known"));
    }
    Ok(lookup(DOMAINS, &wanted.domain, "linux.personality.domain")?.1)
}

fn cpus(text: Option<&str>, which: &str) -> Result<Option<Bits>> {
    match text {
        None | Some("") => Ok(None),
        Some(text) => list(text, &format!("process.execCPUAffinity.{which}")).map(Some),
    }
}

/// Numbers and ranges, as in `0-3,7`; blanks and empty parts are passed over. Text without a number is an error.
fn list(text: &str, place: &str) -> Result<Bits> {
    let wrong = || {
        let reason = format!("{place}: `{text}` is no list of numbers, as in `0-3,7`");
        Error::InvalidSpec { reason }
    };
    let number = |part: &str| match part.bytes().all(|b| b.is_ascii_digit()) {
        true => part.parse::<u32>().ok(),
        false => None,
    };
    let mut bits = Bits::default();
    for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = number(first).zip(number(last)).ok_or_else(wrong)?;
        if first > last || last >= sys::MAX_BITS {
            return Err(wrong());
        }
        for member in first..=last {
            bits.insert(member).map_err(|_| wrong())?;
        }
    }
    if bits.is_empty() && !text.is_empty() {
        return Err(wrong());
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(members: &[u32]) -> Bits {
        let mut bits = Bits::default();
        members.iter().for_each(|n| bits.insert(*n).unwrap());
        bits
    }

    #[test]
    fn lists_are_read_as_others_read_them() {
        for (text, members) in [
            ("0", &[0][..]),
            ("0-3,7", &[0, 1, 2, 3, 7]),
            (" 1 , 3-3,,", &[1, 3]),
            ("", &[]),
            ("64,8191", &[64, 8191]),
        ] {
            assert_eq!(list(text, "x").unwrap(), bits(members), "{text}");
        }
        for bad in [
            "x",
            "3-1",
            "-1",
            "1-",
            "+1",
            "0x1",
            "8192",
            ",",
            "1 2",
            "4294967296",
        ] {
            assert!(list(bad, "x").is_err(), "{bad}");
        }
    }

    /// Source: config.md "Linux Process", `scheduler`: what is left out is 0.
    #[test]
    fn schedulers_are_checked() {
        let parse = |json: &str| scheduling(&serde_json::from_str(json).unwrap());
        for policy in ["OTHER", "BATCH", "ISO", "IDLE"] {
            parse(&format!(r#"{{"policy":"SCHED_{policy}","nice":-20}}"#)).unwrap();
        }
        let (name, fifo) =
            parse(r#"{"policy":"SCHED_FIFO","priority":99,"flags":["SCHED_FLAG_RESET_ON_FORK"]}"#)
                .unwrap();
        assert_eq!(
            (name, fifo.policy, fifo.priority, fifo.flags, fifo.nice),
            ("SCHED_FIFO", 1, 99, 1, 0)
        );
        let (_, deadline) =
            parse(r#"{"policy":"SCHED_DEADLINE","runtime":1,"deadline":2,"period":3}"#).unwrap();
        assert_eq!(
            [deadline.runtime, deadline.deadline, deadline.period],
            [1, 2, 3]
        );
        let mut all = SCHEDULER_FLAGS
            .iter()
            .map(|(flag, _)| format!("{flag:?}"))
            .collect::<Vec<_>>()
            .join(",");
        assert_eq!(
            parse(&format!(
                r#"{{"policy":"SCHED_RR","priority":1,"flags":[{all}]}}"#
            ))
            .unwrap()
            .1
            .flags,
            0x7f
        );
        all.push_str(r#","SCHED_FLAG_ALL""#);
        for bad in [
            r#"{"policy":""}"#,
            r#"{"policy":"OTHER"}"#,
            r#"{"policy":"SCHED_OTHER","nice":20}"#,
            r#"{"policy":"SCHED_OTHER","priority":1}"#,
            r#"{"policy":"SCHED_FIFO"}"#,
            r#"{"policy":"SCHED_FIFO","priority":100}"#,
            r#"{"policy":"SCHED_RR","priority":-1}"#,
            r#"{"policy":"SCHED_IDLE","runtime":1}"#,
            &format!(r#"{{"policy":"SCHED_OTHER","flags":[{all}]}}"#),
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn io_priorities_are_class_and_level() {
        let parse = |class: &str, priority| {
            io_priority(&IoPriority {
                class: class.into(),
                priority,
            })
        };
        assert_eq!(parse("IOPRIO_CLASS_RT", 0).unwrap().1, 1 << 13);
        assert_eq!(parse("IOPRIO_CLASS_BE", 7).unwrap().1, 2 << 13 | 7);
        assert_eq!(parse("IOPRIO_CLASS_IDLE", 3).unwrap().1, 3 << 13 | 3);
        for (class, priority) in [
            ("IOPRIO_CLASS_NONE", 0),
            ("", 0),
            ("IOPRIO_CLASS_BE", 8),
            ("IOPRIO_CLASS_BE", -1),
        ] {
            assert!(parse(class, priority).is_err(), "{class} {priority}");
        }
    }

    /// Source: config-linux.md "Memory policy"; set_mempolicy(2).
    #[test]
    fn memory_policies_are_checked() {
        let parse = |mode: &str, nodes: &str, flags: &[&str]| {
            memory_policy(&MemoryPolicy {
                mode: mode.into(),
                nodes: nodes.into(),
                flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            })
        };
        for (mode, number) in MEMORY_MODES {
            let bare = matches!(*mode, "MPOL_DEFAULT" | "MPOL_LOCAL");
            assert_eq!(
                parse(mode, if bare { "" } else { "0-1" }, &[]).unwrap().1,
                *number
            );
            assert_eq!(
                parse(mode, "", &[]).is_ok(),
                bare || *mode == "MPOL_PREFERRED",
                "{mode}"
            );
            assert_eq!(parse(mode, "0", &[]).is_ok(), !bare, "{mode}");
        }
        let (words, mode, nodes) = parse(
            "MPOL_BIND",
            "1",
            &["MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING"],
        )
        .unwrap();
        assert_eq!(
            (words.as_str(), mode, nodes),
            ("MPOL_BIND of the nodes 1", 0xa002, bits(&[1]))
        );
        parse(
            "MPOL_BIND",
            "1",
            &["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"],
        )
        .unwrap_err();
        parse("MPOL_BIND", "1", &["MPOL_F_X"]).unwrap_err();
        parse("BIND", "1", &[]).unwrap_err();
    }

    /// Source: config-linux.md "Personality": two domains, no flags.
    #[test]
    fn domains_are_two() {
        let parse = |name: &str, flags: &[&str]| {
            domain(&Personality {
                domain: name.into(),
                flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            })
        };
        assert_eq!(parse("LINUX", &[]).unwrap(), 0);
        assert_eq!(parse("LINUX32", &[]).unwrap(), 8);
        parse("LINUX", &["ADDR_NO_RANDOMIZE"]).unwrap_err();
        parse("BSD", &[]).unwrap_err();
    }
}

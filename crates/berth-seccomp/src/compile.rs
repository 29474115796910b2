//! From rules to a program.
//!
//! ```text
//! arch? ─┬─ x86_64 ─ number has the x32 bit? ─ x32: tree …
//!        │           └─ tree over the numbers (binary search by ranges of equal outcome)
//!        │               ├─ return
//!        │               └─ conditions of one call, strictest rule first ─ return
//!        ├─ i386 ─ tree …
//!        └─ any other: kill the process
//! ```
//!
//! What a rule set means: of all rules that match a call the strictest decides (as the kernel
//! does among filters; libseccomp gives the same for all sets that do not contradict
//! themselves); no match: the default action. When that is an errno, calls newer than every
//! call that the profile names get ENOSYS, so that programs fall back to older ones (as runc
//! has done since 1.0.0-rc93).

use std::rc::Rc;

use berth_oci::spec::{Seccomp, SeccompRule};

use crate::arch::{self, X32_BIT};
use crate::builder::{Builder, Label, Test};
use crate::compare::{Condition, is_narrow};
use crate::error::{Error, Result};
use crate::table::NONE;
use crate::{Action, Arch, Program};

/// Source: linux/bpf_common.h, BPF_MAXINSNS.
const MAX_INSTRUCTIONS: usize = 4096;
/// Most calls have a number below this.
const SMALL_NUMBERS: usize = 1024;
const ENOSYS: u32 = 38;
const OFFSET_NUMBER: u32 = 0;
const OFFSET_ARCH: u32 = 4;

/// A call's name and its numbers.
pub(crate) type Known<'a> = (&'a str, &'static [u32; 5]);

/// One rule with its words understood.
pub(crate) struct Rule<'a> {
    pub(crate) action: Action,
    /// All must hold.
    pub(crate) conditions: Vec<Condition>,
    /// The calls that are known, with their row of the table: looked up once for all architectures.
    pub(crate) calls: Rc<[Known<'a>]>,
}

/// Compiles a profile.
///
/// # Errors
/// Every word that is not understood, and programs that the kernel would not take. An unknown
/// system call is an error in a rule that is stricter than the default; in a rule that is not
/// (an allow rule, mostly) it is left out, as libseccomp does: it stays forbidden.
pub fn compile(profile: &Seccomp) -> Result<Program> {
    let default = Action::parse(&profile.default_action, profile.default_errno_ret)?;
    if default == Action::NOTIFY {
        return Err(Error::Contradiction {
            why: "SCMP_ACT_NOTIFY cannot be the default: the runtime itself would wait",
        });
    }
    let rules = understand(profile, default)?;
    let archs = architectures(profile)?;

    let mut code = Builder::default();
    let mut start = code.ret(Action::KILL_PROCESS.value());
    // x32 calls come with x86_64's mark: the two are one section.
    for section in archs
        .iter()
        .filter(|a| **a != Arch::X32 || !archs.contains(&Arch::X86_64))
    {
        let body = section_of(*section, &archs, &rules, default, &mut code);
        start = code.jump(Test::Eq, section.audit(), body, start);
    }
    let start = code.load(OFFSET_ARCH, start);
    let instructions = code.finish(start);
    if instructions.len() > MAX_INSTRUCTIONS {
        return Err(Error::TooLong {
            instructions: instructions.len(),
        });
    }
    let listener = rules.iter().any(|r| r.action == Action::NOTIFY);
    Ok(Program {
        instructions,
        listener,
    })
}

/// The architectures to tell apart. Where those named can call on this machine, they are these and the native one,
/// named or not (as libseccomp has it); a profile made for other machines is compiled for these.
pub(crate) fn architectures(profile: &Seccomp) -> Result<Vec<Arch>> {
    let native = Arch::native()?;
    let mut archs = Vec::new();
    for name in &profile.architectures {
        // One that is not known here cannot call here: it falls to the last return.
        if let Some(arch) = Arch::parse(name)?
            && !archs.contains(&arch)
        {
            archs.push(arch);
        }
    }
    if profile.architectures.is_empty() || archs.iter().any(|arch| native.runs(*arch)) {
        archs.retain(|arch| *arch != native && native.runs(*arch));
        archs.push(native);
    } else if archs.is_empty() {
        return Err(Error::UnknownArch {
            arch: profile.architectures.join(" "),
        });
    }
    // The last one written is asked first: the native one, the likeliest.
    archs.sort_unstable_by(|a, b| b.cmp(a));
    Ok(archs)
}

pub(crate) fn understand<'a>(profile: &'a Seccomp, default: Action) -> Result<Vec<Rule<'a>>> {
    let mut rules = Vec::with_capacity(profile.syscalls.len());
    for rule in &profile.syscalls {
        let action = Action::parse(&rule.action, rule.errno_ret)?;
        if rule.names.is_empty() {
            return Err(Error::Contradiction {
                why: "a rule names no system call",
            });
        }
        let mut calls = Vec::with_capacity(rule.names.len());
        let mut after = 0;
        for name in &rule.names {
            match arch::row(name, &mut after) {
                Some(row) => calls.push((name.as_str(), row)),
                None if action.leniency() < default.leniency() => {
                    return Err(Error::UnknownSyscall { name: name.clone() });
                }
                None => {}
            }
        }
        let calls: Rc<[Known<'_>]> = calls.into();
        for conditions in conditions(rule)? {
            let calls = Rc::clone(&calls);
            rules.push(Rule {
                action,
                conditions,
                calls,
            });
        }
    }
    Ok(rules)
}

/// The alternatives of a rule. Conditions on different arguments must all hold; two on the same
/// argument make each condition a rule of its own, as in runc and Docker.
fn conditions(rule: &SeccompRule) -> Result<Vec<Vec<Condition>>> {
    let first = rule.names.first().map(String::as_str).unwrap_or_default();
    let all: Vec<Condition> = rule
        .args
        .iter()
        .map(|a| Condition::check(a, first))
        .collect::<Result<_>>()?;
    let twice = all
        .iter()
        .enumerate()
        .any(|(i, a)| all[..i].iter().any(|b| b.index == a.index));
    Ok(if twice {
        all.into_iter().map(|c| vec![c]).collect()
    } else {
        vec![all]
    })
}

/// A call with the rules for it, strictest first; among equals in the profile's order.
struct Call<'a> {
    number: u32,
    name: &'a str,
    // Nearly all have one rule: no list is made for it.
    first: Option<&'a Rule<'a>>,
    more: Vec<&'a Rule<'a>>,
}

impl<'a> Call<'a> {
    fn add(&mut self, name: &'a str, rule: &'a Rule<'a>) {
        let stricter = |other: &Rule<'_>| rule.action.leniency() < other.action.leniency();
        match self.first.replace(rule) {
            None => self.name = name,
            Some(first) if stricter(first) => self.more.insert(0, first),
            Some(first) => {
                self.first = Some(first);
                let place = self.more.partition_point(|other| !stricter(other));
                self.more.insert(place, rule);
            }
        }
    }

    fn rules(&self) -> impl DoubleEndedIterator<Item = &'a Rule<'a>> {
        // Nothing behind a rule without conditions is ever reached.
        let ends = |rules: &[&Rule<'_>]| rules.iter().position(|r| r.conditions.is_empty());
        let more = match self.first {
            Some(first) if first.conditions.is_empty() => &[],
            _ => &self.more[..ends(&self.more).map_or(self.more.len(), |last| last + 1)],
        };
        self.first.into_iter().chain(more.iter().copied())
    }
}

/// A range of numbers, from `first` to the next one's, with one outcome.
#[derive(Clone, Copy)]
struct Range {
    first: u32,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Action(Action),
    /// The index of a call with conditions.
    Call(usize),
}

/// The code for one architecture; for x86_64 also what is done with x32 calls.
fn section_of(
    section: Arch,
    archs: &[Arch],
    rules: &[Rule<'_>],
    default: Action,
    code: &mut Builder,
) -> Label {
    let native = match section {
        Arch::X32 => code.ret(Action::KILL_PROCESS.value()),
        _ => tree_of(section, rules, default, code),
    };
    let body = match section {
        Arch::X86_64 | Arch::X32 => {
            let foreign = if archs.contains(&Arch::X32) {
                tree_of(Arch::X32, rules, default, code)
            } else {
                code.ret(Action::KILL_PROCESS.value())
            };
            // -1 is a call that a tracer took away: it has the bit, but is nobody's.
            let skipped = code.ret(default.value());
            let foreign = code.jump(Test::Eq, u32::MAX, skipped, foreign);
            code.jump(Test::Ge, X32_BIT, foreign, native)
        }
        _ => native,
    };
    code.load(OFFSET_NUMBER, body)
}

fn tree_of(arch: Arch, rules: &[Rule<'_>], default: Action, code: &mut Builder) -> Label {
    let calls = calls_of(arch, rules);
    let ranges = ranges(arch, &calls, default);
    let mut labels = vec![None; calls.len()];
    tree(&ranges, arch, &calls, default, &mut labels, code)
}

/// The calls that rules name, by number.
fn calls_of<'a>(arch: Arch, rules: &'a [Rule<'a>]) -> Vec<Call<'a>> {
    let named = || {
        rules.iter().flat_map(|rule| {
            let calls = rule.calls.iter();
            let numbers = calls.map(move |(name, row)| (row[arch as usize], *name, rule));
            numbers.filter(|(number, ..)| *number != NONE)
        })
    };
    // Sorted by a table of the small numbers; the few others (of arm) follow.
    let mut places = [0_u16; SMALL_NUMBERS];
    let mut large = Vec::new();
    for (number, ..) in named() {
        match places.get_mut(number as usize) {
            Some(place) => *place = 1,
            None => large.push(number),
        }
    }
    large.sort_unstable();
    large.dedup();
    let mut calls = Vec::with_capacity(SMALL_NUMBERS / 2);
    let call = |number| Call {
        number,
        name: "",
        first: None,
        more: Vec::new(),
    };
    for (number, place) in places
        .iter_mut()
        .enumerate()
        .filter(|(_, place)| **place > 0)
    {
        *place = calls.len() as u16;
        calls.push(call(number as u32));
    }
    let after = calls.len();
    calls.extend(large.iter().map(|number| call(*number)));
    for (number, name, rule) in named() {
        let place = match places.get(number as usize) {
            Some(place) => usize::from(*place),
            None => after + large.partition_point(|other| *other < number),
        };
        calls[place].add(name, rule);
    }
    calls
}

/// Cuts the numbers into ranges of equal outcome, without gaps.
fn ranges(arch: Arch, calls: &[Call<'_>], default: Action) -> Vec<Range> {
    let base = if arch == Arch::X32 { X32_BIT } else { 0 };
    let mut ranges = vec![Range {
        first: 0,
        outcome: Outcome::Action(default),
    }];
    let mut set = |first: u32, outcome: Outcome| {
        // `first` never descends: what starts at the same number is replaced.
        if ranges.last().is_some_and(|r| r.first == first) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|r| r.outcome != outcome) {
            ranges.push(Range { first, outcome });
        }
    };
    let mut end = base;
    for (i, call) in calls.iter().enumerate() {
        let number = base + call.number;
        let outcome = match call.first {
            Some(rule) if rule.conditions.is_empty() => Outcome::Action(rule.action),
            _ => Outcome::Call(i),
        };
        set(end, Outcome::Action(default));
        set(number, outcome);
        end = number + 1;
    }
    let newer = if default.is_errno() {
        Action::errno(ENOSYS)
    } else {
        default
    };
    set(end, Outcome::Action(newer));
    ranges
}

fn tree(
    ranges: &[Range],
    arch: Arch,
    calls: &[Call<'_>],
    default: Action,
    labels: &mut [Option<Label>],
    code: &mut Builder,
) -> Label {
    let [only] = ranges else {
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let yes = tree(high, arch, calls, default, labels, code);
        let no = tree(low, arch, calls, default, labels, code);
        return code.jump(Test::Ge, high[0].first, yes, no);
    };
    match only.outcome {
        Outcome::Action(action) => code.ret(action.value()),
        Outcome::Call(i) => {
            *labels[i].get_or_insert_with(|| conditional(&calls[i], arch, default, code))
        }
    }
}

/// The rules of one call, tried in turn.
fn conditional(call: &Call<'_>, arch: Arch, default: Action, code: &mut Builder) -> Label {
    let mut next = code.ret(default.value());
    for rule in call.rules().rev() {
        let mut label = code.ret(rule.action.value());
        for condition in rule.conditions.iter().rev() {
            let narrow = is_narrow(call.name, condition.index, arch);
            label = condition.emit(narrow, label, next, code);
        }
        next = label;
    }
    next
}

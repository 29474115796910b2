//! Device rules for cgroup v2: a small eBPF program that the kernel asks before each access.
//!
//! The last rule that matches decides, so the program tries them backwards. It keeps the access
//! bits that are still undecided: an allowing rule clears its bits (none left: allow), a denying
//! rule that meets any of them denies. What no rule decides is denied.
//!
//! Source: linux/bpf.h, `struct bpf_cgroup_dev_ctx { u32 access_type, major, minor }` with the
//! access in the high and the device's type in the low half of `access_type`.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use berth_oci::spec::DeviceRule;
use berth_sys::bpf::{self, Insn};

use crate::devices::{Rule, access};
use crate::error::{Error, Result};

const LOAD_WORD: u8 = 0x61;
const MOV64: u8 = 0xb7;
const MOV32_REG: u8 = 0xbc;
const AND32: u8 = 0x54;
const SHIFT_RIGHT32: u8 = 0x74;
const JUMP_NE: u8 = 0x55;
const JUMP_EQ: u8 = 0x15;
const EXIT: u8 = 0x95;

const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const UNDECIDED: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

/// `BPF_DEVCG_DEV_BLOCK` and `BPF_DEVCG_DEV_CHAR`.
fn kind_number(kind: u8) -> i32 {
    if kind == b'b' { 1 } else { 2 }
}

fn insn(code: u8, to: u8, from: u8, off: i16, imm: i32) -> Insn {
    Insn {
        code,
        regs: to | from << 4,
        off,
        imm,
    }
}

/// The program for a list of rules.
pub(crate) fn program(rules: &[Rule]) -> Vec<Insn> {
    let mut code = vec![
        insn(LOAD_WORD, KIND, CONTEXT, 0, 0),
        insn(MOV32_REG, UNDECIDED, KIND, 0, 0),
        insn(AND32, KIND, 0, 0, 0xffff),
        insn(SHIFT_RIGHT32, UNDECIDED, 0, 0, 16),
        insn(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        insn(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        code.extend(one_rule(rule));
    }
    code.extend([insn(MOV64, RESULT, 0, 0, 0), insn(EXIT, 0, 0, 0, 0)]);
    code
}

fn one_rule(rule: &Rule) -> Vec<Insn> {
    let tests = [
        (KIND, rule.kind.map(kind_number)),
        (MAJOR, rule.major.map(|n| n as i32)),
        (MINOR, rule.minor.map(|n| n as i32)),
    ];
    let tests: Vec<(u8, i32)> = tests
        .into_iter()
        .filter_map(|(reg, n)| Some((reg, n?)))
        .collect();
    let verdict = if rule.allow {
        vec![
            insn(AND32, UNDECIDED, 0, 0, !(rule.access as i32)),
            insn(JUMP_NE, UNDECIDED, 0, 2, 0),
            insn(MOV64, RESULT, 0, 0, 1),
            insn(EXIT, 0, 0, 0, 0),
        ]
    } else {
        vec![
            insn(MOV32_REG, SCRATCH, UNDECIDED, 0, 0),
            insn(AND32, SCRATCH, 0, 0, rule.access as i32),
            insn(JUMP_EQ, SCRATCH, 0, 2, 0),
            insn(MOV64, RESULT, 0, 0, 0),
            insn(EXIT, 0, 0, 0, 0),
        ]
    };
    let length = tests.len() + verdict.len();
    let mut code: Vec<Insn> = tests
        .iter()
        .enumerate()
        // To the rule behind this one: over the rest of the tests and the verdict.
        .map(|(i, (reg, n))| insn(JUMP_NE, *reg, 0, (length - i - 1) as i16, *n))
        .collect();
    code.extend(verdict);
    code
}

/// Loads and attaches the rules; programs attached before go only when the new one is in force.
pub(crate) fn attach(cgroup: BorrowedFd<'_>, path: &Path, rules: &[DeviceRule]) -> Result<()> {
    let rules: Vec<Rule> = rules.iter().map(Rule::check).collect::<Result<_>>()?;
    if let Some(Rule {
        allow: true,
        kind: None,
        major: None,
        minor: None,
        access: access::ALL,
    }) = rules.last()
    {
        // Everything is allowed: no program is the same, and costs nothing.
        return detach_all(cgroup, path, &old_programs(cgroup));
    }
    let failed = |step| {
        move |source| Error::Devices {
            step,
            path: path.to_owned(),
            source,
        }
    };
    let loaded = bpf::load_cgroup_device(&program(&rules)).map_err(failed("load"))?;
    let old = old_programs(cgroup);
    bpf::attach_cgroup_device(cgroup, loaded.as_fd()).map_err(failed("attach"))?;
    detach_all(cgroup, path, &old)
}

fn old_programs(cgroup: BorrowedFd<'_>) -> Vec<std::os::fd::OwnedFd> {
    // Asking needs more privilege than attaching; a fresh cgroup has none anyway.
    bpf::cgroup_device_programs(cgroup).unwrap_or_default()
}

fn detach_all(cgroup: BorrowedFd<'_>, path: &Path, old: &[std::os::fd::OwnedFd]) -> Result<()> {
    for program in old {
        bpf::detach_cgroup_device(cgroup, program.as_fd()).map_err(|source| Error::Devices {
            step: "replace",
            path: path.to_owned(),
            source,
        })?;
    }
    Ok(())
}

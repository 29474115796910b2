//! Classic BPF, written from its end to its beginning.
//!
//! All jumps go forward, so an instruction's targets are known when it is written. A label is a
//! position counted from the end. Returns are shared as long as one is within a jump's reach.

use crate::Insn;

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const JA: u16 = 0x05; // BPF_JMP | BPF_JA
const RET: u16 = 0x06; // BPF_RET | BPF_K
/// A conditional jump reaches this far.
const REACH: usize = 255;

/// How a conditional jump compares the accumulator with its operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Test {
    /// Equal.
    Eq = 0x15,
    /// Greater, unsigned.
    Gt = 0x25,
    /// Greater or equal, unsigned.
    Ge = 0x35,
}

/// A place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// A program in the making.
#[derive(Debug, Default)]
pub struct Builder {
    reversed: Vec<Insn>,
    returns: Vec<(u32, Label)>,
}

impl Builder {
    /// A place that returns `value`.
    pub fn ret(&mut self, value: u32) -> Label {
        let here = self.reversed.len();
        let known = self.returns.iter_mut().find(|(v, _)| *v == value);
        if let Some((_, label)) = &known
            // Some slack: the jump to it is written a little later.
            && here - label.0 < REACH / 2
        {
            return *label;
        }
        let label = Label(here);
        match known {
            Some(entry) => entry.1 = label,
            None => self.returns.push((value, label)),
        }
        self.push(RET, 0, 0, value)
    }

    /// Loads the word at `offset` of `seccomp_data`, then goes on at `next`.
    pub fn load(&mut self, offset: u32, next: Label) -> Label {
        self.fall_to(next);
        self.push(LOAD, 0, 0, offset)
    }

    /// Masks the accumulator, then goes on at `next`.
    pub fn and(&mut self, mask: u32, next: Label) -> Label {
        self.fall_to(next);
        self.push(AND, 0, 0, mask)
    }

    /// Compares the accumulator.
    pub fn jump(&mut self, test: Test, operand: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        // A trampoline for one side may push the other out of reach: so both are tried twice.
        let (yes, no) = (self.near(yes), self.near(no));
        let (yes, no) = (self.near(yes), self.near(no));
        let here = self.reversed.len();
        self.push(
            test as u16,
            (here - yes.0 - 1) as u8,
            (here - no.0 - 1) as u8,
            operand,
        )
    }

    /// The program, in running order.
    pub fn finish(mut self, start: Label) -> Vec<Insn> {
        self.fall_to(start);
        self.reversed.reverse();
        self.reversed
    }

    /// A label within reach of a conditional jump, two instructions of slack included.
    fn near(&mut self, target: Label) -> Label {
        if self.reversed.len() - target.0 + 1 < REACH {
            return target;
        }
        let distance = self.reversed.len() - target.0 - 1;
        self.push(JA, 0, 0, distance as u32)
    }

    /// Makes the next instruction run on to `target`.
    fn fall_to(&mut self, target: Label) {
        let distance = self.reversed.len() - target.0 - 1;
        if distance > 0 {
            self.push(JA, 0, 0, distance as u32);
        }
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Insn { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }
}

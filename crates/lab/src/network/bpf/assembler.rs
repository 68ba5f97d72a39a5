//! Instructions of BPF (RFC 9669), one after the other, with jumps forward to two places.

/// A register: `R0` is what a function or the program returns, `R1` to `R5` are arguments, which a call
/// destroys, `R6` to `R9` stay, `R10` is the end of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// What is computed of a register and a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Add = 0x00,
    Multiply = 0x20,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Modulo = 0x90,
    Xor = 0xa0,
    Move = 0xb0,
}

/// When a jump is made; numbers have no sign.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition {
    Equal = 0x10,
    AtLeast = 0x30,
    NotEqual = 0x50,
}

/// Bytes of an access to memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    Byte = 0x10,
    Half = 0x08,
    Word = 0x00,
    Double = 0x18,
}

/// Where jumps go. Each place is behind all jumps to it, since programs have no loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Pass,
    Drop,
    V4,
    V6,
    Matched,
    Bad,
    Moved,
    DrawInBad,
    Leave,
    Stay,
}

/// A function of the kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Helper {
    /// Nanoseconds since boot (`CLOCK_MONOTONIC`).
    Now = 5,
    /// Bytes of the packet, counted from a header.
    LoadBytesRelative = 68,
}

// Classes, and what they are combined with.
const LD_DOUBLE: u8 = 0x18;
const LDX: u8 = 0x61;
const STX: u8 = 0x63;
const STX_ATOMIC: u8 = 0xdb;
const ALU64: u8 = 0x07;
const JMP: u8 = 0x05;
const JMP32: u8 = 0x06;
const FROM_REGISTER: u8 = 0x08;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const JUMP: u8 = 0x05;
/// Source register of a constant that is the place of a map's only value.
const MAP_VALUE: u8 = 2;
const ATOMIC_ADD: i32 = 0x00;
const ATOMIC_FETCH_ADD: i32 = 0x01;

/// A program that is being written.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    code: Vec<u64>,
    jumps: Vec<(usize, Label)>,
}

impl Assembler {
    fn emit(&mut self, operation: u8, to: u8, from: u8, offset: i16, immediate: i32) {
        let offset = u64::from(offset.cast_unsigned()) << 16;
        let immediate = u64::from(immediate.cast_unsigned()) << 32;
        let registers = u64::from(to | from << 4) << 8;
        // In memory the fields stand in this order on every machine whose first byte is the lowest.
        self.code.push(u64::from(operation) | registers | offset | immediate);
    }

    /// Computes with a number.
    pub(super) fn number(&mut self, operation: Operation, to: Register, number: i32) {
        self.emit(ALU64 | operation as u8, to as u8, 0, 0, number);
    }

    /// Computes with a register.
    pub(super) fn register(&mut self, operation: Operation, to: Register, from: Register) {
        self.emit(ALU64 | FROM_REGISTER | operation as u8, to as u8, from as u8, 0, 0);
    }

    /// Puts 64 bits into a register.
    pub(super) fn wide(&mut self, to: Register, number: u64) {
        self.pair(to, 0, (number as u32).cast_signed(), ((number >> 32) as u32).cast_signed());
    }

    /// Puts the place of a map's value into a register.
    pub(super) fn value_of(&mut self, to: Register, map: i32) {
        self.pair(to, MAP_VALUE, map, 0);
    }

    fn pair(&mut self, to: Register, from: u8, low: i32, high: i32) {
        self.emit(LD_DOUBLE, to as u8, from, 0, low);
        self.emit(0, 0, 0, 0, high);
    }

    /// Reads from memory.
    pub(super) fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) {
        self.emit(LDX | width as u8, to as u8, from as u8, offset, 0);
    }

    /// Writes to memory.
    pub(super) fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) {
        self.emit(STX | width as u8, to as u8, from as u8, offset, 0);
    }

    /// Adds a register to 64 bits of memory as one step. It then holds what was there before.
    pub(super) fn fetch_add(&mut self, to: Register, offset: i16, from: Register) {
        self.emit(STX_ATOMIC, to as u8, from as u8, offset, ATOMIC_ADD | ATOMIC_FETCH_ADD);
    }

    /// Calls a function of the kernel.
    pub(super) fn call(&mut self, helper: Helper) {
        self.emit(CALL, 0, 0, 0, helper as i32);
    }

    /// Jumps if the lower 32 bits of a register compare so with a number.
    pub(super) fn jump_if_number(
        &mut self,
        condition: Condition,
        register: Register,
        number: u32,
        label: Label,
    ) {
        self.jumps.push((self.code.len(), label));
        self.emit(JMP32 | condition as u8, register as u8, 0, 0, number.cast_signed());
    }

    /// Jumps if a register compares so with another.
    pub(super) fn jump_if(
        &mut self,
        condition: Condition,
        register: Register,
        other: Register,
        label: Label,
    ) {
        self.jumps.push((self.code.len(), label));
        self.emit(JMP | FROM_REGISTER | condition as u8, register as u8, other as u8, 0, 0);
    }

    /// Jumps.
    pub(super) fn jump(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.emit(JUMP, 0, 0, 0, 0);
    }

    /// The next instruction is the place that jumps so far go to.
    pub(super) fn place(&mut self, label: Label) {
        let here = self.code.len();
        self.jumps.retain(|&(jump, wanted)| {
            if wanted != label {
                return true;
            }
            let distance = (here - jump - 1) as u64;
            self.code[jump] |= distance << 16;
            false
        });
    }

    /// Ends the program with what is in `R0`.
    pub(super) fn exit(&mut self) {
        self.emit(EXIT, 0, 0, 0, 0);
    }

    /// The program. All places must be there.
    pub(super) fn finish(self) -> Vec<u64> {
        debug_assert!(self.jumps.is_empty(), "{:?}", self.jumps);
        self.code
    }
}

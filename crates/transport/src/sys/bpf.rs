//! BPF programs that see what comes in at an interface, and the memory that they share with us
//! (bpf(2), TCX: Linux 6.6). All of it lives as long as its descriptors.

mod attributes;

use std::ffi::{CStr, c_char, c_long};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use attributes::{
    Info, LinkCreate, MapCreate, MapElement, MapInfo, NAME_BYTES, ProgramInfo, ProgramLoad,
    ProgramQuery,
};

// linux/bpf.h
const MAP_CREATE: c_long = 0;
const MAP_LOOKUP: c_long = 1;
const MAP_UPDATE: c_long = 2;
const PROGRAM_LOAD: c_long = 5;
const PROGRAM_OF_ID: c_long = 13;
const MAP_OF_ID: c_long = 14;
const INFO: c_long = 15;
const PROGRAM_QUERY: c_long = 16;
const LINK_CREATE: c_long = 28;
const MAP_TYPE_ARRAY: u32 = 2;
const PROGRAM_TYPE_SCHED_CLS: u32 = 3;
const TCX_INGRESS: u32 = 46;
/// Programs of an interface that are listed; the kernel allows 64.
const PROGRAMS_MAX: usize = 64;
/// Memories of a program that are listed; ours have one.
const MAPS_MAX: usize = 8;
/// Longest value that is read, in bytes.
const VALUE_BYTES_MAX: u32 = 4_096;

/// One value that a program shares with us (an array map with one entry).
#[derive(Debug)]
pub struct BpfValue {
    descriptor: OwnedFd,
    bytes: usize,
}

impl BpfValue {
    /// With these bytes in it. Of the name the first 15 bytes count.
    ///
    /// # Errors
    /// `EPERM` without `CAP_BPF`.
    pub fn new(label: &str, value: &[u8]) -> io::Result<Self> {
        let attributes = MapCreate {
            kind: MAP_TYPE_ARRAY,
            key_bytes: 4,
            value_bytes: value.len() as u32,
            entries: 1,
            name: name(label),
            ..MapCreate::default()
        };
        // SAFETY: the attributes hold no pointer.
        let descriptor = unsafe { make(MAP_CREATE, &attributes) }?;
        let made = Self { descriptor, bytes: value.len() };
        let key = 0u32;
        let element = MapElement {
            map: made.descriptor.as_raw_fd().cast_unsigned(),
            _padding: 0,
            key: (&raw const key) as u64,
            value: value.as_ptr() as u64,
            flags: 0,
        };
        // SAFETY: the kernel reads a key of 4 bytes and a value of as many bytes as the map was made
        // for, which is the length of the slice; both live beyond the call.
        unsafe { call(MAP_UPDATE, &element) }?;
        Ok(made)
    }

    /// One that another process may have made.
    ///
    /// # Errors
    /// `ENOENT`: there is none; `EINVAL`: it is not one value; `EPERM` without `CAP_SYS_ADMIN`.
    pub fn of_id(id: u32) -> io::Result<Self> {
        // SAFETY: the attributes are a number.
        let descriptor = unsafe { make(MAP_OF_ID, &id) }?;
        let mut info = MapInfo::default();
        // SAFETY: a `MapInfo` is numbers and bytes, whatever the kernel writes into it, and holds no
        // pointer that the kernel would follow.
        unsafe { inform(&descriptor, &mut info) }?;
        let one = info.kind == MAP_TYPE_ARRAY && info.key_bytes == 4 && info.entries == 1;
        if !one || info.value_bytes > VALUE_BYTES_MAX {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(Self { descriptor, bytes: info.value_bytes as usize })
    }

    /// What is in it now. Parts that are being written may be of different moments.
    ///
    /// # Errors
    /// What bpf(2) says.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut value = vec![0; self.bytes];
        let key = 0u32;
        let element = MapElement {
            map: self.descriptor.as_raw_fd().cast_unsigned(),
            _padding: 0,
            key: (&raw const key) as u64,
            value: value.as_mut_ptr() as u64,
            flags: 0,
        };
        // SAFETY: the kernel reads a key of 4 bytes and writes a value of the map's size, which is
        // `bytes`, into a buffer that has as many; both live beyond the call.
        unsafe { call(MAP_LOOKUP, &element) }?;
        Ok(value)
    }
}

impl AsFd for BpfValue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Loads a filter of packets (`BPF_PROG_TYPE_SCHED_CLS`), which the kernel verifies.
///
/// # Errors
/// `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`; `EINVAL`, `EACCES`: the verifier refuses it.
pub fn load_bpf_filter(label: &str, instructions: &[u64], license: &CStr) -> io::Result<OwnedFd> {
    let attributes = ProgramLoad {
        kind: PROGRAM_TYPE_SCHED_CLS,
        instructions: instructions.len() as u32,
        first: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        name: name(label),
        ..ProgramLoad::default()
    };
    // SAFETY: the kernel reads as many instructions of 8 bytes as the slice has, and the licence up to
    // its zero byte; both live beyond the call. A verified program cannot touch our memory.
    unsafe { make(PROGRAM_LOAD, &attributes) }
}

/// Lets a filter see what comes in at an interface of the calling thread's network namespace, after
/// those that are there. It is detached when the descriptor is closed.
///
/// # Errors
/// `EINVAL` before Linux 6.6; `ENODEV`: no such interface; `EPERM` without `CAP_NET_ADMIN`; `ERANGE`:
/// too many are there.
pub fn attach_bpf_ingress(filter: impl AsFd, interface: u32) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: filter.as_fd().as_raw_fd().cast_unsigned(),
        interface,
        attach: TCX_INGRESS,
        ..LinkCreate::default()
    };
    // SAFETY: the attributes hold no pointer.
    unsafe { make(LINK_CREATE, &attributes) }
}

/// Numbers of the filters that see what comes in at an interface of the calling thread's network
/// namespace.
///
/// # Errors
/// As [`attach_bpf_ingress`].
pub fn bpf_ingress_filters(interface: u32) -> io::Result<Vec<u32>> {
    let mut programs = [0u32; PROGRAMS_MAX];
    let mut attributes = ProgramQuery {
        interface,
        attach: TCX_INGRESS,
        programs: programs.as_mut_ptr() as u64,
        count: PROGRAMS_MAX as u32,
        ..ProgramQuery::default()
    };
    // SAFETY: the kernel writes at most `count` numbers of 4 bytes into an array that has as many, and
    // into the attributes, which are numbers; both live beyond the call. The other lists are null.
    unsafe { call_mut(PROGRAM_QUERY, &mut attributes) }?;
    let count = (attributes.count as usize).min(PROGRAMS_MAX);
    Ok(programs[..count].to_vec())
}

/// Numbers of the values that a filter uses.
///
/// # Errors
/// `ENOENT`: there is no such filter any more; `EPERM` without `CAP_SYS_ADMIN`.
pub fn bpf_values_of(filter: u32) -> io::Result<Vec<u32>> {
    // SAFETY: the attributes are a number.
    let descriptor = unsafe { make(PROGRAM_OF_ID, &filter) }?;
    let mut ids = [0u32; MAPS_MAX];
    let mut info = ProgramInfo {
        maps: MAPS_MAX as u32,
        map_ids: ids.as_mut_ptr() as u64,
        ..ProgramInfo::default()
    };
    // SAFETY: a `ProgramInfo` is numbers and bytes, whatever the kernel writes into it. Of its pointers
    // one is not null: the kernel writes at most `maps` numbers of 4 bytes there, as many as the array
    // has, and it lives beyond the call.
    unsafe { inform(&descriptor, &mut info) }?;
    let count = (info.maps as usize).min(MAPS_MAX);
    Ok(ids[..count].to_vec())
}

fn name(text: &str) -> [u8; NAME_BYTES] {
    let mut name = [0; NAME_BYTES];
    for (to, from) in name[..NAME_BYTES - 1].iter_mut().zip(text.bytes()) {
        *to = from;
    }
    name
}

/// Asks about what a descriptor stands for.
///
/// # Safety
/// All bit patterns are values of `T`, and what pointers it holds the kernel may write to.
unsafe fn inform<T>(descriptor: &OwnedFd, info: &mut T) -> io::Result<()> {
    let attributes = Info {
        descriptor: descriptor.as_raw_fd().cast_unsigned(),
        bytes: size_of::<T>() as u32,
        info: (&raw mut *info) as u64,
    };
    // SAFETY: the kernel writes at most `bytes` bytes into `info`, which lives beyond the call; for
    // the rest the caller vouches.
    unsafe { call(INFO, &attributes) }.map(|_| ())
}

/// A command that gives a descriptor.
///
/// # Safety
/// As [`call`].
unsafe fn make<T>(command: c_long, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller vouches.
    let number = unsafe { call(command, attributes) }?;
    // SAFETY: the kernel has just given us this descriptor, which nobody else knows. It is closed for
    // programs that we start.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Does what bpf(2) does.
///
/// # Safety
/// Pointers in the attributes are valid for what the kernel reads and writes through them, and the
/// command does not write to the attributes themselves.
unsafe fn call<T>(command: c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: the attributes live beyond the call, and the kernel reads as many bytes as they have; for
    // their pointers the caller vouches.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            (&raw const *attributes).cast::<c_char>(),
            size_of::<T>(),
        )
    };
    outcome(result)
}

/// Does what bpf(2) does, also where it writes to the attributes.
///
/// # Safety
/// As [`call`]; all bit patterns are values of `T`.
unsafe fn call_mut<T>(command: c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: as in `call`, and the attributes may be written to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            (&raw mut *attributes).cast::<c_char>(),
            size_of::<T>(),
        )
    };
    outcome(result)
}

fn outcome(result: c_long) -> io::Result<i32> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(|_| io::ErrorKind::InvalidData.into())
}

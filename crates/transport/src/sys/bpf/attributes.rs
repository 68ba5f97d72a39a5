//! What bpf(2) is told and tells (linux/bpf.h), as far as we use it: whatever the kernel knows behind our
//! last fields it takes for 0.

/// Bytes of a name, the zero at its end included.
pub(super) const NAME_BYTES: usize = 16;

#[repr(C)]
#[derive(Default)]
pub(super) struct MapCreate {
    pub(super) kind: u32,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
    pub(super) entries: u32,
    pub(super) flags: u32,
    pub(super) inner: u32,
    pub(super) node: u32,
    pub(super) name: [u8; NAME_BYTES],
}

#[repr(C)]
pub(super) struct MapElement {
    pub(super) map: u32,
    pub(super) _padding: u32,
    pub(super) key: u64,
    pub(super) value: u64,
    pub(super) flags: u64,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct ProgramLoad {
    pub(super) kind: u32,
    pub(super) instructions: u32,
    pub(super) first: u64,
    pub(super) license: u64,
    pub(super) log_level: u32,
    pub(super) log_bytes: u32,
    pub(super) log: u64,
    pub(super) kernel: u32,
    pub(super) flags: u32,
    pub(super) name: [u8; NAME_BYTES],
    pub(super) interface: u32,
    pub(super) attach: u32,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct LinkCreate {
    pub(super) program: u32,
    pub(super) interface: u32,
    pub(super) attach: u32,
    pub(super) flags: u32,
    pub(super) relative: u32,
    pub(super) _padding: u32,
    pub(super) revision: u64,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct ProgramQuery {
    pub(super) interface: u32,
    pub(super) attach: u32,
    pub(super) flags: u32,
    pub(super) attach_flags: u32,
    pub(super) programs: u64,
    pub(super) count: u32,
    pub(super) _padding: u32,
    pub(super) others: [u64; 4],
}

#[repr(C)]
pub(super) struct Info {
    pub(super) descriptor: u32,
    pub(super) bytes: u32,
    pub(super) info: u64,
}

#[repr(C)]
#[derive(Default)]
pub(super) struct ProgramInfo {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) tag: [u8; 8],
    pub(super) jited_bytes: u32,
    pub(super) translated_bytes: u32,
    pub(super) jited: u64,
    pub(super) translated: u64,
    pub(super) load_time: u64,
    pub(super) user: u32,
    pub(super) maps: u32,
    pub(super) map_ids: u64,
    pub(super) name: [u8; NAME_BYTES],
}

#[repr(C)]
#[derive(Default)]
pub(super) struct MapInfo {
    pub(super) kind: u32,
    pub(super) id: u32,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
    pub(super) entries: u32,
    pub(super) flags: u32,
    pub(super) name: [u8; NAME_BYTES],
}

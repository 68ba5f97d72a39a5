//! System calls without a safe wrapper. Each function checks what the kernel says and keeps no
//! pointer beyond its call. Nothing else in the workspace may say `unsafe`.

#![allow(unsafe_code, reason = "the one place for it")]

mod alarm;
mod bpf;
mod child;
mod fast_open;
mod inherited;
mod namespace;
mod option;
mod packet;
mod schedule;
mod tun;

pub use alarm::end_process_after;
pub use bpf::{BpfValue, attach_bpf_ingress, bpf_ingress_filters, bpf_values_of, load_bpf_filter};
pub use child::{end_with_thread, start_in_network};
#[cfg(test)]
pub(crate) use fast_open::{fast_open_connect, fast_open_queue};
pub(crate) use fast_open::{set_fast_open_connect, set_fast_open_queue};
pub(crate) use inherited::take_inherited;
pub use namespace::{start_in_user_namespace, unshare_network};
pub(crate) use option::set_late_port;
pub use packet::{open_packet_socket, packet_socket_drops, send_packet, turn_offload_off};
pub use schedule::run_in_real_time;
pub use tun::attach_tun;

//! What the kernel has of faults at interfaces, whoever has put it there.

use std::io;

use bulkhead_chaos::CarrierChoice;

use super::{interface, nftables};

/// What a carrier has at an interface of the calling thread's network: tables of nftables of the lab's name,
/// programs of BPF on ingress of that interface, whose soever.
///
/// # Errors
/// The kernel does not tell; the carrier has nothing at interfaces.
pub fn strikes_in_kernel(carrier: CarrierChoice, interface: &str) -> io::Result<Vec<String>> {
    match carrier {
        CarrierChoice::Nftables => nftables::tables(),
        CarrierChoice::Bpf => {
            let filters = bulkhead_transport::bpf_ingress_filters(interface::index(interface)?)?;
            Ok(filters.into_iter().map(|id| format!("program {id}")).collect())
        }
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

//! Who made what vanishes with its process.

use std::process::id;

use serde_json::Value;

use crate::process::Stat;

/// Notes in a handle that this process makes what the handle is about.
pub(super) fn sign(handle: &mut Value) {
    handle["process"] = id().into();
    handle["process_start_time"] = start_time(id()).into();
}

/// The process that made it.
pub(super) fn process(handle: &Value) -> Option<u32> {
    u32::try_from(handle["process"].as_u64()?).ok()
}

/// The process that made it, if that is another one and still lives. What was made by one that has ended
/// is gone.
pub(super) fn lives_elsewhere(handle: &Value) -> Option<u32> {
    let maker = process(handle)?;
    let began = handle["process_start_time"].as_u64()?;
    (maker != id() && start_time(maker) == Some(began)).then_some(maker)
}

/// `None` when there is no such process. One that has ended holds nothing, though its parent may not have
/// noticed yet.
fn start_time(process: u32) -> Option<u64> {
    let stat = Stat::read(process).ok()?;
    (!stat.is_dead()).then_some(stat.start_time)
}

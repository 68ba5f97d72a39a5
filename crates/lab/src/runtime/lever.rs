//! The safety lever and its file. The file says where the lever is, over restarts and to anybody with a
//! shell; what the lab does follows each change of it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::{Core, LAB, Shared};

/// Engages or releases the lever of a lab by its file, whether one runs or not. `path`: see
/// [`lever_path`](crate::lever_path).
///
/// # Errors
/// It cannot be written or removed. One that is not there is released already.
pub fn set_lever_file(path: &Path, engaged: bool) -> io::Result<()> {
    if engaged {
        return fs::write(path, "While this file is there, the chaos lab injects nothing.\n");
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Shared {
    /// Pulls or releases the lever by its file, and follows it. Where the file cannot be written the lever
    /// is engaged all the same, until it is released or somebody else makes and removes the file.
    pub(super) fn set_lever(&self, core: &mut Core, engaged: bool) -> io::Result<()> {
        let file = set_lever_file(&self.lever, engaged);
        core.lever_file = self.lever.exists();
        if engaged || file.is_ok() {
            core.engine.set_lever(self.clock.now(), engaged, "the safety lever was engaged");
            self.obey(core);
        }
        file
    }

    /// Somebody may have made or removed the file.
    pub(super) fn follow_lever(&self, core: &mut Core, now: Duration) {
        let engaged = self.lever.exists();
        if engaged == core.lever_file {
            return;
        }
        core.lever_file = engaged;
        if engaged != core.engine.lever() {
            core.engine.set_lever(now, engaged, "the safety lever was engaged");
            self.audit(LAB, "lever", json!({"engaged": engaged, "by": "file"}));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use bulkhead_chaos::{Caller, EngineOptions, Policy, Role};

    use crate::{Lab, LabError, LabOptions, Registry};

    /// Whoever pulls the lever must not find it released a moment later because the disk is what is broken.
    #[test]
    fn a_lever_whose_file_cannot_be_written_stays_engaged() {
        let name = format!("bulkhead-lever-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        let away = directory.with_extension("away");
        let options = LabOptions {
            directory: directory.clone(),
            engine: EngineOptions::default(),
            policy: Policy::default(),
            seed: 1,
        };
        let lab = Lab::open(options, Registry::new()).unwrap();
        let caller = Caller { name: "ann".to_owned(), role: Role::Approver };
        let look = || {
            let shared = &lab.shared;
            shared.follow_lever(&mut shared.core(), shared.clock.now());
            lab.status().lever_engaged
        };

        fs::rename(&directory, &away).unwrap();
        assert!(matches!(lab.set_lever(&caller, true), Ok(Err(LabError::Lever { .. }))));
        assert!(look(), "there is no file, but nobody removed it either");
        fs::rename(&away, &directory).unwrap();
        lab.set_lever(&caller, false).unwrap().unwrap();
        assert!(!look());

        // What somebody does with the file is followed both ways.
        lab.set_lever(&caller, true).unwrap().unwrap();
        fs::remove_file(directory.join("lever")).unwrap();
        assert!(!look());
        fs::write(directory.join("lever"), "").unwrap();
        assert!(look());
        lab.close(Duration::ZERO);
        fs::remove_dir_all(&directory).unwrap();
    }
}

//! The lab killed at each step: the next one takes back what was left.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use bulkhead_chaos::{Call, State};
use bulkhead_lab::{Lab, LabOptions, Registry, Until};

use crate::fake::{Fake, Trouble};
use crate::stage::{Directory, PATIENCE, ann, request};

const CALLS: [Call; 5] =
    [Call::Prepare, Call::Inject, Call::Verify, Call::Revert, Call::VerifyReverted];

fn options(state: PathBuf) -> LabOptions {
    LabOptions { directory: state, engine: Default::default(), policy: Default::default(), seed: 1 }
}

/// In the child: a lab that is killed in the step that the environment names.
#[test]
#[ignore = "a role in other tests"]
fn role_lab() {
    let Ok(root) = std::env::var("BULKHEAD_TEST_DIRECTORY").map(PathBuf::from) else { return };
    let step: usize = std::env::var("BULKHEAD_TEST_STEP").unwrap().parse().unwrap();
    let fake = Fake::new(root.join("faults"));
    let trouble = if step.is_multiple_of(2) { Trouble::DieBefore } else { Trouble::DieAfter };
    fake.script(CALLS[step / 2], &[trouble]);
    let lab = Lab::open(options(root.join("state")), Registry::new().with(fake)).unwrap();
    let ordered = lab.order(&ann(), &request()).unwrap();
    lab.wait(&ordered.ids, Until::Settled, PATIENCE);
    lab.close(PATIENCE);
}

#[test]
fn a_lab_killed_at_any_step_leaves_nothing_behind() {
    use std::os::unix::process::ExitStatusExt;

    for step in 0..2 * CALLS.len() {
        let directory = Directory::new();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::role_lab", "--ignored"])
            .env("BULKHEAD_TEST_DIRECTORY", &directory.0)
            .env("BULKHEAD_TEST_STEP", step.to_string())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "step {step}: {status:?}");
        let fake = directory.fake();
        let in_force = fake.left();
        let struck = (3..=6).contains(&step);
        assert_eq!(in_force, usize::from(struck), "step {step}: the crash is a real one");

        let lab = Lab::open(options(directory.0.join("state")), Registry::new().with(fake.clone()));
        let lab = lab.unwrap();
        let ids: Vec<_> = lab.injections(false, 10).iter().map(|it| it.id).collect();
        assert_eq!(ids.len(), 1, "step {step}: the intent was on disk before anything else");
        let ended = lab.wait(&ids, Until::Ended, PATIENCE).remove(0);
        let expected = if step < 2 { State::Refused } else { State::Reverted };
        assert_eq!((ended.state, fake.left()), (expected, 0), "step {step}");
        assert_eq!(lab.close(PATIENCE), 0);
    }
}

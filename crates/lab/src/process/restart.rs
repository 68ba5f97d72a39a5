//! A process that is killed, and started again when the fault is taken back.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

use bulkhead_chaos::{ChaosId, Fault, Order, ProcessFault};
use serde_json::json;

use super::{kill, look, look_until, prepare, see_dead};
use crate::host::with_variable;
use crate::{Evidence, Handle, InjectError, Injector, Refusal, Surroundings};

/// In the environment of what was started again: the injection. So it is not started twice, also by a
/// lab that knows of the first only from the journal.
const ID_VARIABLE: &str = "BULKHEAD_CHAOS_RESTARTED_BY";

/// Kills a process, and starts it again by the command that the fault names.
#[derive(Clone, Copy, Debug)]
pub struct RestartProcess {
    may_run_commands: bool,
}

impl RestartProcess {
    /// Whoever may order faults of a lab that may run commands may do anything that its user may; a lab
    /// that may not takes such faults back all the same.
    pub const fn new(may_run_commands: bool) -> Self {
        Self { may_run_commands }
    }
}

fn command(order: &Order) -> &[String] {
    match &order.fault {
        Fault::Process(ProcessFault::Restart { command }) => command,
        _ => &[],
    }
}

fn started(id: ChaosId) -> Option<u32> {
    with_variable(&format!("{ID_VARIABLE}={id}")).first().copied()
}

impl Injector for RestartProcess {
    fn takes(&self, fault: &Fault) -> bool {
        matches!(fault, Fault::Process(ProcessFault::Restart { .. }))
    }

    fn prepare(&self, order: &Order, _: Surroundings) -> Result<Handle, Refusal> {
        if !self.may_run_commands {
            return Err(Refusal::new(
                "this lab runs no commands",
                "start it with --allow-commands",
            ));
        }
        let stat = prepare(order)?;
        let Some(program) = command(order).first() else {
            return Err(Refusal::new(
                "there is no command to start it again",
                "give program and arguments",
            ));
        };
        if program.contains('/') && !fs::metadata(program).is_ok_and(|it| it.is_file()) {
            return Err(Refusal::new(
                format!("`{program}` is no file"),
                "give the path of a program",
            ));
        }
        Ok(json!({"signal": "SIGKILL", "revert": command(order), "command": stat.command}))
    }

    fn inject(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        kill(order)
    }

    fn verify(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        Ok(look_until(around.deadline, || see_dead(order)))
    }

    fn revert(&self, order: &Order, _: &Handle, _: Surroundings) -> Result<(), InjectError> {
        if !see_dead(order).holds || started(order.id).is_some() {
            return Ok(());
        }
        let Some((program, arguments)) = command(order).split_first() else { return Ok(()) };
        start(order.id, program, arguments).map_err(|error| {
            InjectError::Unknown(format!("`{program}` cannot be started: {error}"))
        })
    }

    fn verify_reverted(
        &self,
        order: &Order,
        _: &Handle,
        around: Surroundings,
    ) -> Result<Evidence, InjectError> {
        Ok(look_until(around.deadline, || match (look(order), started(order.id)) {
            (_, Some(pid)) => Evidence { holds: true, seen: format!("it runs as process {pid}") },
            (Some(stat), None) if !stat.is_dead() => {
                Evidence { holds: true, seen: format!("{} still runs", stat.command) }
            }
            _ => Evidence { holds: false, seen: "it is not there again".to_owned() },
        }))
    }
}

fn start(id: ChaosId, program: &str, arguments: &[String]) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .env(ID_VARIABLE, id.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // It is to outlive the lab, and whoever interrupts that from a terminal.
        .process_group(0)
        .spawn()?;
    // So that no zombie is left of it while the lab lives.
    thread::Builder::new().name("lab-reap".to_owned()).spawn(move || child.wait())?;
    Ok(())
}

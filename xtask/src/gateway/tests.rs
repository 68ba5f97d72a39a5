use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;

use super::*;

#[test]
fn what_we_start_ends_when_whoever_started_it_is_gone() {
    if find_program("setpriv").is_none() {
        return;
    }
    let started = thread::spawn(|| {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $NAME; exec sleep 600"]).env("NAME", "x");
        let mut child = ending_with_us(&command).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = [0; 2];
        child.stdout.as_mut().unwrap().read_exact(&mut told).unwrap();
        (child, told)
    });
    let (mut child, told) = started.join().unwrap();
    assert_eq!(&told, b"x\n");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn what_was_killed_is_gone_and_not_ended_again() {
    let child = Command::new("sleep").arg("600").spawn().unwrap();
    let mut guard = Guard(child);
    assert!(guard.is_running());
    guard.kill().unwrap();
    assert!(!guard.is_running());
    assert!(!Path::new(&format!("/proc/{}", guard.id())).exists());
}

//! What is left of a link between namespaces that live on when the process that made it is killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use bulkhead_lab::{Link, LinkKind, LinkOptions, Namespace};

use crate::support::PATIENCE;

const ENDS: &str = "BULKHEAD_TEST_ENDS";
const VETH: &str = "BULKHEAD_TEST_VETH";

/// In the child: makes the link that the environment says, and sleeps.
#[test]
#[ignore = "a role in another test"]
fn role_link() {
    let Ok(ends) = std::env::var(ENDS) else { return };
    let (client, server) = ends.split_once(' ').unwrap();
    let kind = if std::env::var_os(VETH).is_some() { LinkKind::Veth } else { LinkKind::Tun };
    let open = |path: &str| Namespace::open(path.as_ref()).unwrap().into();
    let options = LinkOptions { kind, ..LinkOptions::default() };
    let link = Link::between("held", &open(client), &open(server), &options);
    println!("\n{}", if link.is_ok() { "made" } else { "skipped" });
    std::io::stdin().lines().for_each(drop);
}

fn interfaces(namespace: &Namespace) -> usize {
    let text = || std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    namespace.enter(text).unwrap().lines().filter(|line| line.contains(':')).count()
}

#[test]
fn a_link_vanishes_with_the_process_that_made_it() {
    for kind in [LinkKind::Tun, LinkKind::Veth] {
        let (Ok(client), Ok(server)) = (Namespace::new(), Namespace::new()) else {
            return eprintln!("skipped: no namespaces here");
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "link_holder::role_link", "--ignored", "--nocapture"]);
        command.env(ENDS, format!("{} {}", client.path().display(), server.path().display()));
        if kind == LinkKind::Veth {
            command.env(VETH, "1");
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("start a child");
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines.map_while(Result::ok).find(|it| it == "made" || it == "skipped");
        let made = told.as_deref() == Some("made");
        let before = [interfaces(&client), interfaces(&server)];
        child.kill().unwrap();
        child.wait().unwrap();
        if !made {
            return eprintln!("skipped: no links here");
        }
        assert_eq!(before, [2, 2], "{kind:?}");
        let until = Instant::now() + PATIENCE;
        while [interfaces(&client), interfaces(&server)] != [1, 1] {
            assert!(Instant::now() < until, "{kind:?}: interfaces are left behind");
        }
    }
}

use anyhow::Context;

use super::*;

#[derive(Debug)]
struct Talkative(io::Error);

impl std::fmt::Display for Talkative {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "listen on 127.0.0.1:80: {}", self.0)
    }
}

impl std::error::Error for Talkative {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn causes_are_told_once_and_give_the_next_step() {
    let cause = || io::Error::new(io::ErrorKind::AddrInUse, "address in use");
    let error = Err::<(), _>(Talkative(cause())).context("start the gateway").unwrap_err();
    assert_eq!(chain(&error), "start the gateway: listen on 127.0.0.1:80: address in use");
    assert!(next_step(&error).is_some_and(|step| step.contains("ss -ltnp")));
    let error = Err::<(), _>(cause()).context("listen").unwrap_err();
    assert_eq!(chain(&error), "listen: address in use");
    assert_eq!(next_step(&anyhow::anyhow!("something else")), None);
}

#[test]
fn closed_pipe_is_known() {
    let error = |kind| Err::<(), _>(io::Error::from(kind)).context("write").unwrap_err();
    assert!(is_closed_pipe(&error(io::ErrorKind::BrokenPipe)));
    assert!(!is_closed_pipe(&error(io::ErrorKind::NotFound)));
}

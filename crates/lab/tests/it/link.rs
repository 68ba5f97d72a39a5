//! Links with a packet box: what passes, what faults do to it, and that they end.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bulkhead_chaos::Effect;
use bulkhead_lab::{CommandError, End, Link, LinkError, LinkKind, LinkOptions};

use crate::support::{Injection, PATIENCE, deadline, fault, link};

const MINUTE: Duration = Duration::from_secs(60);
const KINDS: [LinkKind; 2] = [LinkKind::Tun, LinkKind::Veth];

/// Runs a test on a link of each kind.
fn each(name: &str, test: impl Fn(Arc<Link>)) {
    for kind in KINDS {
        let Some(link) = link(name, &LinkOptions { kind, ..LinkOptions::default() }) else {
            return;
        };
        test(link);
    }
}

fn listen(end: &End) -> TcpListener {
    end.namespace.enter(|| TcpListener::bind((end.v4, 0))).unwrap().expect("listen")
}

fn open_udp(end: &End) -> UdpSocket {
    end.namespace.enter(|| UdpSocket::bind((end.v4, 0))).unwrap().expect("open a UDP socket")
}

fn connect(end: &End, to: SocketAddr) -> TcpStream {
    let socket = end.namespace.enter(|| TcpStream::connect_timeout(&to, PATIENCE)).unwrap();
    let socket = socket.expect("connect");
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn interfaces(end: &End) -> Vec<String> {
    let text = || std::fs::read_to_string("/proc/thread-self/net/dev");
    let text = end.namespace.enter(text).unwrap().unwrap();
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// A connection through the link: the client's and the server's socket.
fn connection(link: &Link) -> (TcpStream, TcpStream) {
    let listener = listen(link.server());
    let client = connect(link.client(), listener.local_addr().unwrap());
    let (server, _) = listener.accept().expect("accept");
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    (client, server)
}

/// Sends bytes through a connection and checks that they arrive as they were.
fn transfer(link: &Link, bytes: usize) {
    let (mut client, mut server) = connection(link);
    let sent: Vec<u8> = (0..bytes).map(|place| (place * 7 % 251) as u8).collect();
    let expected = sent.clone();
    let sender = std::thread::spawn(move || client.write_all(&sent).expect("send"));
    let mut received = vec![0; bytes];
    server.read_exact(&mut received).expect("receive");
    sender.join().unwrap();
    assert!(received == expected, "the bytes are others");
}

#[test]
fn a_link_passes_packets_and_nothing_else_joins_its_ends() {
    each("plain", |link| {
        transfer(&link, 1_000_000);
        let report = link.report(deadline()).unwrap();
        assert!(report.upstream.counts.received_bytes > 1_000_000, "{report:?}");
        assert_eq!(report.upstream.counts.received, report.upstream.counts.delivered);
        assert_eq!((report.upstream.refused, report.downstream.refused), (0, 0));
        assert_eq!(link.device_drops().unwrap(), [0, 0]);
        // Wire packets: none is longer than the MTU, so there are at least that many.
        assert!(report.upstream.counts.received > 1_000_000 / 1_500, "{report:?}");
        for end in [link.client(), link.server()] {
            let mut interfaces = interfaces(end);
            interfaces.sort_unstable();
            assert_eq!(interfaces, ["lo", "plain"]);
        }
    });
}

#[test]
fn ipv6_passes_too() {
    each("six", |link| {
        let open = |end: &End| end.namespace.enter(|| UdpSocket::bind((end.v6, 0))).unwrap();
        let (Ok(from), Ok(to)) = (open(link.client()), open(link.server())) else {
            eprintln!("skipped: no IPv6 on this host");
            return;
        };
        to.set_read_timeout(Some(PATIENCE)).unwrap();
        from.send_to(b"hello", to.local_addr().unwrap()).unwrap();
        let mut bytes = [0; 16];
        assert_eq!(to.recv(&mut bytes).unwrap(), 5);
    });
}

/// Injects, verifies, takes back and verifies again; says what it did to others than the lab.
#[track_caller]
fn whole_life(link: &Arc<Link>, json: &str) -> Effect {
    let injection = Injection::new(link, json, MINUTE);
    injection.inject();
    injection.inject();
    let evidence = injection.verify();
    assert!(evidence.holds, "{json}: {}", evidence.seen);
    assert!(!injection.verify_reverted().holds, "{json}: gone although nobody took it back");
    injection.revert();
    injection.revert();
    let evidence = injection.verify_reverted();
    assert!(evidence.holds, "{json}: {}", evidence.seen);
    assert!(!injection.verify().holds, "{json}: verified although it was taken back");
    injection.effect().expect("a count")
}

#[test]
fn packets_that_meet_a_fault_are_counted_also_after_its_end() {
    each("counted", |link| {
        let open = |end: &End| end.namespace.enter(|| UdpSocket::bind((end.v4, 0))).unwrap();
        let (from, to) = (open(link.client()).unwrap(), open(link.server()).unwrap());
        let injection =
            Injection::new(&link, r#"{"partition": {"direction": "upstream"}}"#, MINUTE);
        injection.inject();
        for _ in 0..7 {
            from.send_to(b"hello", to.local_addr().unwrap()).unwrap();
            assert!(injection.verify().holds);
        }
        to.send_to(b"hello", from.local_addr().unwrap()).unwrap();
        injection.revert();
        assert!(injection.verify_reverted().holds);
        assert_eq!(injection.effect(), Some(Effect { hits: 7, seen: 7 }));
    });
}

#[test]
fn every_fault_takes_hold_is_seen_and_taken_back() {
    each("faults", |link| {
        for json in [
            r#"{"partition": {"direction": "both"}}"#,
            r#"{"partition": {"direction": "downstream"}}"#,
            r#"{"loss": {"direction": "both", "per": "direction", "model": {"bernoulli": {"percent": 12}}}}"#,
            r#"{"loss": {"direction": "upstream", "model": {"nth": {"every": 10}}}}"#,
            r#"{"loss": {"direction": "downstream", "model": {"gilbert_elliott":
                {"to_bad_percent": 5, "to_good_percent": 30}}}}"#,
            r#"{"delay": {"direction": "both", "per": "direction", "base_ms": 20}}"#,
            r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
                "distribution": "uniform", "reorder": "preserve"}}"#,
            r#"{"delay": {"direction": "upstream", "base_ms": 30, "jitter_ms": 10,
                "distribution": "normal", "reorder": "allow"}}"#,
            r#"{"reorder": {"direction": "upstream", "percent": 10, "hold_back_ms": 3}}"#,
            r#"{"duplicate": {"direction": "downstream", "percent": 20}}"#,
            r#"{"corrupt": {"direction": "upstream", "percent": 10}}"#,
            r#"{"bandwidth": {"direction": "upstream", "bits_per_second": 8000000, "queue_bytes": 200000}}"#,
            r#"{"reset": {"direction": "upstream", "percent": 30}}"#,
            r#"{"reset": {"direction": "downstream", "percent": 10}}"#,
            r#"{"reset": {"direction": "upstream", "after_bytes": 0}}"#,
            r#"{"reset": {"direction": "both", "after_bytes": 4321}}"#,
            r#"{"dns": {"direction": "upstream", "percent": 100, "failure": "nxdomain"}}"#,
            r#"{"dns": {"direction": "downstream", "percent": 50, "failure": "servfail"}}"#,
            r#"{"dns": {"direction": "upstream", "percent": 20, "failure": "timeout"}}"#,
            r#"{"dns": {"direction": "both", "percent": 30, "failure": {"slow": {"by_ms": 600}}}}"#,
        ] {
            let effect = whole_life(&link, json);
            assert_eq!(effect, Effect::default(), "{json}: the lab's own probes are nobody");
        }
    });
}

#[test]
fn faults_compose_and_leave_one_by_one() {
    let Some(link) = link("compose", &LinkOptions::default()) else { return };
    let loss = Injection::new(
        &link,
        r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#,
        MINUTE,
    );
    let delay =
        Injection::new(&link, r#"{"delay": {"direction": "upstream", "base_ms": 30}}"#, MINUTE);
    loss.inject();
    delay.inject();
    for injection in [&loss, &delay] {
        let evidence = injection.verify();
        assert!(evidence.holds, "{}", evidence.seen);
    }
    loss.revert();
    // What is left is what is to be expected.
    let evidence = loss.verify_reverted();
    assert!(evidence.holds, "{}", evidence.seen);
    assert!(delay.verify().holds);
    delay.revert();
    assert!(delay.verify_reverted().holds);
}

#[test]
fn faults_are_seen_amid_traffic() {
    let Some(link) = link("amid", &LinkOptions::default()) else { return };
    let (from, to) = (link.client().clone(), link.server().clone());
    let from = from.namespace.enter(|| UdpSocket::bind((from.v4, 0))).unwrap().unwrap();
    let to = to.namespace.enter(|| UdpSocket::bind((to.v4, 0))).unwrap().unwrap();
    // Nobody answers: one packet for each time that it waits. More than the box can take would be lost at
    // the device, probes among them.
    from.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                from.send_to(&[0; 500], to.local_addr().unwrap()).unwrap();
                assert!(from.recv(&mut [0]).is_err());
            }
        });
        let _ends = EndsOnDrop(&over);
        for json in [
            r#"{"loss": {"direction": "upstream", "model": {"bernoulli": {"percent": 12}}}}"#,
            r#"{"delay": {"direction": "upstream", "base_ms": 40, "jitter_ms": 40,
                "distribution": "uniform", "reorder": "preserve"}}"#,
        ] {
            whole_life(&link, json);
        }
    });
}

/// Ends the traffic also when the test fails.
struct EndsOnDrop<'a>(&'a AtomicBool);

impl Drop for EndsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_fault_ends_in_the_box_when_its_time_is_over() {
    let Some(link) = link("expire", &LinkOptions::default()) else { return };
    let injection = Injection::new(
        &link,
        r#"{"partition": {"direction": "both"}}"#,
        Duration::from_millis(800),
    );
    injection.inject();
    assert!(injection.verify().holds);
    // Nobody takes it back, and nobody asks the box to look: no packet comes, and no command.
    let began = Instant::now();
    let (from, to) = (link.client(), link.server());
    let from = from.namespace.enter(|| UdpSocket::bind((from.v4, 0))).unwrap().unwrap();
    let to = to.namespace.enter(|| UdpSocket::bind((to.v4, 0))).unwrap().unwrap();
    to.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bytes = [0; 8];
    loop {
        from.send_to(b"?", to.local_addr().unwrap()).unwrap();
        if to.recv(&mut bytes).is_ok() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "the partition outlives its time");
    }
    assert!(injection.verify_reverted().holds);
}

#[test]
fn a_fault_lasts_no_longer_than_it_may_and_is_renewed_while_it_is_there() {
    let Some(link) = link("renewed", &LinkOptions::default()) else { return };
    let partition = fault(r#"{"partition": {"direction": "upstream"}}"#);
    let too_long = Instant::now() + 16 * MINUTE;
    let refused = link.impose(1, &partition, 5, too_long, deadline());
    assert_eq!(refused, Err(LinkError::TooLong));

    let (from, to) = (open_udp(link.client()), open_udp(link.server()));
    link.impose(1, &partition, 5, Instant::now() + MINUTE, deadline()).unwrap();
    let seen = || {
        from.send_to(b"?", to.local_addr().unwrap()).unwrap();
        let report = link.report(deadline()).unwrap();
        report.upstream.faults.first().map(|stage| stage.seen)
    };
    let before = seen().expect("it is in force");
    assert_eq!(link.renew(1, too_long, deadline()), Err(LinkError::TooLong));
    link.renew(1, Instant::now() + 2 * MINUTE, deadline()).unwrap();
    let began = Instant::now();
    while seen().expect("it is in force") <= before {
        assert!(began.elapsed() < PATIENCE, "it counts no more packets");
    }

    // The box goes by the new end, also when that is now.
    link.renew(1, Instant::now(), deadline()).unwrap();
    let began = Instant::now();
    while seen().is_some() {
        assert!(began.elapsed() < PATIENCE, "it outlives its time");
    }
    let gone = link.renew(1, Instant::now() + MINUTE, deadline());
    assert_eq!(gone, Err(LinkError::Command(CommandError::NoSuchFault)));
    assert_eq!(seen(), None, "it was brought back");
}

#[test]
fn what_a_fault_holds_leaves_when_it_is_taken_back() {
    let Some(link) = link("flush", &LinkOptions::default()) else { return };
    let (from, to) = (open_udp(link.client()), open_udp(link.server()));
    // Longer than the test waits.
    let delay = fault(r#"{"delay": {"direction": "upstream", "base_ms": 60000}}"#);
    link.impose(1, &delay, 5, Instant::now() + 2 * MINUTE, deadline()).unwrap();
    from.send_to(b"held", to.local_addr().unwrap()).unwrap();
    while link.report(deadline()).unwrap().upstream.held == 0 {}
    link.lift(1, deadline()).unwrap();
    to.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(to.recv(&mut [0; 16]).expect("the packet"), 4);
}

#[test]
fn tcp_gets_through_loss_delay_copies_and_turned_bits() {
    for (congestion_control, kind) in ["cubic", "bbr"].into_iter().zip(KINDS) {
        let options = LinkOptions {
            congestion_control: Some(congestion_control.to_owned()),
            kind,
            ..LinkOptions::default()
        };
        let Some(link) = link("storm", &options) else { return };
        for (key, json) in [
            r#"{"loss": {"direction": "both", "per": "direction", "model": {"bernoulli": {"percent": 2}}}}"#,
            r#"{"delay": {"direction": "both", "per": "direction", "base_ms": 3, "jitter_ms": 3,
                "distribution": "uniform", "reorder": "allow"}}"#,
            r#"{"duplicate": {"direction": "both", "percent": 2}}"#,
            r#"{"corrupt": {"direction": "both", "percent": 1}}"#,
        ]
        .into_iter()
        .enumerate()
        {
            let expires = Instant::now() + MINUTE;
            link.impose(key as u128, &fault(json), 5, expires, deadline()).unwrap();
        }
        transfer(&link, 200_000);
        let (client, server) = connection(&link);
        for socket in [&client, &server] {
            assert_eq!(rustix::net::sockopt::tcp_congestion(socket).unwrap(), congestion_control);
        }
        let report = link.report(deadline()).unwrap();
        let counts = report.upstream.counts;
        assert!(counts.lost > 0 && counts.duplicated > 0 && counts.delayed > 0, "{counts:?}");
    }
}

#[test]
fn a_reset_ends_both_ends_of_a_connection() {
    each("reset", |link| {
        let (mut client, mut server) = connection(&link);
        client.write_all(b"before").unwrap();
        server.read_exact(&mut [0; 6]).unwrap();
        let reset = fault(r#"{"reset": {"direction": "upstream", "percent": 100}}"#);
        link.impose(1, &reset, 5, Instant::now() + MINUTE, deadline()).unwrap();
        client.write_all(b"after").unwrap();
        for socket in [&mut client, &mut server] {
            let error = socket.read(&mut [0; 6]).expect_err("the connection is open");
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn a_link_vanishes_when_it_is_dropped() {
    each("gone", |link| {
        let client = link.client().clone();
        assert_eq!(interfaces(&client).len(), 2);
        drop(link);
        assert_eq!(interfaces(&client), ["lo"]);
    });
}

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Condvar};

use super::*;

/// Long after everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_server_that_dribbles_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Each byte comes long before the timeout, and the page never ends; it stops when it is left.
    let dribble = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let began = Instant::now();
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nworkers 4\n").unwrap();
        while began.elapsed() < 50 * READ_TIMEOUT && stream.write_all(b"#").is_ok() {
            thread::park_timeout(Duration::from_millis(5));
        }
        began.elapsed()
    });
    assert!(Pages::read([address].into_iter()).of(address).is_none());
    assert!(dribble.join().unwrap() < 50 * READ_TIMEOUT, "it was heard to its end");
}

/// How many questions came, wait for their answer, and waited at the same time at most.
#[derive(Debug, Default)]
struct Gauge {
    came: usize,
    wait: usize,
    most: usize,
}

/// An admin server that leaves its question without an answer until `until` have come to all of them.
fn hangs_until(gauge: &Arc<(Mutex<Gauge>, Condvar)>, until: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gauge = Arc::clone(gauge);
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1_024]).unwrap();
        let (lock, changed) = &*gauge;
        let mut gauge = lock.lock().unwrap();
        gauge.came += 1;
        gauge.wait += 1;
        gauge.most = gauge.most.max(gauge.wait);
        changed.notify_all();
        let waited = changed.wait_timeout_while(gauge, PATIENCE, |gauge| gauge.came < until);
        let (mut gauge, waited) = waited.unwrap();
        gauge.wait -= 1;
        drop(gauge);
        if !waited.timed_out() {
            let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\nport {}\n", address.port());
        }
    });
    address
}

#[test]
fn servers_are_read_at_the_same_time_but_not_all_of_many() {
    let gauge = Arc::default();
    // None answers before as many as may be are asked: one after the other, all would time out.
    let admins: Vec<_> = (0..READERS_MAX + 5).map(|_| hangs_until(&gauge, READERS_MAX)).collect();
    let twice = admins.iter().chain(&admins).copied();
    let pages = Pages::read_within(PATIENCE, twice);
    for admin in admins {
        let port = pages.of(admin).and_then(|page| page.sum("port"));
        assert_eq!(port, Some(f64::from(admin.port())));
    }
    let gauge = gauge.0.lock().unwrap();
    assert_eq!((gauge.came, gauge.wait), (READERS_MAX + 5, 0), "each is asked once");
    assert!(gauge.most <= READERS_MAX, "{gauge:?}");
}

#[test]
fn one_that_hangs_takes_no_page_from_the_others() {
    let gauge = Arc::default();
    let hanging: Vec<_> = (0..5).map(|_| hangs_until(&gauge, usize::MAX)).collect();
    let well = hangs_until(&Arc::default(), 1);
    let began = Instant::now();
    let admins = hanging.iter().copied().chain([well]);
    let pages = Pages::read_within(Duration::from_secs(5), admins);
    assert!(hanging.iter().all(|admin| pages.of(*admin).is_none()));
    assert!(pages.of(well).is_some());
    assert!(began.elapsed() < PATIENCE, "it waited for their answer");
}

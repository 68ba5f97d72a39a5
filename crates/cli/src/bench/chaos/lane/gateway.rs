//! A gateway to strike, as a process of its own, and what a client meets at it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::bench::chaos::marked;

/// Below those that the kernel gives by itself (`net.ipv4.ip_local_port_range`).
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;
/// Until a gateway that was started answers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(5);
/// A request whose answer has a body.
pub(in crate::bench::chaos) const PATH: &str = "/api/v1/7/feed";

/// A gateway with one worker, so that what befalls it befalls every request.
pub(in crate::bench::chaos) struct GatewayProcess {
    child: Mutex<Child>,
    pub(in crate::bench::chaos) web: SocketAddr,
    pub(in crate::bench::chaos) admin: SocketAddr,
    upstream: SocketAddr,
}

impl GatewayProcess {
    pub(in crate::bench::chaos) fn start(upstream: SocketAddr) -> anyhow::Result<Self> {
        let (web, admin) = (free_port()?, free_port()?);
        let child = Mutex::new(spawn(web, admin, upstream)?);
        let gateway = Self { child, web, admin, upstream };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    pub(in crate::bench::chaos) fn pid(&self) -> u32 {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Kills it, and starts it again at the same addresses, as whoever supervises it would.
    pub(in crate::bench::chaos) fn kill(&self) -> anyhow::Result<()> {
        {
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            child.kill().context("kill a gateway")?;
            child.wait().context("wait for the end of a gateway")?;
            *child = spawn(self.web, self.admin, self.upstream)?;
        }
        self.wait_until_ready()
    }

    /// Another process may have taken its address for a moment: then it is started again.
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !get(self.web, PATH, PATIENCE).is_ok_and(|answer| answer.status == 200) {
            if Instant::now() >= deadline {
                bail!("a gateway does not come up at {}", self.web);
            }
            let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
            if child.try_wait().context("look after a gateway")?.is_some() {
                *child = spawn(self.web, self.admin, self.upstream)?;
            }
            drop(child);
            thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for GatewayProcess {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// One that the kernel gives nobody who does not ask for it: it must be free again after a kill.
fn free_port() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = (std::process::id() % u32::from(PORTS)) as u16;
    for _ in 0..PORTS {
        let place = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST_PORT + place));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port is free from {FIRST_PORT} to {}", FIRST_PORT + PORTS - 1)
}

fn spawn(web: SocketAddr, admin: SocketAddr, upstream: SocketAddr) -> anyhow::Result<Child> {
    marked(std::env::current_exe().context("find this program")?)
        .args(["run", "--workers", "1", "--allow-faults", "--log-level", "error"])
        .args(["--listen", &web.to_string(), "--admin", &admin.to_string()])
        .args(["--upstream", &format!("http://{upstream}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start a gateway to strike")
}

/// What a client got.
#[derive(Clone, Debug)]
pub(in crate::bench::chaos) struct Answered {
    pub(in crate::bench::chaos) status: u16,
    pub(in crate::bench::chaos) head: String,
    pub(in crate::bench::chaos) body: Vec<u8>,
    /// The body is as long as the head says.
    pub(in crate::bench::chaos) is_whole: bool,
    pub(in crate::bench::chaos) took: Duration,
}

impl Answered {
    /// The value of a field, whose name is given in lower case.
    pub(in crate::bench::chaos) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (this, value) = line.split_once(':')?;
            this.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn length(&self) -> Option<usize> {
        self.field("content-length")?.parse().ok()
    }
}

/// A request over a connection of its own.
pub(in crate::bench::chaos) fn get(
    address: SocketAddr,
    path: &str,
    patience: Duration,
) -> io::Result<Answered> {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n"), patience)
}

/// A request as it is sent.
pub(in crate::bench::chaos) fn ask(
    address: SocketAddr,
    request: &str,
    patience: Duration,
) -> io::Result<Answered> {
    let started = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let mut answered: Option<Answered> = None;
    loop {
        let mut piece = [0; 16 * 1024];
        let read = match stream.read(&mut piece) {
            Ok(read) => read,
            // What had begun is told as far as it came.
            Err(_) if answered.is_some() => 0,
            Err(error) => return Err(error),
        };
        bytes.extend_from_slice(&piece[..read]);
        if answered.is_none() {
            answered = head(&bytes)?;
        }
        if let Some(answer) = &mut answered {
            answer.body = bytes[answer.head.len()..].to_vec();
            answer.is_whole = answer.length().is_some_and(|length| answer.body.len() >= length);
            answer.took = started.elapsed();
            if answer.is_whole || read == 0 {
                return Ok(answer.clone());
            }
        } else if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn head(bytes: &[u8]) -> io::Result<Option<Answered>> {
    let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end + 4]).into_owned();
    let status = head.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let (body, took) = (Vec::new(), Duration::ZERO);
    Ok(Some(Answered { status, head, body, is_whole: false, took }))
}

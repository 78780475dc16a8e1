//! Servers as processes of their own: started on free ports, their CPU time and memory read from `/proc`, ended when dropped.

use crate::outside::addresses;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked how far a server is.
const LOOK: Duration = Duration::from_millis(150);

/// A running server.
pub struct Server {
    child: Child,
    /// Where it takes gRPC.
    pub grpc: SocketAddr,
    /// Where it takes HTTP; only ours does.
    http: Option<SocketAddr>,
}

impl Server {
    /// This program once more, as one of the peers.
    pub fn peer(name: &str) -> Server {
        let this = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(this).arg(name).stdout(Stdio::piped()).spawn().expect("this program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        Server { child, grpc: line.trim().parse().expect("an address"), http: None }
    }

    /// `foreshock serve` with the given rules, its answer dropped.
    pub fn ours(rules: &Path, arguments: &[&str]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_foreshock"))
            .args(["serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--rules"])
            .arg(rules)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (grpc, http) = addresses(&mut stderr, &mut String::new());
        // What else it says is read, so that it never waits for a reader.
        thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Server { child, grpc, http: Some(http) }
    }

    /// CPU time it has used so far, in nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        cpu_ns(self.child.id()).expect("it is running")
    }

    /// The most memory it had so far, in bytes.
    pub fn peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the system says it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    /// Waits until the engine took all points that were accepted; peers have nothing to wait for. It does not ask often: every
    /// answer is work of the server's, too.
    pub fn settle(&self, points: u64) {
        let Some(http) = self.http else { return };
        let since = Instant::now();
        loop {
            thread::sleep(LOOK);
            let text = get(http);
            let taken = number(&text, "foreshock_points_total");
            if taken == points {
                // The instant that was due is judged after the points were taken.
                thread::sleep(Duration::from_millis(30));
                let dropped: u64 = text.lines().filter_map(dropped).sum();
                assert_eq!(dropped, 0, "every point is judged");
                return;
            }
            assert!(taken < points && since.elapsed() < PATIENCE, "{taken} of {points} points were taken");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // When it ended by itself there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of all threads of a process, in nanoseconds; `None` where the system does not say.
pub fn cpu_ns(process: u32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    threads
        .map(|thread| {
            let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        })
        .sum()
}

fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("UTF-8");
    text
}

fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

fn dropped(line: &str) -> Option<u64> {
    line.strip_prefix("foreshock_points_dropped_total{")?.split(' ').next_back()?.parse().ok()
}

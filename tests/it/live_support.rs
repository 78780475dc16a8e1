//! What the tests of the live service share: the binary on free ports, a client for each transport, and recordings as bodies.

#[path = "../../benches/live/outside.rs"]
mod outside;

use crate::cli_support::{Ended, Folder};
use foreshock::model::Export;
use foreshock::recording::{self, Reader};
use outside::{Channel, Raw, addresses};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tonic::Status;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{AsciiMetadataValue, MetadataValue};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running service. It dies with the test.
pub struct Server {
    child: Child,
    pub grpc: SocketAddr,
    pub http: SocketAddr,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Server {
    /// Starts a command on free ports in a folder.
    pub fn start(folder: &Folder, arguments: &str) -> Server {
        let (mut server, stdout) = Server::start_unread(folder, arguments);
        server.stdout = Some(reading(stdout));
        server
    }

    /// The same, with its standard output for the test to read.
    pub fn start_unread(folder: &Folder, arguments: &str) -> (Server, ChildStdout) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_foreshock"))
            .args(arguments.split_whitespace())
            .args(["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        let (grpc, http) = addresses(&mut stderr, &mut said);
        let rest = reading(stderr);
        let stderr = thread::spawn(move || said + &rest.join().expect("a reader"));
        (Server { child, grpc, http, stdout: None, stderr: Some(stderr) }, stdout)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }

    /// Ends it as an operator does.
    pub fn stop(self) -> Ended {
        self.signal(rustix::process::Signal::TERM);
        self.end()
    }

    /// Ends it as a crash does.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ended");
        self.stdout.take().expect("once").join().expect("a reader")
    }

    /// Waits for its end.
    pub fn end(mut self) -> Ended {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                break status;
            }
            assert!(since.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        Ended {
            code: status.code().unwrap_or(-1),
            stdout: self.stdout.take().map(|reader| reader.join().expect("a reader")).unwrap_or_default(),
            stderr: self.stderr.take().expect("once").join().expect("a reader"),
        }
    }

    /// The most memory it had so far, in bytes; `None` where the system does not say.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
    }

    /// A number of `/metrics`, named with its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = Http::connect(self.http).get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
    }

    /// Waits until a number of `/metrics` is that.
    pub fn wait_for(&self, name: &str, value: f64) {
        let since = Instant::now();
        loop {
            let now = self.metric(name);
            if now == value {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{name} stays {now}, not {value}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // When the test ended it there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reading(mut source: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        source.read_to_string(&mut text).expect("UTF-8");
        text
    })
}

/// An HTTP/1.1 connection.
pub struct Http {
    stream: BufReader<TcpStream>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Lower-case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Http {
    pub fn connect(address: SocketAddr) -> Http {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("no delay");
        Http { stream: BufReader::new(stream) }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, "", &[])
    }

    /// Posts metrics. `headers` are whole lines.
    pub fn post(&mut self, headers: &str, body: &[u8]) -> Answer {
        self.request("POST", "/v1/metrics", headers, body)
    }

    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        self.send(method, path, headers, body).expect("it takes the request");
        self.answer().expect("it answers")
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> std::io::Result<()> {
        let length = body.len();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n").into_bytes();
        for line in headers.lines() {
            request.extend_from_slice(line.trim().as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request)
    }

    /// Reads an answer.
    pub fn answer(&mut self) -> std::io::Result<Answer> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        let head = head.to_lowercase();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, head, body })
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// True once the other side has closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A gRPC connection.
pub struct Grpc {
    runtime: tokio::runtime::Runtime,
    client: tonic::client::Grpc<Channel>,
    token: Option<AsciiMetadataValue>,
}

pub const EXPORT: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

impl Grpc {
    pub fn connect(address: SocketAddr, compression: Option<CompressionEncoding>) -> Grpc {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let channel = runtime.block_on(Channel::connect(address, PATIENCE)).expect("it listens");
        let client = tonic::client::Grpc::new(channel).max_encoding_message_size(usize::MAX);
        let client = match compression {
            Some(encoding) => client.send_compressed(encoding),
            None => client,
        };
        Grpc { runtime, client, token: None }
    }

    pub fn with_token(mut self, token: &str) -> Grpc {
        self.token = Some(MetadataValue::try_from(format!("Bearer {token}")).expect("ASCII"));
        self
    }

    pub fn export(&mut self, body: &[u8]) -> Result<Vec<u8>, Status> {
        self.call(EXPORT, body)
    }

    pub fn call(&mut self, path: &'static str, body: &[u8]) -> Result<Vec<u8>, Status> {
        let mut request = tonic::Request::new(body.to_vec());
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        let client = &mut self.client;
        self.runtime.block_on(async {
            client.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
            let answer = client.unary(request, PathAndQuery::from_static(path), Raw).await?;
            Ok(answer.into_inner())
        })
    }
}

/// A kept recording.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/recordings").join(name)
}

/// The bodies of a recording, as protobuf.
pub fn bodies(path: &Path) -> Vec<Vec<u8>> {
    let file = File::open(path).expect("a recording");
    let source = recording::Source { name: path.display().to_string(), size: None, reader: Box::new(file) };
    let mut reader = Reader::open(vec![source]).expect("a known form");
    let (mut export, mut bodies) = (Export::default(), Vec::new());
    while let Some(arrival) = reader.next(&mut export) {
        if !arrival.is_tick {
            bodies.push(export.payload.to_vec());
        }
    }
    // A crash may leave a torn end; nothing else may be wrong.
    assert_eq!(reader.damage_count(), 0);
    bodies
}

/// A body as OTLP/JSON.
pub fn json(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    foreshock::otlp::to_json(body, &mut text).expect("a body");
    text
}

/// The protobuf of an OTLP/JSON text.
pub fn protobuf(json: &str) -> Vec<u8> {
    let mut body = Vec::new();
    foreshock::otlp::transcribe(json.as_bytes(), &mut body).expect("OTLP/JSON");
    body
}

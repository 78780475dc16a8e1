//! What `serve`, `record` and `run` share: the options of receiving, the ports, the recording, and the two threads: sockets on one of
//! their own, the work on this one.

use super::evaluation::{Head, Words};
use super::exit::ExitStatus;
use super::output::Terminal;
use super::recordings::write_error;
use super::values::{nanos, size, span};
use crate::clock::{self, Clock};
use crate::engine::Timestamps;
use crate::model::Nanos;
use crate::receive::{
    self, EndOfService, IngestService, InputStream, Limits, ReceiveOptions, RecordingEvent, RecordingWriter, Server,
    ShutdownTrigger, Tokens,
};
use crate::recording::{LiveRecording, LiveRecordingOptions, MESSAGE_LIMIT};
use anyhow::{Context, Error, Result, anyhow, bail};
use clap::ValueEnum;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Options of every command that receives.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Receiving")]
pub(super) struct ReceivingArgs {
    /// Address of OTLP/gRPC; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    grpc: String,
    /// Address of OTLP/HTTP (POST /v1/metrics), with /healthz, /readyz and /metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    http: String,
    /// Require one of the bearer tokens in this file, one a line
    #[arg(long, value_name = "FILE")]
    auth_token_file: Option<PathBuf>,
    /// Time limit of the shutdown after the first signal
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = span)]
    shutdown_timeout: Duration,
    #[command(flatten)]
    limits: LimitArgs,
}

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Largest export, after decompression
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = size)]
    max_message_size: u64,
    /// Bytes held between the sockets and the engine; clients are asked to wait beyond
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    inbox_size: u64,
    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,
    /// Most requests at a time
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_requests: u32,
    /// Time limit of the first request of a connection
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = span)]
    header_timeout: Duration,
    /// Time limit of receiving a request
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = span)]
    request_timeout: Duration,
    /// Time limit of a connection without a request
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = span)]
    idle_timeout: Duration,
    /// Most attributes of a resource or of a data point
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    max_attributes: u32,
    /// Most bytes of all attributes of a resource or of a data point, and of a name
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = size)]
    max_attribute_bytes: u64,
}

/// Options of a recording that is made while it happens.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Recording")]
pub(super) struct KeepingArgs {
    /// Begin another file at this size; the finished one gets the time into its name
    #[arg(long, value_name = "SIZE", value_parser = size)]
    record_max_size: Option<u64>,
    /// Begin another file at this age
    #[arg(long, value_name = "DURATION", value_parser = span)]
    record_max_age: Option<Duration>,
    /// When received data is written to disk
    #[arg(long, value_name = "WHEN", default_value = "second")]
    record_sync: Sync,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sync {
    /// Before each response: nothing that was acknowledged is lost
    Each,
    /// When the system does; written at least once a second
    Second,
}

/// What the receive time is taken from.
pub(super) const CLOCKS: &Words<Clock> = &[
    ("wall", Clock::Wall, "The wall clock"),
    ("data", Clock::Data, "The times of the data points, as for recordings of others: for back-fills"),
];

/// What a command does with what is received.
pub(super) struct Receiving<'a> {
    pub(super) args: &'a ReceivingArgs,
    pub(super) clock: Clock,
    /// How points are evaluated; `None` when they are only recorded.
    pub(super) timestamps: Option<Timestamps>,
    /// How often somebody has to look at what arrived.
    pub(super) step: Nanos,
    pub(super) recording: Option<Recording<'a>>,
}

/// Where what is received is kept.
pub(super) struct Recording<'a> {
    pub(super) path: &'a Path,
    pub(super) head: Head,
    pub(super) args: &'a KeepingArgs,
}

impl Recording<'_> {
    /// Begins it.
    fn open(self) -> Result<RecordingWriter> {
        let options = LiveRecordingOptions {
            head: self.head.text(),
            is_synced: self.args.record_sync == Sync::Each,
            most_bytes: self.args.record_max_size,
            longest: self.args.record_max_age.map(nanos),
        };
        let to = self.path.display().to_string();
        let recording = LiveRecording::open(self.path, options, clock::now());
        let mut recording = recording.map_err(|error| write_error(&to, error))?;
        Ok(Box::new(move |event| {
            let result = match event {
                RecordingEvent::Export { received_at, payload } => recording.append(received_at, payload),
                RecordingEvent::Sync(sync) => recording.sync().map(|job| sync.set(Some(Box::new(job)))),
                RecordingEvent::Flush => recording.flush(clock::now()),
                RecordingEvent::End { received_at } => recording.end(received_at),
            };
            result.map_err(|error| io::Error::other(format!("{to}: {error}")))
        }))
    }
}

impl Receiving<'_> {
    /// Opens the ports, and begins the recording.
    pub(super) fn open(self) -> Result<Open> {
        let tokens = self.args.tokens()?;
        let limits = self.args.limits.resolve()?;
        let (grpc, grpc_listener) = bind(&self.args.grpc)?;
        let (http, http_listener) = bind(&self.args.http)?;
        let timeout = self.args.shutdown_timeout;
        let needs_token = tokens.are_required();
        let options = ReceiveOptions {
            limits,
            tokens,
            clock: self.clock,
            timestamps: self.timestamps,
            sync_each: self.recording.as_ref().is_some_and(|recording| recording.args.record_sync == Sync::Each),
            recording: self.recording.map(Recording::open).transpose()?,
        };
        let (ingest, inputs) = receive::open(options, self.step);
        Ok(Open { grpc_listener, http_listener, ingest, inputs, timeout, grpc, http, needs_token })
    }
}

/// Open ports that nobody answers on yet.
pub(super) struct Open {
    grpc_listener: TcpListener,
    http_listener: TcpListener,
    ingest: Arc<IngestService>,
    inputs: InputStream,
    timeout: Duration,
    pub(super) grpc: SocketAddr,
    pub(super) http: SocketAddr,
    needs_token: bool,
}

impl Open {
    /// Receives on a thread of its own while `work` takes what is received, until the trigger and until everything is done.
    pub(super) fn run(
        self,
        trigger: ShutdownTrigger,
        terminal: Terminal,
        work: impl FnOnce(&IngestService, InputStream),
    ) -> Result<()> {
        let ingest = Arc::clone(&self.ingest);
        // Until another trigger somebody else speaks to the clients.
        let is_service = matches!(trigger, ShutdownTrigger::Signal);
        let receive = move || {
            let server = Server {
                grpc: self.grpc_listener,
                http: self.http_listener,
                trigger,
                shutdown_timeout: self.timeout,
                ready: &|| {
                    if is_service {
                        announce(&[self.grpc, self.http], self.needs_token, terminal);
                    }
                },
                warn: &|line| terminal.warn(line),
            };
            exit_unless_finished(receive::serve(server, &self.ingest)?, terminal);
            Ok::<(), io::Error>(())
        };
        let failed = "cannot receive any more";
        let receiving = thread::Builder::new().name("receive".into()).spawn(receive).context(failed)?;
        work(&ingest, self.inputs);
        receiving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).context(failed)?;
        ingest.recording_error().map_or(Ok(()), |message| Err(Error::msg(message).context(failed)))
    }
}

/// Ends the process when it must not wait for the engine any more.
fn exit_unless_finished(end: EndOfService, terminal: Terminal) {
    let (code, why) = match end {
        EndOfService::Finished => return,
        EndOfService::TimedOut => {
            (ExitStatus::Inconclusive.code().into(), "the shutdown took longer than --shutdown-timeout")
        }
        EndOfService::Interrupted(signal) => (128 + signal, "second signal"),
    };
    terminal.warn(&format!("{why}: what was accepted last may not have been evaluated"));
    #[allow(clippy::disallowed_methods, reason = "the other thread may be waiting for ever, and nothing is buffered")]
    std::process::exit(code);
}

impl ReceivingArgs {
    /// For a command that sets the variables of its clients itself.
    pub(super) fn on_free_ports(limits: &LimitArgs, shutdown_timeout: Duration) -> Self {
        let free = || "127.0.0.1:0".to_string();
        ReceivingArgs { grpc: free(), http: free(), auth_token_file: None, shutdown_timeout, limits: limits.clone() }
    }

    fn tokens(&self) -> Result<Tokens> {
        let Some(path) = &self.auth_token_file else { return Ok(Tokens::default()) };
        let unusable = || anyhow!("there is no token in it, or one with blanks or other characters than ASCII");
        let text = fs::read_to_string(path).map_err(Error::new);
        text.and_then(|text| Tokens::parse(&text).ok_or_else(unusable))
            .map_err(|error| anyhow!("cannot use the tokens in {}: {error}; write one a line", path.display()))
    }
}

fn bind(address: &str) -> Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
    listener.map_err(|error| anyhow!("cannot listen on {address}: {error}; name a free port, or port 0 for any"))
}

impl LimitArgs {
    fn resolve(&self) -> Result<Limits> {
        if self.max_message_size > MESSAGE_LIMIT as u64 {
            bail!("--max-message-size is at most {MESSAGE_LIMIT} bytes");
        }
        if self.inbox_size < 2 * self.max_message_size {
            bail!("--inbox-size must hold two messages of --max-message-size at least");
        }
        Ok(Limits {
            message_bytes: self.max_message_size as usize,
            inbox_bytes: self.inbox_size as usize,
            connections: self.max_connections as usize,
            requests: self.max_requests as usize,
            header_timeout: self.header_timeout,
            request_timeout: self.request_timeout,
            idle_timeout: self.idle_timeout,
            attributes: self.max_attributes as usize,
            attribute_bytes: self.max_attribute_bytes as usize,
        })
    }
}

/// Prints what clients need, and warns when others than this machine can send.
fn announce([grpc, http]: &[SocketAddr; 2], needs_token: bool, terminal: Terminal) {
    let exposed = [grpc, http].into_iter().find(|address| !address.ip().is_loopback());
    if let (Some(open), false) = (exposed, needs_token) {
        terminal.warn(&format!(
            "{open} can be reached from other machines and asks for no token; use --auth-token-file, or a loopback address"
        ));
    }
    let endpoint = |address: &SocketAddr| match address.ip().is_unspecified() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    };
    let header = if needs_token { "\n  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN" } else { "" };
    terminal.note(&format!(
        "OTLP/gRPC on {grpc}, OTLP/HTTP on {http}. A service needs, for gRPC or for HTTP:
  OTEL_METRICS_EXPORTER=otlp
  OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_ENDPOINT={}
  OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT={}
  OTEL_METRIC_EXPORT_INTERVAL=10000{header}",
        endpoint(grpc),
        endpoint(http),
    ));
}

//! The life of the service: ports open, connections, housekeeping, what ends it, and how it ends.
//!
//! A signal, or another trigger, stops accepting; requests that are there get their response, the queue is closed, and the engine
//! finishes. The next signal ends at once, and so does the shutdown's own time-out.

use super::connection::Connections;
use super::ingest::IngestService;
use super::limits::MemoryBudget;
use super::telemetry::Transport;
use super::{grpc, http};
use crate::clock::monotonic;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, timeout_at};
use tonic_health::ServingStatus;

/// How often a recording is written out and warnings are looked at. Half of what a crash may take.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// A connection that was made a moment ago is seen after this time.
const ON_ITS_WAY: Duration = Duration::from_millis(25);

/// How to serve.
pub struct Server<'a> {
    /// The bound port for gRPC.
    pub grpc: TcpListener,
    /// The bound port for HTTP.
    pub http: TcpListener,
    /// Until when.
    pub trigger: ShutdownTrigger,
    /// How long the end may take.
    pub shutdown_timeout: Duration,
    /// Called once signals are handled and the ports are served.
    pub ready: &'a dyn Fn(),
    /// Gets the lines for standard error.
    pub warn: &'a dyn Fn(&str),
}

/// What ends the service.
pub enum ShutdownTrigger {
    /// SIGINT or SIGTERM.
    Signal,
    /// Something else, which is what signals are for until then.
    Other {
        /// Resolves when it is time, or when its sender is gone.
        ended: oneshot::Receiver<()>,
        /// How long a client that is still connected then may go on; a signal cuts it short.
        linger: Duration,
    },
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfService {
    /// Everything accepted was handed on and taken.
    Finished,
    /// The time for the shutdown was over before that.
    TimedOut,
    /// A second signal came before that; its number.
    Interrupted(i32),
}

/// Serves until the trigger, the recording cannot be written, or nobody takes the exports any more.
pub fn serve(server: Server<'_>, ingest: &Arc<IngestService>) -> io::Result<EndOfService> {
    let _close = CloseOnDrop(ingest);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(server, ingest))
}

/// Whatever happens, the engine does not wait for ever.
struct CloseOnDrop<'a>(&'a IngestService);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

async fn run(server: Server<'_>, ingest: &Arc<IngestService>) -> io::Result<EndOfService> {
    let Server { trigger, shutdown_timeout, ready, warn, .. } = server;
    let (stop, stopped) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(ingest.limits.connections.min(Semaphore::MAX_PERMITS)));
    let windows = MemoryBudget::new(ingest.limits.inbox_bytes);
    let connections = Connections {
        ingest: Arc::clone(ingest),
        permits: Arc::clone(&permits),
        windows,
        stop: stopped,
        _alive: alive,
    };
    let listen = |listener: TcpListener| {
        listener.set_nonblocking(true)?;
        tokio::net::TcpListener::from_std(listener)
    };
    let (grpc_service, health) = grpc::service(Arc::clone(ingest));
    health.set_service_status(grpc::SERVICE, ServingStatus::Serving).await;
    tokio::spawn(connections.clone().accept(listen(server.grpc)?, Transport::Grpc, grpc_service));
    tokio::spawn(connections.accept(listen(server.http)?, Transport::Http, http::router(Arc::clone(ingest))));
    let recording = Arc::clone(ingest);
    tokio::spawn(async move {
        if let Some(recorder) = &recording.recorder {
            recorder.run(&recording.queue).await;
        }
    });
    let mut signals = wait(trigger, ingest, &permits, ready, warn).await?;

    let deadline = monotonic() + shutdown_timeout;
    ingest.stop(deadline);
    for name in ["", grpc::SERVICE] {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Nobody listens for this only when every port and connection is gone already.
    let _ = stop.send(true);
    let requests_until = monotonic() + shutdown_timeout / 2;
    let end = tokio::select! {
        end = finish(ingest, &mut all_gone, requests_until, deadline) => end,
        signal = signals.next() => EndOfService::Interrupted(signal),
    };
    ingest.queue.close();
    ingest.warnings(true).iter().for_each(|line| warn(line));
    Ok(end)
}

/// Waits until it is time to end. Gives back what receives the signals from then on.
async fn wait(
    trigger: ShutdownTrigger,
    ingest: &IngestService,
    permits: &Semaphore,
    ready: &dyn Fn(),
    warn: &dyn Fn(&str),
) -> io::Result<SignalReceiver> {
    match trigger {
        ShutdownTrigger::Signal => {
            let mut signals = SignalReceiver::new()?;
            ready();
            keep_house_until(signals.next(), ingest, warn).await;
            Ok(signals)
        }
        ShutdownTrigger::Other { ended, linger } => {
            ready();
            keep_house_until(ended, ingest, warn).await;
            // Made only now: signals that came before were not for the service.
            let mut signals = SignalReceiver::new()?;
            if ingest.is_ready() {
                let quiet = async {
                    tokio::select! {
                        () = no_connection(permits, ingest.limits.connections) => {}
                        _ = signals.next() => {}
                        () = tokio::time::sleep(linger) => {}
                    }
                };
                keep_house_until(quiet, ingest, warn).await;
            }
            Ok(signals)
        }
    }
}

/// Keeps house until the end comes, or there is another reason to end.
async fn keep_house_until(end: impl Future, ingest: &IngestService, warn: &dyn Fn(&str)) {
    let mut end = pin!(end);
    let mut engine_done = pin!(ingest.queue.engine_done());
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut end => return,
            () = &mut engine_done => return,
            _ = housekeeping.tick() => {
                ingest.queue.flush();
                ingest.warnings(false).iter().for_each(|line| warn(line));
                if ingest.recording_error().is_some() {
                    return;
                }
            }
        }
    }
}

/// Waits until no connection is open, and for a moment in which one that is on its way would be accepted.
async fn no_connection(permits: &Semaphore, limit: usize) {
    let limit = limit.min(Semaphore::MAX_PERMITS);
    let mut free_before = false;
    loop {
        tokio::time::sleep(ON_ITS_WAY).await;
        let is_free = permits.available_permits() == limit;
        if is_free && free_before {
            return;
        }
        free_before = is_free;
    }
}

/// Lets requests end, closes the queue, and waits for the engine.
async fn finish(
    ingest: &IngestService,
    all_gone: &mut mpsc::Receiver<()>,
    requests_until: Instant,
    deadline: Instant,
) -> EndOfService {
    // Connections whose requests do not end in time are cut; what they would have sent was never acknowledged.
    let _ = timeout_at(requests_until.into(), all_gone.recv()).await;
    ingest.queue.close();
    match timeout_at(deadline.into(), ingest.queue.engine_done()).await {
        Ok(()) => EndOfService::Finished,
        Err(_) => EndOfService::TimedOut,
    }
}

/// The signals that end the service.
struct SignalReceiver {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

impl SignalReceiver {
    fn new() -> io::Result<Self> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(SignalReceiver {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(windows)]
            interrupt: tokio::signal::windows::ctrl_c()?,
        })
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        #[cfg(unix)]
        let terminate = self.terminate.recv();
        #[cfg(windows)]
        let terminate = std::future::pending::<()>();
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = terminate => 15,
        }
    }
}

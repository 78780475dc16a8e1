//! The life of the service: ports open, connections, housekeeping, the end.

use super::connection::Connections;
use super::ingest::IngestService;
use super::limits::MemoryBudget;
use super::shutdown::{self, EndOfService, ShutdownTrigger};
use super::telemetry::Transport;
use super::{grpc, http};
use crate::clock::monotonic;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tonic_health::ServingStatus;

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
    let mut signals = shutdown::wait(trigger, ingest, &permits, ready, warn).await?;

    let deadline = monotonic() + shutdown_timeout;
    ingest.stop(deadline);
    for name in ["", grpc::SERVICE] {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Nobody listens for this only when every port and connection is gone already.
    let _ = stop.send(true);
    let requests_until = monotonic() + shutdown_timeout / 2;
    let end = tokio::select! {
        end = shutdown::finish(ingest, &mut all_gone, requests_until, deadline) => end,
        signal = signals.next() => EndOfService::Interrupted(signal),
    };
    ingest.queue.close();
    ingest.warnings(true).iter().for_each(|line| warn(line));
    Ok(end)
}

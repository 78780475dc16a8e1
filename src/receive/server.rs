//! The life of the service: ports open, connections, housekeeping, the end.

use super::connection::Port;
use super::ingest::IngestService;
use super::limits::FlowControlBudget;
use super::shutdown::{self, EndOfService, ServerCallbacks, ShutdownTrigger};
use super::telemetry::Transport;
use super::{grpc, http};
use crate::clock::monotonic;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tonic_health::ServingStatus;

/// Bound ports.
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For HTTP.
    pub http: TcpListener,
}

/// How to serve.
pub struct Server<'a> {
    /// Where.
    pub listeners: Listeners,
    /// Until when.
    pub trigger: ShutdownTrigger,
    /// How long the end may take.
    pub shutdown_timeout: Duration,
    /// What is called meanwhile.
    pub callbacks: ServerCallbacks<'a>,
}

/// Serves until the trigger, the recording cannot be written, or nobody takes the exports any more.
pub fn serve(server: Server<'_>, ingest: &Arc<IngestService>) -> io::Result<EndOfService> {
    let closing = CloseOnDrop(ingest);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = runtime.block_on(run(server, ingest));
    drop(closing);
    end
}

/// Whatever happens, the engine does not wait for ever.
struct CloseOnDrop<'a>(&'a IngestService);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

async fn run(server: Server<'_>, ingest: &Arc<IngestService>) -> io::Result<EndOfService> {
    let Server { listeners, trigger, shutdown_timeout, callbacks } = server;
    let (stop, stopped) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(ingest.limits.connections.min(Semaphore::MAX_PERMITS)));
    let windows = FlowControlBudget::new(ingest.limits.inbox_bytes);
    let port = |listener: TcpListener, transport| {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (ingest, permits, windows) = (Arc::clone(ingest), Arc::clone(&permits), Arc::clone(&windows));
        let (stop, alive) = (stopped.clone(), alive.clone());
        Ok::<Port, io::Error>(Port { listener, transport, ingest, permits, windows, stop, alive })
    };
    let (grpc_service, health) = grpc::service(Arc::clone(ingest));
    health.set_service_status(grpc::SERVICE, ServingStatus::Serving).await;
    tokio::spawn(port(listeners.grpc, Transport::Grpc)?.accept(grpc_service));
    tokio::spawn(port(listeners.http, Transport::Http)?.accept(http::router(Arc::clone(ingest))));
    drop(alive);
    let recording = Arc::clone(ingest);
    tokio::spawn(async move {
        if let Some(recorder) = &recording.recorder {
            recorder.run(&recording.queue).await;
        }
    });
    let mut signals = shutdown::wait(trigger, ingest, &permits, callbacks).await?;

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
    ingest.warnings(true).iter().for_each(|line| (callbacks.warn)(line));
    Ok(end)
}

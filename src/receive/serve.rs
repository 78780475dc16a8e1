//! The life of the service: ports open, signals, the end.
//!
//! The first signal stops accepting; requests that are there are answered, the inbox is closed, and the engine finishes. The
//! second one ends at once, and so does the shutdown's own time-out.

use super::connection::Port;
use super::counters::Transport;
use super::reception::Reception;
use super::{grpc, http};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, timeout_at};
use tonic_health::ServingStatus;

/// How often a recording is written out and complaints are looked at. Half of what a crash may take.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// Bound ports.
pub struct Listeners {
    /// For gRPC.
    pub grpc: TcpListener,
    /// For HTTP.
    pub http: TcpListener,
}

/// Whom the service tells.
#[derive(Clone, Copy)]
pub struct Hearer<'a> {
    /// Called once signals are heard and the ports answer.
    pub ready: &'a dyn Fn(),
    /// Gets the lines for standard error.
    pub say: &'a dyn Fn(&str),
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything accepted was handed on and taken.
    Finished,
    /// The time for the shutdown was over before that.
    TimedOut,
    /// A second signal came before that; its number.
    Interrupted(i32),
}

/// Serves until a signal comes, the recording breaks, or nobody takes the arrivals any more.
pub fn serve(
    listeners: Listeners,
    reception: &Arc<Reception>,
    shutdown_timeout: Duration,
    hearer: Hearer<'_>,
) -> io::Result<Ending> {
    let closing = Closing(reception);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(run(listeners, reception, shutdown_timeout, hearer));
    drop(closing);
    ending
}

/// Whatever happens, the engine does not wait for ever.
struct Closing<'a>(&'a Reception);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.inbox.close();
    }
}

async fn run(
    listeners: Listeners,
    reception: &Arc<Reception>,
    shutdown_timeout: Duration,
    hearer: Hearer<'_>,
) -> io::Result<Ending> {
    let mut signals = Signals::new()?;
    let (stop, stopped) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(reception.limits.connections.min(Semaphore::MAX_PERMITS)));
    let (grpc_router, health) = grpc::router(Arc::clone(reception));
    health.set_service_status(grpc::SERVICE, ServingStatus::Serving).await;
    let ports = [
        (listeners.grpc, Transport::Grpc, grpc_router),
        (listeners.http, Transport::Http, http::router(Arc::clone(reception))),
    ];
    for (listener, transport, router) in ports {
        listener.set_nonblocking(true)?;
        let port = Port {
            listener: tokio::net::TcpListener::from_std(listener)?,
            transport,
            router,
            reception: Arc::clone(reception),
            permits: Arc::clone(&permits),
            stop: stopped.clone(),
            alive: alive.clone(),
        };
        tokio::spawn(port.accept());
    }
    drop(alive);
    (hearer.ready)();
    housekeeping_until_the_end(reception, &mut signals, hearer.say).await;

    let deadline = Instant::now() + shutdown_timeout;
    reception.stop();
    for name in ["", grpc::SERVICE] {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Nobody listens for this only when every port and connection is gone already.
    let _ = stop.send(true);
    let ending = tokio::select! {
        ending = finish(reception, &mut all_gone, (Instant::now() + shutdown_timeout / 2, deadline)) => ending,
        signal = signals.next() => Ending::Interrupted(signal),
    };
    reception.inbox.close();
    reception.complaints(true).iter().for_each(|line| (hearer.say)(line));
    Ok(ending)
}

/// Keeps house until there is a reason to end.
async fn housekeeping_until_the_end(reception: &Reception, signals: &mut Signals, say: &dyn Fn(&str)) {
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = signals.next() => return,
            () = reception.engine_done_now.notified() => return,
            _ = housekeeping.tick() => {
                reception.inbox.flush();
                reception.complaints(false).iter().for_each(|line| say(line));
                if reception.broken().is_some() {
                    return;
                }
            }
        }
    }
}

/// Lets requests end, closes the inbox, and waits for the engine.
async fn finish(
    reception: &Reception,
    all_gone: &mut mpsc::Receiver<()>,
    (requests_until, deadline): (Instant, Instant),
) -> Ending {
    // Connections whose requests do not end in time are cut; what they would have sent was never acknowledged.
    let _ = timeout_at(requests_until, all_gone.recv()).await;
    reception.inbox.close();
    while !reception.engine_is_done_already() {
        if timeout_at(deadline, reception.engine_done_now.notified()).await.is_err() {
            return Ending::TimedOut;
        }
    }
    Ending::Finished
}

/// The signals that end the service.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The number of the next one.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
        }
    }
}

/// The signals that end the service.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Signals)
    }

    /// The number an interrupt has elsewhere.
    async fn next(&mut self) -> i32 {
        // Without a way to hear of it there is none.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        2
    }
}

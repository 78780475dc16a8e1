//! The life of the service: ports open, signals, the end.
//!
//! A signal, or whoever has told the service when to end, stops accepting; requests that are there are answered, the inbox is
//! closed, and the engine finishes. The next signal ends at once, and so does the shutdown's own time-out.

use super::connection::Port;
use super::counters::Transport;
use super::reception::Reception;
use super::windows::Windows;
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

/// How often a recording is written out and complaints are looked at. Half of what a crash may take.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// A connection that was made a moment ago is seen after this time.
const ON_ITS_WAY: Duration = Duration::from_millis(25);

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

/// What ends the service.
pub enum Ends {
    /// SIGINT or SIGTERM.
    AtSignal,
    /// Something else, which is what signals are for until then.
    WhenTold {
        /// Resolves when it is time, or when nobody is there any more who could say so.
        told: oneshot::Receiver<()>,
        /// How long a sender that is still connected then may go on; a signal cuts it short.
        linger: Duration,
    },
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

/// How to serve.
pub struct Service<'a> {
    /// Where.
    pub listeners: Listeners,
    /// Until when.
    pub ends: Ends,
    /// How long the end may take.
    pub shutdown_timeout: Duration,
    /// Whom to tell.
    pub hearer: Hearer<'a>,
}

/// Serves until it is to end, the recording breaks, or nobody takes the arrivals any more.
pub fn serve(service: Service<'_>, reception: &Arc<Reception>) -> io::Result<Ending> {
    let closing = Closing(reception);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ending = runtime.block_on(run(service, reception));
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

async fn run(service: Service<'_>, reception: &Arc<Reception>) -> io::Result<Ending> {
    let Service { listeners, ends, shutdown_timeout, hearer } = service;
    let (stop, stopped) = watch::channel(false);
    let (alive, mut all_gone) = mpsc::channel(1);
    let permits = Arc::new(Semaphore::new(reception.limits.connections.min(Semaphore::MAX_PERMITS)));
    let windows = Windows::new(reception.limits.inbox_bytes);
    let (grpc_router, health) = grpc::router();
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
            windows: Arc::clone(&windows),
            stop: stopped.clone(),
            alive: alive.clone(),
        };
        tokio::spawn(port.accept());
    }
    drop(alive);
    if reception.recorder.is_some() {
        let reception = Arc::clone(reception);
        tokio::spawn(async move {
            if let Some(recorder) = &reception.recorder {
                recorder.run(&reception.inbox).await;
            }
        });
    }
    let mut signals = until_the_end(ends, reception, &permits, hearer).await?;

    let deadline = monotonic() + shutdown_timeout;
    reception.stop(deadline);
    for name in ["", grpc::SERVICE] {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
    // Nobody listens for this only when every port and connection is gone already.
    let _ = stop.send(true);
    let ending = tokio::select! {
        ending = finish(reception, &mut all_gone, (monotonic() + shutdown_timeout / 2, deadline)) => ending,
        signal = signals.next() => Ending::Interrupted(signal),
    };
    reception.inbox.close();
    reception.complaints(true).iter().for_each(|line| (hearer.say)(line));
    Ok(ending)
}

/// Serves until it is time to end. Gives back who hears the signals from then on.
async fn until_the_end(
    ends: Ends,
    reception: &Reception,
    permits: &Semaphore,
    hearer: Hearer<'_>,
) -> io::Result<Signals> {
    match ends {
        Ends::AtSignal => {
            let mut signals = Signals::new()?;
            (hearer.ready)();
            let signal = async {
                signals.next().await;
            };
            keep_house_until(signal, reception, hearer.say).await;
            Ok(signals)
        }
        Ends::WhenTold { told, linger } => {
            (hearer.ready)();
            // That nobody is there any more who could say so is an end as well.
            keep_house_until(async { drop(told.await) }, reception, hearer.say).await;
            // Made only now: signals that came before were not for the service.
            let mut signals = Signals::new()?;
            if reception.is_ready() {
                let quiet = async {
                    tokio::select! {
                        () = no_connection(permits, reception.limits.connections) => {}
                        _ = signals.next() => {}
                        () = tokio::time::sleep(linger) => {}
                    }
                };
                keep_house_until(quiet, reception, hearer.say).await;
            }
            Ok(signals)
        }
    }
}

/// Keeps house until the end comes, or there is another reason to end.
async fn keep_house_until(end: impl Future<Output = ()>, reception: &Reception, say: &dyn Fn(&str)) {
    let mut end = pin!(end);
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut end => return,
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

/// Lets requests end, closes the inbox, and waits for the engine.
async fn finish(
    reception: &Reception,
    all_gone: &mut mpsc::Receiver<()>,
    (requests_until, deadline): (Instant, Instant),
) -> Ending {
    // Connections whose requests do not end in time are cut; what they would have sent was never acknowledged.
    let _ = timeout_at(requests_until.into(), all_gone.recv()).await;
    reception.inbox.close();
    while !reception.engine_is_done_already() {
        if timeout_at(deadline.into(), reception.engine_done_now.notified()).await.is_err() {
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

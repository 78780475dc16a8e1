//! What ends the service, and how it ends.
//!
//! A signal, or another trigger, stops accepting; requests that are there get their response, the queue is closed, and the engine
//! finishes. The next signal ends at once, and so does the shutdown's own time-out.

use super::ingest::IngestService;
use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{MissedTickBehavior, timeout_at};

/// How often a recording is written out and warnings are looked at. Half of what a crash may take.
const HOUSEKEEPING: Duration = Duration::from_millis(500);

/// A connection that was made a moment ago is seen after this time.
const ON_ITS_WAY: Duration = Duration::from_millis(25);

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

/// Waits until it is time to end. Gives back what receives the signals from then on.
pub(super) async fn wait(
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
pub(super) async fn finish(
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
pub(super) struct SignalReceiver {
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
    pub(super) async fn next(&mut self) -> i32 {
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

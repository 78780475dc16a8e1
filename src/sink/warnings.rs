//! Warnings of what goes wrong with a sink: at once the first time, then at most once a minute for each sink and kind of trouble,
//! with the number since.
//!
//! Invariant: to warn never waits. A thread of its own writes, because the engine must not wait for standard error and a sink's
//! thread may be stuck in the very trouble. What finds that thread busy is not written, but counted all the same where the sinks
//! count.

use super::queue::{Bounds, Loss};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a trouble is reported.
const INTERVAL: Duration = Duration::from_secs(60);
/// Warnings that may wait to be written.
const MAX_WAITING: usize = 256;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SinkTrouble {
    /// An attempt failed and is made again.
    Retrying,
    /// An event is lost.
    Lost(Loss),
}

/// What a warning names beside the trouble.
#[derive(Debug)]
pub(super) struct SinkLimits {
    pub sink: String,
    pub bounds: Bounds,
    pub retry_for: Duration,
}

/// Where one sink's troubles are reported.
#[derive(Clone)]
pub(super) struct SinkWarnings {
    limits: Arc<SinkLimits>,
    sender: SyncSender<SinkWarning>,
}

struct SinkWarning {
    limits: Arc<SinkLimits>,
    trouble: SinkTrouble,
    why: String,
}

/// Starts the thread that writes; it ends with the last of the warnings made from it.
pub(super) fn start(
    warn: impl Fn(&str) + Send + 'static,
    clock: fn() -> Instant,
) -> io::Result<impl Fn(SinkLimits) -> SinkWarnings> {
    let (sender, receiver) = sync_channel(MAX_WAITING);
    thread::Builder::new().name("sink warnings".into()).spawn(move || write(&receiver, &warn, clock))?;
    Ok(move |limits| SinkWarnings { limits: Arc::new(limits), sender: sender.clone() })
}

impl SinkWarnings {
    /// Reports a trouble, when it is time.
    pub fn report(&self, trouble: SinkTrouble, why: String) {
        // A full channel means that nobody reads, or that more than enough is reported already.
        let _ = self.sender.try_send(SinkWarning { limits: Arc::clone(&self.limits), trouble, why });
    }
}

/// What is known of one kind of trouble of one sink.
struct Reported {
    at: Instant,
    since: u64,
    last: SinkWarning,
}

fn write(warnings: &Receiver<SinkWarning>, warn: &impl Fn(&str), now: fn() -> Instant) {
    let mut reported: HashMap<(String, SinkTrouble), Reported> = HashMap::new();
    loop {
        let due = reported.values().filter(|reported| reported.since > 0).map(|reported| reported.at + INTERVAL).min();
        let wait = due.map_or(INTERVAL, |due| due.saturating_duration_since(now()));
        match warnings.recv_timeout(wait) {
            Ok(warning) => match reported.get_mut(&(warning.limits.sink.clone(), warning.trouble)) {
                Some(reported) => {
                    reported.since += 1;
                    reported.last = warning;
                }
                None => {
                    warn(&sentence(&warning, 1));
                    let key = (warning.limits.sink.clone(), warning.trouble);
                    reported.insert(key, Reported { at: now(), since: 0, last: warning });
                }
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for reported in reported.values_mut().filter(|reported| reported.since > 0 && reported.at + INTERVAL <= now()) {
            warn(&sentence(&reported.last, reported.since));
            (reported.at, reported.since) = (now(), 0);
        }
    }
}

fn sentence(warning: &SinkWarning, n: u64) -> String {
    let SinkLimits { sink, bounds, retry_for } = &*warning.limits;
    let why = &warning.why;
    let retry_for = humantime::format_duration(*retry_for);
    let loss = match warning.trouble {
        SinkTrouble::Retrying => return format!("sink {sink}: {why}; it is tried again for up to {retry_for}"),
        SinkTrouble::Lost(loss) => loss,
    };
    let events = if n == 1 { "1 event is lost".to_string() } else { format!("{n} events are lost") };
    let reason = match loss {
        Loss::QueueFull => format!(
            "as many wait as may ({} events or {} MiB), because they are taken more slowly than they come; see why the \
             receiver is slow, or raise --sink-queue",
            bounds.events,
            bounds.bytes >> 20
        ),
        Loss::Refused => format!("{why}; such responses are not retried: check the address and what is sent along"),
        Loss::Expired => format!("gave up after {retry_for}; `retry-for=` of the sink sets how long"),
        Loss::ReaderGone => "nobody reads any more".to_string(),
        Loss::Unfinished => "the command ended before".to_string(),
    };
    format!("sink {sink}: {events}: {reason}")
}

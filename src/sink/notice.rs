//! Tells whoever watches what goes wrong with a sink: at once the first time, then at most once a minute for each sink and
//! kind of trouble, with the number since.
//!
//! Invariant: telling never waits. A thread of its own speaks, because the engine must not wait for standard error and a
//! sink's thread may be stuck in the very trouble that is told. What finds that thread busy is not told, but counted all
//! the same where the sinks count.

use super::lane::{Bounds, Loss};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often a trouble is told.
const INTERVAL: Duration = Duration::from_secs(60);
/// Notes that may wait to be told.
const WAITING: usize = 256;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trouble {
    /// An attempt failed and is made again.
    Retrying,
    /// An event is lost.
    Lost(Loss),
}

/// What a sink may be told about, beside its trouble.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub sink: String,
    pub bounds: Bounds,
    pub retry_for: Duration,
}

/// Where one sink's troubles are told.
#[derive(Clone)]
pub(super) struct Notices {
    subject: Arc<Subject>,
    sender: SyncSender<Note>,
}

struct Note {
    subject: Arc<Subject>,
    trouble: Trouble,
    why: String,
}

/// Starts the thread that speaks; it ends with the last of the notices made from it.
pub(super) fn start(
    say: impl Fn(&str) + Send + 'static,
    clock: fn() -> Instant,
) -> io::Result<impl Fn(Subject) -> Notices> {
    let (sender, receiver) = sync_channel(WAITING);
    thread::Builder::new().name("sink notices".into()).spawn(move || speak(&receiver, &say, clock))?;
    Ok(move |subject| Notices { subject: Arc::new(subject), sender: sender.clone() })
}

impl Notices {
    /// Tells a trouble, when it is time.
    pub fn tell(&self, trouble: Trouble, why: String) {
        // A full channel means that nobody listens, or that more than enough is told already.
        let _ = self.sender.try_send(Note { subject: Arc::clone(&self.subject), trouble, why });
    }
}

/// What is known of one kind of trouble of one sink.
struct Told {
    at: Instant,
    since: u64,
    last: Note,
}

fn speak(notes: &Receiver<Note>, say: &impl Fn(&str), now: fn() -> Instant) {
    let mut told: HashMap<(String, Trouble), Told> = HashMap::new();
    loop {
        let due = told.values().filter(|told| told.since > 0).map(|told| told.at + INTERVAL).min();
        let wait = due.map_or(INTERVAL, |due| due.saturating_duration_since(now()));
        match notes.recv_timeout(wait) {
            Ok(note) => match told.get_mut(&(note.subject.sink.clone(), note.trouble)) {
                Some(told) => {
                    told.since += 1;
                    told.last = note;
                }
                None => {
                    say(&sentence(&note, 1));
                    let key = (note.subject.sink.clone(), note.trouble);
                    told.insert(key, Told { at: now(), since: 0, last: note });
                }
            },
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        for told in told.values_mut().filter(|told| told.since > 0 && told.at + INTERVAL <= now()) {
            say(&sentence(&told.last, told.since));
            told.at = now();
            told.since = 0;
        }
    }
}

fn sentence(note: &Note, n: u64) -> String {
    let Subject { sink, bounds, retry_for } = &*note.subject;
    let why = &note.why;
    let retry_for = humantime::format_duration(*retry_for);
    let loss = match note.trouble {
        Trouble::Retrying => return format!("sink {sink}: {why}; it is tried again for up to {retry_for}"),
        Trouble::Lost(loss) => loss,
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

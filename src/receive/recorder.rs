//! Recordings that are on the disk before an answer is given.
//!
//! To bring a file to the disk takes long, so it is done on another thread than the sockets' and without the inbox's lock, and
//! once for all bodies that came meanwhile. Invariant: whoever has waited for a body's number is answered after the body is on
//! the disk, or hears that it is not.

use super::inbox::Inbox;
use super::refusal::Refusal;
use tokio::sync::{Notify, watch};

/// Counts what is on the disk.
pub(super) struct Recorder {
    wanted: Notify,
    /// The number of the last body on the disk.
    on_disk: watch::Sender<u64>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Recorder { wanted: Notify::new(), on_disk: watch::Sender::new(0) }
    }

    /// Waits until the body with this number is on the disk.
    pub(super) async fn wait(&self, inbox: &Inbox, number: u64) -> Result<(), Refusal> {
        let mut on_disk = self.on_disk.subscribe();
        self.wanted.notify_one();
        // It is never closed, because this has it.
        let reached = on_disk.wait_for(|&last| last >= number).await.is_ok_and(|last| *last < u64::MAX);
        if reached { Ok(()) } else { inbox.check_kept() }
    }

    /// Brings bodies to the disk whenever somebody waits for one.
    pub(super) async fn run(&self, inbox: &Inbox) {
        loop {
            self.wanted.notified().await;
            let Some((number, sync)) = inbox.begin_sync() else {
                self.on_disk.send_replace(u64::MAX);
                continue;
            };
            let synced = match sync {
                Some(sync) => tokio::task::spawn_blocking(sync).await.unwrap_or_else(|error| Err(error.into())),
                None => Ok(()),
            };
            match synced {
                Ok(()) => self.on_disk.send_replace(number),
                Err(error) => {
                    inbox.break_off(&error);
                    self.on_disk.send_replace(u64::MAX)
                }
            };
        }
    }
}

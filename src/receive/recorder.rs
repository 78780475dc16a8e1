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

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::super::inbox::{Inbox, Kept};
    use super::Recorder;
    use crate::clock::Clock;
    use crate::model::Export;
    use bytes::Bytes;
    use std::io;
    use std::sync::{Arc, Mutex, mpsc};
    use tokio::task::{JoinHandle, yield_now};

    #[test]
    fn bodies_that_come_while_others_are_brought_to_the_disk_go_there_together() {
        let (disk, results) = mpsc::channel::<io::Result<()>>();
        let results = Arc::new(Mutex::new(results));
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let keep = Box::new(move |kept: Kept<'_>| {
            if let Kept::Sync(cell) = kept {
                let (begun, results) = (begun.clone(), Arc::clone(&results));
                cell.set(Some(Box::new(move || {
                    begun.send(()).expect("the test goes on");
                    results.lock().expect("no sync fails").recv().expect("the test goes on")
                })));
            }
            Ok(())
        });
        let inbox = Arc::new(Inbox::new((Clock::Data, None), 1 << 20, Some(keep)));
        let (recorder, budget) = (Arc::new(Recorder::new()), Budget::new(1 << 20));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let sent = || -> JoinHandle<bool> {
            let body = Bytes::from_static(b"x");
            let number = inbox.offer(Export::default(), &body, &budget.open()).expect("accepted").number;
            let (inbox, recorder) = (Arc::clone(&inbox), Arc::clone(&recorder));
            tokio::spawn(async move { recorder.wait(&inbox, number).await.is_ok() })
        };
        let nobody_is_answered = async |waiting: &[JoinHandle<bool>]| {
            for _ in 0..100 {
                yield_now().await;
            }
            waiting.iter().all(|answer| !answer.is_finished())
        };
        runtime.block_on(async {
            let (bring_inbox, bring) = (Arc::clone(&inbox), Arc::clone(&recorder));
            tokio::spawn(async move { bring.run(&bring_inbox).await });
            let first = sent();
            begins.recv().await.expect("it is brought to the disk");
            let meanwhile: Vec<_> = (0..20).map(|_| sent()).collect();
            assert!(nobody_is_answered(&meanwhile).await && !first.is_finished());

            disk.send(Ok(())).expect("somebody waits");
            assert!(first.await.expect("an answer"));
            begins.recv().await.expect("they are brought to the disk");
            assert!(nobody_is_answered(&meanwhile).await, "the first time was before them");
            disk.send(Ok(())).expect("somebody waits");
            for answer in meanwhile {
                assert!(answer.await.expect("an answer"));
            }
            assert!(nobody_is_answered(&[]).await && begins.is_empty(), "once for all of them");

            let lost = [sent(), sent()];
            begins.recv().await.expect("they are brought to the disk");
            disk.send(Err(io::Error::other("no disk"))).expect("somebody waits");
            for answer in lost {
                assert!(!answer.await.expect("an answer"), "it is not on the disk");
            }
        });
    }
}

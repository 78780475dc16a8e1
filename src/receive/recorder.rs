//! Exports that are on the disk before their response is given.
//!
//! To bring a file to the disk takes long, so it is done on another thread than the sockets' and without the queue's lock, and
//! once for all exports that came meanwhile. Invariant: whoever has waited for an export's number goes on after the export is
//! on the disk, or gets the error.

use super::queue::ExportQueue;
use super::rejection::{Rejection, RejectionReason};
use tokio::sync::{Notify, watch};

/// Counts what is on the disk.
pub(super) struct Recorder {
    wanted: Notify,
    /// The number of the last export on the disk; the largest number once no more can be.
    on_disk: watch::Sender<u64>,
}

impl Recorder {
    pub(super) fn new() -> Self {
        Recorder { wanted: Notify::new(), on_disk: watch::Sender::new(0) }
    }

    /// Waits until the export with this number is on the disk.
    pub(super) async fn wait(&self, queue: &ExportQueue, number: u64) -> Result<(), Rejection> {
        let mut on_disk = self.on_disk.subscribe();
        self.wanted.notify_one();
        // It is never closed, because this has it.
        let is_on_disk = on_disk.wait_for(|&last| last >= number).await.is_ok_and(|last| *last < u64::MAX);
        match queue.recording_error() {
            Some(message) if !is_on_disk => Err(Rejection::new(RejectionReason::NotRecorded, message)),
            _ => Ok(()),
        }
    }

    /// Brings exports to the disk whenever somebody waits for one.
    pub(super) async fn run(&self, queue: &ExportQueue) {
        loop {
            self.wanted.notified().await;
            let (mut number, job) = queue.begin_sync().unwrap_or((u64::MAX, None));
            if let Some(job) = job
                && let Err(error) = tokio::task::spawn_blocking(job).await.unwrap_or_else(|error| Err(error.into()))
            {
                queue.fail_recording(&error);
                number = u64::MAX;
            }
            self.on_disk.send_replace(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::MemoryBudget;
    use super::super::queue::{ExportQueue, RecordingEvent};
    use super::Recorder;
    use crate::clock::Clock;
    use crate::model::Export;
    use bytes::Bytes;
    use std::io;
    use std::sync::{Arc, Mutex, mpsc};
    use tokio::task::{JoinHandle, yield_now};

    #[test]
    fn exports_that_come_while_others_are_brought_to_the_disk_go_there_together() {
        let (disk, results) = mpsc::channel::<io::Result<()>>();
        let results = Arc::new(Mutex::new(results));
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let record = Box::new(move |event: RecordingEvent<'_>| {
            if let RecordingEvent::Sync(cell) = event {
                let (begun, results) = (begun.clone(), Arc::clone(&results));
                cell.set(Some(Box::new(move || {
                    begun.send(()).expect("the test goes on");
                    results.lock().expect("no sync fails").recv().expect("the test goes on")
                })));
            }
            Ok(())
        });
        let queue = Arc::new(ExportQueue::new((Clock::Data, None), 1 << 20, Some(record)));
        let (recorder, budget) = (Arc::new(Recorder::new()), MemoryBudget::new(1 << 20));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let sent = || -> JoinHandle<bool> {
            let payload = Bytes::from_static(b"x");
            let number = queue.offer(Export::default(), &payload, Some(budget.permit())).expect("accepted").number;
            let (queue, recorder) = (Arc::clone(&queue), Arc::clone(&recorder));
            tokio::spawn(async move { recorder.wait(&queue, number).await.is_ok() })
        };
        let nobody_goes_on = async |waiting: &[JoinHandle<bool>]| {
            for _ in 0..100 {
                yield_now().await;
            }
            waiting.iter().all(|task| !task.is_finished())
        };
        runtime.block_on(async {
            let (bring_queue, bring) = (Arc::clone(&queue), Arc::clone(&recorder));
            tokio::spawn(async move { bring.run(&bring_queue).await });
            let first = sent();
            begins.recv().await.expect("it is brought to the disk");
            let meanwhile: Vec<_> = (0..20).map(|_| sent()).collect();
            assert!(nobody_goes_on(&meanwhile).await && !first.is_finished());

            disk.send(Ok(())).expect("somebody waits");
            assert!(first.await.expect("a result"));
            begins.recv().await.expect("they are brought to the disk");
            assert!(nobody_goes_on(&meanwhile).await, "the first time was before them");
            disk.send(Ok(())).expect("somebody waits");
            for task in meanwhile {
                assert!(task.await.expect("a result"));
            }
            assert!(nobody_goes_on(&[]).await && begins.is_empty(), "once for all of them");

            let lost = [sent(), sent()];
            begins.recv().await.expect("they are brought to the disk");
            disk.send(Err(io::Error::other("no disk"))).expect("somebody waits");
            for task in lost {
                assert!(!task.await.expect("a result"), "it is not on the disk");
            }
        });
    }
}

//! A limit on how long something may take, which costs nothing when it is done at once.
//!
//! A body has mostly arrived with its head; a timer for it would cost more than to read it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What comes out of `work`; `None` when it takes longer.
pub(super) async fn within<T>(longest: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let at_once = poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    });
    match at_once.await {
        Some(done) => Some(done),
        None => tokio::time::timeout(longest, work).await.ok(),
    }
}

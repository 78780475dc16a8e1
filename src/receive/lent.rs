//! A request's body that comes back when whoever read it stops early.
//!
//! A client that is still sending when the connection closes sees a broken connection instead of its answer, and sends the same
//! again. So what is refused is read to its end, within limits, before the answer is given.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The body, while somebody reads it.
pub(super) struct Lent {
    body: Body,
    owner: Owner,
}

/// Where it comes back to.
#[derive(Clone, Default)]
pub(super) struct Owner(Arc<Mutex<Option<Body>>>);

impl Owner {
    /// Lends a body.
    pub(super) fn lend(&self, body: Body) -> Lent {
        Lent { body, owner: self.clone() }
    }

    /// Reads what nobody read, but no more than so many bytes.
    pub(super) async fn drain(&self, most: usize) {
        let Some(mut body) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut read = 0;
        while read <= most
            && let Some(Ok(frame)) = body.frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.owner.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::mem::take(&mut self.body));
    }
}

//! Who may send, what a sender may do, and the two budgets that bound the memory of receiving whatever senders do.
//!
//! [`MemoryBudget`] counts the bytes between the sockets and the engine: a permit grows with what a request holds, follows its
//! export through the queue, and gives the bytes back when it is dropped, whatever became of the request.
//! A second one is for what clients may send before anybody has looked at it, the windows of HTTP/2. Invariant: the windows of all
//! connections together are at most as large as the queue, apart from the minimum that HTTP/2 begins with.

use super::rejection::{Rejection, RejectionReason};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use std::sync::Arc;
use std::time::Duration;
use subtle::{Choice, ConstantTimeEq};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One unit of the memory budget.
const UNIT_BYTES: usize = 1 << 10;

/// HTTP/2 begins with this window for a connection; it is not part of what is shared.
const MIN_WINDOW: usize = (64 << 10) - 1;
/// Larger windows make nothing faster.
const MAX_WINDOW: usize = 16 << 20;
/// A new connection gets this part of what is left.
const WINDOW_SHARE: usize = 16;

/// What a sender may do. Whatever is beyond is counted.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of an export after decompression.
    pub message_bytes: usize,
    /// Bytes of all exports between the sockets and the engine.
    pub inbox_bytes: usize,
    /// Connections at a time, on both ports together.
    pub connections: usize,
    /// Requests at a time.
    pub requests: usize,
    /// From the first byte of a connection until its first request is there.
    pub header_timeout: Duration,
    /// From the head of a request until its response.
    pub request_timeout: Duration,
    /// How long a connection may stay without a request.
    pub idle_timeout: Duration,
    /// Attributes of a resource or a point.
    pub attributes: usize,
    /// Bytes of all attributes of a resource or a point, and of a name.
    pub attribute_bytes: usize,
}

/// The tokens of clients that are let in; without any token every client is. They are compared in constant time.
#[derive(Clone, Default)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// The tokens of a file: one a line, so that an old one and a new one can hold at the same time. `None` when there is no
    /// token in it, or one that no client could send.
    pub fn parse(text: &str) -> Option<Tokens> {
        let tokens: Vec<String> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect();
        let can_be_sent = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        (!tokens.is_empty() && tokens.iter().all(can_be_sent)).then_some(Tokens(tokens))
    }

    /// Whether there are any.
    pub fn are_required(&self) -> bool {
        !self.0.is_empty()
    }

    /// Rejects a request without one of them.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let given = headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes())).unwrap_or_default();
        let is_known = self.0.iter().fold(Choice::from(0), |known, token| known | token.as_bytes().ct_eq(given));
        match self.0.is_empty() || is_known.into() {
            true => Ok(()),
            false => Err(Rejection::new(RejectionReason::Unauthenticated, "a bearer token is needed")),
        }
    }
}

/// The token in a header; the name of the scheme is compared as HTTP does, in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    let token = rest.strip_prefix(b" ")?.trim_ascii();
    scheme.eq_ignore_ascii_case(b"bearer").then_some(token)
}

/// Bytes that may be held at a time.
#[derive(Clone, Debug)]
pub(super) struct MemoryBudget {
    units: Arc<Semaphore>,
    limit_bytes: usize,
}

/// The bytes that one request holds, its export in the queue, or a window.
#[derive(Debug)]
pub(super) struct MemoryPermit {
    units: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl MemoryBudget {
    pub(super) fn new(limit_bytes: usize) -> Self {
        MemoryBudget { units: Arc::new(Semaphore::new(limit_bytes / UNIT_BYTES)), limit_bytes }
    }

    pub(super) fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    pub(super) fn used_bytes(&self) -> usize {
        (self.limit_bytes / UNIT_BYTES - self.units.available_permits()) * UNIT_BYTES
    }

    /// A permit that holds nothing yet.
    pub(super) fn permit(&self) -> MemoryPermit {
        MemoryPermit { units: Arc::clone(&self.units), held: None }
    }
}

impl MemoryPermit {
    /// Grows to so many bytes, unless it holds as many already. False when there is no room.
    #[must_use]
    pub(super) fn grow_to(&mut self, bytes: usize) -> bool {
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(UNIT_BYTES).saturating_sub(held);
        if missing == 0 {
            return true;
        }
        let Ok(missing) = u32::try_from(missing) else { return false };
        let Ok(more) = Arc::clone(&self.units).try_acquire_many_owned(missing) else { return false };
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        true
    }

    /// Holds so many bytes from now on, more or less than before. False when there is no room.
    #[must_use]
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        if let Some(held) = &mut self.held {
            drop(held.split(held.num_permits().saturating_sub(bytes.div_ceil(UNIT_BYTES))));
        }
        self.grow_to(bytes)
    }
}

/// The HTTP/2 window of one connection: how much it may send before anybody has looked at it.
#[derive(Debug)]
pub(super) struct Window {
    bytes: usize,
    _permit: MemoryPermit,
}

impl Window {
    /// The window of a new connection: a share of what is left, so that a few that send large exports may send them without a
    /// pause, and many together take no more than there is.
    pub(super) fn from_budget(budget: &MemoryBudget) -> Self {
        let share = ((budget.limit_bytes - budget.used_bytes()) / WINDOW_SHARE).min(MAX_WINDOW - MIN_WINDOW);
        let mut permit = budget.permit();
        let bytes = if permit.grow_to(share) { MIN_WINDOW + share } else { MIN_WINDOW };
        Window { bytes, _permit: permit }
    }

    pub(super) fn bytes(&self) -> u32 {
        self.bytes as u32
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_WINDOW, MIN_WINDOW, MemoryBudget, Window};

    #[test]
    fn many_connections_get_no_more_than_there_is_and_give_it_back() {
        let budget = MemoryBudget::new(256 << 20);
        let first = Window::from_budget(&budget);
        assert_eq!(first.bytes, MAX_WINDOW);
        let more: Vec<_> = (0..10_000).map(|_| Window::from_budget(&budget)).collect();
        let sum: usize = more.iter().chain([&first]).map(|window| window.bytes - MIN_WINDOW).sum();
        assert!(sum <= 256 << 20 && sum > 128 << 20, "{sum}");
        assert!(more.windows(2).all(|two| two[0].bytes >= two[1].bytes));
        drop(more);
        assert!(Window::from_budget(&budget).bytes > 15 << 20);
        drop(first);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_permit_grows_shrinks_and_gives_back_what_it_holds() {
        let budget = MemoryBudget::new(8 << 10);
        let (mut first, mut second) = (budget.permit(), budget.permit());
        assert!(first.grow_to(5000) && first.grow_to(1) && budget.used_bytes() == 5 << 10);
        assert!(!second.grow_to(4000) && second.grow_to(3000));
        assert!(first.resize(1) && second.resize(7 << 10) && !first.resize(2000));
        assert_eq!(budget.used_bytes(), budget.limit_bytes());
        drop((first, second));
        assert_eq!(budget.used_bytes(), 0);
    }
}

//! Bearer tokens: read once, compared in constant time.

use super::rejection::{Rejection, RejectionReason};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq};

/// The tokens of clients that are let in; without any token every client is.
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

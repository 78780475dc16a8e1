//! Webhooks: a POST of `{"issue": event}` for each transition, as Instana's generic webhook sends it.
//!
//! Invariant: each attempt for a transition carries the same `Idempotency-Key`. Redirects are not followed, because what is
//! sent in a header is meant for one host. Absent on purpose: looking at the content of the response; the status decides.

use super::queue::{Attempt, QueuedEvent};
use super::secret::Header;
use super::spec::WebhookSpec;
use chrono::DateTime;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Of an response this much is read, so that the connection can be used again.
const MAX_RESPONSE: u64 = 64 << 10;
/// Of a refusal this much is quoted.
const MAX_QUOTED: usize = 200;
/// A connection that nothing was sent on for so long is not used again. Common servers close it after 60 to 75 seconds.
const IDLE: Duration = Duration::from_secs(55);

/// A receiver and the connection to it.
pub(super) struct Webhook {
    agent: Agent,
    url: Uri,
    headers: Vec<Header>,
    timeout: Duration,
    /// A request was answered, so the next one may meet a connection that the receiver has closed meanwhile.
    has_responded: bool,
}

impl Webhook {
    /// A receiver; no connection is made yet.
    pub fn new(spec: &WebhookSpec, headers: Vec<Header>) -> Self {
        let url = spec.url.uri().clone();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(spec.timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(1)
            .max_idle_age(IDLE)
            .user_agent(concat!("foreshock/", env!("CARGO_PKG_VERSION")))
            .accept("");
        if is_loopback(&url) {
            // No proxy stands between this machine and itself, whatever the environment has.
            config = config.proxy(None);
        }
        Webhook { agent: config.build().into(), url, headers, timeout: spec.timeout, has_responded: false }
    }

    /// What ends a request in flight, from another thread.
    pub fn interrupter(&self) -> Agent {
        self.agent.clone()
    }

    /// Makes one attempt. A connection that turns out to be closed by the receiver costs no attempt.
    pub fn deliver(&mut self, event: &QueuedEvent) -> Attempt {
        let mut result = self.post(event);
        if self.has_responded && result.as_ref().is_err_and(is_closed_connection) {
            result = self.post(event);
        }
        self.has_responded = result.is_ok();
        match result {
            Ok(response) => attempt_of(response),
            Err(error) => self.failure(&error),
        }
    }

    fn post(&self, event: &QueuedEvent) -> Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.post(&self.url).header(header::CONTENT_TYPE, "application/json");
        for Header { name, value } in &self.headers {
            request = request.header(name, value);
        }
        request.header("Idempotency-Key", &event.key[..]).send(&event.payload[..])
    }

    fn failure(&self, error: &ureq::Error) -> Attempt {
        let why = match error {
            ureq::Error::Timeout(_) => format!("no response within {}", humantime::format_duration(self.timeout)),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "the host is not found".to_string(),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => return Attempt::Refused { why: error.to_string() },
            // Everything else may be otherwise at the next attempt: names, proxies, certificates, broken responses.
            _ => error.to_string(),
        };
        Attempt::Failed { why, after: None }
    }
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

fn is_closed_connection(error: &ureq::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error, ureq::Error::Io(error)
        if matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

fn attempt_of(mut response: Response<Body>) -> Attempt {
    let status = response.status();
    // Read whatever the status, so that the connection can be used again; what cannot be read still has a status.
    let text = response.body_mut().with_config().limit(MAX_RESPONSE).read_to_vec().unwrap_or_default();
    if status.is_success() {
        return Attempt::Delivered;
    }
    let why = explained(status, &text);
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {}
        _ if status.is_server_error() => {}
        _ => return Attempt::Refused { why },
    }
    Attempt::Failed { why, after: retry_after(response.headers()) }
}

fn explained(status: StatusCode, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let quote: String = text.trim().chars().take(MAX_QUOTED).map(escaped).collect();
    let quote = if quote.is_empty() { quote } else { format!(": {quote}") };
    let remedy = if status.is_redirection() { "; redirects are not followed: name the final URL" } else { "" };
    format!("the receiver responded {status}{quote}{remedy}")
}

/// How long the receiver asks to be left alone: seconds, or a date, which is compared with the response's own so that no
/// clock of ours has to agree with the receiver's.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let wanted = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTime::parse_from_rfc2822(wanted).ok()?;
    let answered = DateTime::parse_from_rfc2822(text(header::DATE)?).ok()?;
    (then - answered).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::{explained, is_loopback, retry_after};
    use std::time::Duration;
    use ureq::http::{HeaderMap, StatusCode};

    #[test]
    fn retry_after_is_seconds_or_a_date_beside_the_answers_own() {
        let wanted = |headers: &[(&'static str, &str)]| {
            let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            retry_after(&pairs.collect::<HeaderMap>())
        };
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wanted(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wanted(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"), date]), Some(Duration::from_secs(30)));
        assert_eq!(wanted(&[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), date]), None, "it is over");
        assert_eq!(wanted(&[("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")]), None, "no date to compare with");
        assert_eq!(wanted(&[("retry-after", "soon")]), None);
        assert_eq!(wanted(&[date]), None);
    }

    #[test]
    fn a_refusal_is_quoted_but_cannot_move_the_cursor() {
        let long = "x".repeat(1000);
        let quoted = |status: u16, response: &[u8]| explained(StatusCode::from_u16(status).unwrap(), response);
        assert_eq!(quoted(404, b""), "the receiver responded 404 Not Found");
        assert_eq!(quoted(400, b" bad\x1b[2J\n"), "the receiver responded 400 Bad Request: bad\\u{1b}[2J");
        assert!(quoted(400, long.as_bytes()).len() < 300);
        assert!(quoted(301, b"").ends_with("name the final URL"));
    }

    #[test]
    fn this_machine_is_known() {
        let of = |url: &str| is_loopback(&url.parse().unwrap());
        assert!(of("http://localhost/") && of("http://127.0.0.1:1/") && of("http://[::1]:1/x"));
        assert!(!of("http://example.com/") && !of("http://10.0.0.1/"));
    }
}

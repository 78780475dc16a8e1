//! Webhooks: a POST of `{"issue": event}` for each transition, as Instana's generic webhook sends it.
//!
//! Invariant: each attempt for a transition carries the same `Idempotency-Key`. Redirects are not followed, because what is
//! sent in a header is meant for one host. Tokens and headers come from files and the environment, and no content of these is
//! part of a message; what is wrong is named by file and line. Absent on purpose: looking at the content of the response; the
//! status decides.

use super::queue::{Attempt, QueuedEvent};
use super::spec::{SecretPlace, SinkError, WebhookSpec};
use chrono::DateTime;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Of an response this much is read, so that the connection can be used again.
const MAX_RESPONSE: u64 = 64 << 10;
/// Of a refusal this much is quoted.
const MAX_QUOTED: usize = 200;
/// A connection that nothing was sent on for so long is not used again. Common servers close it after 60 to 75 seconds.
const IDLE: Duration = Duration::from_secs(55);

/// No file of headers or with a token is larger.
const MOST_SECRET: u64 = 64 << 10;
/// Headers that are made for each request.
const OUR_HEADERS: [&str; 7] =
    ["content-type", "content-length", "transfer-encoding", "connection", "host", "expect", "idempotency-key"];

/// A receiver and the connection to it.
pub(super) struct Webhook {
    agent: Agent,
    url: Uri,
    headers: HeaderList,
    timeout: Duration,
    /// A request was answered, so the next one may meet a connection that the receiver has closed meanwhile.
    has_responded: bool,
}

impl Webhook {
    /// A receiver; no connection is made yet. `variable` reads the environment.
    pub fn new(spec: &WebhookSpec, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, SinkError> {
        let headers = headers(spec, variable)
            .map_err(|(place, flaw)| SinkError::new(format!("webhook:{}", spec.url), format!("{place}: {flaw}")))?;
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
        Ok(Webhook { agent: config.build().into(), url, headers, timeout: spec.timeout, has_responded: false })
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
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.header("Idempotency-Key", &event.key[..]).send(&event.payload[..])
    }

    fn failure(&self, error: &ureq::Error) -> Attempt {
        let why = match error {
            ureq::Error::Timeout(_) => format!("no response within {}", humantime::format_duration(self.timeout)),
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::HostNotFound => "the host is not found".to_string(),
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => return Attempt::Refused(error.to_string()),
            // Everything else may be otherwise at the next attempt: names, proxies, certificates, broken responses.
            _ => error.to_string(),
        };
        Attempt::Failed { why, after: None }
    }
}

/// The headers of every request, in the order they were given.
type HeaderList = Vec<(HeaderName, HeaderValue)>;

/// The headers a webhook has of its own, or the file or variable with a flaw, and which.
fn headers(spec: &WebhookSpec, variable: &dyn Fn(&str) -> Option<String>) -> Result<HeaderList, (String, String)> {
    let mut headers = HeaderList::new();
    if let Some(path) = &spec.headers {
        headers = read_secret(path).and_then(|text| parse(&text)).map_err(|flaw| (path.display().to_string(), flaw))?;
    }
    let Some(token) = &spec.token else { return Ok(headers) };
    let (place, text) = match token {
        SecretPlace::File(path) => (path.display().to_string(), read_secret(path)),
        SecretPlace::Variable(name) => {
            (format!("${name}"), variable(name).ok_or("the environment variable is not set".into()))
        }
    };
    match text.and_then(|text| bearer(&text)) {
        Ok(_) if headers.iter().any(|(name, _)| name == header::AUTHORIZATION) => {
            Err((place, "the file of headers has an `Authorization` already; give one of the two".into()))
        }
        Ok(value) => {
            headers.push((header::AUTHORIZATION, value));
            Ok(headers)
        }
        Err(flaw) => Err((place, flaw)),
    }
}

fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST_SECRET + 1).read_to_string(&mut text));
    match read {
        Err(error) => Err(format!("cannot read it: {error}")),
        Ok(_) if text.len() as u64 > MOST_SECRET => Err("it is larger than 64 KiB".into()),
        Ok(_) => Ok(text),
    }
}

fn bearer(text: &str) -> Result<HeaderValue, String> {
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err("there is no token in it; the token is the first line".into());
    }
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| "the token has characters that no header may have")?;
    value.set_sensitive(true);
    Ok(value)
}

/// One `Name: value` a line; empty lines and lines that begin with `#` are skipped.
fn parse(text: &str) -> Result<HeaderList, String> {
    let mut headers = HeaderList::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let broken = || format!("line {number} is no header; write `Name: value`");
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        let name: HeaderName = name.trim().parse().map_err(|_| broken())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| broken())?;
        if OUR_HEADERS.contains(&name.as_str()) {
            return Err(format!("line {number}: `{name}` is set by foreshock itself; take it out"));
        }
        value.set_sensitive(true);
        headers.push((name, value));
    }
    Ok(headers)
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
        _ => return Attempt::Refused(why),
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
    use super::{bearer, explained, is_loopback, parse, retry_after};
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

    #[test]
    fn headers_are_lines_and_mistakes_have_a_place() {
        let headers = parse("# ops\nX-Team: shop: night\n\nauthorization: Basic dTpw\n").unwrap();
        let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(pairs, [("x-team", "shop: night"), ("authorization", "Basic dTpw")]);
        assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        let mistake = |text: &str| parse(text).unwrap_err();
        assert_eq!(mistake("X-A: 1\nnonsense"), "line 2 is no header; write `Name: value`");
        assert_eq!(mistake("X A: 1"), "line 1 is no header; write `Name: value`");
        assert_eq!(mistake("Content-Type: x"), "line 1: `content-type` is set by foreshock itself; take it out");
    }

    #[test]
    fn a_token_is_the_first_line() {
        assert_eq!(bearer(" s3cret \nmore").unwrap(), "Bearer s3cret");
        assert_eq!(bearer("\n").unwrap_err(), "there is no token in it; the token is the first line");
        assert_eq!(bearer("a\u{1}b").unwrap_err(), "the token has characters that no header may have");
    }
}

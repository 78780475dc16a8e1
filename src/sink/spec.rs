//! The value of `--sink`: `KIND[,OPTION=VALUE]...[:PLACE]`, parsed and checked, nothing opened.
//!
//! Options stand in front of the first colon and everything behind it is the place, as it is: a path or a URL may hold
//! commas and colons. Invariant: nothing of a URL but its scheme, host and port is ever part of a message, because paths
//! and queries of webhooks are often secrets.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use ureq::http::Uri;

/// Environment variables that hold secrets begin with this.
const VARIABLES: &str = "FORESHOCK_";
/// How long a webhook waits for a response by default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// No time of a webhook is longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Where transitions go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkSpec {
    /// Standard output.
    Stdout {
        /// What a transition looks like there.
        format: StreamFormat,
    },
    /// A file, appended to.
    File {
        /// The file.
        path: PathBuf,
        /// What a transition looks like there.
        format: StreamFormat,
    },
    /// A POST for each transition.
    Webhook(WebhookSpec),
}

/// What a transition looks like in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// A text to read.
    Text,
    /// One line of JSON.
    JsonLines,
}

/// A receiver of webhooks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookSpec {
    /// Where to.
    pub url: Url,
    /// Where the bearer token is, when there is one.
    pub token: Option<SecretPlace>,
    /// A file with headers to add, one `Name: value` a line.
    pub headers: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
    /// How long an event is tried again, when this receiver has a time of its own.
    pub retry_for: Option<Duration>,
}

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

/// A URL of a webhook. Printed, it is scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub struct Url(Uri);

impl Url {
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = self.0.authority().map_or("", |authority| authority.as_str());
        write!(f, "{}://{authority}", self.0.scheme_str().unwrap_or_default())?;
        if self.0.path_and_query().is_none_or(|rest| rest == "/") { Ok(()) } else { f.write_str("/…") }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SinkSpec::Stdout { .. } => f.write_str("stdout"),
            SinkSpec::File { path, .. } => write!(f, "file:{}", path.display()),
            SinkSpec::Webhook(webhook) => write!(f, "webhook:{}", webhook.url),
        }
    }
}

/// What is wrong with the text of a sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--sink {spec}: {flaw}")]
pub struct SpecError {
    /// The text as typed, without what may be secret.
    pub spec: String,
    /// What is wrong with it.
    pub flaw: SpecFlaw,
}

/// A mistake in the text of a sink.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecFlaw {
    /// Not a kind of sink.
    #[error("a sink is `stdout`, `file:PATH` or `webhook:URL`")]
    Kind,
    /// Nothing behind the colon.
    #[error("behind the colon stands {0}")]
    NoPlace(&'static str),
    /// Standard output in an unknown format.
    #[error("standard output takes `stdout:text` or `stdout:jsonl`")]
    StdoutFormat,
    /// An option this kind does not have.
    #[error("`{option}` is no option of `{kind}`, which has {known}")]
    Option {
        /// The kind of sink.
        kind: &'static str,
        /// The option as typed, without its value.
        option: String,
        /// The options there are.
        known: &'static str,
    },
    /// An option given twice, or two that exclude each other.
    #[error("`{0}` is given twice, or beside an option that says the same")]
    Twice(&'static str),
    /// An option whose value cannot be used.
    #[error("`{option}` is {expected}")]
    Value {
        /// The option.
        option: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// An option behind the place, where it would become a part of it.
    #[error(
        "`{option}` stands at the end of the place and would be a part of it; options stand in front of the colon: \
         `{kind},{option}=…:…` (a comma that belongs to a URL is written %2C)"
    )]
    OptionBehind {
        /// The kind of sink.
        kind: &'static str,
        /// The option.
        option: &'static str,
    },
    /// Something that is no URL of a webhook.
    #[error("a webhook's URL is `http://HOST/…` or `https://HOST/…`, without spaces")]
    Url,
    /// A URL with a name or password in it.
    #[error(
        "the URL has a name or password in it, which others could read in the list of processes; put it into a file of \
         headers: `webhook,headers-file=FILE:https://…` with the line `Authorization: Basic …`"
    )]
    Userinfo,
}

const FILE_OPTIONS: &[&str] = &["format"];
const WEBHOOK_OPTIONS: &[&str] = &["token-file", "token-env", "headers-file", "timeout", "retry-for"];

impl FromStr for SinkSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        parse(text).map_err(|flaw| SpecError { spec: redacted(text), flaw })
    }
}

fn parse(text: &str) -> Result<SinkSpec, SpecFlaw> {
    let (front, place) = match text.split_once(':') {
        Some((front, place)) => (front, Some(place)),
        None => (text, None),
    };
    let mut parts = front.split(',');
    match parts.next() {
        Some("stdout") => stdout(parts, place),
        Some("file") => file(parts, place),
        Some("webhook") => webhook(parts, place),
        _ => Err(SpecFlaw::Kind),
    }
}

fn stdout<'a>(mut options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Result<SinkSpec, SpecFlaw> {
    if options.next().is_some() {
        return Err(SpecFlaw::StdoutFormat);
    }
    let format = match place {
        None | Some("text") => StreamFormat::Text,
        Some("jsonl") => StreamFormat::JsonLines,
        Some(_) => return Err(SpecFlaw::StdoutFormat),
    };
    Ok(SinkSpec::Stdout { format })
}

fn file<'a>(options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Result<SinkSpec, SpecFlaw> {
    let place = some_place(place, "the path of a file")?;
    options_in_front("file", FILE_OPTIONS, place)?;
    let mut format = None;
    for option in options {
        match option.split_once('=') {
            Some(("format", value)) => set(&mut format, "format", stream_format(value)?)?,
            _ => return Err(unknown("file", option, "`format`")),
        }
    }
    Ok(SinkSpec::File { path: PathBuf::from(place), format: format.unwrap_or(StreamFormat::JsonLines) })
}

fn stream_format(value: &str) -> Result<StreamFormat, SpecFlaw> {
    match value {
        "text" => Ok(StreamFormat::Text),
        "jsonl" => Ok(StreamFormat::JsonLines),
        _ => Err(SpecFlaw::Value { option: "format", expected: "`text` or `jsonl`" }),
    }
}

fn webhook<'a>(options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Result<SinkSpec, SpecFlaw> {
    let place = some_place(place, "a URL")?;
    options_in_front("webhook", WEBHOOK_OPTIONS, place)?;
    let (mut token, mut headers, mut timeout, mut retry_for) = (None, None, None, None);
    for option in options {
        match option.split_once('=') {
            Some(("token-file", value)) => {
                set(&mut token, "token-file", SecretPlace::File(some_path("token-file", value)?))?;
            }
            Some(("token-env", value)) => set(&mut token, "token-env", variable(value)?)?,
            Some(("headers-file", value)) => {
                set(&mut headers, "headers-file", some_path("headers-file", value)?)?;
            }
            Some(("timeout", value)) => set(&mut timeout, "timeout", duration("timeout", value)?)?,
            Some(("retry-for", value)) => set(&mut retry_for, "retry-for", duration("retry-for", value)?)?,
            _ => {
                let known = "`token-file`, `token-env`, `headers-file`, `timeout` and `retry-for`";
                return Err(unknown("webhook", option, known));
            }
        }
    }
    let timeout = timeout.unwrap_or(TIMEOUT);
    Ok(SinkSpec::Webhook(WebhookSpec { url: url(place)?, token, headers, timeout, retry_for }))
}

fn url(text: &str) -> Result<Url, SpecFlaw> {
    let uri: Uri = text.parse().map_err(|_| SpecFlaw::Url)?;
    let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    // What follows the host is a port or nothing; the parser itself lets other text pass.
    let host = uri.host().unwrap_or_default();
    let behind = uri.authority().and_then(|authority| authority.as_str().rsplit_once(host)).map(|(_, behind)| behind);
    if !has_scheme || host.is_empty() || (behind != Some("") && uri.port_u16().is_none()) {
        return Err(SpecFlaw::Url);
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(SpecFlaw::Userinfo);
    }
    Ok(Url(uri))
}

fn variable(name: &str) -> Result<SecretPlace, SpecFlaw> {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.len() > VARIABLES.len() && name.starts_with(VARIABLES) && name.chars().all(is_plain) {
        return Ok(SecretPlace::Variable(name.to_string()));
    }
    let expected = "the name of an environment variable that begins with FORESHOCK_, such as FORESHOCK_OPS_TOKEN";
    Err(SpecFlaw::Value { option: "token-env", expected })
}

fn duration(option: &'static str, value: &str) -> Result<Duration, SpecFlaw> {
    match humantime::parse_duration(value) {
        Ok(duration) if (Duration::from_millis(1)..=LONGEST).contains(&duration) => Ok(duration),
        _ => Err(SpecFlaw::Value { option, expected: "a time between 1ms and 1day, such as 10s or 5m" }),
    }
}

fn some_path(option: &'static str, value: &str) -> Result<PathBuf, SpecFlaw> {
    if value.is_empty() {
        return Err(SpecFlaw::Value { option, expected: "the path of a file, without commas and colons" });
    }
    Ok(PathBuf::from(value))
}

fn some_place<'a>(place: Option<&'a str>, what: &'static str) -> Result<&'a str, SpecFlaw> {
    place.filter(|place| !place.is_empty()).ok_or(SpecFlaw::NoPlace(what))
}

fn set<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), SpecFlaw> {
    if slot.replace(value).is_some() { Err(SpecFlaw::Twice(name)) } else { Ok(()) }
}

fn unknown(kind: &'static str, option: &str, known: &'static str) -> SpecFlaw {
    let name = option.split('=').next().unwrap_or_default();
    SpecFlaw::Option { kind, option: name.to_string(), known }
}

/// Refuses a place that ends with an option: it was meant as one, and would be taken as part of a path or URL.
fn options_in_front(kind: &'static str, options: &[&'static str], place: &str) -> Result<(), SpecFlaw> {
    let behind = options.iter().find(|option| {
        place.split(',').skip(1).any(|part| part.split_once('=').is_some_and(|(name, _)| name == **option))
    });
    match behind {
        Some(option) => Err(SpecFlaw::OptionBehind { kind, option }),
        None => Ok(()),
    }
}

/// A text as typed, up to the host of the URL in it. Values of options that do not exist are left out: who writes
/// `token=…` has written a secret.
fn redacted(text: &str) -> String {
    let (front, place) = match text.split_once(':') {
        Some((front, place)) => (front, Some(place)),
        None => (text, None),
    };
    let is_known = |name| FILE_OPTIONS.contains(&name) || WEBHOOK_OPTIONS.contains(&name);
    let options = front.split(',').map(|option| match option.split_once('=') {
        Some((name, _)) if !is_known(name) => format!("{name}=…"),
        _ => option.to_string(),
    });
    let mut shown = options.collect::<Vec<String>>().join(",");
    match place {
        None => {}
        Some(place) if shown.starts_with("file") || shown.starts_with("stdout") => shown.push_str(&format!(":{place}")),
        Some(place) => shown.push_str(&format!(":{}", redacted_url(place))),
    }
    shown
}

fn redacted_url(text: &str) -> String {
    // A text that was meant to be a webhook without its kind begins behind the scheme.
    let (front, rest) = text.split_once("//").unwrap_or(("", text));
    let end = rest.find(['/', '?', '#', ',', ' ']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = match authority.rsplit_once('@') {
        // A password with a slash in it ends what looks like the host; then nothing of it is shown.
        _ if tail.contains('@') => "…".to_string(),
        Some((_, host)) => format!("…@{host}"),
        None => authority.to_string(),
    };
    let slashes = if text.contains("//") { "//" } else { "" };
    format!("{front}{slashes}{host}{}", if matches!(tail, "" | "/") { "" } else { "/…" })
}

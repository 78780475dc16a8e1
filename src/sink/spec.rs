//! The value of `--sink`: `KIND[,OPTION=VALUE]...[:PLACE]`, parsed and checked, nothing opened.
//!
//! Options stand in front of the first colon and everything behind it is the place, as it is: a path or a URL may hold
//! commas and colons. Invariant: nothing of a URL but its scheme, host and port is ever part of a message, because paths
//! and queries of webhooks are often secrets.
//!
//! [`SinkError`] is why a sink cannot be had, be it for its text or because it cannot be opened.

use super::rendering::Rendering;
use std::fmt;
use std::path::{Path, PathBuf};
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

impl SinkSpec {
    /// What a transition looks like there.
    pub(super) fn rendering(&self) -> Rendering {
        match self {
            SinkSpec::Stdout { format: StreamFormat::Text } => Rendering::PaintedText,
            SinkSpec::File { format: StreamFormat::Text, .. } => Rendering::Text,
            SinkSpec::Stdout { format: StreamFormat::JsonLines }
            | SinkSpec::File { format: StreamFormat::JsonLines, .. } => Rendering::JsonLine,
            SinkSpec::Webhook(_) => Rendering::Issue,
        }
    }

    /// How long an event is tried again, when the sink has a time of its own.
    pub(super) fn retry_for(&self) -> Option<Duration> {
        match self {
            SinkSpec::Webhook(webhook) => webhook.retry_for,
            SinkSpec::Stdout { .. } | SinkSpec::File { .. } => None,
        }
    }

    /// Whether events would go where another sink sends them.
    pub(super) fn leads_where(&self, other: &SinkSpec) -> bool {
        match self {
            SinkSpec::Stdout { .. } => matches!(other, SinkSpec::Stdout { .. }),
            SinkSpec::File { path, .. } => other.path() == Some(path),
            SinkSpec::Webhook(own) => matches!(other, SinkSpec::Webhook(webhook) if webhook.url == own.url),
        }
    }

    /// Whether events would mix with an output: in this file, or without one on standard output.
    pub fn mixes_with(&self, output: Option<&Path>) -> bool {
        match self {
            SinkSpec::Stdout { .. } => output.is_none(),
            SinkSpec::File { path, .. } => output.is_some_and(|output| output == path),
            SinkSpec::Webhook(_) => false,
        }
    }

    /// The file it writes.
    pub fn path(&self) -> Option<&Path> {
        match self {
            SinkSpec::File { path, .. } => Some(path),
            SinkSpec::Stdout { .. } | SinkSpec::Webhook(_) => None,
        }
    }
}

/// Why a sink cannot be had: which, and what to do. What may be secret is left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--sink {0}")]
pub struct SinkError(String);

impl SinkError {
    pub(super) fn new(sink: impl fmt::Display, problem: impl fmt::Display) -> Self {
        SinkError(format!("{sink}: {problem}"))
    }

    /// Two sinks lead to one place, where their events would mix.
    pub(super) fn twice(sink: &SinkSpec) -> Self {
        SinkError(format!("{sink} is given twice; what goes there would go there twice"))
    }
}

const FILE_OPTIONS: &[&str] = &["format"];
const WEBHOOK_OPTIONS: &[&str] = &["token-file", "token-env", "headers-file", "timeout", "retry-for"];

/// What is wrong with the text of a sink.
type Parsed<T> = Result<T, String>;

impl FromStr for SinkSpec {
    type Err = SinkError;

    fn from_str(text: &str) -> Result<Self, SinkError> {
        parse(text).map_err(|problem| SinkError::new(redacted(text), problem))
    }
}

/// What stands in front of the first colon, and behind it.
fn split(text: &str) -> (&str, Option<&str>) {
    text.split_once(':').map_or((text, None), |(front, place)| (front, Some(place)))
}

fn parse(text: &str) -> Parsed<SinkSpec> {
    let (front, place) = split(text);
    let mut parts = front.split(',');
    match parts.next() {
        Some("stdout") => stdout(parts, place),
        Some("file") => file(parts, place),
        Some("webhook") => webhook(parts, place),
        _ => Err("a sink is `stdout`, `file:PATH` or `webhook:URL`".into()),
    }
}

fn stdout<'a>(mut options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Parsed<SinkSpec> {
    let format = match (options.next(), place) {
        (None, None | Some("text")) => StreamFormat::Text,
        (None, Some("jsonl")) => StreamFormat::JsonLines,
        _ => return Err("standard output takes `stdout:text` or `stdout:jsonl`".into()),
    };
    Ok(SinkSpec::Stdout { format })
}

fn file<'a>(options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Parsed<SinkSpec> {
    let place = some_place(place, "the path of a file")?;
    options_in_front("file", FILE_OPTIONS, place)?;
    let mut format = None;
    for option in options {
        match option.split_once('=') {
            Some(("format", "text")) => set(&mut format, "format", StreamFormat::Text)?,
            Some(("format", "jsonl")) => set(&mut format, "format", StreamFormat::JsonLines)?,
            Some(("format", _)) => return Err("`format` is `text` or `jsonl`".into()),
            _ => return Err(unknown("file", option, "`format`")),
        }
    }
    Ok(SinkSpec::File { path: PathBuf::from(place), format: format.unwrap_or(StreamFormat::JsonLines) })
}

fn webhook<'a>(options: impl Iterator<Item = &'a str>, place: Option<&str>) -> Parsed<SinkSpec> {
    let place = some_place(place, "a URL")?;
    options_in_front("webhook", WEBHOOK_OPTIONS, place)?;
    let (mut token, mut headers, mut timeout, mut retry_for) = (None, None, None, None);
    for option in options {
        match option.split_once('=') {
            Some((name @ "token-file", value)) => set(&mut token, name, SecretPlace::File(some_path(name, value)?))?,
            Some((name @ "token-env", value)) => set(&mut token, name, variable(value)?)?,
            Some((name @ "headers-file", value)) => set(&mut headers, name, some_path(name, value)?)?,
            Some((name @ "timeout", value)) => set(&mut timeout, name, duration(name, value)?)?,
            Some((name @ "retry-for", value)) => set(&mut retry_for, name, duration(name, value)?)?,
            _ => {
                let known = "`token-file`, `token-env`, `headers-file`, `timeout` and `retry-for`";
                return Err(unknown("webhook", option, known));
            }
        }
    }
    let timeout = timeout.unwrap_or(TIMEOUT);
    Ok(SinkSpec::Webhook(WebhookSpec { url: url(place)?, token, headers, timeout, retry_for }))
}

fn url(text: &str) -> Parsed<Url> {
    let no_url = "a webhook's URL is `http://HOST/…` or `https://HOST/…`, without spaces";
    let uri: Uri = text.parse().map_err(|_| no_url)?;
    let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    // What follows the host is a port or nothing; the parser itself lets other text pass.
    let host = uri.host().unwrap_or_default();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let has_end = authority.ends_with(host) || uri.port_u16().is_some();
    if !has_scheme || host.is_empty() || !has_end {
        return Err(no_url.into());
    }
    if authority.contains('@') {
        return Err(
            "the URL has a name or password in it, which others could read in the list of processes; put it into \
                    a file of headers: `webhook,headers-file=FILE:https://…` with the line `Authorization: Basic …`"
                .into(),
        );
    }
    Ok(Url(uri))
}

fn variable(name: &str) -> Parsed<SecretPlace> {
    let is_plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if name.len() > VARIABLES.len() && name.starts_with(VARIABLES) && name.chars().all(is_plain) {
        return Ok(SecretPlace::Variable(name.to_string()));
    }
    Err("`token-env` is the name of an environment variable that begins with FORESHOCK_, such as FORESHOCK_OPS_TOKEN"
        .into())
}

fn duration(option: &str, value: &str) -> Parsed<Duration> {
    match humantime::parse_duration(value) {
        Ok(duration) if (Duration::from_millis(1)..=LONGEST).contains(&duration) => Ok(duration),
        _ => Err(format!("`{option}` is a time between 1ms and 1day, such as 10s or 5m")),
    }
}

fn some_path(option: &str, value: &str) -> Parsed<PathBuf> {
    if value.is_empty() {
        return Err(format!("`{option}` is the path of a file, without commas and colons"));
    }
    Ok(PathBuf::from(value))
}

fn some_place<'a>(place: Option<&'a str>, what: &str) -> Parsed<&'a str> {
    place.filter(|place| !place.is_empty()).ok_or_else(|| format!("behind the colon stands {what}"))
}

fn set<T>(slot: &mut Option<T>, name: &str, value: T) -> Parsed<()> {
    if slot.replace(value).is_some() {
        return Err(format!("`{name}` is given twice, or beside an option that says the same"));
    }
    Ok(())
}

fn unknown(kind: &str, option: &str, known: &str) -> String {
    let name = option.split('=').next().unwrap_or_default();
    format!("`{name}` is no option of `{kind}`, which has {known}")
}

/// Refuses a place that ends with an option: it was meant as one, and would be taken as part of a path or URL.
fn options_in_front(kind: &str, options: &[&str], place: &str) -> Parsed<()> {
    let behind = options.iter().find(|option| {
        place.split(',').skip(1).any(|part| part.split_once('=').is_some_and(|(name, _)| name == **option))
    });
    match behind {
        Some(option) => Err(format!(
            "`{option}` stands at the end of the place and would be a part of it; options stand in front of the colon: \
             `{kind},{option}=…:…` (a comma that belongs to a URL is written %2C)"
        )),
        None => Ok(()),
    }
}

/// A text as typed, up to the host of the URL in it. Values of options that do not exist are left out: who writes
/// `token=…` has written a secret.
fn redacted(text: &str) -> String {
    let (front, place) = split(text);
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

//! What is sent along with a webhook and must not be seen: tokens and headers, from files and the environment.
//!
//! Invariant: no content of such a file or variable is part of a message; what is wrong is named by file and line.

use super::error::{SecretFlaw, SinkError};
use super::spec::{SecretPlace, SinkSpec, WebhookSpec};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use ureq::http::{HeaderName, HeaderValue, header};

/// No file of headers or with a token is larger.
const MOST: u64 = 64 << 10;

/// A header of every request.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub name: HeaderName,
    pub value: HeaderValue,
}

/// The headers a webhook has of its own. `variable` reads the environment.
pub(super) fn headers(spec: &WebhookSpec, variable: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Header>, SinkError> {
    let failed =
        |place: String, flaw| SinkError::Secret { sink: SinkSpec::Webhook(spec.clone()).to_string(), place, flaw };
    let mut headers = Vec::new();
    if let Some(path) = &spec.headers {
        let text = read(path).map_err(|flaw| failed(path.display().to_string(), flaw))?;
        headers = parse(&text).map_err(|flaw| failed(path.display().to_string(), flaw))?;
    }
    if let Some(token) = &spec.token {
        let (place, text) = match token {
            SecretPlace::File(path) => (path.display().to_string(), read(path)),
            SecretPlace::Variable(name) => (format!("${name}"), variable(name).ok_or(SecretFlaw::NotSet)),
        };
        let value = text.and_then(|text| bearer(&text)).map_err(|flaw| failed(place.clone(), flaw))?;
        if headers.iter().any(|header| header.name == header::AUTHORIZATION) {
            return Err(failed(place, SecretFlaw::TwoAuthorizations));
        }
        headers.push(Header { name: header::AUTHORIZATION, value });
    }
    Ok(headers)
}

fn read(path: &Path) -> Result<String, SecretFlaw> {
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_string(&mut text))?;
    if text.len() as u64 > MOST { Err(SecretFlaw::TooLarge) } else { Ok(text) }
}

fn bearer(text: &str) -> Result<HeaderValue, SecretFlaw> {
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() {
        return Err(SecretFlaw::Empty);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| SecretFlaw::Characters)?;
    value.set_sensitive(true);
    Ok(value)
}

/// One `Name: value` a line; empty lines and lines that begin with `#` are skipped.
fn parse(text: &str) -> Result<Vec<Header>, SecretFlaw> {
    let mut headers = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let line_number = i + 1;
        let broken = || SecretFlaw::Line(line_number);
        let (name, value) = line.split_once(':').ok_or_else(broken)?;
        let name: HeaderName = name.trim().parse().map_err(|_| broken())?;
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| broken())?;
        let is_ours = ["content-type", "content-length", "transfer-encoding", "connection", "host", "expect"]
            .contains(&name.as_str())
            || name == "idempotency-key";
        if is_ours {
            return Err(SecretFlaw::Ours { line: line_number, name: name.to_string() });
        }
        value.set_sensitive(true);
        headers.push(Header { name, value });
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::{SecretFlaw, bearer, parse};

    #[test]
    fn headers_are_lines_and_mistakes_have_a_place() {
        let headers = parse("# ops\nX-Team: shop: night\n\nauthorization: Basic dTpw\n").unwrap();
        let pairs: Vec<_> = headers.iter().map(|h| (h.name.as_str(), h.value.to_str().unwrap())).collect();
        assert_eq!(pairs, [("x-team", "shop: night"), ("authorization", "Basic dTpw")]);
        assert!(headers.iter().all(|header| header.value.is_sensitive()));
        assert!(matches!(parse("X-A: 1\nnonsense"), Err(SecretFlaw::Line(2))));
        assert!(matches!(parse("X A: 1"), Err(SecretFlaw::Line(1))));
        assert!(matches!(parse("Content-Type: x"), Err(SecretFlaw::Ours { line: 1, .. })));
    }

    #[test]
    fn a_token_is_the_first_line() {
        assert_eq!(bearer(" s3cret \nmore").unwrap(), "Bearer s3cret");
        assert!(matches!(bearer("\n"), Err(SecretFlaw::Empty)));
        assert!(matches!(bearer("a\u{1}b"), Err(SecretFlaw::Characters)));
    }
}

//! Which client libraries sent the metrics: instrumentation scopes and their versions.

use crate::catalog::Release;
use crate::model::{Export, Span};
use std::collections::BTreeSet;

/// One instrumentation scope in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    /// Name of the scope.
    pub scope: String,
    /// Its version; empty when none was sent.
    pub version: String,
}

impl Client {
    /// The release, when the version has the form that the catalog knows.
    pub fn release(&self) -> Option<Release> {
        Release::parse(&self.version)
    }
}

/// Collects clients from exports. Cheap enough to run beside the engine: a scope is looked at once per body, and only
/// compared while it is one that was seen before.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    raw: BTreeSet<(Vec<u8>, Vec<u8>)>,
    newest: (Vec<u8>, Vec<u8>),
}

/// Clients kept; a sender that makes up scope names must not fill the memory.
const MOST_CLIENTS: usize = 1000;

impl Clients {
    /// Looks at one export.
    pub fn add(&mut self, export: &Export) {
        let mut last: Option<(Span, Span)> = None;
        for metric in &export.metrics {
            if last == Some((metric.scope, metric.scope_version)) {
                continue;
            }
            last = Some((metric.scope, metric.scope_version));
            let (scope, version) = (export.bytes(metric.scope), export.bytes(metric.scope_version));
            if self.newest.0 == scope && self.newest.1 == version {
                continue;
            }
            self.newest = (scope.to_vec(), version.to_vec());
            if self.raw.len() < MOST_CLIENTS {
                self.raw.insert(self.newest.clone());
            }
        }
    }

    /// The clients, by scope and version.
    pub fn finish(&self) -> Vec<Client> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut clients: Vec<Client> = self
            .raw
            .iter()
            .map(|(scope, version)| Client { scope: text(scope), version: text(version) })
            .filter(|client| !client.scope.is_empty())
            .collect();
        clients.sort();
        clients
    }
}

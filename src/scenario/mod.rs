//! Scenarios: a small text that says what goes in and what must come out.
//!
//! ```yaml
//! scenario: memory grows past the limit
//! rules: builtin:python
//! resource: {service.name: shop, service.instance.id: i-1, telemetry.sdk.language: python}
//! scope: opentelemetry.instrumentation.system_metrics
//! series:
//!   - metric: process.runtime.cpython.memory
//!     kind: sum
//!     attributes: {type: rss}
//!     values: 5e8x29 2e9x60
//! expect:
//!   - {definition: high-memory-usage, opens: 6m50s, severity: 10, entity: shop (i-1)}
//! ```
//!
//! A file holds one scenario per YAML document; a document with the one key `common` gives keys to those after it.
//!
//! | key | meaning |
//! |---|---|
//! | `scenario` | its name |
//! | `rules` | names of rules, which the caller resolves |
//! | `definitions` | event definitions by name, as Instana's JSON; `name` and `entityType` may be left out |
//! | `options` | `step`, `series`, `counters`, `min-coverage`, `timestamps`, `max-points-per-series` |
//! | `start` | an instant; everything else is relative to it (2026-01-01T00:00:00Z) |
//! | `until` | when the input ends, if that is later than the last arrival |
//! | `interval`, `resource`, `scope` | for every series that does not say otherwise |
//! | `recordings` | names of recordings, which the caller reads; without `start` everything is relative to their first whole second |
//! | `series` | `metric`, `kind`, `values`; also `attributes`, `monotonic`, `temporality`, `starts-at`, `interval`, `resource` (on top of the scenario's, null takes a key away), `scope`, `late-by` or `at` (arrival), `bounds`, `scale`, `offset` |
//! | `expect` | events: `definition`, `opens` (times since the start, or instants); also `entity`, `ends`, `closes` (or `never`), `reason`, `severity`, `last-violation`, `peak`, and of one violating series `attributes`, `value`, `points`; `tolerance` (of values, relative), `within` (of times), `note` |
//! | `quiet`, `inconclusive`, `disabled` | verdicts, by definition; `inconclusive: {name: reason}` |
//! | `dropped` | numbers of dropped points by reason; what is not named is 0 |
//! | `others` | `allowed` when events may open that nothing expects |
//!
//! Values: `7` one point, `a+bxn` a and n further points each b more, `axn` a and n more of it, `_` and `_xn` no point,
//! `stale` a point without a recorded value, `restart` the next point begins a new life (a new start time), `NaN`, `Inf`;
//! `5e8+leak(1e5)+sin(2e7 10m)+noise(42 1e6)x120` a number and what grows, swings and varies on top of it (per second;
//! amplitude and period; seed and amplitude);
//! `(2 1 0 sum=12 min=1 max=9)` a histogram by its buckets, with `zero=` and `count=` where they are wanted.
//!
//! The language of users' `*.test.yaml` files and of our own tests. Owns the language ([`parse`]) alone: running a scenario and
//! comparing it with what it expects is [`crate::gate`]'s, and files are the caller's.

mod parse;
mod reader;
mod tree;
mod values;

pub use parse::{
    Arrival, Closes, ExpectedEvent, ExpectedVerdict, Rules, Scenario, Series, WantedVerdict, When, parse, parse_with,
};
pub use tree::{Content, Key, Node, Unreadable, documents};
pub use values::{BadWord, MAX_SLOTS, Run, RunKind, Sample, Shape, Term, parse as parse_values};

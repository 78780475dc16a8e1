//! Scenarios: a small text that describes what is sent and what must come out.
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
//! | `start` | a timestamp; every time is relative to it (2026-01-01T00:00:00Z) |
//! | `until` | when the input ends, if that is later than the last sample |
//! | `interval`, `resource`, `scope` | for every series without its own |
//! | `recordings` | names of recordings, which the caller reads; without `start` every time is relative to their first whole second |
//! | `series` | `metric`, `kind`, `values`; also `attributes`, `monotonic`, `temporality`, `starts-at`, `interval`, `resource` (on top of the scenario's, null takes a key away), `scope`, `late-by` or `at` (receive time), `bounds`, `scale`, `offset` |
//! | `expect` | events: `definition`, `opens` (times since the start, or timestamps); also `entity`, `ends`, `closes` (or `never`), `reason`, `severity`, `last-violation`, `peak`, and of one violating series `attributes`, `value`, `points`; `tolerance` (of values, relative), `within` (of times), `note` |
//! | `quiet`, `inconclusive`, `disabled` | verdicts, by definition; `inconclusive: {name: reason}` |
//! | `dropped` | numbers of dropped samples by reason; what is not named is 0 |
//! | `others` | `allowed` when events may open that nothing expects |
//!
//! Values: `7` one sample, `a+bxn` a and n further samples each b more, `axn` a and n more of it, `_` and `_xn` no sample,
//! `stale` a sample without a recorded value, `restart` the process restarts (a new start time), `NaN`, `Inf`;
//! `5e8+leak(1e5)+sin(2e7 10m)+noise(42 1e6)x120` a number with growth (per second), a wave (amplitude and period) and noise
//! (seed and amplitude) on top of it;
//! `(2 1 0 sum=12 min=1 max=9)` a histogram by its buckets, with `zero=` and `count=` where they are wanted.
//!
//! The language of users' `*.test.yaml` files and of our own tests. Owns the language, read ([`parse`]) and printed. Absent on
//! purpose: running a scenario and comparing it with what it expects, which is [`crate::gate`]'s, and files.

mod parse;
mod print;
mod series;
mod tree;
mod values;

pub use parse::{RuleOrigin, Scenario, parse};

pub(crate) use parse::{DEFAULT_START, ExpectedClose, ExpectedEvent, ExpectedTime, ExpectedVerdict};
pub(crate) use print::{SampledScenario, SampledSeries, quoted, span};
pub(crate) use series::{ReceiveTime, ScenarioSeries};
pub(crate) use tree::{Key, Node};
pub(crate) use values::{BucketLayout, HistogramValue, SlotSample, SlotValue};

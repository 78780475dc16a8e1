//! The options that say what the engine keeps, and how long. What is received goes on for ever and is bounded by default; what
//! is recorded ends, and nothing of it is evicted unless it was when it was evaluated live.

use crate::engine::Retention;
use crate::model::{MINUTE, Nanos};
use std::collections::BTreeMap;
use std::time::Duration;

const FORGET_AFTER: &str = "--forget-after";
const MAX_ENTITIES: &str = "--max-entities";
const MAX_SERIES: &str = "--max-series";
const MAX_SERIES_PER_ENTITY: &str = "--max-series-per-entity";

/// Options of every command that evaluates what it receives, or what was recorded.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Retention")]
pub(super) struct RetentionArgs {
    /// Evict a series, and then its entity, after this time without data (`24h`, or `never`)
    #[arg(long, value_name = "DURATION", value_parser = silence)]
    forget_after: Option<Silence>,
    /// Most series at a time; data points of others are dropped
    #[arg(long, value_name = "N", value_parser = most)]
    max_series: Option<u64>,
    /// Most series of an entity at a time
    #[arg(long, value_name = "N", value_parser = most)]
    max_series_per_entity: Option<u64>,
    /// Most entities at a time
    #[arg(long, value_name = "N", value_parser = most)]
    max_entities: Option<u64>,
}

/// The time without data after which something is evicted, if ever.
#[derive(Clone, Copy, Debug)]
struct Silence(Option<Nanos>);

impl RetentionArgs {
    /// For a service, which must not grow for ever.
    pub(super) fn of_service(&self) -> Retention {
        self.over(Retention {
            forget_after: Some(24 * 60 * MINUTE),
            series: 1_000_000,
            series_of_entity: 10_000,
            entities: 100_000,
            closed_events: false,
        })
    }

    /// For recordings: as they were evaluated live, else without bounds. `typed` are the options in the head of the first that
    /// was.
    pub(super) fn of_recordings(&self, typed: Option<&BTreeMap<String, String>>) -> Retention {
        let all = Retention::default();
        let Some(typed) = typed else { return self.over(all) };
        let number = |name: &str| typed.get(name).and_then(|text| most(text).ok()).unwrap_or(u64::MAX);
        self.over(Retention {
            forget_after: typed.get(FORGET_AFTER).and_then(|text| silence(text).ok()).and_then(|silence| silence.0),
            series: number(MAX_SERIES),
            series_of_entity: number(MAX_SERIES_PER_ENTITY),
            entities: number(MAX_ENTITIES),
            ..all
        })
    }

    fn over(&self, by_default: Retention) -> Retention {
        Retention {
            forget_after: self.forget_after.map_or(by_default.forget_after, |silence| silence.0),
            series: self.max_series.unwrap_or(by_default.series),
            series_of_entity: self.max_series_per_entity.unwrap_or(by_default.series_of_entity),
            entities: self.max_entities.unwrap_or(by_default.entities),
            closed_events: by_default.closed_events,
        }
    }
}

/// Retention as it is typed, to be compared later. Closed events are not part of it: they are reported when they close.
pub(super) fn typed(retention: &Retention) -> [(&'static str, String); 4] {
    let Retention { forget_after, series, series_of_entity, entities, closed_events: _ } = retention;
    let silence = forget_after.map_or("never".to_string(), |silence| {
        humantime::format_duration(Duration::from_nanos(silence.unsigned_abs())).to_string()
    });
    let number = |n: &u64| if *n == u64::MAX { "unlimited".to_string() } else { n.to_string() };
    [
        (FORGET_AFTER, silence),
        (MAX_SERIES, number(series)),
        (MAX_SERIES_PER_ENTITY, number(series_of_entity)),
        (MAX_ENTITIES, number(entities)),
    ]
}

fn silence(text: &str) -> Result<Silence, String> {
    const LEAST: Duration = Duration::from_secs(60);
    const MOST: Duration = Duration::from_secs(10 * 365 * 86_400);
    if text == "never" {
        return Ok(Silence(None));
    }
    let silence = humantime::parse_duration(text).map_err(|error| format!("{error}; write 24h, 30m or never"))?;
    match Nanos::try_from(silence.as_nanos()) {
        Ok(nanos) if (LEAST..=MOST).contains(&silence) => Ok(Silence(Some(nanos))),
        _ => Err("at least 1m, at most ten years, or never".into()),
    }
}

fn most(text: &str) -> Result<u64, String> {
    if text == "unlimited" {
        return Ok(u64::MAX);
    }
    match text.parse::<u64>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("a number above 0, or unlimited".into()),
    }
}

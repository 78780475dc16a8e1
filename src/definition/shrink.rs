//! Definitions for runs that are shorter than their windows: every span of time a fraction of what it is.
//!
//! Thresholds stay, so a shrunk definition asks the same question of a shorter time. Invariant: no span becomes longer, and
//! none shorter than the floor, which is what a window needs to hold points at all.

use super::{EventDefinition, Presence, RuleKind};

impl EventDefinition {
    /// The definition with its windows, roll-ups and grace period at `scale` (above 0, at most 1) of their length.
    pub fn shrunk(&self, scale: f64, floor_ms: i64) -> EventDefinition {
        let shrink = |ms: i64| if ms <= 0 { ms } else { ((ms as f64 * scale) as i64).max(floor_ms).clamp(1, ms) };
        let mut definition = self.clone();
        definition.expiration_ms = shrink(definition.expiration_ms);
        for rule in &mut definition.rules {
            match &mut rule.kind {
                // A trend takes the time it takes. Whoever shrinks windows says so in the engine's options, and the rule is
                // inconclusive.
                RuleKind::Trend(_) => {}
                RuleKind::Threshold(threshold) => {
                    threshold.window_ms = shrink(threshold.window_ms);
                    threshold.rollup_ms = shrink(threshold.rollup_ms).min(threshold.window_ms);
                }
                RuleKind::Presence(Presence::Count { .. } | Presence::Offline) => {}
                RuleKind::Presence(
                    Presence::CountVerification { offline_ms, .. } | Presence::Verification { offline_ms, .. },
                ) => *offline_ms = shrink(*offline_ms),
                RuleKind::Presence(Presence::Availability { offline_ms, close_after_ms, .. }) => {
                    *offline_ms = shrink(*offline_ms);
                    *close_after_ms = shrink(*close_after_ms);
                }
            }
        }
        definition
    }
}

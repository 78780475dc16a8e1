//! What a sender is told of its points is what the engine drops.

use crate::otlp_messages::message;
use bytes::Bytes;
use foreshock::engine::{DropReason, Engine, Input, Options, Received, Timestamps, count_dropped};
use foreshock::model::{Export, Nanos, SECOND};
use foreshock::otlp::{self, Decoder, Encoding};
use proptest::prelude::*;
use prost::Message;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_partial_success_names_the_points_that_the_engine_drops(
        message in message(),
        at in prop_oneof![Just(None), Just(Some(0)), (0i64..10).prop_map(|s| Some(s * SECOND)), Just(Some(1 << 61))],
        arrival in any::<bool>(),
        twice in any::<bool>(),
    ) {
        let at: Option<Nanos> = at;
        let timestamps = if arrival { Timestamps::Arrival } else { Timestamps::Event };
        let body = Bytes::from(message.encode_to_vec());
        // The second time the report is known by its shape. Without rules nothing is late or a duplicate.
        let mut engine = Engine::new(Vec::new(), Options { timestamps, ..Options::default() });
        let (mut decoder, mut export) = (Decoder::default(), Export::default());
        let mut said = [0; DropReason::ALL.len()];
        for _ in 0..=usize::from(twice) {
            decoder.decode(Encoding::Protobuf, body.clone(), &mut export).expect("a body");
            let counts = count_dropped(&export, Received { received_at: at, timestamps });
            said.iter_mut().zip(counts).for_each(|(sum, n)| *sum += n);
            engine.step(Input { received_at: at, export: Some(&export) }, &mut |_| {});
        }
        prop_assert_eq!(engine.counts().dropped, said);
    }

    #[test]
    fn the_entries_of_a_body_are_counted_as_they_are_decoded(message in message()) {
        let body = Bytes::from(message.encode_to_vec());
        let mut export = Export::default();
        otlp::decode(Encoding::Protobuf, body.clone(), &mut export).expect("a body");
        // Metrics without a point are no entries of a export.
        let all = message.resource_metrics.iter().flat_map(|r| &r.scope_metrics).map(|s| s.metrics.len()).sum::<usize>();
        prop_assert_eq!(otlp::entries(&body), export.resources.len() + all + export.points.len());
    }
}

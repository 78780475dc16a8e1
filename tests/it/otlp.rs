//! `otlp::decode` on protobuf, held against a protobuf library.

use crate::otlp_messages::{Dice, expected, mangle, message, points, request_descriptor};
use bytes::Bytes;
use foreshock::model::Batch;
use foreshock::otlp::{self, DecodeError, Encoding};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use proptest::prelude::*;
use prost::Message;

fn decode(bytes: &[u8]) -> Result<Batch, DecodeError> {
    let mut batch = Batch::default();
    otlp::decode(Encoding::Protobuf, Bytes::copy_from_slice(bytes), &mut batch).map(|()| batch)
}

/// Decodes with both and compares point by point.
fn check_same(bytes: &[u8], message: &ExportMetricsServiceRequest) {
    let batch = decode(bytes).unwrap_or_else(|e| panic!("{e}: {bytes:02x?}"));
    let (ours, theirs) = (points(&batch), expected(message));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"));
    }
    assert_eq!(batch.resources.len(), message.resource_metrics.len());
    let content = ExportMetricsServiceRequest::decode(&batch.body[..]).expect("the batch's body is a message");
    assert_eq!(format!("{content:?}"), format!("{message:?}"), "the batch's body says the same");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn regular_bodies_are_read_in_place(message in message()) {
        let bytes = message.encode_to_vec();
        check_same(&bytes, &ExportMetricsServiceRequest::decode(&bytes[..]).expect("a valid body"));
        prop_assert_eq!(decode(&bytes).expect("valid").body.len(), bytes.len());
    }

    #[test]
    fn irregular_bodies_mean_what_a_protobuf_library_says(message in message(), seed in any::<u64>()) {
        let bytes = mangle(&message.encode_to_vec(), &request_descriptor(), &mut Dice(seed));
        let message = ExportMetricsServiceRequest::decode(&bytes[..]).expect("the mangled body is legal");
        check_same(&bytes, &message);
    }
}

//! A decoder that remembers shapes gives what the plain walk gives, and equal shapes mean equal series.

use crate::otlp_messages::{Dice, mangle, message, request_descriptor};
use bytes::Bytes;
use foreshock::model::{Export, ResourceSpan};
use foreshock::otlp::{self, Decoder, Encoding};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use proptest::prelude::*;
use prost::Message;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

/// The same message some time later: other times and other values, nothing else.
fn later(message: &ExportMetricsServiceRequest, by: u64) -> ExportMetricsServiceRequest {
    let mut message = message.clone();
    let metrics = message.resource_metrics.iter_mut().flat_map(|r| &mut r.scope_metrics).flat_map(|s| &mut s.metrics);
    for metric in metrics {
        let numbers = match &mut metric.data {
            Some(Data::Gauge(gauge)) => &mut gauge.data_points,
            Some(Data::Sum(sum)) => &mut sum.data_points,
            _ => continue,
        };
        for point in numbers {
            // What was not sent has no field on the wire; it stays away.
            point.time_unix_nano = if point.time_unix_nano == 0 { 0 } else { point.time_unix_nano.saturating_add(by) };
            match &mut point.value {
                Some(Value::AsInt(value)) => *value = value.wrapping_add(by as i64),
                Some(Value::AsDouble(value)) => *value += by as f64,
                None => {}
            }
        }
    }
    message
}

fn without_shapes(export: &Export) -> Export {
    let resources = export.resources.iter().map(|r| ResourceSpan { shape: 0, ..*r }).collect();
    Export { resources, ..export.clone() }
}

/// The bytes that name the metrics and points of every resource with a shape must be the same whenever the shape is.
#[derive(Default)]
struct Meanings(HashMap<u64, Vec<Vec<u8>>>);

impl Meanings {
    fn check(&mut self, export: &Export) -> usize {
        let (mut metric, mut point, mut shaped) = (0, 0, 0);
        for resource in &export.resources {
            let mut names = Vec::new();
            for m in &export.metrics[metric..resource.metrics_end as usize] {
                let kind = format!("{:?} {:?} {}", m.kind, m.temporality, m.monotonic);
                names.extend([export.bytes(m.scope).to_vec(), export.bytes(m.name).to_vec(), kind.into_bytes()]);
                for p in &export.points[point..m.points_end as usize] {
                    names.push(export.bytes(p.attributes).to_vec());
                }
                point = m.points_end as usize;
            }
            metric = resource.metrics_end as usize;
            if resource.shape != 0 {
                shaped += 1;
                assert_eq!(self.0.entry(resource.shape).or_insert_with(|| names.clone()), &names);
            }
        }
        shaped
    }
}

/// Decodes bodies one after the other both ways; returns how many resources had a shape.
fn compare<'a>(bodies: impl Iterator<Item = &'a [u8]>) -> usize {
    let (mut decoder, mut meanings, mut shaped) = (Decoder::default(), Meanings::default(), 0);
    let (mut remembering, mut plain) = (Export::default(), Export::default());
    for body in bodies {
        let body = Bytes::copy_from_slice(body);
        let wanted = otlp::decode(Encoding::Protobuf, body.clone(), &mut plain);
        assert_eq!(decoder.decode(Encoding::Protobuf, body, &mut remembering), wanted);
        if wanted.is_ok() {
            // Compared as text, in which values that are no numbers are equal to themselves.
            assert_eq!(format!("{:?}", without_shapes(&remembering)), format!("{plain:?}"));
            shaped += meanings.check(&remembering);
        }
    }
    shaped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn shapes_give_what_the_walk_gives(messages in prop::collection::vec(message(), 1..4), order in prop::collection::vec((any::<usize>(), 0..5_u64), 1..12), seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let descriptor = request_descriptor();
        let bodies: Vec<Vec<u8>> = order
            .iter()
            .map(|(which, by)| {
                let bytes = later(&messages[which % messages.len()], *by).encode_to_vec();
                match dice.roll(4) {
                    0 => mangle(&bytes, &descriptor, &mut dice),
                    1 => {
                        let mut damaged = bytes;
                        if !damaged.is_empty() {
                            let at = dice.roll(damaged.len());
                            damaged[at] ^= 1 << dice.roll(8);
                        }
                        damaged
                    }
                    _ => bytes,
                }
            })
            .collect();
        compare(bodies.iter().map(Vec::as_slice));
    }
}

#[test]
fn the_reports_of_a_real_client_have_shapes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/recordings/healthy_web.binpb.gz");
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(File::open(path).expect("the recording")).read_to_end(&mut content).expect("gzip");
    let mut bodies = Vec::new();
    let mut rest = &content[..];
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let (body, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
        bodies.push(body);
        rest = behind;
    }
    let shaped = compare(bodies.iter().copied());
    assert!(shaped > bodies.len() * 9 / 10, "{shaped} of {}", bodies.len());
}

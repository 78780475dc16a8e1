//! `otlp::decode` on protobuf, held against a protobuf library.

use crate::otlp_messages::{Dice, expected, mangle, message, points, put_varint, request_descriptor};
use bytes::Bytes;
use foreshock::model::{Export, Kind, PointValue};
use foreshock::otlp::{self, DecodeError, Encoding};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use proptest::prelude::*;
use prost::Message;
use prost_reflect::{Kind as FieldKind, MessageDescriptor};

fn decode(bytes: &[u8]) -> Result<Export, DecodeError> {
    let mut export = Export::default();
    otlp::decode(Encoding::Protobuf, Bytes::copy_from_slice(bytes), &mut export).map(|()| export)
}

/// Decodes with both and compares point by point.
fn check_same(bytes: &[u8], message: &ExportMetricsServiceRequest) {
    let export = decode(bytes).unwrap_or_else(|e| panic!("{e}: {bytes:02x?}"));
    let (ours, theirs) = (points(&export), expected(message));
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(format!("{ours:#?}"), format!("{theirs:#?}"));
    }
    assert_eq!(export.resources.len(), message.resource_metrics.len());
    let content = ExportMetricsServiceRequest::decode(&export.payload[..]).expect("the payload is a message");
    assert_eq!(format!("{content:?}"), format!("{message:?}"), "the payload says the same");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn regular_bodies_are_read_in_place(message in message()) {
        let bytes = message.encode_to_vec();
        check_same(&bytes, &ExportMetricsServiceRequest::decode(&bytes[..]).expect("a valid body"));
        prop_assert_eq!(decode(&bytes).expect("valid").payload.len(), bytes.len());
    }

    #[test]
    fn irregular_bodies_mean_what_a_protobuf_library_says(message in message(), seed in any::<u64>()) {
        let bytes = mangle(&message.encode_to_vec(), &request_descriptor(), &mut Dice(seed));
        let message = ExportMetricsServiceRequest::decode(&bytes[..]).expect("the mangled body is legal");
        check_same(&bytes, &message);
    }
}

#[test]
fn a_resource_in_several_empty_parts_is_an_empty_one() {
    let bytes = [0x0a, 4, 0x0a, 0, 0x0a, 0];
    let export = decode(&bytes).expect("a legal body");
    assert_eq!(export.bytes(export.resources[0].raw), b"");
    check_same(&bytes, &ExportMetricsServiceRequest::decode(&bytes[..]).expect("a legal body"));
}

/// What is left of a body without the parts that decoding does not look into: texts, attributes, exemplars, quantiles. No
/// body is left when the framing of the rest is broken.
fn without_opaque_parts(bytes: &[u8], descriptor: &MessageDescriptor) -> Option<Vec<u8>> {
    const OPAQUE: [&str; 4] = ["KeyValue", "Exemplar", "ValueAtQuantile", "EntityRef"];
    let (mut out, mut p) = (Vec::new(), 0);
    while p < bytes.len() {
        let at = p;
        let tag = try_varint(bytes, &mut p)?;
        let field = descriptor.get_field(u32::try_from(tag).ok()? >> 3);
        if tag & 7 != 2 || field.is_none() {
            skip_unknown(bytes, &mut p, tag)?;
            out.extend_from_slice(&bytes[at..p]);
            continue;
        }
        let n = usize::try_from(try_varint(bytes, &mut p)?).ok()?;
        let content = bytes.get(p..p.checked_add(n)?)?;
        p += n;
        match field?.kind() {
            FieldKind::Message(inner) if OPAQUE.contains(&inner.name()) => {}
            FieldKind::Message(inner) if inner.name() == "Resource" => {}
            FieldKind::Message(inner) => {
                let content = without_opaque_parts(content, &inner)?;
                put_varint(tag, false, &mut out);
                put_varint(content.len() as u64, false, &mut out);
                out.extend_from_slice(&content);
            }
            FieldKind::String => {}
            _ => out.extend_from_slice(&bytes[at..p]),
        }
    }
    Some(out)
}

fn skip_unknown(bytes: &[u8], p: &mut usize, tag: u64) -> Option<()> {
    match tag & 7 {
        0 => drop(try_varint(bytes, p)?),
        1 => *p += 8,
        2 => {
            let n = usize::try_from(try_varint(bytes, p)?).ok()?;
            *p = p.checked_add(n)?;
        }
        3 => loop {
            let inner = try_varint(bytes, p)?;
            if inner & 7 == 4 {
                break;
            }
            skip_unknown(bytes, p, inner)?;
        },
        5 => *p += 4,
        _ => return None,
    }
    (*p <= bytes.len()).then_some(())
}

fn try_varint(bytes: &[u8], p: &mut usize) -> Option<u64> {
    prost::encoding::decode_varint(&mut &bytes[*p..]).ok().inspect(|_| {
        *p += 1 + bytes[*p..].iter().take_while(|byte| **byte >= 0x80).count();
    })
}

/// Holds both decoders against each other on bytes that may be anything.
fn check_any(bytes: &[u8]) {
    match (ExportMetricsServiceRequest::decode(bytes), decode(bytes)) {
        (Ok(message), _) => check_same(bytes, &message),
        (Err(_), Err(e)) => assert!(e.offset <= bytes.len()),
        (Err(refusal), Ok(export)) => {
            let rest = without_opaque_parts(bytes, &request_descriptor())
                .unwrap_or_else(|| panic!("broken framing accepted: {refusal}: {bytes:02x?}"));
            let rest = ExportMetricsServiceRequest::decode(&rest[..]);
            assert!(rest.is_ok(), "{rest:?} accepted: {bytes:02x?}");
            read_everything(&export);
        }
    }
}

/// Reads every part of a export; only parts that were not looked at may be refused.
fn read_everything(export: &Export) {
    for resource in &export.resources {
        let _ = otlp::resource(export.bytes(resource.raw));
    }
    for metric in &export.metrics {
        otlp::metric(export, metric);
        otlp::metric_text(export.bytes(metric.raw));
    }
    let mut metrics = export.metrics.iter().peekable();
    for (i, point) in export.points.iter().enumerate() {
        while metrics.next_if(|metric| metric.points_end as usize <= i).is_some() {}
        let _ = otlp::attributes(export.bytes(point.attributes));
        if let PointValue::Histogram(span) = point.value {
            let exponential = metrics.peek().expect("a metric").kind == Kind::ExponentialHistogram;
            otlp::histogram(export.bytes(span), exponential).expect("what was decoded can be read");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn damaged_bodies_are_judged_as_a_protobuf_library_judges_them(
        message in message(),
        mangled in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut dice = Dice(seed);
        let mut bytes = message.encode_to_vec();
        if mangled {
            bytes = mangle(&bytes, &request_descriptor(), &mut dice);
        }
        for _ in 0..1 + dice.roll(3) {
            if bytes.is_empty() {
                break;
            }
            let at = dice.roll(bytes.len());
            match dice.roll(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.remove(at)),
                2 => bytes[at] = dice.roll(256) as u8,
                3 => bytes[at] ^= 1 << dice.roll(8),
                4 => bytes[at] = bytes[at].wrapping_add(1),
                _ => bytes.insert(at, [0, 1, 2, 3, 4, 8, 0x0a, 0x0b, 0x0c, 0x12, 0x80, 0xff][dice.roll(12)]),
            }
        }
        check_any(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_judged_as_a_protobuf_library_judges_them(bytes in proptest::collection::vec(wire_byte(), 0..60)) {
        check_any(&bytes);
        // The same inside the messages where points are.
        for data in [0x2a, 0x3a, 0x4a, 0x52, 0x5a] {
            let wrapped = [0x0a, 0x12, 0x12, data, 0x0a].iter().rev().fold(bytes.clone(), |inner, &tag| field(tag, &inner));
            check_any(&wrapped);
        }
        let _ = otlp::resource(&bytes);
        let _ = otlp::attributes(&bytes);
        let _ = otlp::histogram(&bytes, true);
        let _ = otlp::histogram(&bytes, false);
        otlp::metric_text(&bytes);
    }

    #[test]
    fn the_lists_are_reused_and_in_proportion_to_the_body(message in message()) {
        let bytes = Bytes::from(message.encode_to_vec());
        let mut export = Export::default();
        otlp::decode(Encoding::Protobuf, bytes.clone(), &mut export).expect("valid");
        let room = |export: &Export| {
            (export.points.as_ptr(), export.points.capacity(), export.metrics.capacity(), export.resources.capacity())
        };
        let (first, before) = (export.clone(), room(&export));
        prop_assert!(before.1 + before.2 + before.3 <= bytes.len() + 12);
        otlp::decode(Encoding::Protobuf, bytes, &mut export).expect("valid");
        prop_assert_eq!(before, room(&export));
        prop_assert_eq!(format!("{:?}", first), format!("{:?}", export));
    }
}

fn wire_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        Just(0x0a),
        Just(0x12),
        Just(0x1a),
        Just(0x11),
        Just(0x19),
        Just(0x21),
        Just(0x31),
        Just(0x32),
        Just(0x3a),
        Just(0x40),
        Just(0x42),
        Just(0x4a),
        Just(0x50),
        0..12u8,
        0..12u8,
        0..12u8,
        any::<u8>()
    ]
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    put_varint(content.len() as u64, false, &mut out);
    out.extend_from_slice(content);
    out
}

/// A body with one metric whose message is `metric`.
fn body_of(metric: &[u8]) -> Vec<u8> {
    [0x0a, 0x12, 0x12].iter().rev().fold(metric.to_vec(), |inner, &tag| field(tag, &inner))
}

#[test]
fn broken_framing_is_refused_with_its_place() {
    for (bytes, offset) in [
        (&[0x0a][..], 1),
        (&[0x0a, 0x05, 0x00], 1),
        (&[0x80], 0),
        (&[0x00, 0x00], 0),
        (&[0x08, 0x01], 0),
        (&[0x0d, 0, 0, 0, 0], 0),
        (&[0x16, 0], 0),
        (&[0x17, 0], 0),
        (&[0x0c], 0),
        (&[0x1b, 0x14], 1),
        (&[0x1b, 0x1c, 0x1b], 3),
        (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 0),
        (&[0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], 1),
        (&[0x8a, 0x80, 0x80, 0x80, 0x10, 0x00], 0),
        (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], 1),
        (&[0x0a, 0x02, 0x0a, 0x01], 3),
        (&[0x21, 0, 0, 0], 1),
        (&[0x25, 0, 0, 0], 1),
    ] {
        let refused = decode(bytes).expect_err("broken");
        assert_eq!(refused.offset, offset, "{refused}: {bytes:02x?}");
        assert!(ExportMetricsServiceRequest::decode(bytes).is_err(), "{bytes:02x?}");
    }
    // A packed list that ends inside a number, in a histogram point.
    assert!(decode(&body_of(&field(0x4a, &field(0x0a, &[0x32, 0x03, 0, 0, 0])))).is_err());
    // A failed decoding leaves nothing behind.
    let mut export = decode(&body_of(&field(0x2a, &field(0x0a, &[])))).expect("valid");
    assert_eq!(export.points.len(), 1);
    assert!(otlp::decode(Encoding::Protobuf, Bytes::from_static(&[0x0a]), &mut export).is_err());
    assert!(
        export.points.is_empty()
            && export.metrics.is_empty()
            && export.resources.is_empty()
            && export.payload.is_empty()
    );
}

#[test]
fn nesting_is_bounded_where_a_protobuf_library_bounds_it() {
    for levels in 40..60 {
        let array = |inner: Vec<u8>| field(0x2a, &field(0x0a, &inner));
        let value = (0..levels).fold(Vec::new(), |inner, _| array(inner));
        let attribute = field(0x12, &value);
        let in_resource = field(0x0a, &field(0x0a, &field(0x0a, &attribute)));
        let in_point = body_of(&field(0x2a, &field(0x0a, &field(0x3a, &attribute))));
        for (bytes, resource) in [(in_resource, true), (in_point, false)] {
            let export = decode(&bytes).expect("attributes are not looked at");
            let read = match resource {
                true => otlp::resource(export.bytes(export.resources[0].raw)),
                false => otlp::attributes(export.bytes(export.points[0].attributes)),
            };
            assert_eq!(read.is_ok(), ExportMetricsServiceRequest::decode(&bytes[..]).is_ok(), "{levels} {resource}");
        }
    }
    for levels in 90..110 {
        let groups = [vec![0x1b; levels], vec![0x1c; levels]].concat();
        let in_metric = body_of(&groups);
        for bytes in [groups, in_metric] {
            assert_eq!(decode(&bytes).is_ok(), ExportMetricsServiceRequest::decode(&bytes[..]).is_ok(), "{levels}");
        }
    }
}

#[test]
fn adversarial_bodies_take_linear_time() {
    const N: usize = 200_000;
    let check = |bytes: Vec<u8>| {
        let message = ExportMetricsServiceRequest::decode(&bytes[..]).expect("legal");
        let export = decode(&bytes).expect("legal");
        read_everything(&export);
        let points = message.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
        let points: usize = points
            .map(|m| match &m.data {
                Some(Data::Gauge(d)) => d.data_points.len(),
                Some(Data::Sum(d)) => d.data_points.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(export.points.len(), points);
    };
    let empty_point = field(0x0a, &[]);
    let metric = field(0x12, &field(0x2a, &empty_point));
    // A scope in as many parts as there are metrics.
    check(field(0x0a, &field(0x12, &[&field(0x0a, &field(0x0a, b"s"))[..], &metric].concat().repeat(N))));
    // A resource in as many parts.
    check(field(0x0a, &field(0x0a, &field(0x0a, &[])).repeat(N)));
    // A metric that changes its mind about its kind.
    check(body_of(&[field(0x2a, &empty_point), field(0x3a, &empty_point)].concat().repeat(N)));
    // A metric in as many parts as it has points.
    check(body_of(&field(0x3a, &[&empty_point[..], &[0x18, 0x01]].concat()).repeat(N)));
    // Attributes that lie apart: many in one point, and in many points.
    let apart = [&field(0x3a, &field(0x0a, b"k"))[..], &[0x40, 0x00]].concat();
    check(body_of(&field(0x2a, &field(0x0a, &apart.repeat(N)))));
    check(body_of(&field(0x2a, &field(0x0a, &apart.repeat(2)).repeat(N))));
}

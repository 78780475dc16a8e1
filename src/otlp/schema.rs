//! The messages of OTLP metrics as tables: what a JSON name means on the protobuf wire.
//!
//! Every field of every message is here, in the order encoders write them (the reader tries the next one first). A test
//! holds the tables against the published descriptors.

use super::wire::Wire;

/// One message.
pub(super) struct MessageSchema {
    pub(super) fields: &'static [FieldSchema],
    /// By field number, the wire types the field may have.
    pub(super) wires: [Wire; 15],
}

/// One field.
pub(super) struct FieldSchema {
    /// The name in OTLP/JSON. In the protobuf definition it is `a_b` for `aB`.
    pub(super) json: &'static str,
    /// Tag of one value on the wire; of a packed list the tag of the list.
    pub(super) tag: u8,
    /// What a value looks like.
    pub(super) kind: FieldKind,
    /// How many values there may be.
    pub(super) label: Label,
    /// The name as the reader compares it.
    pub(super) pattern: KeyPattern,
}

/// What a value of a field looks like.
#[derive(Clone, Copy)]
pub(super) enum FieldKind {
    Message(&'static MessageSchema),
    String,
    /// Bytes, in JSON as base64.
    Base64,
    /// Bytes, in JSON as hexadecimal digits: OTLP's own rule for trace and span ids.
    Hex,
    Bool,
    Int32,
    Sint32,
    Uint32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
    /// An enum and the names of its values.
    Enum(&'static [(&'static str, i32)]),
}

/// How many values a field may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Label {
    /// One.
    One,
    /// One, and no other member of the message's oneof beside it. No message has more than one oneof.
    Member,
    /// A list.
    Many,
}

impl FieldKind {
    /// The wire type of one value.
    pub(super) const fn wire(self) -> u8 {
        match self {
            FieldKind::Message(_) | FieldKind::String | FieldKind::Base64 | FieldKind::Hex => 2,
            FieldKind::Fixed64 | FieldKind::Sfixed64 | FieldKind::Double => 1,
            FieldKind::Bool | FieldKind::Int32 | FieldKind::Sint32 | FieldKind::Uint32 => 0,
            FieldKind::Int64 | FieldKind::Uint64 | FieldKind::Enum(_) => 0,
        }
    }
}

impl FieldSchema {
    const fn new(label: Label, json: &'static str, number: u8, kind: FieldKind, quoted: &str) -> Self {
        // Lists of numbers are packed.
        let wire = if matches!(label, Label::Many) { 2 } else { kind.wire() };
        FieldSchema { json, tag: number << 3 | wire, kind, label, pattern: KeyPattern::new(quoted) }
    }

    /// Whether the key is the name in the protobuf definition, which the JSON mapping of protobuf allows too.
    pub(super) fn is_proto_name(&self, key: &[u8]) -> bool {
        let letters =
            self.json.bytes().flat_map(|c| [c.is_ascii_uppercase().then_some(b'_'), Some(c.to_ascii_lowercase())]);
        letters.flatten().eq(key.iter().copied())
    }
}

impl MessageSchema {
    const fn new(fields: &'static [FieldSchema]) -> Self {
        let (mut wires, mut i) = ([0; 15], 0);
        while i < fields.len() {
            let FieldSchema { tag, kind, .. } = fields[i];
            wires[(tag >> 3) as usize] = 1 << (tag & 7) | 1 << kind.wire();
            i += 1;
        }
        MessageSchema { fields, wires }
    }
}

/// A name with its closing quote and the colon behind it, arranged for a comparison of eight bytes at once.
pub(super) struct KeyPattern {
    words: [u64; 3],
    masks: [u64; 3],
    len: usize,
}

/// Room for the longest pattern.
pub(super) const PATTERN: usize = 24;

impl KeyPattern {
    const fn new(quoted: &str) -> KeyPattern {
        let bytes = quoted.as_bytes();
        let (mut words, mut masks, mut i) = ([0; 3], [0; 3], 0);
        assert!(bytes.len() <= PATTERN);
        while i < bytes.len() {
            words[i / 8] |= (bytes[i] as u64) << (8 * (i % 8));
            masks[i / 8] |= 0xff << (8 * (i % 8));
            i += 1;
        }
        KeyPattern { words, masks, len: bytes.len() }
    }

    /// Length of what matched, when `text` begins with the pattern.
    #[inline(always)]
    pub(super) fn matches(&self, text: &[u64; 3]) -> Option<usize> {
        let differing = |i: usize| (text[i] & self.masks[i]) ^ self.words[i];
        if differing(0) | differing(1) | differing(2) == 0 { Some(self.len) } else { None }
    }
}

macro_rules! messages {
    ($($name:ident { $($label:ident $json:literal = $number:literal $kind:ident $(($of:expr))?;)* })*) => {
        $(pub(super) static $name: MessageSchema = MessageSchema::new(&[$(FieldSchema::new(
            Label::$label, $json, $number, FieldKind::$kind $(($of))?, concat!($json, "\":"),
        )),*]);)*
    };
}

const TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

messages! {
    REQUEST { Many "resourceMetrics" = 1 Message(&RESOURCE_METRICS); }
    RESOURCE_METRICS {
        One "resource" = 1 Message(&RESOURCE);
        Many "scopeMetrics" = 2 Message(&SCOPE_METRICS);
        One "schemaUrl" = 3 String;
    }
    RESOURCE {
        Many "attributes" = 1 Message(&KEY_VALUE);
        One "droppedAttributesCount" = 2 Uint32;
        Many "entityRefs" = 3 Message(&ENTITY_REF);
    }
    ENTITY_REF {
        One "schemaUrl" = 1 String;
        One "type" = 2 String;
        Many "idKeys" = 3 String;
        Many "descriptionKeys" = 4 String;
    }
    SCOPE_METRICS {
        One "scope" = 1 Message(&SCOPE);
        Many "metrics" = 2 Message(&METRIC);
        One "schemaUrl" = 3 String;
    }
    SCOPE {
        One "name" = 1 String;
        One "version" = 2 String;
        Many "attributes" = 3 Message(&KEY_VALUE);
        One "droppedAttributesCount" = 4 Uint32;
    }
    METRIC {
        One "name" = 1 String;
        One "description" = 2 String;
        One "unit" = 3 String;
        Member "sum" = 7 Message(&SUM);
        Member "gauge" = 5 Message(&GAUGE);
        Member "histogram" = 9 Message(&HISTOGRAM);
        Member "exponentialHistogram" = 10 Message(&EXPONENTIAL_HISTOGRAM);
        Member "summary" = 11 Message(&SUMMARY);
        Many "metadata" = 12 Message(&KEY_VALUE);
    }
    GAUGE { Many "dataPoints" = 1 Message(&NUMBER_POINT); }
    SUM {
        Many "dataPoints" = 1 Message(&NUMBER_POINT);
        One "aggregationTemporality" = 2 Enum(TEMPORALITY);
        One "isMonotonic" = 3 Bool;
    }
    HISTOGRAM {
        Many "dataPoints" = 1 Message(&HISTOGRAM_POINT);
        One "aggregationTemporality" = 2 Enum(TEMPORALITY);
    }
    EXPONENTIAL_HISTOGRAM {
        Many "dataPoints" = 1 Message(&EXPONENTIAL_POINT);
        One "aggregationTemporality" = 2 Enum(TEMPORALITY);
    }
    SUMMARY { Many "dataPoints" = 1 Message(&SUMMARY_POINT); }
    NUMBER_POINT {
        Many "attributes" = 7 Message(&KEY_VALUE);
        One "startTimeUnixNano" = 2 Fixed64;
        One "timeUnixNano" = 3 Fixed64;
        Member "asInt" = 6 Sfixed64;
        Member "asDouble" = 4 Double;
        Many "exemplars" = 5 Message(&EXEMPLAR);
        One "flags" = 8 Uint32;
    }
    HISTOGRAM_POINT {
        Many "attributes" = 9 Message(&KEY_VALUE);
        One "startTimeUnixNano" = 2 Fixed64;
        One "timeUnixNano" = 3 Fixed64;
        One "count" = 4 Fixed64;
        One "sum" = 5 Double;
        Many "bucketCounts" = 6 Fixed64;
        Many "explicitBounds" = 7 Double;
        Many "exemplars" = 8 Message(&EXEMPLAR);
        One "flags" = 10 Uint32;
        One "min" = 11 Double;
        One "max" = 12 Double;
    }
    EXPONENTIAL_POINT {
        Many "attributes" = 1 Message(&KEY_VALUE);
        One "startTimeUnixNano" = 2 Fixed64;
        One "timeUnixNano" = 3 Fixed64;
        One "count" = 4 Fixed64;
        One "sum" = 5 Double;
        One "scale" = 6 Sint32;
        One "zeroCount" = 7 Fixed64;
        One "positive" = 8 Message(&BUCKETS);
        One "negative" = 9 Message(&BUCKETS);
        One "flags" = 10 Uint32;
        Many "exemplars" = 11 Message(&EXEMPLAR);
        One "min" = 12 Double;
        One "max" = 13 Double;
        One "zeroThreshold" = 14 Double;
    }
    BUCKETS {
        One "offset" = 1 Sint32;
        Many "bucketCounts" = 2 Uint64;
    }
    SUMMARY_POINT {
        Many "attributes" = 7 Message(&KEY_VALUE);
        One "startTimeUnixNano" = 2 Fixed64;
        One "timeUnixNano" = 3 Fixed64;
        One "count" = 4 Fixed64;
        One "sum" = 5 Double;
        Many "quantileValues" = 6 Message(&QUANTILE);
        One "flags" = 8 Uint32;
    }
    QUANTILE {
        One "quantile" = 1 Double;
        One "value" = 2 Double;
    }
    EXEMPLAR {
        Many "filteredAttributes" = 7 Message(&KEY_VALUE);
        One "timeUnixNano" = 2 Fixed64;
        Member "asDouble" = 3 Double;
        Member "asInt" = 6 Sfixed64;
        One "spanId" = 4 Hex;
        One "traceId" = 5 Hex;
    }
    KEY_VALUE {
        One "key" = 1 String;
        One "value" = 2 Message(&ANY_VALUE);
        One "keyStrindex" = 3 Int32;
    }
    ANY_VALUE {
        Member "stringValue" = 1 String;
        Member "boolValue" = 2 Bool;
        Member "intValue" = 3 Int64;
        Member "doubleValue" = 4 Double;
        Member "arrayValue" = 5 Message(&ARRAY_VALUE);
        Member "kvlistValue" = 6 Message(&KEY_VALUE_LIST);
        Member "bytesValue" = 7 Base64;
        Member "stringValueStrindex" = 8 Int32;
    }
    ARRAY_VALUE { Many "values" = 1 Message(&ANY_VALUE); }
    KEY_VALUE_LIST { Many "values" = 1 Message(&KEY_VALUE); }
}

#[cfg(test)]
mod tests {
    use super::{FieldKind, Label, MessageSchema, REQUEST};
    use prost_reflect::{DescriptorPool, Kind as ProtoKind, MessageDescriptor};
    use std::collections::HashMap;

    /// The names of the messages whose tables were compared.
    type Seen = HashMap<*const MessageSchema, String>;

    /// Compares a table with its descriptor, and those it refers to.
    fn check(message: &'static MessageSchema, descriptor: &MessageDescriptor, seen: &mut Seen) {
        if let Some(name) = seen.insert(message, descriptor.full_name().to_string()) {
            assert_eq!(name, descriptor.full_name(), "two messages with the same table");
            return;
        }
        assert_eq!(message.fields.len(), descriptor.fields().len(), "{}", descriptor.full_name());
        assert!(descriptor.oneofs().filter(|o| !o.is_synthetic()).count() <= 1);
        for field in message.fields {
            let known = descriptor.get_field((field.tag >> 3) as u32).expect(field.json);
            assert_eq!(field.json, known.json_name());
            assert!(field.is_proto_name(known.name().as_bytes()), "{}", known.full_name());
            let label = match known.containing_oneof() {
                _ if known.is_list() => Label::Many,
                Some(oneof) if !oneof.is_synthetic() => Label::Member,
                _ => Label::One,
            };
            assert_eq!(field.label, label, "{}", known.full_name());
            let wire = if known.is_packed() { 2 } else { known.kind().wire_type() as u8 };
            assert_eq!(field.tag & 7, wire, "{}", known.full_name());
            match (field.kind, known.kind()) {
                (FieldKind::Message(inner), ProtoKind::Message(descriptor)) => check(inner, &descriptor, seen),
                (FieldKind::Enum(names), ProtoKind::Enum(descriptor)) => {
                    let known: Vec<_> = descriptor.values().map(|v| (v.name().to_string(), v.number())).collect();
                    assert_eq!(known, names.iter().map(|(name, n)| (name.to_string(), *n)).collect::<Vec<_>>());
                }
                (FieldKind::String, ProtoKind::String)
                | (FieldKind::Base64 | FieldKind::Hex, ProtoKind::Bytes)
                | (FieldKind::Bool, ProtoKind::Bool)
                | (FieldKind::Int32, ProtoKind::Int32)
                | (FieldKind::Sint32, ProtoKind::Sint32)
                | (FieldKind::Uint32, ProtoKind::Uint32)
                | (FieldKind::Int64, ProtoKind::Int64)
                | (FieldKind::Uint64, ProtoKind::Uint64)
                | (FieldKind::Fixed64, ProtoKind::Fixed64)
                | (FieldKind::Sfixed64, ProtoKind::Sfixed64)
                | (FieldKind::Double, ProtoKind::Double) => {}
                (_, other) => panic!("{} is {other:?}", known.full_name()),
            }
        }
    }

    #[test]
    fn tables_say_what_the_published_descriptors_say() {
        let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("descriptors");
        let name = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest";
        let mut seen = Seen::new();
        check(&REQUEST, &pool.get_message_by_name(name).expect("a known message"), &mut seen);
        assert_eq!(seen.len(), 23, "every table is the one of a message");
    }
}

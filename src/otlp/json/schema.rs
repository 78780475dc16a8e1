//! The messages of OTLP metrics as tables: what a JSON name means on the protobuf wire.
//!
//! Every field of every message is here, in the order encoders write them (the reader tries the next one first). A test
//! holds the tables against the published descriptors.

/// One message.
pub(super) struct Message {
    /// Its place among the messages, for what is remembered per message.
    pub(super) id: usize,
    /// Its fields.
    pub(super) fields: &'static [Field],
}

/// One field.
pub(super) struct Field {
    /// The name in OTLP/JSON.
    pub(super) json: &'static str,
    /// The name in the protobuf definition, which the JSON mapping of protobuf allows too.
    pub(super) proto: &'static str,
    /// Tag of one value on the wire; of a packed list the tag of the list.
    pub(super) tag: u8,
    /// What a value looks like.
    pub(super) kind: Kind,
    /// How many values there may be.
    pub(super) label: Label,
    /// The name as the reader compares it.
    pub(super) pattern: Pattern,
}

/// What a value of a field looks like.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Message(&'static Message),
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

/// A name with its closing quote and the colon behind it, arranged for a comparison of eight bytes at once.
pub(super) struct Pattern {
    words: [u64; 3],
    masks: [u64; 3],
    len: usize,
}

/// Room for the longest pattern.
pub(super) const PATTERN: usize = 24;

impl Pattern {
    const fn new(quoted: &str) -> Pattern {
        let bytes = quoted.as_bytes();
        let (mut words, mut masks, mut i) = ([0; 3], [0; 3], 0);
        assert!(bytes.len() <= PATTERN);
        while i < bytes.len() {
            words[i / 8] |= (bytes[i] as u64) << (8 * (i % 8));
            masks[i / 8] |= 0xff << (8 * (i % 8));
            i += 1;
        }
        Pattern { words, masks, len: bytes.len() }
    }

    /// Length of what matched, when `text` begins with the pattern.
    #[inline(always)]
    pub(super) fn matches(&self, text: &[u64; 3]) -> Option<usize> {
        let differing = |i: usize| (text[i] & self.masks[i]) ^ self.words[i];
        if differing(0) | differing(1) | differing(2) == 0 { Some(self.len) } else { None }
    }
}

const fn tag(number: u8, kind: Kind, label: Label) -> u8 {
    let wire = match kind {
        Kind::Message(_) | Kind::String | Kind::Base64 | Kind::Hex => 2,
        _ if matches!(label, Label::Many) => 2,
        Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => 1,
        Kind::Bool | Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Int64 | Kind::Uint64 | Kind::Enum(_) => 0,
    };
    number << 3 | wire
}

macro_rules! fields {
    ($($label:ident $json:literal $proto:literal = $number:literal $kind:expr;)*) => {
        &[$(Field {
            json: $json,
            proto: $proto,
            tag: tag($number, $kind, Label::$label),
            kind: $kind,
            label: Label::$label,
            pattern: Pattern::new(concat!($json, "\":")),
        }),*]
    };
}

/// Number of messages.
pub(super) const MESSAGES: usize = 23;

pub(super) static REQUEST: Message = Message {
    id: 0,
    fields: fields! { Many "resourceMetrics" "resource_metrics" = 1 Kind::Message(&RESOURCE_METRICS); },
};

static RESOURCE_METRICS: Message = Message {
    id: 1,
    fields: fields! {
        One "resource" "resource" = 1 Kind::Message(&RESOURCE);
        Many "scopeMetrics" "scope_metrics" = 2 Kind::Message(&SCOPE_METRICS);
        One "schemaUrl" "schema_url" = 3 Kind::String;
    },
};

static RESOURCE: Message = Message {
    id: 2,
    fields: fields! {
        Many "attributes" "attributes" = 1 Kind::Message(&KEY_VALUE);
        One "droppedAttributesCount" "dropped_attributes_count" = 2 Kind::Uint32;
        Many "entityRefs" "entity_refs" = 3 Kind::Message(&ENTITY_REF);
    },
};

static ENTITY_REF: Message = Message {
    id: 3,
    fields: fields! {
        One "schemaUrl" "schema_url" = 1 Kind::String;
        One "type" "type" = 2 Kind::String;
        Many "idKeys" "id_keys" = 3 Kind::String;
        Many "descriptionKeys" "description_keys" = 4 Kind::String;
    },
};

static SCOPE_METRICS: Message = Message {
    id: 4,
    fields: fields! {
        One "scope" "scope" = 1 Kind::Message(&SCOPE);
        Many "metrics" "metrics" = 2 Kind::Message(&METRIC);
        One "schemaUrl" "schema_url" = 3 Kind::String;
    },
};

static SCOPE: Message = Message {
    id: 5,
    fields: fields! {
        One "name" "name" = 1 Kind::String;
        One "version" "version" = 2 Kind::String;
        Many "attributes" "attributes" = 3 Kind::Message(&KEY_VALUE);
        One "droppedAttributesCount" "dropped_attributes_count" = 4 Kind::Uint32;
    },
};

static METRIC: Message = Message {
    id: 6,
    fields: fields! {
        One "name" "name" = 1 Kind::String;
        One "description" "description" = 2 Kind::String;
        One "unit" "unit" = 3 Kind::String;
        Member "sum" "sum" = 7 Kind::Message(&SUM);
        Member "gauge" "gauge" = 5 Kind::Message(&GAUGE);
        Member "histogram" "histogram" = 9 Kind::Message(&HISTOGRAM);
        Member "exponentialHistogram" "exponential_histogram" = 10 Kind::Message(&EXPONENTIAL_HISTOGRAM);
        Member "summary" "summary" = 11 Kind::Message(&SUMMARY);
        Many "metadata" "metadata" = 12 Kind::Message(&KEY_VALUE);
    },
};

static GAUGE: Message =
    Message { id: 7, fields: fields! { Many "dataPoints" "data_points" = 1 Kind::Message(&NUMBER_POINT); } };

static SUM: Message = Message {
    id: 8,
    fields: fields! {
        Many "dataPoints" "data_points" = 1 Kind::Message(&NUMBER_POINT);
        One "aggregationTemporality" "aggregation_temporality" = 2 Kind::Enum(TEMPORALITY);
        One "isMonotonic" "is_monotonic" = 3 Kind::Bool;
    },
};

static HISTOGRAM: Message = Message {
    id: 9,
    fields: fields! {
        Many "dataPoints" "data_points" = 1 Kind::Message(&HISTOGRAM_POINT);
        One "aggregationTemporality" "aggregation_temporality" = 2 Kind::Enum(TEMPORALITY);
    },
};

static EXPONENTIAL_HISTOGRAM: Message = Message {
    id: 10,
    fields: fields! {
        Many "dataPoints" "data_points" = 1 Kind::Message(&EXPONENTIAL_POINT);
        One "aggregationTemporality" "aggregation_temporality" = 2 Kind::Enum(TEMPORALITY);
    },
};

static SUMMARY: Message =
    Message { id: 11, fields: fields! { Many "dataPoints" "data_points" = 1 Kind::Message(&SUMMARY_POINT); } };

const TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

static NUMBER_POINT: Message = Message {
    id: 12,
    fields: fields! {
        Many "attributes" "attributes" = 7 Kind::Message(&KEY_VALUE);
        One "startTimeUnixNano" "start_time_unix_nano" = 2 Kind::Fixed64;
        One "timeUnixNano" "time_unix_nano" = 3 Kind::Fixed64;
        Member "asInt" "as_int" = 6 Kind::Sfixed64;
        Member "asDouble" "as_double" = 4 Kind::Double;
        Many "exemplars" "exemplars" = 5 Kind::Message(&EXEMPLAR);
        One "flags" "flags" = 8 Kind::Uint32;
    },
};

static HISTOGRAM_POINT: Message = Message {
    id: 13,
    fields: fields! {
        Many "attributes" "attributes" = 9 Kind::Message(&KEY_VALUE);
        One "startTimeUnixNano" "start_time_unix_nano" = 2 Kind::Fixed64;
        One "timeUnixNano" "time_unix_nano" = 3 Kind::Fixed64;
        One "count" "count" = 4 Kind::Fixed64;
        One "sum" "sum" = 5 Kind::Double;
        Many "bucketCounts" "bucket_counts" = 6 Kind::Fixed64;
        Many "explicitBounds" "explicit_bounds" = 7 Kind::Double;
        Many "exemplars" "exemplars" = 8 Kind::Message(&EXEMPLAR);
        One "flags" "flags" = 10 Kind::Uint32;
        One "min" "min" = 11 Kind::Double;
        One "max" "max" = 12 Kind::Double;
    },
};

static EXPONENTIAL_POINT: Message = Message {
    id: 14,
    fields: fields! {
        Many "attributes" "attributes" = 1 Kind::Message(&KEY_VALUE);
        One "startTimeUnixNano" "start_time_unix_nano" = 2 Kind::Fixed64;
        One "timeUnixNano" "time_unix_nano" = 3 Kind::Fixed64;
        One "count" "count" = 4 Kind::Fixed64;
        One "sum" "sum" = 5 Kind::Double;
        One "scale" "scale" = 6 Kind::Sint32;
        One "zeroCount" "zero_count" = 7 Kind::Fixed64;
        One "positive" "positive" = 8 Kind::Message(&BUCKETS);
        One "negative" "negative" = 9 Kind::Message(&BUCKETS);
        One "flags" "flags" = 10 Kind::Uint32;
        Many "exemplars" "exemplars" = 11 Kind::Message(&EXEMPLAR);
        One "min" "min" = 12 Kind::Double;
        One "max" "max" = 13 Kind::Double;
        One "zeroThreshold" "zero_threshold" = 14 Kind::Double;
    },
};

static BUCKETS: Message = Message {
    id: 15,
    fields: fields! {
        One "offset" "offset" = 1 Kind::Sint32;
        Many "bucketCounts" "bucket_counts" = 2 Kind::Uint64;
    },
};

static SUMMARY_POINT: Message = Message {
    id: 16,
    fields: fields! {
        Many "attributes" "attributes" = 7 Kind::Message(&KEY_VALUE);
        One "startTimeUnixNano" "start_time_unix_nano" = 2 Kind::Fixed64;
        One "timeUnixNano" "time_unix_nano" = 3 Kind::Fixed64;
        One "count" "count" = 4 Kind::Fixed64;
        One "sum" "sum" = 5 Kind::Double;
        Many "quantileValues" "quantile_values" = 6 Kind::Message(&QUANTILE);
        One "flags" "flags" = 8 Kind::Uint32;
    },
};

static QUANTILE: Message = Message {
    id: 17,
    fields: fields! {
        One "quantile" "quantile" = 1 Kind::Double;
        One "value" "value" = 2 Kind::Double;
    },
};

static EXEMPLAR: Message = Message {
    id: 18,
    fields: fields! {
        Many "filteredAttributes" "filtered_attributes" = 7 Kind::Message(&KEY_VALUE);
        One "timeUnixNano" "time_unix_nano" = 2 Kind::Fixed64;
        Member "asDouble" "as_double" = 3 Kind::Double;
        Member "asInt" "as_int" = 6 Kind::Sfixed64;
        One "spanId" "span_id" = 4 Kind::Hex;
        One "traceId" "trace_id" = 5 Kind::Hex;
    },
};

static KEY_VALUE: Message = Message {
    id: 19,
    fields: fields! {
        One "key" "key" = 1 Kind::String;
        One "value" "value" = 2 Kind::Message(&ANY_VALUE);
        One "keyStrindex" "key_strindex" = 3 Kind::Int32;
    },
};

static ANY_VALUE: Message = Message {
    id: 20,
    fields: fields! {
        Member "stringValue" "string_value" = 1 Kind::String;
        Member "boolValue" "bool_value" = 2 Kind::Bool;
        Member "intValue" "int_value" = 3 Kind::Int64;
        Member "doubleValue" "double_value" = 4 Kind::Double;
        Member "arrayValue" "array_value" = 5 Kind::Message(&ARRAY_VALUE);
        Member "kvlistValue" "kvlist_value" = 6 Kind::Message(&KEY_VALUE_LIST);
        Member "bytesValue" "bytes_value" = 7 Kind::Base64;
        Member "stringValueStrindex" "string_value_strindex" = 8 Kind::Int32;
    },
};

static ARRAY_VALUE: Message =
    Message { id: 21, fields: fields! { Many "values" "values" = 1 Kind::Message(&ANY_VALUE); } };

static KEY_VALUE_LIST: Message =
    Message { id: 22, fields: fields! { Many "values" "values" = 1 Kind::Message(&KEY_VALUE); } };

#[cfg(test)]
mod tests {
    use super::{Kind, Label, MESSAGES, Message, REQUEST};
    use prost_reflect::{DescriptorPool, Kind as ProtoKind, MessageDescriptor};

    /// Compares a table with its descriptor, and those it refers to.
    fn check(message: &'static Message, descriptor: &MessageDescriptor, seen: &mut Vec<Option<String>>) {
        if let Some(name) = &seen[message.id] {
            assert_eq!(name, descriptor.full_name(), "two messages with the same id");
            return;
        }
        seen[message.id] = Some(descriptor.full_name().to_string());
        assert_eq!(message.fields.len(), descriptor.fields().len(), "{}", descriptor.full_name());
        assert!(descriptor.oneofs().filter(|o| !o.is_synthetic()).count() <= 1);
        for field in message.fields {
            let known = descriptor.get_field((field.tag >> 3) as u32).expect(field.json);
            assert_eq!((field.json, field.proto), (known.json_name(), known.name()));
            let label = match known.containing_oneof() {
                _ if known.is_list() => Label::Many,
                Some(oneof) if !oneof.is_synthetic() => Label::Member,
                _ => Label::One,
            };
            assert_eq!(field.label, label, "{}", known.full_name());
            let wire = if known.is_packed() { 2 } else { known.kind().wire_type() as u8 };
            assert_eq!(field.tag & 7, wire, "{}", known.full_name());
            match (field.kind, known.kind()) {
                (Kind::Message(inner), ProtoKind::Message(descriptor)) => check(inner, &descriptor, seen),
                (Kind::Enum(names), ProtoKind::Enum(descriptor)) => {
                    let known: Vec<_> = descriptor.values().map(|v| (v.name().to_string(), v.number())).collect();
                    assert_eq!(known, names.iter().map(|(name, n)| (name.to_string(), *n)).collect::<Vec<_>>());
                }
                (Kind::String, ProtoKind::String)
                | (Kind::Base64 | Kind::Hex, ProtoKind::Bytes)
                | (Kind::Bool, ProtoKind::Bool)
                | (Kind::Int32, ProtoKind::Int32)
                | (Kind::Sint32, ProtoKind::Sint32)
                | (Kind::Uint32, ProtoKind::Uint32)
                | (Kind::Int64, ProtoKind::Int64)
                | (Kind::Uint64, ProtoKind::Uint64)
                | (Kind::Fixed64, ProtoKind::Fixed64)
                | (Kind::Sfixed64, ProtoKind::Sfixed64)
                | (Kind::Double, ProtoKind::Double) => {}
                (_, other) => panic!("{} is {other:?}", known.full_name()),
            }
        }
    }

    #[test]
    fn tables_say_what_the_published_descriptors_say() {
        let pool = DescriptorPool::decode(opentelemetry_proto::DESCRIPTORS).expect("descriptors");
        let name = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest";
        let mut seen = vec![None; MESSAGES];
        check(&REQUEST, &pool.get_message_by_name(name).expect("a known message"), &mut seen);
        assert!(seen.iter().all(Option::is_some), "an id without a message");
    }
}

//! `otlp::transcribe` and `otlp::decode` on OTLP/JSON, held against a library that knows protobuf's JSON mapping.

use crate::otlp_messages::{Dice, message, points, request_descriptor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use foreshock::model::Export;
use foreshock::otlp::{self, DecodeError, Encoding};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DynamicMessage, SerializeOptions};
use serde_json::{Value, json};
use std::io::Read as _;

fn read(text: &[u8]) -> Result<ExportMetricsServiceRequest, DecodeError> {
    let mut out = Vec::new();
    otlp::transcribe(text, &mut out)?;
    Ok(ExportMetricsServiceRequest::decode(&out[..]).expect("a transcription is a valid message"))
}

fn read_str(text: &str) -> ExportMetricsServiceRequest {
    read(text.as_bytes()).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The message as the library writes it, with ids in hexadecimal as OTLP wants them.
fn to_json(message: &ExportMetricsServiceRequest, enum_numbers: bool) -> Value {
    let bytes = message.encode_to_vec();
    let dynamic = DynamicMessage::decode(request_descriptor(), &bytes[..]).expect("a valid message");
    let options = SerializeOptions::new().use_enum_numbers(enum_numbers);
    let mut json = dynamic.serialize_with_options(serde_json::value::Serializer, &options).expect("JSON");
    ids_to_hex(&mut json);
    json
}

fn ids_to_hex(json: &mut Value) {
    match json {
        Value::Array(values) => values.iter_mut().for_each(ids_to_hex),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(id) if key == "traceId" || key == "spanId" => {
                        let bytes = STANDARD.decode(&id).expect("base64");
                        *id = bytes.iter().map(|b| format!("{b:02x}")).collect();
                    }
                    value => ids_to_hex(value),
                }
            }
        }
        _ => {}
    }
}

/// Removes the ids, which the library reads as base64.
fn without_ids(json: &mut Value) {
    match json {
        Value::Array(values) => values.iter_mut().for_each(without_ids),
        Value::Object(fields) => {
            fields.retain(|key, _| key != "traceId" && key != "spanId");
            fields.values_mut().for_each(without_ids);
        }
        _ => {}
    }
}

/// The same JSON as other clients might write it: keys in any order and either spelling, numbers as text and back, white
/// space, escapes, nulls and unknown fields.
fn restyle(json: &Value, key: &str, dice: &mut Dice, out: &mut String) {
    const INTEGERS: [&str; 8] =
        ["startTimeUnixNano", "timeUnixNano", "asInt", "intValue", "count", "zeroCount", "bucketCounts", "offset"];
    space(dice, out);
    match json {
        Value::Object(fields) => {
            let mut fields: Vec<(&str, Value)> = fields.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
            for absent in ["schemaUrl", "unit", "exemplars", "flags", "resource", "gauge", "asInt", "value"] {
                if dice.roll(30) == 0 && fields.iter().all(|(k, _)| *k != absent) {
                    fields.push((absent, Value::Null));
                }
            }
            if dice.roll(10) == 0 {
                fields.push(("someFutureField", json!({"a": [1, -2.5e-3, "x\"\\y", null, true, {}], "b": []})));
            }
            for i in 0..fields.len() {
                let other = dice.roll(fields.len());
                fields.swap(i, other);
            }
            out.push('{');
            for (i, (key, value)) in fields.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                space(dice, out);
                let snake = dice.roll(4) == 0;
                let spelling: String = key
                    .chars()
                    .flat_map(|c| {
                        [
                            (c.is_uppercase() && snake).then_some('_'),
                            Some(if snake { c.to_ascii_lowercase() } else { c }),
                        ]
                    })
                    .flatten()
                    .collect();
                write_string(&spelling, if dice.roll(20) == 0 { 3 } else { 0 }, dice, out);
                space(dice, out);
                out.push(':');
                restyle(value, key, dice, out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (i, value) in values.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { "" });
                restyle(value, key, dice, out);
            }
            out.push(']');
        }
        Value::String(text) if INTEGERS.contains(&key) => write_integer(text, dice, out),
        Value::Number(n) if INTEGERS.contains(&key) => write_integer(&n.to_string(), dice, out),
        Value::Number(n) if dice.roll(3) == 0 && key != "aggregationTemporality" => {
            write_string(&n.to_string(), 0, dice, out);
        }
        Value::String(text) => write_string(text, dice.roll(3), dice, out),
        other => out.push_str(&other.to_string()),
    }
    space(dice, out);
}

fn write_integer(text: &str, dice: &mut Dice, out: &mut String) {
    let text = match dice.roll(6) {
        0 => format!("{text}.0"),
        1 => format!("{text}e0"),
        2 if text.ends_with('0') && text.len() > 2 => format!("{}E+1", &text[..text.len() - 1]),
        _ => text.to_string(),
    };
    match dice.roll(2) {
        0 => out.push_str(&text),
        _ => write_string(&text, 0, dice, out),
    }
}

/// Writes a string and escapes about one character in `escape` that need not be escaped (0: none).
fn write_string(text: &str, escape: usize, dice: &mut Dice, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' if dice.roll(2) == 0 => out.push_str("\\n"),
            '\t' if dice.roll(2) == 0 => out.push_str("\\t"),
            '\u{8}' if dice.roll(2) == 0 => out.push_str("\\b"),
            '/' if dice.roll(2) == 0 => out.push_str("\\/"),
            '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            _ if escape > 0 && dice.roll(escape) == 0 => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn space(dice: &mut Dice, out: &mut String) {
    if dice.roll(12) == 0 {
        out.push_str([" ", "\n  ", "\t", "\r\n"][dice.roll(4)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn json_says_what_the_message_said(message in message(), seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let json = to_json(&message, dice.roll(2) == 0);
        let original = ExportMetricsServiceRequest::decode(&message.encode_to_vec()[..]).expect("a valid message");
        prop_assert_eq!(format!("{:?}", read_str(&json.to_string())), format!("{original:?}"));
        let mut styled = String::new();
        restyle(&json, "", &mut dice, &mut styled);
        prop_assert_eq!(format!("{:?}", read_str(&styled)), format!("{original:?}"), "{}", styled);
    }

    #[test]
    fn damaged_json_is_refused_or_read_as_json(message in message(), seed in any::<u64>()) {
        let mut dice = Dice(seed);
        let mut text = String::new();
        let mut json = to_json(&message, true);
        without_ids(&mut json);
        restyle(&json, "", &mut dice, &mut text);
        let mut text = text.into_bytes();
        for _ in 0..1 + dice.roll(3) {
            let at = dice.roll(text.len());
            match dice.roll(4) {
                0 => text.truncate(at.max(1)),
                1 => drop(text.remove(at)),
                2 => text[at] = br#"{}[]",:0-.eE\u "#[dice.roll(15)],
                _ => text.insert(at, br#"{}[]",:0-.eE\u "#[dice.roll(15)]),
            }
            if text.is_empty() {
                break;
            }
        }
        let ours = read(&text);
        match &ours {
            Err(e) => prop_assert!(e.offset <= text.len()),
            Ok(_) => {
                let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&text);
                prop_assert!(valid.is_ok(), "{:?} in {}", valid, String::from_utf8_lossy(&text));
            }
        }
        if let Some(theirs) = as_the_library_reads_it(&text) {
            // A quoted number beyond the range of a double is an error of protobuf's JSON; the library reads infinity.
            if matches!(&ours, Err(e) if e.what == "a number out of range") && format!("{theirs:?}").contains("inf") {
                return Ok(());
            }
            // The library reads long numbers only approximately, so digits are left to the other tests.
            let shape = |message: &ExportMetricsServiceRequest| format!("{message:?}").replace(|c: char| c.is_ascii_digit(), "");
            prop_assert_eq!(ours.map(|m| shape(&m)), Ok(shape(&theirs)), "{}", String::from_utf8_lossy(&text));
        }
    }
}

/// What the library reads, when it reads anything and the text is JSON in the parts it ignores, too.
fn as_the_library_reads_it(text: &[u8]) -> Option<ExportMetricsServiceRequest> {
    serde_json::from_slice::<Value>(text).ok()?;
    let mut json = serde_json::Deserializer::from_slice(text);
    let options = prost_reflect::DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(request_descriptor(), &mut json, &options).ok()?;
    json.end().ok()?;
    Some(ExportMetricsServiceRequest::decode(&message.encode_to_vec()[..]).expect("a valid message"))
}

/// A gauge with one point that has these fields.
fn gauge(fields: &str) -> String {
    format!(
        r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"gauge":{{"dataPoints":[{{{fields}}}]}}}}]}}]}}]}}"#
    )
}

/// A resource with one attribute of this value.
fn attribute(value: &str) -> String {
    format!(r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"k","value":{value}}}]}}}}]}}"#)
}

fn as_protobuf_json(text: &str) -> String {
    to_json(&read_str(text), true).to_string()
}

#[test]
fn every_legal_spelling_is_read() {
    for (spelling, canonical) in [
        (r#""timeUnixNano":1e3"#, r#""timeUnixNano":"1000""#),
        (r#""timeUnixNano":"1e3""#, r#""timeUnixNano":"1000""#),
        (r#""timeUnixNano":1000.0"#, r#""timeUnixNano":"1000""#),
        (r#""timeUnixNano":18446744073709551615"#, r#""timeUnixNano":"18446744073709551615""#),
        (r#""timeUnixNano":1844674407370955161.5e1"#, r#""timeUnixNano":"18446744073709551615""#),
        (r#""time_unix_nano":"7""#, r#""timeUnixNano":"7""#),
        (r#""timeUnixNano":null,"asInt":"1""#, r#""asInt":"1""#),
        (r#""asInt":"0""#, r#""asInt":"0""#),
        (r#""asInt":-0"#, r#""asInt":"0""#),
        (r#""asInt":-9223372036854775808"#, r#""asInt":"-9223372036854775808""#),
        (r#""asInt":120e-1"#, r#""asInt":"12""#),
        (r#""asInt":0.000e-5"#, r#""asInt":"0""#),
        (r#""asInt":"1\u0030""#, r#""asInt":"10""#),
        (r#""asInt":1,"asDouble":null"#, r#""asInt":"1""#),
        (r#""asInt":1,"asInt":2"#, r#""asInt":"2""#),
        (r#""asDouble":"NaN""#, r#""asDouble":"NaN""#),
        (r#""asDouble":"Infinity""#, r#""asDouble":"Infinity""#),
        (r#""asDouble":"-Infinity""#, r#""asDouble":"-Infinity""#),
        (r#""asDouble":"1.5""#, r#""asDouble":1.5"#),
        (r#""asDouble":-0.0"#, r#""asDouble":-0.0"#),
        (r#""asDouble":-0"#, r#""asDouble":-0.0"#),
        (r#""asDouble":1e-400"#, r#""asDouble":0.0"#),
        (r#""asDouble":0.1"#, r#""asDouble":0.1"#),
        (r#""asDouble":12345678901234567890.5"#, r#""asDouble":1.2345678901234567e+19"#),
        (r#""asDouble":9007199254740993"#, r#""asDouble":9007199254740992.0"#),
        (r#""asDouble":1.7976931348623157e308"#, r#""asDouble":1.7976931348623157e+308"#),
        (r#""flags":1,"unknown":{"a":[[],{}]}"#, r#""flags":1"#),
        (r#""\u0066lags":1"#, r#""flags":1"#),
        (r#""exemplars":[{"traceId":"0aFF","spanId":""}]"#, r#""exemplars":[{"traceId":"0aff"}]"#),
    ] {
        assert_eq!(as_protobuf_json(&gauge(spelling)), gauge(canonical), "{spelling}");
    }
    for (spelling, canonical) in [
        (r#"{"arrayValue":{}}"#, r#"{"arrayValue":{}}"#),
        (r#"{"arrayValue":{"values":[{}]}}"#, r#"{"arrayValue":{"values":[{}]}}"#),
        (r#"{"kvlistValue":{"values":[{"key":"a"}]}}"#, r#"{"kvlistValue":{"values":[{"key":"a"}]}}"#),
        (r#"{"bytesValue":"+/8="}"#, r#"{"bytesValue":"+/8="}"#),
        (r#"{"bytesValue":"+/8"}"#, r#"{"bytesValue":"+/8="}"#),
        (r#"{"bytesValue":"-_8="}"#, r#"{"bytesValue":"+/8="}"#),
        (r#"{"bytesValue":"+\/8"}"#, r#"{"bytesValue":"+/8="}"#),
        (r#"{"bytesValue":""}"#, r#"{"bytesValue":""}"#),
        (r#"{"string_value":"\ud83d\uDE00\u00e9\n"}"#, r#"{"stringValue":"😀é\n"}"#),
        (r#"{"intValue":"-5"}"#, r#"{"intValue":"-5"}"#),
        (r#"{"boolValue":false}"#, r#"{"boolValue":false}"#),
        (r#"{"stringValue":null}"#, r#"{}"#),
    ] {
        assert_eq!(as_protobuf_json(&attribute(spelling)), attribute(canonical), "{spelling}");
    }
    for text in ["{}", " {\n} ", "\u{feff}{}", r#"{"resourceMetrics":null}"#, r#"{"resourceMetrics":[]}"#] {
        assert_eq!(as_protobuf_json(text), "{}", "{text}");
    }
    let sum = |temporality: &str| {
        format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"sum":{{"aggregationTemporality":{temporality}}}}}]}}]}}]}}"#
        )
    };
    for (spelling, canonical) in [("\"AGGREGATION_TEMPORALITY_DELTA\"", "1"), ("2.0", "2"), ("77", "77"), ("-1", "-1")]
    {
        assert_eq!(as_protobuf_json(&sum(spelling)), sum(canonical));
    }
    assert!(read(sum("\"DELTA\"").as_bytes()).is_err());
    let merged = r#"{"resourceMetrics":[{"resource":{}}],"resourceMetrics":[{}]}"#;
    assert_eq!(as_protobuf_json(merged), r#"{"resourceMetrics":[{"resource":{}},{}]}"#);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    let point_at = gauge("").find("{}").expect("the point") + 1;
    for (fields, offset) in [
        (r#""asInt":"x""#, 8),
        (r#""asInt":1.5"#, 8),
        (r#""asInt":9223372036854775808"#, 8),
        (r#""asInt":-9223372036854775809"#, 8),
        (r#""asInt":1e400"#, 8),
        (r#""asInt":1e99999999999999999999"#, 8),
        (r#""asInt":true"#, 8),
        (r#""asInt":"""#, 8),
        (r#""asInt":"1 ""#, 8),
        (r#""asInt":01"#, 9),
        (r#""asInt":{}"#, 8),
        (r#""asInt":nul"#, 8),
        (r#""timeUnixNano":-1"#, 15),
        (r#""timeUnixNano":18446744073709551616"#, 15),
        (r#""flags":4294967296"#, 8),
        (r#""asDouble":1e400"#, 11),
        (r#""asDouble":NaN"#, 11),
        (r#""asDouble":"nan""#, 11),
        (r#""asDouble":"inf""#, 11),
        (r#""asDouble":"+1""#, 11),
        (r#""asDouble":1."#, 11),
        (r#""asDouble":.5"#, 11),
        (r#""asDouble":00.5"#, 12),
        (r#""asDouble":1,"asInt":1"#, 13),
        (r#""exemplars":[null]"#, 13),
        (r#""exemplars":{}"#, 12),
        (r#""exemplars":[{"traceId":"abc"}]"#, 25),
        (r#""exemplars":[{"traceId":"zz"}]"#, 25),
        (r#""attributes":"x""#, 13),
        (r#""x":[1,]"#, 7),
        (r#""x":1,"#, 6),
        (r#""x" 1"#, 4),
        (r#"x:1"#, 0),
        (r#""x":tru"#, 4),
        (r#""x":"\x""#, 5),
        (r#""\ud800":1"#, 1),
        (r#""x":"\udc00""#, 5),
        (r#""x":"\ud800\u0041""#, 5),
        ("\"x\":\"a\nb\"", 6),
    ] {
        let text = gauge(fields);
        let refused = read(text.as_bytes()).expect_err(&text);
        assert_eq!(refused.offset, point_at + offset, "{refused}: {fields}");
    }
    for (text, offset) in [
        ("", 0),
        ("  ", 2),
        ("null", 0),
        ("[]", 0),
        ("{", 1),
        ("{}{}", 2),
        ("{} x", 3),
        ("{\"a\":\"", 6),
        ("{\"a\":\"\\", 7),
        (r#"{"resourceMetrics":{}}"#, 19),
        (r#"{"resourceMetrics":[{"resource":5}]}"#, 32),
        (r#"{"resourceMetrics":[{"resource":"x"}]}"#, 32),
        (r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":5}]}]}]}"#, 58),
        (r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{},"sum":{}}]}]}]}"#, 61),
        (r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":5}]}]}]}"#, 57),
        (r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"isMonotonic":"true"}}]}]}]}"#, 71),
    ] {
        let refused = read(text.as_bytes()).expect_err(text);
        assert_eq!(refused.offset, offset, "{refused}: {text}");
    }
    assert_eq!(read(b"{\"a\":\"\xff\"}").expect_err("not UTF-8").offset, 6);
    assert!(read(attribute(r#"{"bytesValue":"a"}"#).as_bytes()).is_err());
    assert!(read(attribute(r#"{"bytesValue":"+_8="}"#).as_bytes()).is_err());
}

#[test]
fn nesting_is_bounded_where_protobuf_bounds_it() {
    let nested = |levels: usize| {
        attribute(&format!("{}{{}}{}", r#"{"arrayValue":{"values":["#.repeat(levels), "]}}".repeat(levels)))
    };
    // Request, ResourceMetrics, Resource, KeyValue and AnyValue take five of the 101 levels, each array two.
    assert_eq!(as_protobuf_json(&nested(48)), nested(48));
    assert!(read(nested(49).as_bytes()).is_err());
    let unknown = |levels: usize| format!(r#"{{"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(read(unknown(100).as_bytes()).is_ok());
    assert!(read(unknown(101).as_bytes()).is_err());
    assert!(read(unknown(100_000).as_bytes()).is_err());
    assert!(read("[".repeat(100_000).as_bytes()).is_err());
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(&std::fs::read(path).expect("fixture")[..]).read_to_end(&mut out).expect("gzip");
    out
}

#[test]
fn a_recording_says_the_same_in_json_and_protobuf() {
    let (json, protobuf) = (fixture("healthy_web.jsonl.gz"), fixture("healthy_web.binpb.gz"));
    let (mut rest, mut bodies, mut compared) = (&protobuf[..], 0, 0);
    let (mut from_json, mut from_protobuf) = (Export::default(), Export::default());
    for line in json.split(|&c| c == b'\n').filter(|line| !line.is_empty()) {
        let (length, tail) = rest.split_first_chunk::<4>().expect("a length");
        let (body, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
        rest = tail;
        otlp::decode(Encoding::Json, Bytes::copy_from_slice(line), &mut from_json).expect("JSON");
        otlp::decode(Encoding::Protobuf, Bytes::copy_from_slice(body), &mut from_protobuf).expect("protobuf");
        let (ours, theirs) = (points(&from_json), points(&from_protobuf));
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        bodies += 1;
        compared += ours.len();
    }
    assert!(rest.is_empty() && bodies > 50 && compared > 500, "{bodies} bodies, {compared} points");
}

#[test]
fn adversarial_texts_take_linear_time_and_room() {
    const N: usize = 200_000;
    let histogram = |field: &str, value: &str| {
        let list = vec![value; N].join(",");
        gauge("").replace("gauge", "histogram").replace("[{}]", &format!(r#"[{{"{field}":[{list}]}}]"#))
    };
    let wide = format!(r#"{{"stringValue":"{}"}}"#, "x".repeat(200));
    let unequal = [wide.as_str(), "{}"].join(",");
    let nested = (0..40).fold(vec![unequal.as_str(); N / 100].join(","), |inner, _| {
        format!(r#"{{"arrayValue":{{"values":[{inner}]}}}},{{}}"#)
    });
    for text in [
        histogram("explicitBounds", "1"),
        histogram("bucketCounts", "1"),
        attribute(&format!(r#"{{"arrayValue":{{"values":[{nested}]}}}}"#)),
        attribute(&format!(r#"{{"stringValue":"{}"}}"#, r"\u0001".repeat(N))),
        gauge(&format!(r#""timeUnixNano":1{}e-{N}"#, "0".repeat(N))),
        gauge(&format!(r#""asDouble":0.{}1"#, "0".repeat(N))),
        gauge(&vec![r#""asInt":1"#; N].join(",")),
        gauge(&vec![r#""unknown":[]"#; N].join(",")),
        format!(r#"{{"resourceMetrics":[{}]}}"#, vec!["{}"; N].join(",")),
    ] {
        let mut out = Vec::new();
        otlp::transcribe(text.as_bytes(), &mut out).expect("legal");
        assert!(out.len() <= 4 * text.len(), "{} bytes from {}", out.len(), text.len());
        assert!(out.capacity() <= 8 * text.len());
    }
}

//! What the service does with too much and with bad input: a clear answer, bounded memory, and others are served meanwhile.

use crate::cli_support::{Folder, START_S, rule};
use crate::live_support::{Answer, EXPORT, Grpc, Http, PATIENCE, Server, protobuf};
use flate2::Compression;
use flate2::write::GzEncoder;
use foreshock::recording::{AT_FIELD, HEAD_FIELD};
use prost::Message;
use std::io::Write;
use std::time::{Duration, Instant};
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};

const PROTOBUF: &str = "content-type: application/x-protobuf";
const JSON: &str = "content-type: application/json";
const MIB: u64 = 1 << 20;

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// `ExportMetricsServiceResponse`, as far as it goes.
#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// Fails unless an HTTP answer is an error of this kind in its encoding.
fn assert_refused(answer: &Answer, status: u16, code: Code, says: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let message = if answer.head.contains("content-type: application/x-protobuf\r\n") {
        let status = RpcStatus::decode(answer.body.as_slice()).expect("a google.rpc.Status");
        assert_eq!(status.code, code as i32);
        status.message
    } else {
        assert!(answer.head.contains("content-type: application/json\r\n"), "{}", answer.head);
        let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(json["code"], code as i32);
        json["message"].as_str().expect("a message").to_string()
    };
    assert!(message.contains(says), "{message}");
}

fn assert_status(refused: Result<Vec<u8>, Status>, code: Code, says: &str) -> Status {
    let status = refused.expect_err("refused");
    assert_eq!(status.code(), code, "{status}");
    assert!(status.message().contains(says), "{status}");
    status
}

fn retry_is_offered(status: &Status) -> bool {
    !status.details().is_empty() || status.metadata().contains_key("google.rpc.retryinfo-bin")
}

fn gzip_of_zeros(mib: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..mib {
        encoder.write_all(&[0; 1 << 20]).expect("memory");
    }
    encoder.finish().expect("memory")
}

/// Some services with a gauge, a while after the start.
fn fleet(services: usize, after_s: u64, padding: usize) -> Vec<u8> {
    let nanos = (START_S + after_s) * 1_000_000_000;
    let resources = (0..services).map(|i| {
        format!(
            r#"{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"s{i}"}}}},{{"key":"service.instance.id","value":{{"stringValue":"i"}}}}]}},"scopeMetrics":[{{"scope":{{"name":"app"}},"metrics":[{{"name":"load","gauge":{{"dataPoints":[{{"timeUnixNano":"{nanos}","asDouble":1}}]}}}},{{"name":"{}","gauge":{{}}}}]}}]}}"#,
            "x".repeat(padding / services)
        )
    });
    protobuf(&format!(r#"{{"resourceMetrics":[{}]}}"#, resources.collect::<Vec<_>>().join(",")))
}

#[test]
fn a_client_faster_than_the_engine_is_asked_to_wait_and_every_accepted_point_is_judged() {
    let folder = Folder::new();
    folder.write("rules/events/load.json", rule("Load", "metrics.gauges.app/load", 10, 0.5));
    // Silence is another one at each of the five thousand evaluations between two exports: that makes the engine slow.
    let silent = r#"{"name": "Silent", "entityType": "host", "query": "", "expirationTime": 60000, "rules": [
        {"ruleType": "host_availability", "severity": 5, "offlineDuration": 3600000}]}"#;
    folder.write("rules/events/silent.json", silent);
    let judging = "--rules rules --step 2ms --format jsonl";
    let limits = "--max-message-size 512KiB --inbox-size 1MiB";
    let server = Server::start(&folder, &format!("serve {judging} {limits} --clock data --record live.foreshock"));
    let (mut grpc, mut http) = (Grpc::connect(server.grpc, None), Http::connect(server.http));
    let (mut asked, mut sent) = ([0u64; 2], 0);
    for i in 0..16 {
        let body = fleet(50, 10 * i, 250 << 10);
        let since = Instant::now();
        loop {
            sent += body.len() as u64;
            assert!(since.elapsed() < PATIENCE);
            if i % 2 == 0 {
                match grpc.export(&body) {
                    Ok(_) => break,
                    refused => assert!(retry_is_offered(&assert_status(refused, Code::Unavailable, "inbox is full"))),
                }
                asked[0] += 1;
            } else {
                let answer = http.post(PROTOBUF, &body);
                if answer.status == 200 {
                    break;
                }
                assert_refused(&answer, 503, Code::Unavailable, "inbox is full");
                assert!(answer.head.contains("retry-after: 1\r\n"), "{}", answer.head);
                asked[1] += 1;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert!(asked[0] > 0 && asked[1] > 0, "{asked:?}");
    for (transport, asked) in ["grpc", "http"].into_iter().zip(asked) {
        let name = format!("foreshock_requests_rejected_total{{transport=\"{transport}\",reason=\"inbox_full\"}}");
        assert_eq!(server.metric(&name), asked as f64);
    }
    server.wait_for("foreshock_points_total", 16.0 * 50.0);
    if let Some(peak) = server.peak_memory() {
        assert!(peak < 64 * MIB, "{} MiB in memory, {} MiB sent", peak / MIB, sent / MIB);
    }
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("rejected (inbox_full)") && ended.stderr.contains("--inbox-size"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout.lines().count(), 50);
    assert!(folder.run(&format!("replay {judging} live.foreshock")).stdout == ended.stdout);
}

#[test]
fn bad_input_is_answered_clearly_and_others_are_served_meanwhile() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --max-message-size 4MiB --inbox-size 16MiB");
    let good = fleet(3, 0, 0);
    let (mut grpc, mut http) = (Grpc::connect(server.grpc, None), Http::connect(server.http));
    let mut exchanged = 0;
    let mut others_are_served = || {
        exchanged += 1;
        assert_eq!(grpc.export(&good).expect("accepted"), b"");
        assert_eq!(http.post(PROTOBUF, &good).status, 200);
    };
    others_are_served();

    // Bytes that are no OTLP.
    let mut client = Http::connect(server.http);
    assert_refused(&client.post(PROTOBUF, b"\x0a\x7f"), 400, Code::InvalidArgument, "at byte");
    assert_refused(&client.post(JSON, b"{\"resourceMetrics\":[}"), 400, Code::InvalidArgument, "at byte");
    assert_refused(&client.post(JSON, &"[".repeat(100_000).into_bytes()), 400, Code::InvalidArgument, "");
    assert_refused(&client.post(JSON, b""), 400, Code::InvalidArgument, "");
    let coded = format!("{PROTOBUF}\ncontent-encoding: gzip");
    assert_refused(&client.post(&coded, b"no gzip"), 400, Code::InvalidArgument, "cannot be read");
    assert_status(Grpc::connect(server.grpc, None).export(b"\x0a\x7f"), Code::InvalidArgument, "at byte");
    others_are_served();

    // Of a kind that is not taken.
    let mut client = Http::connect(server.http);
    assert_refused(&client.post("content-type: text/plain", &good), 415, Code::InvalidArgument, "text/plain");
    assert_refused(&client.post("", &good), 415, Code::InvalidArgument, "absent");
    let coded = format!("{PROTOBUF}\ncontent-encoding: br");
    assert_refused(&client.post(&coded, &good), 415, Code::Unimplemented, "br");
    assert_refused(&client.request("GET", "/v1/metrics", "", b""), 405, Code::Unimplemented, "POST");
    assert_refused(&client.request("POST", "/v1/traces", PROTOBUF, b""), 404, Code::Unimplemented, "metrics only");
    let traces = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_status(Grpc::connect(server.grpc, None).call(traces, b""), Code::Unimplemented, "metrics only");
    others_are_served();

    // Too large: as it is, and after decompression.
    let large = vec![0; 5 << 20];
    assert_refused(&Http::connect(server.http).post(PROTOBUF, &large), 413, Code::ResourceExhausted, "4194304");
    let bomb = gzip_of_zeros(64);
    for (coding, bomb) in [("gzip", &bomb), ("zstd", &zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("memory"))] {
        let answer = Http::connect(server.http).post(&format!("{JSON}\ncontent-encoding: {coding}"), bomb);
        assert_refused(&answer, 413, Code::ResourceExhausted, "after decompression");
    }
    for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let refused = Grpc::connect(server.grpc, compression).export(&large);
        let status = assert_status(refused, Code::ResourceExhausted, "after decompression");
        assert!(!retry_is_offered(&status), "a client would send it again for ever");
    }
    others_are_served();

    // Small, and large once it is decoded.
    let empty = [0x0a, 0x00].repeat(1 << 20);
    let coded = format!("{PROTOBUF}\ncontent-encoding: zstd");
    let packed = zstd::bulk::compress(&empty, 1).expect("memory");
    assert_refused(&Http::connect(server.http).post(&coded, &packed), 400, Code::InvalidArgument, "they are empty");
    let json = format!(r#"{{"resourceMetrics":[{}{{}}]}}"#, "{},".repeat(500_000));
    assert_refused(
        &Http::connect(server.http).post(JSON, json.as_bytes()),
        400,
        Code::InvalidArgument,
        "they are empty",
    );
    others_are_served();

    let buckets = format!(r#""histogram":{{"dataPoints":[{{"bucketCounts":[{}1]}}]}}"#, "1,".repeat(1 << 20));
    let json = crate::cli_support::line("shop", "load", &buckets);
    assert_refused(
        &Http::connect(server.http).post(JSON, json.as_bytes()),
        413,
        Code::ResourceExhausted,
        "as protobuf",
    );
    others_are_served();

    // More of a thing than anybody needs.
    let attribute = |i: usize| format!(r#"{{"key":"k{i}","value":{{"stringValue":"v"}}}}"#);
    let many = (0..1000).map(attribute).collect::<Vec<_>>().join(",");
    let point = format!(r#""gauge":{{"dataPoints":[{{"timeUnixNano":"1","asInt":1,"attributes":[{many}]}}]}}"#);
    let many = protobuf(&crate::cli_support::line("shop", "load", &point));
    assert_refused(
        &Http::connect(server.http).post(PROTOBUF, &many),
        400,
        Code::InvalidArgument,
        "1000; the most is 128",
    );
    let long = protobuf(&crate::cli_support::line(&"x".repeat(100_000), "load", r#""gauge":{"dataPoints":[{}]}"#));
    assert_refused(&Http::connect(server.http).post(PROTOBUF, &long), 400, Code::InvalidArgument, "the most is 65536");
    others_are_served();

    if let Some(peak) = server.peak_memory() {
        assert!(peak < 64 * MIB, "{} MiB in memory", peak / MIB);
    }
    let accepted = "foreshock_requests_total{transport=\"grpc\",result=\"accepted\"}";
    assert_eq!(server.metric(accepted), f64::from(exchanged));
    let ended = server.stop();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for reason in ["malformed", "content_type", "content_encoding", "too_large", "attributes"] {
        // Once when it came up, and what was left of the minute at the end.
        let lines = ended.stderr.matches(&format!("rejected ({reason})")).count();
        assert!((1..=2).contains(&lines), "{}", ended.stderr);
    }
}

#[test]
fn of_a_hundred_thousand_attribute_values_as_many_as_may_be_are_taken_while_others_are_served() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data");
    let points = (0..100_000).map(|i| {
        let attribute = format!(r#"{{"key":"id","value":{{"stringValue":"value-{i}"}}}}"#);
        format!(r#"{{"timeUnixNano":"{START_S}000000000","asInt":"1","attributes":[{attribute}]}}"#)
    });
    let data = format!(r#""gauge":{{"dataPoints":[{}]}}"#, points.collect::<Vec<_>>().join(","));
    let body = protobuf(&crate::cli_support::line("shop", "load", &data));
    assert_eq!(Grpc::connect(server.grpc, Some(CompressionEncoding::Zstd)).export(&body).expect("accepted"), b"");
    assert_eq!(Http::connect(server.http).post(PROTOBUF, &fleet(3, 0, 0)).status, 200);
    server.wait_for("foreshock_points_total", 100_003.0);
    if let Some(peak) = server.peak_memory() {
        assert!(peak < 256 * MIB, "{} MiB in memory", peak / MIB);
    }
    assert_eq!(server.metric("foreshock_series"), 10_003.0);
    assert_eq!(server.metric("foreshock_points_dropped_total{reason=\"too_many_series\"}"), 90_000.0);
    let ended = server.stop();
    assert_eq!(ended.code, 0);
    assert!(ended.stderr.contains("90000 data points dropped (too_many_series)"), "{}", ended.stderr);
    assert!(ended.stderr.contains("--max-series-per-entity"), "{}", ended.stderr);
}

#[test]
fn the_dead_are_forgotten_and_a_replay_forgets_them_too() {
    let folder = Folder::new();
    let file = folder.path("live.foreshock");
    let server = Server::start(
        &folder,
        &format!("serve --clock data --max-entities 4 --forget-after 2h --record {}", file.display()),
    );
    let mut http = Http::connect(server.http);
    for day in 0..3 {
        for i in 0..5 {
            assert_eq!(http.post(PROTOBUF, &fleet(3 + day % 2, (day * 86_400 + i * 10) as u64, 0)).status, 200);
        }
    }
    server.wait_for("foreshock_points_total", (5 * (3 + 4 + 3)) as f64);
    assert_eq!(server.metric("foreshock_entities"), 3.0, "of the day");
    let live = server.stop();
    assert_eq!(live.code, 0, "{}", live.stderr);
    let replayed = folder.run(&format!("replay --format json {}", file.display()));
    assert!(!replayed.stderr.contains("was recorded while"), "{}", replayed.stderr);
    let document: serde_json::Value = serde_json::from_str(&replayed.stdout).expect("a document");
    assert_eq!(document["entities"], 10, "each day's are new");
    assert_eq!(document["dropped"], serde_json::json!({}));
}

#[test]
fn connections_without_a_request_are_closed() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --header-timeout 300ms --max-connections 6");
    let mut http = Http::connect(server.http);
    assert_eq!(http.get("/healthz").text(), "ok\n");

    // Nothing, half a head, and the start of HTTP/2.
    let (mut silent, mut silent_grpc) = (Http::connect(server.http), Http::connect(server.grpc));
    let (mut half, mut half_grpc) = (Http::connect(server.http), Http::connect(server.grpc));
    half.raw(b"POST /v1/metrics HTTP/1.1\r\nx: ").expect("it listens");
    half_grpc.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("it listens");
    let since = Instant::now();
    assert_eq!(http.get("/healthz").text(), "ok\n");
    for connection in [&mut silent, &mut silent_grpc, &mut half, &mut half_grpc] {
        assert!(connection.is_closed());
    }
    assert!(since.elapsed() < PATIENCE / 2);

    // A head without end, sent as fast as it goes.
    let mut endless = Http::connect(server.http);
    endless.raw(b"POST /v1/metrics HTTP/1.1\r\n").expect("it listens");
    let mut n = 0;
    while n < 1000 && endless.raw(format!("x-{n}: {}\r\n", "y".repeat(1000)).as_bytes()).is_ok() {
        n += 1;
    }
    assert!(n < 1000 || endless.answer().is_ok_and(|answer| answer.status == 431) || endless.is_closed());

    // More connections than there may be.
    let mut open: Vec<Http> = (0..8).map(|_| Http::connect(server.http)).collect();
    assert!(open.iter_mut().any(Http::is_closed));
    assert_eq!(http.get("/healthz").text(), "ok\n");
    drop(open);
    let since = Instant::now();
    while server.metric("foreshock_connections_closed_total{reason=\"silent\"}") < 4.0 {
        assert!(since.elapsed() < PATIENCE);
    }
    assert!(server.metric("foreshock_connections_closed_total{reason=\"too_many\"}") >= 1.0);
    assert_eq!(server.stop().code, 0);
}

#[test]
fn a_later_head_must_not_take_longer_than_the_first_one() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --header-timeout 300ms");
    let (mut idle, mut trickling) = (Http::connect(server.http), Http::connect(server.http));
    for connection in [&mut idle, &mut trickling] {
        assert_eq!(connection.get("/healthz").text(), "ok\n");
    }
    trickling.raw(b"GET /healthz HTTP/1.1\r\n").expect("it listens");
    let since = Instant::now();
    while trickling.raw(b"x: y\r\n").is_ok() {
        assert!(since.elapsed() < PATIENCE, "a head without end is waited for");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Who sends nothing has more time.
    assert_eq!(idle.get("/healthz").text(), "ok\n");
    server.wait_for("foreshock_connections_closed_total{reason=\"silent\"}", 1.0);
    assert!(server.stop().stderr.contains("no whole head of a request from 127.0.0.1:"));
}

#[test]
fn a_request_that_does_not_end_is_given_up() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --request-timeout 300ms --max-requests 1");
    let mut slow = Http::connect(server.http);
    slow.raw(format!("POST /v1/metrics HTTP/1.1\r\nhost: x\r\n{PROTOBUF}\r\ncontent-length: 10\r\n\r\n").as_bytes())
        .expect("it listens");
    // The one request there may be is taken until then.
    let since = Instant::now();
    let mut client = Http::connect(server.http);
    let mut busy = 0;
    loop {
        let answer = client.post(PROTOBUF, &fleet(1, 0, 0));
        if answer.status == 200 && since.elapsed() > Duration::from_millis(300) {
            break;
        }
        if answer.status != 200 {
            assert_refused(&answer, 503, Code::Unavailable, "requests");
            busy += 1;
        }
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(busy > 0);
    assert_refused(&slow.answer().expect("an answer"), 408, Code::DeadlineExceeded, "too long");
    assert_eq!(server.stop().code, 0);
}

#[test]
fn only_who_has_a_token_may_send_and_look() {
    let folder = Folder::new();
    folder.write("tokens.txt", "old-token\nnew-token\n");
    let server = Server::start(&folder, "serve --clock data --auth-token-file tokens.txt");
    let body = fleet(1, 0, 0);
    assert_status(Grpc::connect(server.grpc, None).export(&body), Code::Unauthenticated, "bearer token");
    assert_status(Grpc::connect(server.grpc, None).with_token("old").export(&body), Code::Unauthenticated, "");
    for token in ["old-token", "new-token"] {
        Grpc::connect(server.grpc, None).with_token(token).export(&body).expect("accepted");
    }
    let mut http = Http::connect(server.http);
    let answer = http.post(PROTOBUF, &body);
    assert_refused(&answer, 401, Code::Unauthenticated, "bearer token");
    assert!(answer.head.contains("www-authenticate: bearer\r\n"), "{}", answer.head);
    assert_eq!(http.post(&format!("{PROTOBUF}\nauthorization: Basic new-token"), &body).status, 401);
    assert_eq!(http.post(&format!("{PROTOBUF}\nauthorization: bearer new-token"), &body).status, 200);
    assert_eq!(http.get("/metrics").status, 401);
    assert_eq!(http.request("GET", "/metrics", "authorization: Bearer new-token", b"").status, 200);
    assert_eq!((http.get("/healthz").status, http.get("/readyz").status), (200, 200));
    let ended = server.stop();
    assert!(ended.stderr.contains("OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN"), "{}", ended.stderr);

    let ports = "--grpc 127.0.0.1:0 --http 127.0.0.1:0";
    folder.write("empty.txt", "\n");
    let ended = folder.run(&format!("serve {ports} --auth-token-file empty.txt"));
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("empty.txt") && ended.stderr.contains("no token in it"), "{}", ended.stderr);
}

#[test]
fn an_address_others_can_reach_without_a_token_is_warned_of() {
    let folder = Folder::new();
    folder.write("tokens.txt", "a-token");
    // Of an option that is given twice the first would be refused, so the ports are named here.
    for (options, warned) in [("", true), (" --auth-token-file tokens.txt", false)] {
        let arguments = format!("record -o live.foreshock --http 127.0.0.1:0 --grpc 0.0.0.0:0{options}");
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_foreshock"))
            .args(arguments.split_whitespace())
            .current_dir(folder.path(""))
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut stderr = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.contains("OTEL_METRIC_EXPORT_INTERVAL") {
            assert!(std::io::BufRead::read_line(&mut stderr, &mut said).expect("UTF-8") > 0, "{said}");
        }
        child.kill().expect("it is there");
        child.wait().expect("it ended");
        assert_eq!(said.contains("can be reached from other machines"), warned, "{said}");
    }
}

#[test]
fn health_and_readiness_are_told_on_both_ports() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data");
    let check = "/grpc.health.v1.Health/Check";
    let mut grpc = Grpc::connect(server.grpc, None);
    // `HealthCheckResponse { status: SERVING }`, for everything and for the service.
    assert_eq!(grpc.call(check, b"").expect("served"), b"\x08\x01");
    let mut request = b"\x0a\x34".to_vec();
    request.extend_from_slice(EXPORT.trim_start_matches('/').trim_end_matches("/Export").as_bytes());
    request[1] = (request.len() - 2) as u8;
    assert_eq!(grpc.call(check, &request).expect("served"), b"\x08\x01");
    assert_status(grpc.call(check, b"\x0a\x01x"), Code::NotFound, "");
    let mut http = Http::connect(server.http);
    assert_eq!((http.get("/healthz").text(), http.get("/readyz").text()), ("ok\n".into(), "ready\n".into()));
    let metrics = http.get("/metrics");
    assert!(metrics.head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", metrics.head);
    assert!(metrics.text().ends_with("# EOF\n"), "{}", metrics.text());
    assert_eq!(http.get("/metrics").text().lines().count(), metrics.text().lines().count());
    assert_eq!(server.stop().code, 0);
}

#[test]
fn points_that_will_be_dropped_are_a_partial_success_and_the_engine_drops_the_same() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data");
    let time = |s: u64| format!(r#""timeUnixNano":"{}000000000""#, START_S + s);
    let points = [
        format!(r#"{{{},"asDouble":1}}"#, time(0)),
        format!(r#"{{{},"asDouble":2}}"#, time(10)),
        format!(r#"{{{},"asDouble":"NaN"}}"#, time(10)),
        format!(r#"{{{},"flags":1}}"#, time(10)),
        r#"{"asDouble":1}"#.to_string(),
        format!(r#"{{{},"asDouble":1}}"#, time(1000)),
    ];
    let data = format!(r#""gauge":{{"dataPoints":[{}]}}"#, points.join(","));
    let body = protobuf(&crate::cli_support::line("shop", "load", &data));
    let answer = Grpc::connect(server.grpc, None).export(&body).expect("accepted");
    let partial = ExportResponse::decode(answer.as_slice()).expect("a response").partial_success.expect("partial");
    let reasons = ["no_recorded_value", "not_finite", "no_time", "future"];
    assert_eq!(partial.rejected_data_points, 4);
    let words: Vec<String> = reasons.iter().map(|reason| format!("1 {reason}")).collect();
    assert!(partial.error_message.contains(&words.join(", ")), "{}", partial.error_message);
    server.wait_for("foreshock_points_total", 6.0);
    for reason in reasons {
        assert_eq!(server.metric(&format!("foreshock_points_dropped_total{{reason=\"{reason}\"}}")), 1.0);
    }
    let json = Http::connect(server.http).post(JSON, &crate::live_support::json(&body));
    let json: serde_json::Value = serde_json::from_slice(&json.body).expect("JSON");
    assert_eq!(json["partialSuccess"]["rejectedDataPoints"], "4");
    assert_eq!(server.metric("foreshock_requests_total{transport=\"http\",result=\"partial\"}"), 1.0);
    let ended = server.stop();
    for reason in reasons {
        assert!(ended.stderr.contains(&format!("dropped ({reason})")), "{}", ended.stderr);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = Folder::new();
    let server = Server::start(&folder, "serve --clock data --shutdown-timeout 1h --request-timeout 1h");
    // A request that never ends keeps it from ending in order.
    let mut slow = Http::connect(server.http);
    slow.raw(format!("POST /v1/metrics HTTP/1.1\r\nhost: x\r\n{PROTOBUF}\r\ncontent-length: 10\r\n\r\nx").as_bytes())
        .expect("it listens");
    let mut other = Http::connect(server.http);
    assert_eq!(other.get("/readyz").status, 200);
    server.signal(rustix::process::Signal::INT);
    // No port is open any more; then it has seen the first one.
    let since = Instant::now();
    while std::net::TcpStream::connect(server.http).is_ok() {
        assert!(since.elapsed() < PATIENCE);
    }
    server.signal(rustix::process::Signal::TERM);
    let ended = server.end();
    assert_eq!(ended.code, 128 + 15, "{}", ended.stderr);
    assert!(ended.stderr.contains("second signal: "), "{}", ended.stderr);
}

#[test]
fn a_client_cannot_change_what_the_recording_says() {
    let folder = Folder::new();
    let judging = "--format jsonl";
    let server = Server::start(&folder, &format!("serve {judging} --clock data --record live.foreshock"));
    let mut client = Grpc::connect(server.grpc, None);
    let tag = |field: u32, wire: u32| {
        let mut bytes = Vec::new();
        prost::encoding::encode_varint(u64::from(field << 3 | wire), &mut bytes);
        bytes
    };
    // Our own fields in front: an instant far ahead, and a head.
    let mut ahead = tag(AT_FIELD, 1);
    ahead.extend_from_slice(&u64::MAX.to_le_bytes());
    let mut head = tag(HEAD_FIELD, 2);
    head.extend_from_slice(b"\x02{}");
    client.export(&head).expect("accepted");
    for i in 0..3 {
        client.export(&[ahead.clone(), fleet(2, 10 * i, 0)].concat()).expect("accepted");
    }
    client.export(b"").expect("accepted");
    assert_eq!(server.stop().code, 0);
    let document = folder.run("replay --format json live.foreshock").stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["points"], 6);
    assert_eq!(document["to"], (START_S + 20) * 1000);
}

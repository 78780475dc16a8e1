//! The texts that people read, as they read them.

use super::cli_support::{Folder, START_S, gauge, gauge_from, hump, line, rule};

/// Expected texts stand in the tests as they are printed; the first line break is the quote's.
fn assert_text(got: &str, expected: &str) {
    let expected = expected.trim_start_matches('\n');
    assert!(got == expected, "got\n{got}\nexpected\n{expected}");
}

#[test]
fn a_replay_shows_events_then_definitions_then_losses() {
    let folder = Folder::new();
    let late = gauge("till", "cpu", &[0.1]);
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &hump()) + &late)
        .write("rules/busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 10, 0.8))
        .write("rules/calm.json", rule("Calm shop", "metrics.gauges.app/cpu", 5, 2.0))
        .write("rules/memory-usage.json", rule("Memory", "metrics.gauges.app/memory", 5, 2.0));
    let ended = folder.run("replay cpu.jsonl --rules rules");
    assert_text(
        &ended.stdout,
        r#"
cpu.jsonl
2025-11-22 06:00:00 to 06:04:50 UTC (4m50s)
2 series of 2 entities, 31 data points

shop (i-1)
  CRITICAL  Busy shop  busy
    06:00:00 ···································█████████████████░░░░░░░░░░░░░░░······· 06:04:50
    opened  06:02:20 +2m20s     0.867 (threshold 0.8, 8.3% above)
                                avg over 1m of cpu
    peak    06:02:30 +2m30s     1 (threshold 0.8, 25% above)
    ended   06:03:30 +3m30s     recovered after 1m10s; closed 06:04:20 when the grace period of
                                1m was over

(█ violated   ░ in the grace period)

DEFINITIONS
  fired         busy          1 event, critical, on 1 of 2 entities; violated for 1m10s; peak 1
                              (threshold 0.8, 25% above) at 06:02:30 on shop (i-1)
  quiet         calm          peak 1 (threshold 2, 50% below) at 06:02:30 on shop (i-1)
  inconclusive  memory-usage  memory not received; `foreshock inspect` lists what was

DROPPED 1 of 31 data points
  1 too_late          older than the longest window that could use them; for back-filled data
                      sort the recording by time or use `--timestamps arrival`

3 definitions: 1 fired (1 event), 1 quiet, 1 inconclusive.
"#,
    );
}

#[test]
fn an_open_event_says_so_and_v_shows_everything() {
    let folder = Folder::new();
    let rising: Vec<f64> = (0..12).map(|i| f64::from(i) / 10.0).collect();
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &rising))
        .write("busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 5, 0.5));
    let ended = folder.run("replay cpu.jsonl --rules busy.json -v");
    assert_text(
        &ended.stdout,
        r#"
cpu.jsonl
2025-11-22 06:00:00 to 06:01:50 UTC (1m50s)
1 series of 1 entity, 12 data points

shop (i-1)
  WARNING   Busy shop  busy
    06:00:00 ·····················································█████████████████████ 06:01:50
    opened  06:01:20 +1m20s     0.55 (threshold 0.5, 10% above)
                                avg over 1m of cpu (6 data points)
    peak    06:01:50 +1m50s     0.85 (threshold 0.5, 70% above)
    open    06:01:50 +1m50s     still open when the recording ends, after 30s

DEFINITIONS
  fired         busy  1 event, warning; violated for 40s (36% of the recording); peak 0.85
                      (threshold 0.5, 70% above) at 06:01:50
                  rule 0: avg of metrics.gauges.app/cpu over 1m > 0.5; 1 series, evaluated 7
                  times every 10s, warming up 5 times

1 definition: 1 fired (1 event), 0 quiet, 0 inconclusive.
"#,
    );
}

#[test]
fn a_rule_that_matches_nothing_is_explained_by_what_is_closest() {
    let folder = Folder::new();
    let scope = "opentelemetry.instrumentation.system_metrics";
    let python =
        |name: &str| gauge("shop", name, &[1.0; 12]).replace(r#""name":"app""#, &format!(r#""name":"{scope}""#));
    folder.write("app.jsonl", gauge("shop", "queue.length", &[1.0; 12]));
    folder.write("old.jsonl", python("runtime.cpython.memory"));
    folder.write("new.jsonl", python("process.memory.usage"));
    let hint = |recording: &str, metric: &str| {
        folder.write("rule.json", rule("R", &metric.replace('"', "\\\""), 5, 1.0));
        let ended = folder.run(&format!("replay {recording} --rules rule.json -q"));
        assert_eq!(ended.code, 4);
        let text = ended.stdout.split("DEFINITIONS\n").nth(1).expect("definitions").to_string();
        let text = text.split("\n\n").next().expect("a line").replace('\n', " ");
        text.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
    };
    let app = |metric: &str| hint("app.jsonl", metric);
    assert_eq!(
        app("metrics.sums.app/queue.length"),
        "app/queue.length is received under metrics.gauges., not metrics.sums."
    );
    assert_eq!(
        app("metrics.gauges.application/queue.length"),
        "queue.length is received with the scope app: its id is metrics.gauges.app/queue.length"
    );
    assert_eq!(
        app(r#"metrics.gauges.app/queue.length{name="x"}"#),
        "app/queue.length was received (1 series), but no series has exactly these attributes; `foreshock inspect` lists them"
    );
    assert_eq!(
        app("metrics.gauges.app/queue.size"),
        "queue.size not received; the most similar name is metrics.gauges.app/queue.length"
    );
    assert_eq!(
        app("cpu.used"),
        "`cpu.used` is no OpenTelemetry metric id; one begins with metrics.gauges., metrics.sums. or metrics.histograms."
    );
    let memory = format!("metrics.sums.{scope}/process.runtime.cpython.memory");
    assert_eq!(
        hint("new.jsonl", &memory),
        format!(
            "process.runtime.cpython.memory not received, but process.memory.usage was, its newer name since 0.52b0: use \
             metrics.gauges.{scope}/process.memory.usage"
        )
    );
    assert_eq!(
        hint("old.jsonl", &memory),
        format!(
            "process.runtime.cpython.memory not received, but runtime.cpython.memory was, its older name (renamed in \
             0.39b0): use metrics.gauges.{scope}/runtime.cpython.memory"
        )
    );
    assert!(app(&memory).contains("this application's metrics configuration leaves it out"), "{}", app(&memory));
}

#[test]
fn a_query_that_selects_nothing_and_a_short_recording_are_explained() {
    let folder = Folder::new();
    let queried = rule("Q", "metrics.gauges.app/cpu", 5, 1.0)
        .replace("\"rules\"", "\"query\": \"entity.type:nodeJsRuntime\",\n  \"rules\"");
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &hump()))
        .write("rules/query.json", queried)
        .write(
            "rules/long.json",
            rule("L", "metrics.gauges.app/cpu", 5, 1.0).replace("\"window\": 60000", "\"window\": 600000"),
        )
        .write(
            "rules/off.json",
            rule("O", "metrics.gauges.app/cpu", 5, 1.0).replace("\"rules\"", "\"enabled\": false,\n  \"rules\""),
        )
        .write("rules/odd.json", rule("P", "metrics.gauges.app/cpu", 5, 1.0).replace("\"avg\"", "\"mean\""));
    let ended = folder.run("replay cpu.jsonl --rules rules -q");
    let text = ended.stdout.split("DEFINITIONS\n").nth(1).expect("definitions");
    let lines =
        |name: &str| text.lines().skip_while(|line| !line.contains(name)).take(2).collect::<Vec<_>>().join("\n");
    assert!(lines(" long ").contains("too short to fill the window of 10m: at best 5m of 10m"), "{text}");
    assert!(lines(" query ").contains("entity.type:nodeJsRuntime does not select the only entity"), "{text}");
    assert!(lines(" off ").contains("disabled      off    disabled by"), "{text}");
    assert!(lines(" odd ").contains("cannot be evaluated: "), "{text}");
}

#[test]
fn what_the_catalog_knows_is_noted_where_it_decides() {
    let folder = Folder::new();
    let scoped = |version: &str| {
        let scope = format!(r#""name":"opentelemetry.instrumentation.system_metrics","version":"{version}""#);
        gauge("shop", "process.runtime.cpython.cpu.utilization", &[1.2; 40]).replace(r#""name":"app""#, &scope)
    };
    let metric = "metrics.gauges.opentelemetry.instrumentation.system_metrics/process.runtime.cpython.cpu.utilization";
    folder
        .write("old.jsonl", scoped("0.46b0"))
        .write("mid.jsonl", scoped("0.51b0"))
        .write("cpu.json", rule("CPU", metric, 10, 0.8));
    let old = folder.run("replay old.jsonl --rules cpu.json -q").stdout;
    assert!(old.contains("NOTES") && old.contains("send a percentage"), "{old}");
    let mid = folder.run("replay mid.jsonl --rules cpu.json -q").stdout;
    assert!(!mid.contains("NOTES"), "{mid}");
}

#[test]
fn an_inspection_shows_services_metrics_and_what_is_odd() {
    let folder = Folder::new();
    let counter = |i: u64, start: u64, value: u64| {
        let time = START_S + 10 * i;
        let point = format!(
            r#"{{"timeUnixNano":"{time}000000000","startTimeUnixNano":"{start}000000000","asInt":"{value}","attributes":[{{"key":"code","value":{{"intValue":"{}"}}}}]}}"#,
            200
        );
        line(
            "shop",
            "requests",
            &format!(
                r#""unit":"{{request}}","sum":{{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{point}]}}"#
            ),
        )
    };
    let mut text = gauge("shop", "memory", &[1_048_576.0, 2_097_152.0, 1_572_864.0])
        .replace("\"gauge\"", "\"unit\":\"By\",\"gauge\"");
    for (i, value) in [(0, 5), (1, 9), (2, 2), (3, 6), (9, 8)] {
        text += &counter(i, START_S, value);
    }
    text += &counter(9, START_S, 8);
    folder.write("shop.jsonl", text);
    let ended = folder.run("inspect shop.jsonl");
    assert_eq!(ended.code, 0);
    assert_text(
        &ended.stdout,
        r#"
shop.jsonl (JSON lines)
2025-11-22 06:00:00 to 06:01:30 UTC (1m30s)
9 export requests, 2 series of 1 resource, 9 data points

SERVICES
  shop  1 instance, exports every 10s
    i-1: 06:00:00 to 06:01:30, 5 exports, 2 series
      no export from 06:00:30 to 06:01:30 (1m)

METRICS
  scope app
    memory   gauge                    1 series  1 MiB to 2 MiB  [By]
    requests sum, monotonic           1 series  2 to 9  [{request}]
        code: 200
        decreased once although monotonic (a counter reset, or not a counter)

WOULD BE DROPPED: 1 of 9 data points
  1 duplicate         the series has a data point with that timestamp; harmless when an exporter
                      retried, otherwise two processes send the same series: give each its own
                      service.instance.id
"#,
    );
    let document = folder.run("inspect shop.jsonl --format json").stdout;
    let document: serde_json::Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["metrics"][1]["resets"], 1);
    assert_eq!(document["metrics"][1]["attributes"], serde_json::json!([{"code": 200}]));
    assert_eq!(document["services"][0]["interval"], 10_000);
    assert_eq!(document["services"][0]["instances"][0]["gaps"][0]["from"], (START_S + 30) * 1000);
    assert_eq!(document["dropped"], serde_json::json!({"duplicate": 1}));
}

#[test]
fn control_characters_from_outside_do_not_reach_the_terminal() {
    let folder = Folder::new();
    folder.write("evil.jsonl", gauge("sh\\u001b[31mop", "c\\u0007pu", &hump()));
    folder.write("busy.json", rule("Busy\\u001b[2J", "metrics.gauges.app/c\\u0007pu", 10, 0.8));
    for arguments in ["inspect evil.jsonl -v", "replay evil.jsonl --rules busy.json -v"] {
        let text = folder.run(arguments).stdout;
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{arguments}\n{text:?}");
        assert!(text.contains("sh\\u{1b}[31mop"), "{arguments}\n{text}");
    }
}

#[test]
fn presence_is_written_in_entities_and_silence() {
    let folder = Folder::new();
    let count = r#"{"name":"Few","entityType":"any","rules":[{"ruleType":"entity_count","conditionOperator":"<","conditionValue":3,"severity":5}]}"#;
    let offline = r#"{"name":"Gone","entityType":"any","rules":[{"ruleType":"system","systemRuleId":"entity.offline","severity":10}]}"#;
    let outlived = gauge("till", "cpu", &[1.0]);
    folder
        .write("cpu.jsonl", outlived + &gauge("shop", "cpu", &[1.0; 40]))
        .write("rules/few.json", count)
        .write("rules/gone.json", offline);
    let text = folder.run("replay cpu.jsonl --rules rules -q").stdout;
    for expected in [
        "no single entity\n  WARNING   Few  few\n",
        "    opened  06:00:00 +0s        2 entities present, < 3 violates\n",
        "till (i-1)\n  CRITICAL  Gone  gone\n",
        "    opened  06:05:00 +5m        no data for 5m\n",
        "    peak    06:06:30 +6m30s     no data for 6m30s\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

#[test]
fn a_recording_over_midnight_has_dates() {
    let folder = Folder::new();
    let two_minutes_before_midnight = START_S + 18 * 3600 - 120;
    folder
        .write("cpu.jsonl", gauge_from(two_minutes_before_midnight, "shop", "cpu", &hump()))
        .write("busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.8));
    let text = folder.run("replay cpu.jsonl --rules busy.json").stdout;
    for expected in [
        "\n2025-11-22 23:58:00 to 2025-11-23 00:02:50 UTC (4m50s)\n",
        "\n    2025-11-22 23:58:00 ·",
        "· 2025-11-23 00:02:50\n",
        "\n    opened  2025-11-23 00:00:20 +2m20s     0.867 (threshold 0.8, 8.3% above)\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in\n{text}");
    }
}

//! `run -- CMD` from outside: whose exit code it is, what the command finds in its environment, which signals reach it, and what a
//! run says that was too short or heard nothing.
#![cfg(unix)]

use super::cli_support::{Ended, Folder, rule};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

/// Sends a gauge of the service `shop` so many times, ten times a second: a client in a shell, without anything to install.
const SEND: &str = r#"
address=${OTEL_EXPORTER_OTLP_ENDPOINT#http://}
exec 3<>"/dev/tcp/${address%:*}/${address##*:}" || exit 90
for ((i = 0; i < $1; i++)); do
    point="{\"timeUnixNano\":\"${EPOCHREALTIME/./}000\",\"asDouble\":$2}"
    resource='{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]}'
    metric="{\"name\":\"cpu\",\"gauge\":{\"dataPoints\":[$point]}}"
    body="{\"resourceMetrics\":[{\"resource\":$resource,\"scopeMetrics\":[{\"scope\":{\"name\":\"app\"},\"metrics\":[$metric]}]}]}"
    head='POST /v1/metrics HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s'
    printf "$head" ${#body} "$body" >&3
    read -r _ status _ <&3
    [[ $status == 200 ]] || exit 91
    while read -r line <&3 && [[ $line != $'\r' ]]; do
        [[ ${line,,} == content-length:* ]] && length=${line//[!0-9]/}
    done
    read -r -N "$length" _ <&3
    sleep 0.1
done
exit "${3:-0}"
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("send.sh", SEND).write("rules/busy.json", rule("Busy shop", "metrics.gauges.app/cpu", 10, 0.8));
    folder
}

/// Options of a run that is judged with a window of 1.2 s.
const SHORT: &str = "--rules rules --protocol http/protobuf --interval 100ms --window-scale 0.02";

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
        command.env_remove(name);
    }
}

fn run(folder: &Folder, options: &str, command: &[&str]) -> Ended {
    run_with(folder, options, command, &[])
}

fn run_with(folder: &Folder, options: &str, command: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut foreshock = Command::new(env!("CARGO_BIN_EXE_foreshock"));
    clean(&mut foreshock);
    foreshock.arg("run").args(options.split_whitespace()).arg("--").args(command);
    let output = foreshock.current_dir(folder.path("")).envs(variables.iter().copied()).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code().expect("a code"), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn last_line(ended: &Ended) -> &str {
    ended.stderr.lines().last().unwrap_or_default()
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let folder = folder();
    let first = run(&folder, &format!("{SHORT} --record before.foreshock"), &["bash", "send.sh", "35", "0.2"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let options = format!("{SHORT} --baseline before.foreshock");
    let same = run(&folder, &options, &["bash", "send.sh", "35", "0.2"]);
    assert_eq!(same.code, 0, "{}{}", same.stdout, same.stderr);
    // It still fires nothing.
    let worse = run(&folder, &options, &["bash", "send.sh", "35", "0.4"]);
    assert_eq!(worse.code, 1, "{}{}", worse.stdout, worse.stderr);
    assert!(worse.stdout.contains("p95 is 0.4, 100.0% higher than 0.2 (threshold 0.8)"), "{}", worse.stdout);
    assert!(
        last_line(&worse).contains("foreshock failed the run (exit 1): worse than the baseline"),
        "{}",
        worse.stderr
    );
}

#[test]
fn a_command_that_sends_what_it_should_passes_and_leaves_its_evidence() {
    let folder = folder();
    let options = format!("{SHORT} --record kept.foreshock --format json -o verdict.json");
    let ended = run(&folder, &options, &["bash", "send.sh", "35", "0.2"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    // On a busy machine the client is slower than it means to be, which is said.
    let said: Vec<&str> = ended.stderr.lines().filter(|line| !line.contains("the command exports every")).collect();
    assert_eq!(said, Vec::<&str>::new());
    let text = std::fs::read_to_string(folder.path("verdict.json")).expect("the answer");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(document["schemaVersion"], 1);
    assert_eq!(document["points"], 35);
    assert_eq!(document["definitions"][0]["verdict"], "quiet");
    assert_eq!(document["run"]["exitCode"], 0);
    assert_eq!(document["run"]["windowScale"], 0.02);
    assert_eq!(document["run"]["command"], serde_json::json!(["bash", "send.sh", "35", "0.2"]));
    assert!(document["run"].get("wouldHaveBeen").is_none(), "{text}");
    let replayed = folder.run("replay kept.foreshock --rules rules --format json");
    assert!(replayed.stderr.contains("--window-scale 0.02 (now nothing)"), "{}", replayed.stderr);
    assert_eq!(replayed.code, 4, "a window as it is written is not filled");
    let same = folder.run("replay kept.foreshock --rules rules --window-scale 0.02");
    assert_eq!((same.code, same.stderr.as_str()), (0, ""), "{}", same.stdout);
    let document: serde_json::Value = serde_json::from_str(&replayed.stdout).expect("JSON");
    assert_eq!(
        (&document["points"], &document["from"]),
        (&35.into(), &serde_json::from_str::<serde_json::Value>(&text).expect("JSON")["from"])
    );
}

#[test]
fn an_event_fails_a_run_with_rules_and_a_failed_command_keeps_its_code() {
    let folder = folder();
    let evidence = format!("{SHORT} --format jsonl --record kept.foreshock");
    let fired = run(&folder, &evidence, &["bash", "send.sh", "35", "0.9"]);
    assert_eq!(fired.code, 1, "{}", fired.stderr);
    let again = "replay kept.foreshock --rules rules --window-scale 0.02 --format jsonl --fail-on critical";
    let replayed = folder.run(again);
    assert_eq!((replayed.code, replayed.stdout), (1, fired.stdout.clone()), "{}", replayed.stderr);
    assert!(
        fired.stdout.contains(r#""state":"OPEN""#) && fired.stdout.contains(r#""window":1200"#),
        "{}",
        fired.stdout
    );
    let why = "an event at or above --fail-on critical";
    assert_eq!(last_line(&fired), format!("foreshock failed the run (exit 1): {why}; bash itself succeeded"));

    let failed = run(&folder, SHORT, &["bash", "send.sh", "35", "0.9", "7"]);
    assert_eq!(failed.code, 7, "{}", failed.stderr);
    assert!(failed.stdout.contains("1 definition: 1 fired (1 event)"), "the answer is there: {}", failed.stdout);
    assert_eq!(last_line(&failed), format!("bash failed the run (exit 7); foreshock alone would exit with 1: {why}"));
}

#[test]
fn a_command_that_a_signal_ends_has_the_code_a_shell_gives_it() {
    let ended = run(&folder(), "--rules rules", &["sh", "-c", "kill -KILL $$"]);
    assert_eq!(ended.code, 137);
    assert!(last_line(&ended).starts_with("sh failed the run (exit 137), ended by a signal; "), "{}", ended.stderr);
}

#[test]
fn signals_reach_the_command_and_its_end_is_waited_for() {
    for (signal, code) in [(Signal::TERM, 9), (Signal::INT, 8), (Signal::HUP, 7), (Signal::USR1, 6)] {
        let script = "for n in TERM:9 INT:8 HUP:7 USR1:6; do trap \"sleep 0.2; echo told; exit ${n#*:}\" ${n%:*}; done; \
                      echo ready; while :; do sleep 0.02; done";
        let folder = folder();
        let mut foreshock = Command::new(env!("CARGO_BIN_EXE_foreshock"));
        clean(&mut foreshock);
        let mut child = foreshock
            .current_dir(folder.path(""))
            .args(["run", "--rules", "rules", "-o", "answer.txt", "--", "bash", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("UTF-8");
        assert_eq!(line, "ready\n");
        kill_process(Pid::from_child(&child), signal).expect("it is there");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).expect("UTF-8");
        assert_eq!((rest.as_str(), child.wait().expect("it ends").code()), ("told\n", Some(code)), "{signal:?}");
        assert!(folder.path("answer.txt").exists());
    }
}

#[test]
fn a_command_that_sends_nothing_is_inconclusive_and_hears_how_to_send() {
    let folder = folder();
    let ended = run(&folder, "--rules rules", &["true"]);
    assert_eq!(ended.code, 4);
    for words in ["NO METRICS RECEIVED", "foreshock run -- opentelemetry-instrument python app.py", "1 inconclusive"] {
        assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
    }
    assert!(
        last_line(&ended).starts_with("foreshock failed the run (exit 4): no metrics received"),
        "{}",
        ended.stderr
    );
    let json = run(&folder, "--rules rules --format json", &["true"]);
    assert!(json.code == 4 && json.stderr.contains("opentelemetry-instrument"), "{}", json.stderr);
    assert_eq!(run(&folder, "--rules rules --allow-no-data", &["true"]).code, 0);
    let set = [("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://user:s3cret@127.0.0.1:9/v1/metrics")];
    let led_away = run_with(&folder, "--rules rules", &["true"], &set);
    assert!(led_away.stderr.contains("left as it is: OTEL_EXPORTER_OTLP_METRICS_ENDPOINT;"), "{}", led_away.stderr);
    assert!(led_away.stdout.contains("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"), "{}", led_away.stdout);
    assert!(!led_away.stderr.contains("s3cret") && !led_away.stdout.contains("s3cret"));
}

#[test]
fn a_run_that_is_too_short_says_what_it_needed_and_what_would_have_been() {
    let folder = folder();
    let ended =
        run(&folder, "--rules rules --protocol http/protobuf --interval 100ms", &["bash", "send.sh", "35", "0.9"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let needed = ended.stdout.lines().find(|line| line.contains("needs")).expect("what it needed");
    assert!(
        needed.starts_with("  busy  needs 1m4s of data, got ")
            && needed.contains("s (window of 1m, evaluated every 10s)"),
        "{needed}"
    );
    assert!(!needed.contains("got 0s"), "{needed}");
    let (_, would) = ended.stdout.split_once("PREVIEW (windows x").expect("a second verdict");
    assert!(would.contains("  fired  ") && would.contains("CRITICAL  Busy shop  busy"), "{would}");
    assert!(would.ends_with("\n1 definition: 0 fired (0 events), 0 quiet, 1 inconclusive.\n"), "{would}");
    assert!(last_line(&ended).starts_with("foreshock failed the run (exit 4)"), "{}", ended.stderr);

    // The command is run as it is printed.
    let printed = would
        .lines()
        .find_map(|line| line.strip_prefix("    ").filter(|line| line.contains(" run --")))
        .expect("a command");
    assert!(
        printed.contains("--interval 100ms --window-scale 0.0") && printed.ends_with(" -- bash send.sh 35 0.9"),
        "{printed}"
    );
    let mut again = Command::new("bash");
    clean(&mut again);
    let again = again.current_dir(folder.path("")).args(["-c", printed]).output().expect("bash");
    let stdout = String::from_utf8_lossy(&again.stdout);
    assert_eq!(again.status.code(), Some(1), "{stdout}");
    assert!(stdout.contains("1 definition: 1 fired (1 event)"), "{stdout}");
}

#[test]
fn what_is_set_already_stays_and_the_rest_is_set() {
    let folder = folder();
    let variables = |ended: &Ended| -> Vec<String> {
        let lines = ended.stdout.lines().filter(|line| line.starts_with("OTEL_"));
        let mut lines: Vec<String> = lines.map(str::to_string).collect();
        lines.sort();
        lines
    };
    let script = ["sh", "-c", "env; exit 3"];
    let all = variables(&run(&folder, "--interval 250ms", &script));
    let port = all[0].strip_prefix("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:").expect("this machine");
    assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{all:?}");
    assert_eq!(
        all[1..],
        [
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
            "OTEL_LOGS_EXPORTER=none",
            "OTEL_METRICS_EXPORTER=otlp",
            "OTEL_METRIC_EXPORT_INTERVAL=250",
            "OTEL_TRACES_EXPORTER=none"
        ]
    );
    let own = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "5000"),
        ("OTEL_TRACES_EXPORTER", "otlp"),
    ];
    let ended = run_with(&folder, "--interval 250ms", &script, &own);
    let kept = variables(&ended);
    for (name, value) in own {
        assert!(kept.contains(&format!("{name}={value}")), "{kept:?}");
    }
    assert!(kept.contains(&"OTEL_EXPORTER_OTLP_PROTOCOL=grpc".to_string()), "{kept:?}");
    let warned = "left as it is: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_METRICS_EXPORTER; metrics may go elsewhere";
    assert!(ended.stderr.contains(warned), "{}", ended.stderr);
}

#[test]
fn whoever_is_still_connected_when_the_command_ends_may_go_on_for_a_while() {
    let folder = folder();
    let script = ["bash", "-c", "bash send.sh 20 0.2 & sleep 1"];
    let points = |options: &str| {
        let ended = run(&folder, &format!("{SHORT} --format json --allow-no-data {options}"), &script);
        let document: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
        document["points"].as_u64().expect("a number")
    };
    assert_eq!(points(""), 20);
    assert!(points("--flush-timeout 100ms") < 20);
}

#[test]
fn events_go_to_sinks_as_they_happen() {
    let folder = folder();
    let sinks = "--sink file:events.jsonl --sink stdout:jsonl -o verdict.txt";
    let fired = run(&folder, &format!("{SHORT} {sinks}"), &["bash", "send.sh", "35", "0.9"]);
    assert_eq!(fired.code, 1, "{}", fired.stderr);
    let kept = std::fs::read_to_string(folder.path("events.jsonl")).expect("a sink");
    assert_eq!(kept, fired.stdout);
    assert!(kept.contains(r#""state":"OPEN""#), "{kept}");
    let verdict = std::fs::read_to_string(folder.path("verdict.txt")).expect("the answer");
    assert!(verdict.contains("still open when the run ends") && !verdict.contains("recording"), "{verdict}");

    // Where the answer goes nothing else may go, and a receiver that is not there is said.
    let mixed = run(&folder, &format!("{SHORT} --sink stdout"), &["true"]);
    assert!(mixed.code == 2 && mixed.stderr.contains("stdout"), "{}", mixed.stderr);
    let dead = run(
        &folder,
        &format!("{SHORT} --fail-on never --sink webhook,retry-for=1s:http://127.0.0.1:9/"),
        &["bash", "send.sh", "35", "0.9"],
    );
    assert_eq!(dead.code, 2, "{}", dead.stderr);
    assert!(last_line(&dead).contains("a sink did not get every event"), "{}", dead.stderr);
}

#[test]
fn a_trend_that_a_run_was_too_short_for_is_named_and_never_scaled() {
    let folder = folder();
    folder.write(
        "trend/leak.json",
        r#"{"name": "Growing", "query": "", "entityType": "openTelemetry", "expirationTime": 600000, "rules": [
            {"ruleType": "trend", "severity": 10, "metricName": ["metrics.gauges.app/cpu"]}]}"#,
    );
    let options = "--protocol http/protobuf --interval 100ms --rules trend";
    for scaled in ["", "--window-scale 0.02"] {
        let ended = run(&folder, &format!("{options} {scaled}"), &["bash", "send.sh", "35", "1000000"]);
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        let line = ended.stdout.lines().find(|line| line.starts_with("  leak  needs ")).unwrap_or_default();
        assert!(line.contains("(a trend: shorter windows do not help)"), "{}", ended.stdout);
    }
}

#[test]
fn what_cannot_be_run_is_said() {
    let folder = folder();
    let ended = run(&folder, "--rules rules --record kept.foreshock", &["no-such-command"]);
    assert!(ended.code == 2 && !folder.path("kept.foreshock").exists(), "{}", ended.stderr);
    let ended = run(&folder, "--rules rules", &["no-such-command", "an argument"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("cannot run no-such-command 'an argument': "), "{}", ended.stderr);
    assert_eq!(run(&folder, "--rules rules", &[]).code, 2);
    assert_eq!(run(&folder, "--window-scale 1.5", &["true"]).code, 2);
    assert_eq!(run(&folder, "--interval 1ms", &["true"]).code, 2);
}

//! `foreshock check` of recordings: golden events, coverage, and the gate between two recordings.

use super::cli_support::{Folder, START_S, busy_and_calm, gauge, gauge_from, hump, rule};

#[test]
fn golden_events_are_written_and_compared() {
    let folder = busy_and_calm();
    let ended = folder.run("check --rules rules --golden golden.json cpu.jsonl");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("golden.json") && ended.stderr.contains("--bless writes them"), "{}", ended.stderr);
    let ended = folder.run("check --rules rules --golden golden.json --bless cpu.jsonl");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("golden.json: 1 event blessed"), "{}", ended.stderr);
    let text = std::fs::read_to_string(folder.path("golden.json")).expect("golden events");
    assert!(text.contains("\"opens\": \"2m20s\"") && text.contains("\"calm\": \"quiet\""), "{text}");
    let ended = folder.run("check --rules rules --golden golden.json cpu.jsonl");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "2 cases: 2 passed, 0 failed, 0 inconclusive.\n"));
}

/// What the text says below the case that failed.
fn differences(folder: &Folder, arguments: &str) -> Vec<String> {
    let ended = folder.run(arguments);
    assert_eq!(ended.code, 1, "{arguments}: {}{}", ended.stdout, ended.stderr);
    let lines = ended.stdout.lines().filter_map(|line| line.strip_prefix("    "));
    lines.map(|line| line.split_once(": ").map_or(line, |(_, rest)| rest).to_string()).collect()
}

#[test]
fn a_difference_says_what_when_and_by_how_much() {
    let folder = busy_and_calm();
    folder.run("check --rules rules --golden golden.json --bless cpu.jsonl");
    let golden = "check --rules rules --golden golden.json new.jsonl";
    let high = |range: std::ops::Range<usize>, value: f64| -> Vec<f64> {
        (0..30).map(|i| if range.contains(&i) { value } else { 0.2 }).collect()
    };
    folder.write("new.jsonl", gauge("shop", "cpu", &high(12..22, 1.0)));
    let found = differences(&folder, golden);
    assert_eq!(
        found,
        [
            "shop (i-1): opens at 2m40s, 20s later than 2m20s",
            "shop (i-1): was last violated at 3m40s, 20s later than 3m20s",
            "shop (i-1): closes at 4m40s, 20s later than 4m20s",
        ]
    );
    assert_eq!(folder.run(&format!("{golden} --time-tolerance 20s")).code, 0);
    assert_eq!(folder.run(&format!("{golden} --time-tolerance 19s")).code, 1);

    folder.write("new.jsonl", gauge("shop", "cpu", &high(10..20, 1.04)));
    assert_eq!(differences(&folder, golden), ["shop (i-1): peak is 1.04, 4.0% more than 1"]);
    assert_eq!(folder.run(&format!("{golden} --value-tolerance 5%")).code, 0);
    assert_eq!(folder.run(&format!("{golden} --value-tolerance 3%")).code, 1);

    folder.write("new.jsonl", gauge("shop", "cpu", &high(10..20, 0.3)));
    assert_eq!(
        differences(&folder, golden),
        ["the verdict is quiet, it was fired", "shop (i-1): the event that opened at 2m20s is gone"]
    );
    let twice = hump().into_iter().chain(hump());
    folder.write("new.jsonl", gauge("shop", "cpu", &twice.collect::<Vec<f64>>()));
    let found = differences(&folder, golden);
    assert_eq!(found, ["shop (i-1): an event opens at 7m20s (peak 1) that was not there"]);
}

#[test]
fn a_recording_made_again_has_other_times_and_instances() {
    let folder = busy_and_calm();
    folder.run("check --rules rules --golden golden.json --bless cpu.jsonl");
    let again = gauge_from(START_S + 3600, "shop", "cpu", &hump()).replace("i-1", "i-7");
    folder.write("again.jsonl", again);
    let ended = folder.run("check --rules rules --golden golden.json again.jsonl");
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    folder.write("other.jsonl", gauge("till", "cpu", &hump()));
    assert_eq!(folder.run("check --rules rules --golden golden.json other.jsonl").code, 1);
}

#[test]
fn a_recording_that_proves_nothing_is_neither_golden_nor_a_pass() {
    let folder = busy_and_calm();
    folder.run("check --rules rules --golden golden.json --bless cpu.jsonl");
    let before = std::fs::read(folder.path("golden.json")).expect("golden events");
    folder.write("empty.jsonl", "");
    folder.write("damaged.jsonl", gauge("shop", "cpu", &hump()).replacen("\n", "\n{\"resourceMetrics\":[17]}\n", 1));
    for name in ["empty.jsonl", "damaged.jsonl"] {
        assert_eq!(folder.run(&format!("check --rules rules --golden golden.json {name}")).code, 4, "{name}");
        assert_eq!(folder.run(&format!("check --rules rules --golden golden.json --bless {name}")).code, 4, "{name}");
    }
    assert_eq!(std::fs::read(folder.path("golden.json")).expect("golden events"), before);
    // A recording is not overwritten by mistake.
    let ended = folder.run("check --rules rules --golden cpu.jsonl --bless cpu.jsonl");
    assert_eq!(ended.code, 2);
    assert_eq!(folder.run("check --rules rules --golden golden.json cpu.jsonl").code, 0);
    assert_eq!(folder.run("check --golden golden.json").code, 2, "no recording is named");
    assert_eq!(folder.run("check --bless cpu.jsonl").code, 2, "nothing to bless");
    assert_eq!(folder.run("check --step 5s").code, 2, "scenarios have options of their own");
}

#[test]
fn coverage_tells_what_never_fired_and_what_nobody_looks_at() {
    let folder = busy_and_calm();
    let text = "scenario: as recorded\nrules: rules\nrecordings: cpu.jsonl\nscope: app\n\
        resource: {service.name: shop, service.instance.id: i-1}\n\
        series: [{metric: heap, kind: gauge, values: 1x5}, {metric: late, kind: gauge, values: 1x1}]\n\
        expect: {definition: busy, opens: 2m20s}\nquiet: calm\ninconclusive: {lone: no_series, late: warming_up}\n";
    folder
        .write("rules/lone.json", rule("Lone", "metrics.gauges.app/none", 5, 1.0))
        .write("rules/late.json", rule("Late", "metrics.gauges.app/late", 5, 1.0))
        .write("a.test.yaml", text);
    let ended = folder.run("check --coverage");
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let expected = "COVERAGE\n  1 of 4 definitions fired\n  evaluated, never fired  calm (rules/calm.json)\n  \
        never left warm-up  late (rules/late.json)\n  matched no series  lone (rules/lone.json)\n  \
        not used by any rule  metrics.gauges.app/heap\n\n1 case: 1 passed, 0 failed, 0 inconclusive.\n";
    assert_eq!(ended.stdout, expected);
    assert_eq!(folder.run("check --min-rule-coverage 25%").code, 0);
    assert_eq!(folder.run("check --min-rule-coverage 0.25").code, 0);
    let ended = folder.run("check --min-rule-coverage 100%");
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("rules/calm.json: calm evaluated, never fired: no scenario shows that it can fire"));
    assert_eq!(folder.run("check --min-rule-coverage 30").code, 2, "thirty times is no share");
    // A scenario with only definitions of its own covers no rules.
    let own = "scenario: own\ndefinitions:\n  d: {rules: [{ruleType: threshold, metricName: metrics.gauges.g, aggregation: max, \
        window: 10000, conditionOperator: '>', conditionValue: 5}]}\nseries: {metric: g, kind: gauge, values: 1x9}\nquiet: d\n";
    folder.write("own/a.test.yaml", own);
    assert_eq!(folder.run("check own --min-rule-coverage 100%").code, 4);
}

/// Thirty values: low, high from the eleventh on for so long, low again.
fn hump_of(low: f64, high: f64, length: usize) -> Vec<f64> {
    (0..30).map(|i| if (10..10 + length).contains(&i) { high } else { low }).collect()
}

#[test]
fn a_baseline_fails_for_what_became_worse_and_for_nothing_else() {
    let folder = busy_and_calm();
    folder.write("calm.jsonl", gauge("shop", "cpu", &hump_of(0.2, 0.2, 1)));
    let against = |old: &str, new: Vec<f64>| {
        folder.write("new.jsonl", gauge("shop", "cpu", &new).replace("i-1", "i-9"));
        format!("check --rules rules --baseline {old} new.jsonl")
    };
    let passes = |old: &str, new: Vec<f64>| {
        let ended = folder.run(&against(old, new));
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (0, "2 cases: 2 passed, 0 failed, 0 inconclusive.\n"),
            "{}",
            ended.stderr
        );
    };
    let fails = |old: &str, new: Vec<f64>| differences(&folder, &against(old, new));
    // As it was, or better.
    passes("cpu.jsonl", hump());
    passes("cpu.jsonl", hump_of(0.2, 1.0, 8));
    passes("cpu.jsonl", hump_of(0.1, 0.2, 8));
    passes("calm.jsonl", hump_of(0.21, 0.21, 1));
    // An event that was not there, violations, and with the second rule the same value.
    assert_eq!(
        fails("calm.jsonl", hump()),
        [
            "1 event on shop (opened 2m20s after the start), none before",
            "in violation for 1m10s, 0s before",
            "p95 is 1, 400.0% higher than 0.2 (threshold 0.8)",
            "p95 is 1, 400.0% higher than 0.2 (threshold 2)",
        ]
    );
    // The same event for longer.
    assert_eq!(fails("cpu.jsonl", hump_of(0.2, 1.0, 14))[0], "in violation for 1m50s, 1m10s before");
    // Near zero the share is told as it is, and judged by the threshold.
    folder.write("idle.jsonl", gauge("shop", "cpu", &hump_of(0.0001, 0.0001, 1)));
    assert_eq!(fails("idle.jsonl", hump_of(0.2, 0.2, 1))[0], "p95 is 0.2, 199900% higher than 0.0001 (threshold 0.8)");
    // No event at all, and still worse.
    let found = fails("calm.jsonl", hump_of(0.3, 0.3, 1));
    assert_eq!(
        found,
        ["p95 is 0.3, 50.0% higher than 0.2 (threshold 0.8)", "p95 is 0.3, 50.0% higher than 0.2 (threshold 2)"]
    );
    assert_eq!(folder.run("check --rules rules --baseline calm.jsonl new.jsonl --max-regression 60%").code, 0);
    assert_eq!(folder.run("check --rules rules --baseline calm.jsonl new.jsonl --max-regression 40%").code, 1);
    // Twice of next to nothing is next to nothing.
    passes("idle.jsonl", hump_of(0.0002, 0.0002, 1));
    // A recording of twice the length may be in violation for twice the time, with as many events.
    folder.write("half.jsonl", gauge("shop", "cpu", &hump()[..25]));
    passes("half.jsonl", hump_of(0.2, 1.0, 10));
}

#[test]
fn low_values_are_compared_where_they_are_bad() {
    let folder = busy_and_calm();
    let low = rule("Idle", "metrics.gauges.app/cpu", 5, 0.1).replace("\">\"", "\"<\"");
    folder.write("low/idle.json", low);
    folder.write("new.jsonl", gauge("shop", "cpu", &hump_of(0.15, 0.9, 20)));
    let found = differences(&folder, "check --rules low --baseline cpu.jsonl new.jsonl");
    assert_eq!(found, ["p5 is 0.15, 25.0% lower than 0.2 (threshold 0.1)"]);
    assert_eq!(folder.run("check --rules low --baseline new.jsonl cpu.jsonl").code, 0);
}

#[test]
fn what_cannot_be_compared_is_no_pass() {
    let folder = busy_and_calm();
    folder.write("empty.jsonl", "").write("other.jsonl", gauge("shop", "heap", &hump()));
    for (old, new) in [
        ("empty.jsonl", "cpu.jsonl"),
        ("cpu.jsonl", "empty.jsonl"),
        ("cpu.jsonl", "other.jsonl"),
        ("other.jsonl", "other.jsonl"),
    ] {
        let ended = folder.run(&format!("check --rules rules --baseline {old} {new}"));
        assert_eq!(ended.code, 4, "{old} {new}: {}{}", ended.stdout, ended.stderr);
    }
    let ended = folder.run("check --rules rules --baseline cpu.jsonl other.jsonl");
    assert!(
        ended.stdout.contains("can no longer be evaluated (no_series); in the baseline it could"),
        "{}",
        ended.stdout
    );
    assert_eq!(folder.run("check --rules rules --baseline missing.jsonl cpu.jsonl").code, 2);
    assert_eq!(folder.run("check --rules rules --baseline cpu.jsonl").code, 2, "the new recording is not named");
    assert_eq!(folder.run("check --rules rules --max-regression 5% cpu.jsonl").code, 2);
}

#[test]
fn replay_compares_too_and_reads_what_comes_only_once() {
    let folder = busy_and_calm();
    folder.write("calm.jsonl", gauge("shop", "cpu", &hump_of(0.2, 0.2, 1)));
    let ended = folder.run("replay --rules rules cpu.jsonl --baseline cpu.jsonl");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let lines = gauge("shop", "cpu", &hump()).into_bytes();
    let ended = folder.run_with("replay --rules rules - --baseline calm.jsonl", lines.clone());
    assert_eq!(ended.code, 1);
    assert!(ended.stdout.contains("1 event on shop (opened 2m20s after the start), none before"), "{}", ended.stdout);
    assert!(ended.stderr.contains("exit code 1: worse than the baseline"), "{}", ended.stderr);
    let ended = folder.run_with("replay --rules rules - --baseline calm.jsonl --format json", lines);
    assert_eq!(ended.code, 1);
    serde_json::from_str::<serde_json::Value>(&ended.stdout).expect("one document");
    assert!(ended.stderr.contains("1 event on shop"), "{}", ended.stderr);
}

/// A scenario over a recording sees what `replay` sees.
#[test]
fn a_scenario_over_a_recording_has_the_events_of_its_replay() {
    let folder = Folder::new();
    for name in ["fast_leak.jsonl.gz", "cpu_burn.jsonl.gz", "leak_restart_sameid.jsonl.gz"] {
        let path = format!("{}/fixtures/recordings/{name}", env!("CARGO_MANIFEST_DIR"));
        let replay = folder.run(&format!("replay -q --format json {path}"));
        let document: serde_json::Value = serde_json::from_str(&replay.stdout).expect("a document");
        let mut text =
            format!("scenario: {name}\nrules: [builtin:python, builtin:local]\nrecordings: {path}\nexpect:\n");
        let events = document["events"].as_array().expect("events");
        assert!(!events.is_empty(), "{name} raises nothing");
        let instant = |ms: &serde_json::Value| {
            let at = chrono::DateTime::from_timestamp_millis(ms.as_i64().expect("milliseconds")).expect("an instant");
            at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
        };
        for event in events {
            let own = &event["foreshock"];
            let (definition, entity) = (own["definition"].as_str(), event["entityLabel"].as_str());
            text +=
                &format!("  - {{definition: {}, entity: '{}', ", definition.expect("a name"), entity.expect("a label"));
            text += &format!("opens: '{}', severity: {}, ", instant(&event["start"]), event["severity"]);
            text += &match own["closedAt"].is_null() {
                true => "closes: never}\n".to_string(),
                false => format!("closes: '{}', reason: {}}}\n", instant(&own["closedAt"]), own["reason"]),
            };
        }
        let quiet = document["definitions"].as_array().expect("definitions").iter().filter(|d| d["verdict"] == "quiet");
        let quiet: Vec<&str> = quiet.map(|d| d["definition"].as_str().expect("a name")).collect();
        text += &format!("quiet: [{}]\n", quiet.join(", "));
        folder.write("a.test.yaml", &text);
        let ended = folder.run("check");
        assert_eq!(ended.code, 0, "{text}{}{}", ended.stdout, ended.stderr);
    }
}

/// The compared value against one that is worked out here, from the points: every window holds one, so its maximum is the point.
#[test]
fn the_compared_value_is_the_percentile_of_the_points() {
    let folder = Folder::new();
    let one = rule("High", "metrics.gauges.app/cpu", 10, 1e6).replace("\"avg\"", "\"max\"").replace("60000", "10000");
    let low = one.replace("\">\"", "\"<\"").replace("1000000", "-1000000").replace("High", "Low");
    folder.write("rules/high.json", one).write("rules/low.json", low);
    folder.write("old.jsonl", gauge("shop", "cpu", &[0.0; 50]));
    let mut random = fastrand::Rng::with_seed(7);
    for case in 0..6 {
        let count = 100 + random.usize(0..300);
        let values: Vec<f64> = (0..count).map(|_| (random.f64() - 0.5) * 10f64.powi(4 + case)).collect();
        folder.write("new.jsonl", gauge("shop", "cpu", &values));
        let found = differences(&folder, "check --rules rules --baseline old.jsonl new.jsonl");
        // The first window is not covered: one point has no interval. Which of two neighbours is meant is not the point.
        let mut sorted = values[1..].to_vec();
        sorted.sort_by(f64::total_cmp);
        let near = |q: f64, said: &str| {
            let got: f64 = said.split([' ', ',']).nth(2).and_then(|word| word.parse().ok()).expect("a value");
            let rank = q * (sorted.len() - 1) as f64;
            let (lower, upper) = (sorted[rank as usize], sorted[(rank as usize + 1).min(sorted.len() - 1)]);
            let slack = 1e-3 * got.abs();
            assert!(got >= lower - slack && got <= upper + slack, "{q}: {got} is not from {lower} to {upper}");
        };
        near(0.95, found.iter().find(|one| one.starts_with("p95 is ")).expect("a percentile"));
        near(0.05, found.iter().find(|one| one.starts_with("p5 is ")).expect("a percentile"));
    }
}

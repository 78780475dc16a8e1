//! `convert` from outside: forms that say the same, and cuts that keep what was asked for.

use super::cli_support::{Folder, START_S, gauge, hump, rule};
use serde_json::Value as Json;

fn folder() -> Folder {
    let folder = Folder::new();
    folder
        .write("two.jsonl", gauge("shop", "cpu", &hump()) + &gauge("till", "memory.used", &[1.0; 30]))
        .write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.8));
    folder
}

fn inspected(folder: &Folder, file: &str) -> Json {
    let ended = folder.run(&format!("inspect {file} --format json"));
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stderr))
}

#[test]
fn every_form_gives_the_same_document() {
    let folder = folder();
    let expected = folder.run("replay two.jsonl --rules rules --format json").stdout;
    let forms = [("own", "a"), ("own-raw", "b"), ("proto", "c"), ("proto", "c.zst"), ("jsonl", "d"), ("jsonl", "d.gz")];
    for (form, file) in forms {
        let ended = folder.run(&format!("convert two.jsonl -o {file} --form {form}"));
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{form}: {}", ended.stderr);
        let got = folder.run(&format!("replay {file} --rules rules --format json")).stdout;
        assert_eq!(got, expected, "{form} into {file}");
    }
    let piped = folder.run("convert two.jsonl -o - --form jsonl -q");
    assert_eq!((piped.code, piped.stderr.as_str(), piped.stdout.lines().count()), (0, "", 60));
}

#[test]
fn a_cut_keeps_services_metrics_and_a_time() {
    let folder = folder();
    let cut = |options: &str| {
        let ended = folder.run(&format!("convert two.jsonl -o cut {options}"));
        assert_eq!(ended.code, 0, "{options}: {}", ended.stderr);
        inspected(&folder, "cut")
    };
    let shop = cut("--service shop");
    assert_eq!((&shop["points"], &shop["services"][0]["name"]), (&Json::from(30), &Json::from("shop")));
    let memory = cut("--metric memory.* --metric nothing");
    assert_eq!((&memory["points"], &memory["metrics"][0]["name"]), (&Json::from(30), &Json::from("memory.used")));
    let from_and_to = |options: &str| {
        let document = cut(options);
        let instance = &document["services"][0]["instances"][0];
        let offset = |key: &str| instance[key].as_u64().expect("an instant") / 1000 - START_S;
        (offset("from"), offset("to"))
    };
    assert_eq!(from_and_to("--from +1m --to +2m"), (60, 120));
    assert_eq!(from_and_to("--from 06:01:00 --to 06:02:00"), (60, 120));
    assert_eq!(from_and_to("--from 2025-11-22T06:01:00Z"), (60, 290));
}

#[test]
fn a_cut_of_another_service_changes_no_verdict() {
    let folder = folder();
    let longer = gauge("till", "memory.used", &[1.0; 60]);
    folder.write("longer.jsonl", gauge("shop", "cpu", &hump()) + &longer);
    assert_eq!(folder.run("convert longer.jsonl -o cut --service shop").code, 0);
    let events = |file: &str| {
        let document = folder.run(&format!("replay {file} --rules rules --format json")).stdout;
        let document: Json = serde_json::from_str(&document).expect("JSON");
        document["events"].clone()
    };
    assert_eq!(events("cut"), events("longer.jsonl"), "instants of which nothing is kept stay as ticks");
}

#[test]
fn what_cannot_be_converted_is_said() {
    let folder = folder();
    let ended = folder.run("convert two.jsonl -o two.jsonl");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("two.jsonl is an input as well"), "{}", ended.stderr);
    assert_eq!(inspected(&folder, "two.jsonl")["points"], 60, "the input is untouched");
    let ended = folder.run("convert two.jsonl -o cut --service nobody");
    assert_eq!(ended.code, 4);
    assert!(ended.stderr.contains("nothing was written"), "{}", ended.stderr);
    assert_eq!(folder.run("convert two.jsonl -o cut --from yesterday").code, 2);
    assert_eq!(folder.run("convert two.jsonl -o missing/cut").code, 2);
}

//! What the tests of the command line share: a folder of its own per test, small recordings and rules, and the binary.

use assert_cmd::Command;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// The first instant of the recordings made here: 2025-11-22 06:00:00 UTC.
pub const START_S: u64 = 1_763_791_200;

/// A folder that lives as long as the test.
pub struct Folder(TempDir);

/// How a command ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Folder {
    pub fn new() -> Self {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        fs::write(path, content).expect("a new file");
        self
    }

    /// Runs the binary in this folder.
    pub fn run(&self, arguments: &str) -> Ended {
        self.run_with(arguments, Vec::new())
    }

    /// Runs the binary in this folder with something on standard input.
    pub fn run_with(&self, arguments: &str, stdin: Vec<u8>) -> Ended {
        let output = self.command(arguments).write_stdin(stdin).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Ended {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    pub fn command(&self, arguments: &str) -> Command {
        let mut command = assert_cmd::cargo::cargo_bin_cmd!("foreshock");
        command.current_dir(self.0.path()).args(arguments.split_whitespace()).env_remove("NO_COLOR");
        command
    }
}

/// A recording of one gauge of scope `app`: a value every ten seconds from the start on, as lines of OTLP/JSON.
pub fn gauge(service: &str, name: &str, values: &[f64]) -> String {
    gauge_from(START_S, service, name, values)
}

/// The same from another instant on.
pub fn gauge_from(start_s: u64, service: &str, name: &str, values: &[f64]) -> String {
    let lines = values.iter().enumerate().map(|(i, value)| {
        let nanos = (start_s + 10 * i as u64) * 1_000_000_000;
        let point = format!(r#"{{"timeUnixNano":"{nanos}","asDouble":{value}}}"#);
        line(service, name, &format!(r#""gauge":{{"dataPoints":[{point}]}}"#))
    });
    lines.collect()
}

/// One export of one metric.
pub fn line(service: &str, name: &str, data: &str) -> String {
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let resource = [attribute("service.name", service), attribute("service.instance.id", "i-1")].join(",");
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{resource}]}},"scopeMetrics":[{{"scope":{{"name":"app"}},"metrics":[{{"name":"{name}",{data}}}]}}]}}]}}"#
    ) + "\n"
}

/// A definition: the average of a gauge of scope `app` over a minute is above a value.
pub fn rule(title: &str, metric: &str, severity: i64, above: f64) -> String {
    format!(
        r#"{{
  "name": "{title}",
  "entityType": "openTelemetry",
  "expirationTime": 60000,
  "rules": [
    {{
      "ruleType": "threshold",
      "metricName": "{metric}",
      "aggregation": "avg",
      "window": 60000,
      "conditionOperator": ">",
      "conditionValue": {above},
      "severity": {severity}
    }}
  ]
}}
"#
    )
}

/// Thirty values: low, high from the eleventh to the twentieth, low again.
pub fn hump() -> Vec<f64> {
    (0..30).map(|i| if (10..20).contains(&i) { 1.0 } else { 0.2 }).collect()
}

/// A folder with a recording that fires `rules/busy.json` and keeps `rules/calm.json` quiet.
pub fn busy_and_calm() -> Folder {
    let folder = Folder::new();
    folder
        .write("cpu.jsonl", gauge("shop", "cpu", &hump()))
        .write("rules/busy.json", rule("Busy", "metrics.gauges.app/cpu", 10, 0.8))
        .write("rules/calm.json", rule("Calm", "metrics.gauges.app/cpu", 5, 2.0));
    folder
}

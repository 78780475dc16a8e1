"""Runs the installed command as a CI job does: the version, a replay with reports, and the action of GitHub, step by step as
its runner would. JUnit is read back by junitparser.

    drive.py COMMAND WHEEL
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import junitparser
import yaml

ROOT = Path(__file__).resolve().parents[2]
RECORDING = "fixtures/recordings/fast_leak.jsonl.gz"
RULES = "rules/python"


def run(*words, **more):
    return subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, **more)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, expected {wanted!r}")


def check_version(command):
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)
    expect("--version", run(command, "--version").stdout, f"foreshock {version}\n")


def check_replay(command, folder):
    """The report says what the document says: a case for each definition, a failure for each that fired."""
    junit = folder / "junit.xml"
    ended = run(command, "replay", RECORDING, "--rules", RULES, "--fail-on", "critical", "--format", "json", "--junit", junit)
    expect("the exit code of replay", ended.returncode, 1)
    document = json.loads(ended.stdout)
    wanted = {}
    for definition in document["definitions"]:
        wanted[definition["definition"]] = {"fired": "Failure", "quiet": None, "inconclusive": "Skipped"}[definition["verdict"]]
    report = junitparser.JUnitXml.fromfile(str(junit))
    got, classes = {}, set()
    for suite in report:
        expect("the name of the suite", suite.name, RECORDING)
        for case in suite:
            expect(f"results of {case.name}", len(case.result) <= 1, True)
            got[case.name] = type(case.result[0]).__name__ if case.result else None
            classes.add(case.classname)
            for result in case.result:
                expect(f"the message of {case.name}", bool(result.message and result.type), True)
    expect("cases", got, wanted)
    expect("classes", classes, {"fixtures.recordings.fast_leak_jsonl_gz"})
    results = list(wanted.values())
    skipped = sum(suite.skipped for suite in report)
    expect("counts", (report.tests, report.failures, skipped), (len(results), results.count("Failure"), results.count("Skipped")))
    print(f"junitparser read {report.tests} cases, {report.failures} failures, {skipped} skipped")


def check_scenarios(command, folder):
    """The scenarios of the shipped rules pass, each with the time it took."""
    junit = folder / "scenarios.xml"
    ended = run(command, "check", "rules", "--junit", junit)
    expect(f"the exit code of check ({ended.stdout})", ended.returncode, 0)
    report = junitparser.JUnitXml.fromfile(str(junit))
    cases = [case for suite in report for case in suite]
    expect("cases", (len(cases) > 20, report.failures, len(cases)), (True, 0, report.tests))
    expect("cases without a time", [case.name for case in cases if case.time is None], [])
    print(f"junitparser read {len(cases)} scenarios that passed")


def run_action(inputs, folder):
    """Runs the steps of action.yml; gives back the exit code, what was printed, and the outputs."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    values = {name: spec.get("default", "") for name, spec in action["inputs"].items()} | inputs
    output, summary = folder / "output", folder / "summary.md"
    for file in (output, summary):
        file.write_text("")
    printed = ""
    for step in action["runs"]["steps"]:
        expect("the shell", step["shell"], "bash")
        expect("an input inside a script", "${{" in step["run"], False)
        given = {key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m.group(1)], text) for key, text in step["env"].items()}
        own = {"RUNNER_TEMP": str(folder), "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        script = folder / "step.sh"
        script.write_text(step["run"])
        ended = run("bash", "--noprofile", "--norc", "-eo", "pipefail", script, env=os.environ | own | given)
        printed += ended.stdout
        if ended.returncode != 0:
            return ended.returncode, printed + ended.stderr, output.read_text(), summary.read_text()
    return 0, printed, output.read_text(), summary.read_text()


def check_action(wheel, folder):
    inputs = {
        "wheel": str(wheel),
        "command": "replay",
        "args": f"{RECORDING}\n--rules {RULES} --fail-on critical",
        "junit": str(folder / "action.xml"),
        "sarif": str(folder / "action.sarif"),
    }
    code, printed, output, summary = run_action(inputs, folder)
    expect("the exit code of the action", (code, output), (1, "exit-code=1\n"))
    annotations = [line for line in printed.splitlines() if line.startswith("::error file=rules/python/events/")]
    expect(f"annotations in {printed}", len(annotations), 2)
    expect("the summary", summary.startswith("## foreshock: failed\n"), True)
    log = json.loads((folder / "action.sarif").read_text())
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in log["runs"][0]["results"] if r["level"] == "error"}
    expect("places in SARIF", uris, {f"rules/python/events/{n}.json" for n in ("high-memory-usage", "memory-leak-detection")})
    expect("suites", junitparser.JUnitXml.fromfile(str(folder / "action.xml")).failures, 2)
    # A value that looks like a script stays a value.
    code, printed, *_ = run_action(inputs | {"args": "$(touch gotcha) `touch gotcha`; touch gotcha"}, folder)
    expect(f"the exit code with wrong arguments ({printed})", (code, (ROOT / "gotcha").exists()), (2, False))
    code, printed, *_ = run_action(inputs | {"wheel": ""}, folder)
    expect("without a wheel or a version", (code, "name a wheel or a version" in printed), (2, True))
    print("the action ran: annotations, summary, JUnit, SARIF and its exit code are as expected")


def main(command, wheel):
    check_version(ROOT / command)
    with tempfile.TemporaryDirectory() as folder:
        check_replay(ROOT / command, Path(folder))
        check_scenarios(ROOT / command, Path(folder))
        check_action(ROOT / wheel, Path(folder))
    size = (ROOT / wheel).stat().st_size / 1e6
    print(f"{Path(wheel).name}, {size:.1f} MB, installed and run")


if __name__ == "__main__":
    main(*sys.argv[1:])

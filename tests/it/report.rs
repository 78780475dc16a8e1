//! Reports say the same to every reader, whatever stands in names and messages: each form is read back by a reader of its own
//! (an XML parser, the SARIF schema, the runner's parsing of commands, a Markdown parser).

use foreshock::definition::Position;
use foreshock::gate::{Case, CaseResult, FileLocation, Finding, Suite};
use foreshock::report::{self, CheckOutcome, Detail, Format, Outcome, Style};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use roxmltree::{Document, Node};
use serde_json::Value as Json;
use std::collections::HashSet;

/// What somebody would send who wants a report to say something else.
const HOSTILE: &[&str] = &[
    "::error file=a.rs::gotcha",
    "\n::stop-commands::x\n",
    "\r\n::add-mask::a",
    "##[error]gotcha",
    "%0A::error::gotcha",
    "]]><failure message='x'/>",
    "</testcase><testcase name=\"x\"/>",
    "&lt;&#0;&amp;",
    "a|b\n| c | d |",
    "[link](https://example.org)",
    "![image](https://example.org/a.png)",
    "https://example.org www.example.org a@example.org",
    "<img src=x onerror=alert(1)><!-- ",
    "</details><script>alert(1)</script>",
    "`code` ```fence",
    "```\n# heading\n1. one\n- two\n> quote\n---\n",
    "1. one",
    "# heading",
    "*emphasis* __strong__ ~~struck~~ :tada: $x$",
    "\\[ \\` \\\\",
    "{0} {{1}}",
    "\u{1b}[31mred\u{1b}[0m\0\u{7}\u{85}",
    "\u{202e}desrever\u{2066}\u{feff}\u{fffe}\u{ffff}\u{2028}",
    "\t tab ",
    "",
];

fn hostile() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => proptest::sample::select(HOSTILE).prop_map(str::to_string),
        1 => any::<String>(),
        1 => "[a-z ]{0,12}",
    ];
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

fn place() -> impl Strategy<Value = Option<FileLocation>> {
    let position =
        proptest::option::of((1..99u32, 1..99u32).prop_map(|(line, column)| Position { line, column, bytes: (0, 1) }));
    let file = prop_oneof![hostile(), Just("rules/cpu.json".to_string()), Just("/outside/a b.json".to_string())];
    proptest::option::of((file, position).prop_map(|(file, position)| FileLocation { file, position }))
}

fn finding() -> impl Strategy<Value = Finding> {
    let code = proptest::sample::select(&["event", "no-series", "unexpected-event"][..]);
    (code, hostile(), hostile(), place()).prop_map(|(code, message, details, place)| Finding {
        code,
        message,
        details,
        place,
    })
}

fn case() -> impl Strategy<Value = Case> {
    let findings = || proptest::collection::vec(finding(), 1..4);
    let result = prop_oneof![
        Just(CaseResult::Passed),
        findings().prop_map(CaseResult::Failed),
        findings().prop_map(CaseResult::Inconclusive),
    ];
    (hostile(), place(), proptest::option::of(0.0..10.0), result).prop_map(|(name, place, seconds, result)| Case {
        name,
        place,
        seconds,
        result,
    })
}

fn suites() -> impl Strategy<Value = Vec<Suite>> {
    let suite = (hostile(), proptest::collection::vec(case(), 0..4)).prop_map(|(name, cases)| Suite { name, cases });
    proptest::collection::vec(suite, 0..4)
}

fn written(format: Format, suites: &[Suite]) -> String {
    let mut out = Vec::new();
    let check = CheckOutcome { suites, coverage: None, mutants: None, detail: Detail::Brief };
    report::write(format, &Outcome::Check(&check), Style::plain(), &mut out).expect("a vector takes everything");
    String::from_utf8(out).expect("UTF-8")
}

/// What a form shows of a text: characters that cannot be seen or written stand there as escapes.
fn shown(text: &str, keeps_lines: bool) -> String {
    let invisible = |c: char| {
        let turns = "\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
        c.is_control() || turns.contains(c) || c == '\u{fffe}' || c == '\u{ffff}'
    };
    let stays = |c: char| !invisible(c) || (keeps_lines && (c == '\n' || c == '\t'));
    text.chars().map(|c| if stays(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

fn cases(suites: &[Suite]) -> impl Iterator<Item = (&Suite, &Case)> {
    suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
}

fn findings(case: &Case) -> &[Finding] {
    match &case.result {
        CaseResult::Passed => &[],
        CaseResult::Failed(findings) | CaseResult::Inconclusive(findings) => findings,
    }
}

fn number(suites: &[Suite], wanted: fn(&CaseResult) -> bool) -> usize {
    cases(suites).filter(|(_, case)| wanted(&case.result)).count()
}

/// The elements and attributes that the schema of Jenkins' xUnit plugin (junit-10.xsd) knows, as far as they are written.
const JENKINS: [(&str, &[&str]); 5] = [
    ("testsuites", &["name", "time", "tests", "failures", "errors"]),
    ("testsuite", &["name", "time", "tests", "failures", "errors", "skipped"]),
    ("testcase", &["name", "time", "classname"]),
    ("failure", &["type", "message"]),
    ("skipped", &["type", "message"]),
];

fn assert_jenkins(node: Node<'_, '_>) {
    let name = node.tag_name().name();
    let (_, known) = JENKINS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("<{name}>"));
    for attribute in node.attributes() {
        assert!(known.contains(&attribute.name()), "{name} {}", attribute.name());
        if attribute.name() == "time" {
            let (whole, rest) = attribute.value().split_once('.').expect("a point");
            assert!(whole.len() <= 3 && rest.len() == 3, "{}", attribute.value());
        }
    }
}

fn check_junit(suites: &[Suite]) {
    let text = written(Format::Junit, suites);
    let document = Document::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let root = document.root_element();
    document.descendants().filter(Node::is_element).for_each(assert_jenkins);
    let count = |node: Node<'_, '_>, name| node.attribute(name).expect("a count").parse::<usize>().expect("a number");
    assert_eq!(count(root, "tests"), cases(suites).count());
    assert_eq!(count(root, "failures"), number(suites, |result| matches!(result, CaseResult::Failed(_))));
    let written: Vec<Node<'_, '_>> = root.children().filter(Node::is_element).collect();
    assert_eq!(written.len(), suites.len());
    for (node, suite) in written.iter().zip(suites) {
        assert_eq!(node.attribute("name"), Some(shown(&suite.name, false).as_str()));
        assert_eq!(count(*node, "tests"), suite.cases.len());
        let nodes: Vec<_> = node.children().filter(Node::is_element).collect();
        assert_eq!(nodes.len(), suite.cases.len());
        for (node, case) in nodes.iter().zip(&suite.cases) {
            assert_eq!(node.attribute("name"), Some(shown(&case.name, false).as_str()));
            check_outcome(*node, case);
        }
    }
}

fn check_outcome(node: Node<'_, '_>, case: &Case) {
    let inside: Vec<_> = node.children().filter(Node::is_element).collect();
    let tags: Vec<&str> = inside.iter().map(|node| node.tag_name().name()).collect();
    let [why] = inside.as_slice() else {
        assert_eq!((tags.len(), &case.result), (0, &CaseResult::Passed));
        return;
    };
    let failed = matches!(case.result, CaseResult::Failed(_));
    assert_eq!(tags, [if failed { "failure" } else { "skipped" }]);
    let message = why.attribute("message").expect("a message");
    assert!(message.starts_with(&shown(&findings(case)[0].message, false)), "{message}");
    let body: String = why.descendants().filter_map(|node| node.text().filter(|_| node.is_text())).collect();
    for finding in findings(case) {
        assert!(body.contains(&shown(&finding.message, true)), "{body:?}\n{finding:?}");
        assert!(body.contains(&shown(&finding.details, true)), "{body:?}\n{finding:?}");
    }
}

/// A message as a viewer of SARIF reads it: escaped brackets are brackets, and `[text](target)` is a link, which must not be.
/// A text without a link is taken as it is.
fn read_sarif_text(text: &str) -> String {
    if !text.contains("](") {
        return text.to_string();
    }
    let mut read = String::new();
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\\' if letters.peek().is_some_and(|next| "[]\\".contains(*next)) => read.extend(letters.next()),
            c => {
                assert!(c != ']' || letters.peek() != Some(&'('), "{text}");
                read.push(c);
            }
        }
    }
    read
}

fn check_sarif(suites: &[Suite], schema: &Schema) {
    let text = written(Format::Sarif, suites);
    let log: Json = serde_json::from_str(&text).expect("JSON");
    schema.validate(&log).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    let all: Vec<_> = cases(suites).flat_map(|(_, case)| findings(case).iter().map(move |f| (case, f))).collect();
    assert_eq!(results.len(), all.len());
    let mut prints = HashSet::new();
    for (result, (case, finding)) in results.iter().zip(all) {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], finding.code);
        assert_eq!(result["ruleId"], finding.code);
        let message = result["message"]["text"].as_str().expect("a text");
        let message = read_sarif_text(message);
        assert!(message.contains(&shown(&finding.message, true)), "{message}");
        let location = &result["locations"][0];
        match finding.place.as_ref().or(case.place.as_ref()) {
            Some(place) => {
                let at = &location["physicalLocation"];
                let uri = at["artifactLocation"]["uri"].as_str().expect("a URI");
                assert_eq!(uri.starts_with("file:///"), place.file.starts_with('/'), "{uri}");
                assert_eq!(at["artifactLocation"]["uriBaseId"].is_null(), place.file.starts_with('/'));
                let path = uri.strip_prefix("file://").unwrap_or(uri);
                assert_eq!(percent_encoding::percent_decode_str(path).decode_utf8_lossy(), place.file);
                assert_eq!(at["region"]["startLine"], place.position.map_or(1, |at| at.line));
            }
            None => assert!(location["physicalLocation"].is_null()),
        }
        assert!(prints.insert(result["partialFingerprints"]["foreshockFinding/v1"].to_string()), "{text}");
    }
}

/// A command of the runner: its name, its properties and its text.
type Command<'a> = (&'a str, Vec<(String, String)>, String);

/// A line as the runner reads it.
fn command(line: &str) -> Option<Command<'_>> {
    let (head, data) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let unescaped = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let pairs = properties.split(',').filter_map(|pair| pair.split_once('='));
    let value = |text: &str| unescaped(&text.replace("%3A", ":").replace("%2C", ","));
    Some((name, pairs.map(|(k, v)| (k.to_string(), value(v))).collect(), unescaped(data)))
}

fn check_github(suites: &[Suite]) {
    let text = written(Format::Github, suites);
    let (commands, rest): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| command(line).is_some());
    assert_eq!(rest.len(), 1, "{text}");
    assert!(!rest[0].contains("##[") && !text.contains('\r'), "{text}");
    for (word, is) in [("error", true), ("warning", false)] {
        let these = cases(suites).filter(|(_, case)| matches!(case.result, CaseResult::Failed(_)) == is);
        let all: Vec<_> = these.flat_map(|(_, case)| findings(case).iter().map(move |f| (case, f))).collect();
        let got: Vec<_> = commands.iter().filter_map(|line| command(line).filter(|(name, ..)| *name == word)).collect();
        assert_eq!(got.len(), all.len().min(10), "{text}");
        let shown_ones = if all.len() > 10 { 9 } else { all.len() };
        for ((_, properties, data), (case, finding)) in got.iter().zip(&all).take(shown_ones) {
            assert!(data.contains(&shown(&finding.message, true)), "{data:?}");
            let file = properties.iter().find(|(key, _)| key == "file").map(|(_, value)| value.clone());
            let place = finding.place.as_ref().or(case.place.as_ref());
            assert_eq!(file, place.map(|place| shown(&place.file, false)));
        }
        if all.len() > 10 {
            assert!(got[9].2.starts_with(&format!("and {} more", all.len() - 9)), "{text}");
        }
    }
    assert_eq!(commands.len(), commands.iter().filter(|line| line.starts_with("::")).count());
}

fn check_gitlab(suites: &[Suite]) {
    let text = written(Format::Gitlab, suites);
    let issues: Vec<Json> = serde_json::from_str(&text).expect("a list");
    let all: Vec<_> = cases(suites).flat_map(|(_, case)| findings(case)).collect();
    assert_eq!(issues.len(), all.len());
    let mut prints = HashSet::new();
    for (issue, finding) in issues.iter().zip(all) {
        assert!(issue["description"].as_str().expect("a text").contains(&shown(&finding.message, true)));
        assert_eq!(issue["check_name"], finding.code);
        assert!(["major", "minor"].contains(&issue["severity"].as_str().expect("a word")));
        assert!(issue["location"]["path"].is_string() && issue["location"]["lines"]["begin"].as_u64() >= Some(1));
        assert!(prints.insert(issue["fingerprint"].to_string()));
    }
}

/// The text a reader of Markdown sees, with a line break between blocks. Fails on whatever a value must not bring about.
fn read_markdown(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM | Options::ENABLE_TASKLISTS;
    let mut seen = String::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Text(text) | Event::Code(text) => seen += &text,
            Event::InlineHtml(html) if ["<span>", "</span>", "<br>"].contains(&&*html) => {}
            Event::InlineHtml(html) | Event::Html(html) => {
                let ours = ["<details>", "</details>", "<summary>", "</summary>"];
                let rest = ours.iter().fold(html.to_string(), |rest, tag| rest.replace(tag, ""));
                assert!(!rest.contains(['<', '>']), "{html}\n{text}");
                seen += &rest;
            }
            Event::Start(
                Tag::Link { .. } | Tag::Image { .. } | Tag::Emphasis | Tag::Strikethrough | Tag::BlockQuote(_),
            )
            | Event::Rule
            | Event::TaskListMarker(_) => panic!("{event:?}\n{text}"),
            Event::Start(Tag::List(Some(_))) => panic!("a numbered list\n{text}"),
            Event::SoftBreak | Event::HardBreak => seen.push(' '),
            Event::End(_) => seen.push('\n'),
            _ => {}
        }
    }
    seen
}

fn check_markdown(suites: &[Suite]) {
    let text = written(Format::Markdown, suites);
    let seen = read_markdown(&text);
    assert!(!text.to_lowercase().contains("http://") && !text.contains("https://example") || text.contains("```text"));
    for (_, case) in cases(suites) {
        assert!(seen.contains(shown(case.name.trim(), false).trim()), "{:?}\n{text}\n{seen}", case.name);
        for finding in findings(case) {
            let message = shown(finding.message.trim(), false);
            assert!(seen.contains(message.trim()), "{message:?}\n{text}\n{seen}");
        }
    }
}

fn check_json(suites: &[Suite]) {
    let text = written(Format::Json, suites);
    let document: Json = serde_json::from_str(&text).expect("JSON");
    for (s, suite) in suites.iter().enumerate() {
        assert_eq!(document["suites"][s]["name"], suite.name);
        for (c, case) in suite.cases.iter().enumerate() {
            let got = &document["suites"][s]["cases"][c];
            assert_eq!(got["name"], case.name);
            for (f, finding) in findings(case).iter().enumerate() {
                assert_eq!(got["findings"][f]["message"], finding.message);
            }
        }
    }
}

/// The schema of SARIF.
struct Schema(boon::Schemas, boon::SchemaIndex);

impl Schema {
    fn validate(&self, log: &Json) -> Result<(), String> {
        self.0.validate(log, self.1).map_err(|error| format!("{error:#}"))
    }
}

fn sarif_schema() -> Schema {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sarif/sarif-schema-2.1.0.json");
    let mut schema: Json = serde_json::from_str(&std::fs::read_to_string(path).expect("the schema")).expect("JSON");
    // One pattern is no regular expression: it closes a bracket that is not open. It is about a key that is not written.
    for holder in ["run", "toolComponent"] {
        let language = schema.pointer_mut(&format!("/definitions/{holder}/properties/language"));
        assert!(language.and_then(Json::as_object_mut).and_then(|language| language.remove("pattern")).is_some());
    }
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("sarif.json", schema).expect("a schema");
    let index = compiler.compile("sarif.json", &mut schemas).unwrap_or_else(|error| panic!("{error}"));
    Schema(schemas, index)
}

#[test]
fn every_form_is_read_back_as_it_was_meant() {
    let schema = sarif_schema();
    proptest!(ProptestConfig::with_cases(192), |(suites in suites())| {
        check_junit(&suites);
        check_sarif(&suites, &schema);
        check_github(&suites);
        check_gitlab(&suites);
        check_markdown(&suites);
        check_json(&suites);
    });
}

fn failed(name: &str, message: &str) -> Case {
    let place = Some(FileLocation { file: "rules/cpu.json".into(), position: None });
    let finding = Finding { code: "event", message: message.into(), details: String::new(), place: None };
    Case { name: name.into(), place, seconds: Some(0.25), result: CaseResult::Failed(vec![finding]) }
}

fn one_suite(cases: Vec<Case>) -> Vec<Suite> {
    vec![Suite { name: "day.jsonl".into(), cases }]
}

#[test]
fn the_schema_refuses_what_is_no_sarif() {
    let schema = sarif_schema();
    assert!(schema.validate(&serde_json::json!({"version": "2.1.0", "runs": [{"tool": {}}]})).is_err());
    check_sarif(&one_suite(vec![failed("a", "b")]), &schema);
}

#[test]
fn the_tenth_annotation_says_how_many_more_there_are() {
    let many: Vec<Case> = (0..25).map(|i| failed(&format!("case {i}"), "too much")).collect();
    let text = written(Format::Github, &one_suite(many));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[0], "::error file=rules/cpu.json,title=foreshock (event)::case 0: too much");
    assert_eq!(lines[9], "::error title=foreshock::and 16 more; the job summary and the reports list all");
    assert_eq!(lines[10], "25 cases: 0 passed, 25 failed, 0 inconclusive");
    let ten: Vec<Case> = (0..10).map(|i| failed(&format!("case {i}"), "too much")).collect();
    check_github(&one_suite(ten));
}

#[test]
fn a_page_keeps_to_its_limit_and_says_what_it_left_out() {
    let many: Vec<Case> = (0..500).map(|i| failed(&format!("case {i}"), &"x".repeat(100))).collect();
    let suites = one_suite(many);
    let mut out = Vec::new();
    report::markdown_of_suites(&mut out, &suites, 8 << 10).expect("a vector takes everything");
    let text = String::from_utf8(out).expect("UTF-8");
    assert!(text.len() <= 8 << 10, "{}", text.len());
    let shown = (0..500).filter(|i| text.contains(&format!("**case {i}**"))).count();
    assert!(shown > 20 && text.ends_with(&format!("…and {} more cases: see the reports.\n", 500 - shown)), "{text}");
}

#[test]
fn a_fingerprint_outlives_values_and_lines_but_not_the_case() {
    let print = |case: Case| {
        let text = written(Format::Gitlab, &one_suite(vec![case]));
        serde_json::from_str::<Json>(&text).expect("JSON")[0]["fingerprint"].to_string()
    };
    let moved = |mut case: Case| {
        let position = Some(Position { line: 7, column: 1, bytes: (0, 1) });
        case.place = case.place.map(|place| FileLocation { position, ..place });
        case
    };
    assert_eq!(print(failed("cpu", "1.2 of 0.8")), print(moved(failed("cpu", "1.3 of 0.8"))));
    assert_ne!(print(failed("cpu", "1.2 of 0.8")), print(failed("memory", "1.2 of 0.8")));
}

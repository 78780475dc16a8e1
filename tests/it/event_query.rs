//! Which resources dynamic focus queries select, and which queries have no answer.

use foreshock::definition::Query;
use foreshock::model::{Attributes, Value};
use proptest::prelude::*;

fn resource(pairs: &[(&str, &str)]) -> Attributes {
    Attributes::new(pairs.iter().map(|(k, v)| ((*k).to_string(), Value::String((*v).to_string()))).collect())
}

/// `p` is Python in production, `g` is Go under test, `n` says neither language nor instance.
fn resources() -> [(char, Attributes); 3] {
    let p = [
        ("service.name", "p"),
        ("service.instance.id", "i-1"),
        ("telemetry.sdk.language", "python"),
        ("stage", "prod"),
        ("host.name", "prod-1"),
        ("cloud.availability_zone", "eu-1 a"),
        ("k8s.pod.name", "p-0"),
    ];
    let g = [
        ("service.name", "g"),
        ("service.instance.id", "i-1"),
        ("telemetry.sdk.language", "Go"),
        ("stage", "test"),
        ("host.name", "test-1"),
    ];
    [('p', resource(&p)), ('g', resource(&g)), ('n', resource(&[("service.name", "n")]))]
}

fn selected(query: &str) -> String {
    let query = Query::parse(query).unwrap_or_else(|e| panic!("{query}: {e}"));
    resources().iter().filter(|(_, r)| query.selects(r)).map(|(name, _)| *name).collect()
}

#[test]
fn terms_select_resources() {
    let table = [
        ("", "pgn"),
        (" \t\n", "pgn"),
        (r#"entity.type:"pythonRuntime""#, "p"),
        ("entity.selfType:PYTHONRUNTIME", "p"),
        ("entity.type:pythonRuntimePlatform", "p"),
        ("entity.type:python*", "p"),
        (r#"entity.type:"python*""#, ""),
        (r#"entity.type:"goLangRuntime""#, "g"),
        ("entity.type:golangRuntimePlatform", "g"),
        (r#"entity.type:"nodeJsRuntime""#, ""),
        ("entity.type:jvmRuntime", ""),
        ("entity.type:host", ""),
        ("entity.type:opentelemetry", "pgn"),
        ("ENTITY.TYPE:otel", "pgn"),
        ("otel.attribute.stage:te?t", "g"),
        ("otel.attribute.STAGE:te?", ""),
        ("otel.attribute.service.name:*", "pgn"),
        ("entity.tag:stage", "pg"),
        ("entity.tag:st*", "pg"),
        (r#"entity.tag:"stage=prod""#, "p"),
        (r#"entity.tag:"stage=*""#, ""),
        ("entity.tag:stage=*", "pg"),
        ("entity.tag:Stage=PR*", "p"),
        (r#"entity.label:"p (i-1)""#, "p"),
        ("entity.label:p", "p"),
        ("entity.label:n", "n"),
        (r"entity.label:?\ \(i-1\)", "pg"),
        (r#"entity.zone:"EU-1 A""#, "p"),
        (r"entity.zone:eu-1\ a", "p"),
        ("entity.host.name:PROD-*", "p"),
        ("entity.host.name:*1", "pg"),
        ("entity.host.name:*-*", "pg"),
        ("entity.host.name:prod", ""),
        (r#"entity.service.name:"*""#, ""),
        ("entity.service.name:??", ""),
        ("entity.kubernetes.pod.name:p-0", "p"),
        ("entity.kubernetes.pod.label:p-?", "p"),
        ("entity.kubernetes.pod:*", "p"),
        ("entity.service.name: p", "p"),
        (r#"entity.label: "p (i-1)""#, "p"),
        ("entity.tag:a:b", ""),
    ];
    for (query, wanted) in table {
        assert_eq!(selected(query), wanted, "{query}");
    }
}

#[test]
fn operators_bind_not_and_or() {
    let table = [
        ("entity.tag:stage entity.host.name:PROD-*", "p"),
        ("NOT entity.tag:stage=test", "pn"),
        ("NOT NOT entity.tag:stage=test", "g"),
        ("entity.service.name:p OR entity.service.name:n", "pn"),
        ("entity.tag:stage AND (entity.service.name:? AND NOT entity.service.name:p)", "g"),
        ("entity.service.name:n OR entity.service.name:p AND entity.tag:stage=test", "n"),
        ("entity.service.name:p AND entity.tag:stage=test OR entity.service.name:n", "n"),
        ("NOT entity.service.name:p entity.tag:stage", "g"),
        ("NOT (entity.service.name:p OR entity.service.name:g)", "n"),
        ("(entity.service.name:p)(entity.tag:stage)", "p"),
        ("entity.service.name:p NOT entity.tag:stage=test", "p"),
        ("((((entity.service.name:p))))", "p"),
    ];
    for (query, wanted) in table {
        assert_eq!(selected(query), wanted, "{query}");
    }
}

#[test]
fn case_is_folded_character_by_character() {
    let query = |text: &str| Query::parse(text).unwrap();
    assert!(query("entity.service.name:STRASSE*").selects(&resource(&[("service.name", "strasse-1")])));
    assert!(query("entity.service.name:ÄÖ").selects(&resource(&[("service.name", "äö")])));
    assert!(query("entity.service.name:ΟΔΟΣ").selects(&resource(&[("service.name", "οδοσ")])));
    assert!(query("entity.service.name:ΟΔΟΣ").selects(&resource(&[("service.name", "ΟΔΟΣ")])));
}

#[test]
fn values_that_are_no_text_compare_as_text() {
    let resource = Attributes::new(vec![
        ("port".into(), Value::Int(80)),
        ("ok".into(), Value::Bool(true)),
        ("a:b".into(), Value::Null),
    ]);
    for query in [r"otel.attribute.a\:b:NULL", "entity.tag:port=80", "otel.attribute.ok:TRUE", "otel.attribute.port:8?"]
    {
        assert!(Query::parse(query).unwrap().selects(&resource), "{query}");
    }
}

#[test]
fn unanswerable_queries_name_the_term() {
    let table = [
        ("entity.application.id:x OR entity.tag:stage", "entity.application.id", "field `entity.application.id`"),
        ("entity.tag:a shop", "shop", "bare word `shop`"),
        ("entity.tag:a and entity.tag:b", "and", "bare word `and`"),
        ("entity.tag:a && entity.tag:b", "&&", "bare word `&&`"),
        ("\"shop floor\"", "\"shop floor\"", "bare word `\"shop floor\"`"),
        ("entity.tag:", "entity.tag:", "has no value"),
        ("entity.tag: OR entity.tag:b", "entity.tag:", "has no value"),
        ("entity.tag: entity.host.name:a", "entity.tag:", "has no value"),
        ("entity.tag:(a OR b)", "entity.tag:", "has no value"),
        ("entity.host.name:[a TO b]", "entity.host.name:[a", "a range"),
        ("entity.host.name:>5", "entity.host.name:>5", "a range"),
        ("entity.host.name:/a.*/", "entity.host.name:/a.*/", "a regular expression"),
        ("entity.host.name:a\"b\"", "entity.host.name:a\"b\"", "a quote inside"),
        ("entity.host.name:\"a", "\"", "nothing closes the quote"),
        ("entity.tag:a AND", "AND", "a term is missing behind `AND`"),
        ("AND entity.tag:a", "AND", "a term is missing before `AND`"),
        ("entity.tag:a OR AND entity.tag:b", "AND", "a term is missing before `AND`"),
        ("NOT", "NOT", "a term is missing behind `NOT`"),
        ("()", ")", "a term is missing before `)`"),
        ("(entity.tag:a", "(", "nothing closes `(`"),
        ("entity.tag:a)", ")", "nothing is open at `)`"),
        ("entity.kubernetes.pod.uid:a", "entity.kubernetes.pod.uid", "field `entity.kubernetes.pod.uid`"),
        ("otel.attribute.:a", "otel.attribute.", "field `otel.attribute.`"),
        ("otel.attribute.k8s.*:a", "otel.attribute.k8s.*", "field `otel.attribute.k8s.*`"),
        ("-entity.tag:a", "-entity.tag", "field `-entity.tag`"),
    ];
    for (query, part, message) in table {
        let error = Query::parse(query).unwrap_err();
        assert_eq!(&query[error.range.0..error.range.1], part, "{query}");
        assert!(error.message.contains(message), "{query}: {}", error.message);
    }
}

/// A query as a tree, judged the obvious way.
#[derive(Clone, Debug)]
enum Tree {
    /// A service name of one letter.
    Name(char),
    Not(Box<Tree>),
    And(Box<Tree>, Box<Tree>),
    Beside(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
}

impl Tree {
    fn holds(&self, name: char) -> bool {
        match self {
            Tree::Name(c) => *c == name,
            Tree::Not(a) => !a.holds(name),
            Tree::And(a, b) | Tree::Beside(a, b) => a.holds(name) && b.holds(name),
            Tree::Or(a, b) => a.holds(name) || b.holds(name),
        }
    }

    /// As text, with parentheses only where `outer` binds tighter: OR 0, AND 1, NOT 2.
    fn print(&self, outer: u8) -> String {
        let (own, text) = match self {
            Tree::Name(c) => return format!("entity.service.name:{c}"),
            Tree::Not(a) => (2, format!("NOT {}", a.print(2))),
            Tree::And(a, b) => (1, format!("{} AND {}", a.print(1), b.print(1))),
            Tree::Beside(a, b) => (1, format!("{} {}", a.print(1), b.print(1))),
            Tree::Or(a, b) => (0, format!("{} OR {}", a.print(0), b.print(0))),
        };
        if own < outer { format!("({text})") } else { text }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop::sample::select(vec!['a', 'b', 'c', 'd']).prop_map(Tree::Name);
    leaf.prop_recursive(6, 40, 2, |inner| {
        let pair = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            inner.clone().prop_map(|a| Tree::Not(Box::new(a))),
            pair().prop_map(|(a, b)| Tree::And(a, b)),
            pair().prop_map(|(a, b)| Tree::Beside(a, b)),
            pair().prop_map(|(a, b)| Tree::Or(a, b)),
        ]
    })
}

/// Whether a pattern of `a`, `?` and `*` matches, the obvious way.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| matches(rest, &text[n..])),
        Some((b'?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((c, rest)) => text.first() == Some(c) && matches(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn queries_say_what_their_tree_says(tree in tree()) {
        let text = tree.print(0);
        let query = Query::parse(&text).unwrap();
        for name in ['a', 'b', 'c', 'd', 'e'] {
            let holds = query.selects(&resource(&[("service.name", &name.to_string())]));
            prop_assert_eq!(holds, tree.holds(name), "{} of {}", text, name);
        }
    }

    #[test]
    fn wildcards_match_the_whole_value(pattern in "[ab?*]{1,8}", value in "[ab]{0,8}") {
        let query = Query::parse(&format!("entity.service.name:{pattern}")).unwrap();
        let wanted = matches(pattern.as_bytes(), value.as_bytes());
        prop_assert_eq!(query.selects(&resource(&[("service.name", &value)])), wanted);
    }
}

//! Dynamic focus queries, as section 6 describes them: a tree, evaluated on one resource.

use foreshock::model::Attributes;

#[derive(Default)]
pub enum Query {
    #[default]
    All,
    Not(Box<Query>),
    And(Box<Query>, Box<Query>),
    Or(Box<Query>, Box<Query>),
    Term {
        field: String,
        value: String,
        quoted: bool,
    },
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    Term { field: String, value: String, quoted: bool },
}

impl Query {
    /// `None` when it cannot be answered.
    pub fn parse(text: &str) -> Option<Query> {
        let mut tokens = tokens(text)?;
        if tokens.is_empty() {
            return Some(Query::All);
        }
        tokens.reverse();
        let query = or(&mut tokens)?;
        tokens.is_empty().then_some(query)
    }

    pub fn selects(&self, resource: &Attributes) -> bool {
        match self {
            Query::All => true,
            Query::Not(inner) => !inner.selects(resource),
            Query::And(a, b) => a.selects(resource) && b.selects(resource),
            Query::Or(a, b) => a.selects(resource) || b.selects(resource),
            Query::Term { field, value, quoted } => term(field, value, *quoted, resource),
        }
    }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            c if c.is_whitespace() => i += 1,
            '(' => {
                out.push(Token::Open);
                i += 1;
            }
            ')' => {
                out.push(Token::Close);
                i += 1;
            }
            _ => {
                let mut word = String::new();
                while i < chars.len() && !chars[i].is_whitespace() && !"():".contains(chars[i]) {
                    word.push(chars[i]);
                    i += 1;
                }
                if chars.get(i) != Some(&':') {
                    out.push(Token::Word(word));
                    continue;
                }
                i += 1;
                let quoted = chars.get(i) == Some(&'"');
                let mut value = String::new();
                if quoted {
                    i += 1;
                    while *chars.get(i)? != '"' {
                        value.push(chars[i]);
                        i += 1;
                    }
                    i += 1;
                } else {
                    while i < chars.len() && !chars[i].is_whitespace() && !"()".contains(chars[i]) {
                        value.push(chars[i]);
                        i += 1;
                    }
                }
                out.push(Token::Term { field: word, value, quoted });
            }
        }
    }
    Some(out)
}

fn or(tokens: &mut Vec<Token>) -> Option<Query> {
    let mut left = and(tokens)?;
    while tokens.last() == Some(&Token::Word("OR".into())) {
        tokens.pop();
        left = Query::Or(Box::new(left), Box::new(and(tokens)?));
    }
    Some(left)
}

fn and(tokens: &mut Vec<Token>) -> Option<Query> {
    let mut left = not(tokens)?;
    loop {
        match tokens.last() {
            Some(Token::Word(word)) if word == "AND" => {
                tokens.pop();
            }
            None | Some(Token::Close) => return Some(left),
            Some(Token::Word(word)) if word == "OR" => return Some(left),
            Some(_) => {}
        }
        left = Query::And(Box::new(left), Box::new(not(tokens)?));
    }
}

fn not(tokens: &mut Vec<Token>) -> Option<Query> {
    match tokens.pop()? {
        Token::Word(word) if word == "NOT" => Some(Query::Not(Box::new(not(tokens)?))),
        Token::Open => {
            let inner = or(tokens)?;
            (tokens.pop()? == Token::Close).then_some(inner)
        }
        Token::Term { field, value, quoted } => {
            let known = [
                "entity.type",
                "entity.selfType",
                "entity.service.name",
                "entity.label",
                "entity.tag",
                "entity.host.name",
                "entity.zone",
            ];
            let answerable = known.contains(&field.as_str()) || field.starts_with("otel.attribute.");
            answerable.then_some(Query::Term { field, value, quoted })
        }
        Token::Word(_) | Token::Close => None,
    }
}

fn term(field: &str, value: &str, quoted: bool, resource: &Attributes) -> bool {
    let attribute = |key: &str| resource.get(key).map(|value| value.to_text());
    let fits = |got: Option<String>, wanted: &str| got.is_some_and(|got| matches(&got, wanted, quoted));
    match field {
        "entity.type" | "entity.selfType" => {
            let language = match value.to_lowercase().trim_end_matches("platform") {
                "opentelemetry" | "otel" => return true,
                "pythonruntime" => "python",
                "golangruntime" => "go",
                "nodejsruntime" => "nodejs",
                "jvmruntime" => "java",
                _ => return false,
            };
            attribute("telemetry.sdk.language").is_some_and(|got| got.to_lowercase() == language)
        }
        "entity.service.name" => fits(attribute("service.name"), value),
        "entity.host.name" => fits(attribute("host.name"), value),
        "entity.zone" => fits(attribute("cloud.availability_zone"), value),
        "entity.label" => fits(Some(super::label(resource)), value),
        "entity.tag" => match value.split_once('=') {
            Some((key, wanted)) => fits(attribute(key), wanted),
            None => attribute(value).is_some(),
        },
        _ => fits(attribute(field.trim_start_matches("otel.attribute.")), value),
    }
}

fn matches(got: &str, wanted: &str, quoted: bool) -> bool {
    let got: Vec<char> = got.to_lowercase().chars().collect();
    let wanted: Vec<char> = wanted.to_lowercase().chars().collect();
    if quoted { got == wanted } else { glob(&got, &wanted) }
}

fn glob(text: &[char], pattern: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|i| glob(&text[i..], rest)),
        Some(('?', rest)) => !text.is_empty() && glob(&text[1..], rest),
        Some((c, rest)) => text.first() == Some(c) && glob(&text[1..], rest),
    }
}

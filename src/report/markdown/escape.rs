//! Texts that a reader of Markdown sees as they are.

use crate::report::cases::visible_line;

/// A text on one line that reads as it is. What means something anywhere is escaped with a backslash, what begins a heading,
/// a list or a quotation only where it could, and what HTML knows as a reference. The sign of a mention stands in an element
/// of its own, because mentions are looked for in the finished page.
pub(super) fn escape(text: &str) -> String {
    let text = visible_line(text.trim());
    let mut out = String::with_capacity(text.len() + 16);
    let mut begins = true;
    for (at, c) in text.char_indices() {
        begins &= !c.is_alphabetic();
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '@' => out += "<span>@</span>",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | ':' | '$' => out.extend(['\\', c]),
            // `www.` alone makes a link.
            '.' if begins || text[..at].to_ascii_lowercase().ends_with("www") => out += "\\.",
            '-' | '+' | ')' | '#' | '=' if begins => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// The same inside HTML, where nothing but HTML is read.
pub(super) fn html(text: &str) -> String {
    visible_line(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

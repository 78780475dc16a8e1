//! Text comparison: of queries without regard to case, with `*` and `?` over the whole value; of patterns and filters by
//! an operator.

/// A text to compare values with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wildcard(Vec<Piece>);

/// One position of a [`Wildcard`]; characters are in folded case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any text, the empty one included.
    Any,
}

/// The text in the case that comparisons use: every character in lower case, each on its own, so that a wildcard and a
/// value fold alike wherever a word ends.
pub(super) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

impl Wildcard {
    /// Appends a character that means itself.
    pub(super) fn push_literal(&mut self, c: char) {
        self.0.extend(c.to_lowercase().map(Piece::Char));
    }

    /// Appends a character as it stands unquoted in a query.
    pub(super) fn push(&mut self, c: char) {
        match c {
            '*' if self.0.last() == Some(&Piece::Any) => {}
            '*' => self.0.push(Piece::Any),
            '?' => self.0.push(Piece::One),
            c => self.push_literal(c),
        }
    }

    /// The parts before and behind the first `c`.
    pub(super) fn split_at(&self, c: char) -> Option<(Wildcard, Wildcard)> {
        let at = self.0.iter().position(|p| *p == Piece::Char(c))?;
        Some((Wildcard(self.0[..at].to_vec()), Wildcard(self.0[at + 1..].to_vec())))
    }

    /// True when nothing was appended.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the whole value matches. Only the newest `*` is ever taken up again, which is enough to find a match when
    /// there is one, so the work is at most the product of both lengths.
    pub(super) fn matches(&self, value: &str) -> bool {
        let value: Vec<char> = value.chars().flat_map(char::to_lowercase).collect();
        let (mut p, mut v) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while v < value.len() {
            match self.0.get(p) {
                Some(Piece::Any) => {
                    p += 1;
                    star = Some((p, v));
                }
                Some(piece) if matches!(*piece, Piece::One) || *piece == Piece::Char(value[v]) => {
                    (p, v) = (p + 1, v + 1)
                }
                Some(_) | None => {
                    let Some((behind, taken)) = star else { return false };
                    (p, v) = (behind, taken + 1);
                    star = Some((p, v));
                }
            }
        }
        self.0[p..].iter().all(|piece| *piece == Piece::Any)
    }
}

/// How a text is compared with a placeholder or label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOperator {
    /// Equal.
    Is,
    /// Somewhere inside.
    Contains,
    /// At the beginning.
    StartsWith,
    /// At the end.
    EndsWith,
    /// Always.
    Any,
}

impl MatchOperator {
    /// Whether `text` matches; the caller folds the case where that is wanted.
    pub fn matches(self, text: &str, placeholder: &str) -> bool {
        match self {
            MatchOperator::Is => text == placeholder,
            MatchOperator::Contains => text.contains(placeholder),
            MatchOperator::StartsWith => text.starts_with(placeholder),
            MatchOperator::EndsWith => text.ends_with(placeholder),
            MatchOperator::Any => true,
        }
    }
}

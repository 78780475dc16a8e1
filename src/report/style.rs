//! Colour, on or off.
//!
//! Colour repeats what a word already says and never carries meaning alone. Whether to colour is the caller's choice.

use anstyle::{AnsiColor, Style as Ansi};

/// How text is painted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    color: bool,
}

impl Style {
    /// Text with escape sequences.
    pub fn colored() -> Self {
        Style { color: true }
    }

    /// Plain text.
    pub fn plain() -> Self {
        Style { color: false }
    }

    /// `error:`, to begin a message with.
    pub fn error_word(self) -> String {
        self.critical("error:")
    }

    /// `warning:`, to begin a message with.
    pub fn warning_word(self) -> String {
        self.warning("warning:")
    }

    pub(super) fn is_colored(self) -> bool {
        self.color
    }

    /// A heading or the name of something.
    pub(super) fn strong(self, text: &str) -> String {
        self.paint(Ansi::new().bold(), text)
    }

    /// Something that may be skipped.
    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Ansi::new().dimmed(), text)
    }

    /// A critical event.
    pub(super) fn critical(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// A warning, or something inconclusive.
    pub(super) fn warning(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// All is well.
    pub(super) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    fn paint(self, style: Ansi, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}

//! Which changes of the rules no scenario notices, as text.

use super::Detail;
use crate::gate::{Tested, score};
use crate::report::Style;
use crate::report::words::{clean, counted};
use std::io::{self, Write};

/// Writes how many mutants were noticed, and which were not; with all detail also by whom.
pub fn mutation(out: &mut impl Write, tested: &[Tested], detail: Detail, style: Style) -> io::Result<()> {
    let noticed = tested.iter().filter(|one| one.noticed_by.is_some()).count();
    writeln!(out, "{}", style.strong("MUTATION"))?;
    let all = counted(tested.len() as u64, "change", "changes");
    let score = score(tested).map(|score| format!(" ({:.1} %)", score * 100.0)).unwrap_or_default();
    writeln!(out, "  {noticed} of {all} noticed{score}")?;
    for one in tested {
        match &one.noticed_by {
            None => writeln!(out, "  {}  {}", style.warning("unnoticed"), clean(&one.sentence()))?,
            Some(scenario) if detail == Detail::Full => {
                let mutant = &one.mutant;
                let what = format!("{}: {} {}", mutant.definition.name, mutant.path, mutant.change);
                writeln!(out, "  {}  {}, by: {}", style.good("noticed"), clean(&what), clean(scenario))?;
            }
            Some(_) => {}
        }
    }
    writeln!(out)
}

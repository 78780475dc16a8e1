//! `--mutate`: every definition that scenarios name is changed in every way, and run by the scenarios, to see which of them notices.
//!
//! A mutant is shown to the scenarios that speak of its definition first, to those with recordings last, and to none any more
//! once one has noticed. A scenario that would fail with the definition as it is, evaluated alone, is no witness.

use super::packages::Packages;
use super::scenarios::{Item, Ready, run_all};
use crate::definition::EventDefinition;
use crate::gate::{Tested, mutants};
use anyhow::Result;
use std::collections::BTreeMap;

/// Tests all mutants, in the order of the definitions' files.
pub(super) fn test(items: &[(usize, Item)], packages: &Packages) -> Result<Vec<Tested>> {
    let scenarios: Vec<&Ready> = items
        .iter()
        .filter_map(|(_, item)| match item {
            Item::Ready(ready) => Some(&**ready),
            Item::Empty(_) => None,
        })
        .collect();
    let mut definitions: BTreeMap<(&str, Option<usize>), &EventDefinition> = BTreeMap::new();
    for definition in scenarios.iter().flat_map(|ready| ready.prepared.rules()) {
        definitions.entry((&definition.file, definition.index)).or_insert(definition);
    }
    let definitions: Vec<&EventDefinition> = definitions.into_values().collect();
    let witnesses = run_all(definitions.len(), |i| witnesses(&scenarios, definitions[i]));
    let witnesses: Vec<Vec<&Ready>> = witnesses.into_iter().collect::<Result<_>>()?;
    let pairs = definitions.iter().zip(&witnesses);
    let all: Vec<_> =
        pairs.flat_map(|(of, seen_by)| mutants(of).into_iter().map(move |mutant| (mutant, seen_by))).collect();
    let noticed = run_all(all.len(), |i| -> Result<Option<String>> {
        let (mutant, witnesses) = &all[i];
        for witness in *witnesses {
            if witness.notices(&mutant.definition)? {
                return Ok(Some(witness.prepared.scenario().name.clone()));
            }
        }
        Ok(None)
    });
    let mut tested = Vec::new();
    for ((mutant, _), noticed_by) in all.into_iter().zip(noticed) {
        let position = packages.position(&mutant.definition, &mutant.path);
        tested.push(Tested { mutant, position, noticed_by: noticed_by? });
    }
    Ok(tested)
}

/// The scenarios that can notice a change of a definition, the most likely and the quickest first.
fn witnesses<'a>(scenarios: &[&'a Ready], definition: &EventDefinition) -> Result<Vec<&'a Ready>> {
    let mut found = Vec::new();
    for ready in scenarios {
        let is_of = |one: &EventDefinition| one.file == definition.file && one.index == definition.index;
        if ready.prepared.rules().iter().any(is_of) && !ready.notices(definition)? {
            found.push(*ready);
        }
    }
    found.sort_by_key(|ready| (!ready.recordings.is_empty(), !ready.prepared.expects(&definition.name)));
    Ok(found)
}

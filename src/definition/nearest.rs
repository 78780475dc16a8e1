//! The known word nearest to one that is not known, for "did you mean".

/// Words longer than this are not worth comparing: nobody mistypes them by a letter or two and wants help.
const LONGEST: usize = 120;

/// More edits than this are another word.
const MOST_EDITS: usize = 4;

/// The nearest of `known`, when one is near enough to be meant; the first of equally near ones.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let near = (word.len() / 3).clamp(1, MOST_EDITS);
    known
        .into_iter()
        .filter(|k| k.len() <= LONGEST && k.chars().count().abs_diff(word.len()) <= near)
        .map(|k| (distance(&word, &k.to_lowercase().chars().collect::<Vec<_>>()), k))
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, k)| k)
}

/// "did you mean …", when something is near enough.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|k| format!("did you mean `{k}`?"))
}

/// Insertions, deletions and replacements between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            let replaced = diagonal + usize::from(x != y);
            row[j + 1] = replaced.min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}

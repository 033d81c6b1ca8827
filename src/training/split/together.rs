//! Groups that share a picture, put into one part. Public collections hold each other's images under other names, so a
//! split by group alone leaves the same picture on both sides.

use std::collections::HashMap;

use super::{Error, Part, Split, SplitRule};
use crate::training::manifest::Row;
use crate::training::sets::Sets;

/// Puts groups with images that are copies of each other (pairs of files) into one part, and each group as a whole: the
/// first of their parts in the order training, validation, test. So no image comes into the test part that weights of the
/// split before may have learned from. Rows keep their parts otherwise; `seed` is the one that parted them.
///
/// # Errors
/// If no image is left of a part that had some; rows are as they were then.
pub fn keep_together<'a>(
    rows: &mut [Row],
    copies: impl IntoIterator<Item = (&'a str, &'a str)>,
    seed: u64,
) -> Result<Split, Error> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let groups: Vec<usize> = rows
        .iter()
        .map(|row| {
            let next = numbers.len();
            *numbers.entry(row.group.as_str()).or_insert(next)
        })
        .collect();
    let mut sets = Sets::new(numbers.len());
    let files: HashMap<&str, usize> = rows
        .iter()
        .zip(&groups)
        .map(|(row, group)| (row.file.as_str(), *group))
        .collect();
    for (one, other) in copies {
        if let (Some(one), Some(other)) = (files.get(one), files.get(other)) {
            sets.join(*one, *other);
        }
    }
    let mut parts: HashMap<usize, Part> = HashMap::new();
    let roots: Vec<usize> = groups.iter().map(|group| sets.first(*group)).collect();
    for (row, root) in rows.iter().zip(&roots) {
        let part = parts.entry(*root).or_insert(row.part());
        *part = (*part).min(row.part());
    }
    for part in [Part::Train, Part::Validation, Part::Test] {
        let is_left = roots.iter().any(|root| parts.get(root) == Some(&part));
        if !is_left && rows.iter().any(|row| row.part() == part) {
            return Err(Error::Emptied(part));
        }
    }
    for (row, root) in rows.iter_mut().zip(&roots) {
        row.assigned = parts.get(root).copied();
    }
    Ok(Split::of(rows, SplitRule::Together, seed))
}

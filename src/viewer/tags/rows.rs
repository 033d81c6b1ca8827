//! Lines of the tag viewer: two trees side by side, searched and folded. Pure functions of what was read.

use std::collections::{BTreeMap, BTreeSet};

use crate::imaging::tags::{self, Compared, Node, TagTree, Use};

/// Lines that hold more than this are folded to begin with.
const FOLDED_ABOVE: usize = 200;

/// The tags of a file, beside those of another if two are compared.
#[derive(Debug)]
pub struct Table {
    /// Tags of the file.
    pub left: TagTree,
    /// Tags of the other.
    pub right: Option<TagTree>,
    /// The lines.
    pub compared: Compared,
    /// What is searched, one text a line, in small letters.
    haystacks: Vec<String>,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// With these words in tag, keyword, name or value.
    pub search: String,
    /// That something was taken from.
    pub only_used: bool,
    /// That differ.
    pub only_differences: bool,
}

impl Table {
    /// Pairs the lines; takes a moment for long files.
    pub fn new(left: TagTree, right: Option<TagTree>) -> Self {
        let compared = tags::compare(&left, right.as_ref());
        let mut table = Self {
            left,
            right,
            compared,
            haystacks: Vec::new(),
        };
        table.haystacks = (0..table.compared.pairs.len()).map(|row| table.haystack(row)).collect();
        table
    }

    /// What stands on a line: in the file, and in the other.
    pub fn nodes(&self, row: usize) -> (Option<&Node>, Option<&Node>) {
        let Some(pair) = self.compared.pairs.get(row) else {
            return (None, None);
        };
        let right = self.right.as_ref();
        (
            pair.left.and_then(|index| self.left.nodes.get(index)),
            pair.right.and_then(|index| right?.nodes.get(index)),
        )
    }

    /// Lines that hold others, and very many of them.
    pub fn long(&self) -> BTreeSet<usize> {
        self.holders(FOLDED_ABOVE)
    }

    /// Lines that hold more than so many others.
    pub fn holders(&self, above: usize) -> BTreeSet<usize> {
        let pairs = self.compared.pairs.iter().enumerate();
        pairs
            .filter(|(row, pair)| pair.end - row - 1 > above)
            .map(|(row, _)| row)
            .collect()
    }

    fn haystack(&self, row: usize) -> String {
        let (left, right) = self.nodes(row);
        let Some(node) = left.or(right) else {
            return String::new();
        };
        let other = right.map(|node| node.value.text.as_str()).filter(|_| left.is_some());
        let line = format!(
            "{} {:04x}{:04x} {} {} {}",
            node.line(),
            node.tag.0,
            node.tag.1,
            node.keyword.unwrap_or_default(),
            node.creator.as_deref().unwrap_or_default(),
            other.unwrap_or_default()
        );
        line.to_lowercase()
    }
}

/// Lines in sight, in order: all that are wanted with what they lie in, or all that are not folded away.
pub fn visible(table: &Table, uses: &BTreeMap<usize, Use>, filter: &Filter, folded: &BTreeSet<usize>) -> Vec<usize> {
    let pairs = &table.compared.pairs;
    let needle = filter.search.trim().to_lowercase();
    let is_whole = needle.is_empty() && !filter.only_used && !filter.only_differences;
    let mut rows = Vec::new();
    if is_whole {
        let mut row = 0;
        while let Some(pair) = pairs.get(row) {
            rows.push(row);
            row = if folded.contains(&row) {
                pair.end.max(row + 1)
            } else {
                row + 1
            };
        }
        return rows;
    }
    // What is above the line under way, and whether it is in sight already.
    let mut above: Vec<(usize, bool)> = Vec::new();
    for (row, pair) in pairs.iter().enumerate() {
        while above.last().is_some_and(|&(holder, _)| pairs[holder].end <= row) {
            above.pop();
        }
        let used = || pair.left.is_some_and(|index| uses.contains_key(&index));
        let is_wanted = table.haystacks.get(row).is_some_and(|text| text.contains(&needle))
            && (!filter.only_used || used())
            && (!filter.only_differences || pair.differs);
        if is_wanted {
            rows.extend(above.iter().filter(|(_, seen)| !seen).map(|&(holder, _)| holder));
            for (_, seen) in &mut above {
                *seen = true;
            }
            rows.push(row);
        }
        if pair.end > row + 1 {
            above.push((row, is_wanted));
        }
    }
    rows
}

//! The tag viewer as data: whose tags are listed, which lines of them, and what was taken from them.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::errands::Pending;
use crate::imaging::tags::Use;

pub use rows::{Filter, Table, visible};

/// A change of the tag viewer.
#[derive(Debug, Clone)]
pub enum TagsCommand {
    /// Lines with these words only.
    Search(String),
    /// Lines that something was taken from only.
    OnlyUsed(bool),
    /// Lines that differ only.
    OnlyDifferences(bool),
    /// Fold or unfold what a line holds.
    Fold(usize),
    /// Fold everything, or nothing.
    FoldAll(bool),
    /// Choose a line.
    Choose(usize),
    /// Read text in this character set, whatever the file declares.
    CharacterSet(Option<&'static str>),
}

/// Character sets that are offered for mislabelled text, by the labels of the Encoding Standard.
pub const CHARACTER_SETS: [&str; 12] = [
    "utf-8",
    "windows-1252",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-kr",
];

/// Files whose tags are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The file of the chosen picture.
    pub file: PathBuf,
    /// The file it is compared with.
    pub other: Option<PathBuf>,
    /// Character set that was chosen.
    pub character_set: Option<&'static str>,
    /// Number of the request that opened the files: files that are opened anew are read anew.
    pub request: u64,
}

/// The tag viewer.
#[derive(Default)]
pub struct TagsState {
    /// It can be seen.
    pub open: bool,
    /// The file that others are compared with.
    pub pinned: Option<PathBuf>,
    /// Character set that was chosen.
    pub character_set: Option<&'static str>,
    /// Whose tags are listed, or will be.
    pub asked: Option<Asked>,
    /// The tags.
    pub table: Pending<Table>,
    /// Which lines are wanted.
    pub filter: Filter,
    /// Lines whose inside is folded away, by index of the table.
    pub folded: BTreeSet<usize>,
    /// Lines in sight, by index of the table.
    pub rows: Vec<usize>,
    /// The chosen line, by index of the table.
    pub chosen: Option<usize>,
    /// What was taken from them, by index of the first tree.
    pub uses: BTreeMap<usize, Use>,
    /// The picture that `uses` is of: hash and frame.
    pub uses_of: Option<([u8; 32], u32)>,
}

impl TagsState {
    /// Finds out which lines are in sight.
    pub fn refresh(&mut self) {
        self.rows = match self.table.done() {
            Some(table) => visible(table, &self.uses, &self.filter, &self.folded),
            None => Vec::new(),
        };
    }
}

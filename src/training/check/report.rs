//! What the check found, as plain data that is saved, shown and asked whether training may start. Knows no files and
//! no window. Groups and patients are counted, never named.

use serde::{Deserialize, Serialize};

use super::histogram::Histogram;
use super::thumbnail::Thumbnail;
use crate::training::dataset::paper_table::{Compared, Comparison};

/// Version of the check and of its report; a saved report of another one is not used.
pub const VERSION: u32 = 1;

/// What one pass over a data set found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    /// [`VERSION`] of the check that made it.
    pub version: u32,
    /// SHA-256 over the rows that were checked and the size and time of their files, lower-case hexadecimal.
    pub fingerprint: String,
    /// Rows that were checked.
    pub images: usize,
    /// The verdict: what is in more than one part.
    pub leakage: Leakage,
    /// Images and masks that cannot be used.
    pub unreadable: Listed<Unreadable>,
    /// Images by part, label, source and view; readable or not.
    pub counts: Vec<Count>,
    /// Images beside the paper's, for each phase that has images of a group that the paper counts. Reports of before have
    /// none.
    #[serde(default)]
    pub paper: Vec<PaperTable>,
    /// Pairs of equal pictures, whatever their file format; each copy is paired with the first one of its content.
    pub exact: PairCounts,
    /// Pairs of nearly equal pictures.
    pub near: PairCounts,
    /// Those pairs, the gravest first.
    pub copies: Listed<CopyPair>,
    /// Groups (patients) with images in more than one part.
    pub shared_groups: Listed<SharedGroup>,
    /// Lung masks by source.
    pub masks: Vec<MaskCount>,
    /// Files without any mask, by name.
    pub without_mask: Listed<String>,
    /// Sizes, shapes and greys.
    pub histograms: Vec<Histogram>,
    /// Images worth a look.
    pub odd: Listed<Odd>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl CheckReport {
    /// What is in more than one part; [`Leakage::is_none`] is what training waits for.
    pub fn leakage(&self) -> Leakage {
        self.leakage
    }

    /// The report without its pictures, for those who read only numbers.
    #[must_use]
    pub fn without_thumbnails(mut self) -> Self {
        self.copies.first.iter_mut().for_each(|copy| copy.thumbnails = None);
        self.odd.first.iter_mut().for_each(|odd| odd.thumbnail = None);
        self
    }
}

/// What is in more than one of the parts training, validation and test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leakage {
    /// Pairs of equal pictures.
    pub exact: usize,
    /// Pairs of nearly equal pictures.
    pub near: usize,
    /// Groups, which are patients where the data set names them.
    pub groups: usize,
}

impl Leakage {
    /// Whether the parts are independent as far as can be seen.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl std::fmt::Display for Leakage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_none() {
            return f.write_str("no leakage found: no picture and no group is in two parts");
        }
        let counts = [
            (self.exact, "exact copy", "exact copies"),
            (self.near, "near copy", "near copies"),
            (self.groups, "group", "groups"),
        ];
        let words: Vec<String> = counts
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, more)| format!("{count} {}", if *count == 1 { one } else { more }))
            .collect();
        write!(f, "leakage: {} in more than one part", words.join(", "))
    }
}

/// A list that may be longer than what is kept of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed<T> {
    /// How many there are.
    pub total: usize,
    /// The first of them.
    pub first: Vec<T>,
}

impl<T> Listed<T> {
    /// Keeps at most `most` of a list.
    pub fn new(mut all: Vec<T>, most: usize) -> Self {
        let total = all.len();
        all.truncate(most);
        Self { total, first: all }
    }

    /// Whether the list is kept as a whole.
    pub fn is_whole(&self) -> bool {
        self.total == self.first.len()
    }
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The image as the table names it.
    pub file: String,
    /// Whether its mask is meant, not the image.
    pub mask: bool,
    /// Cause.
    pub reason: String,
}

/// Images that agree in all four.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// `train`, `val` or `test`.
    pub part: String,
    /// The label as the table gives it.
    pub label: String,
    /// Whether the label stands for the COVID-19 class.
    pub covid19: bool,
    /// Where the images come from; empty if the table does not say.
    pub source: String,
    /// The view; empty if the table does not say.
    pub view: String,
    /// How many.
    pub images: usize,
}

/// The images that one phase takes beside the paper's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperTable {
    /// The phase: 1 has the paper's lung masks, 2 its Table 1.
    pub phase: u8,
    /// The groups that either has; the last line is their sum.
    pub lines: Vec<PaperLine>,
}

impl PaperTable {
    /// What stands above it.
    pub fn title(&self) -> &'static str {
        match self.phase {
            1 => "Lung masks for phase I, beside the paper's",
            _ => "Images for phase II, beside the paper's Table 1",
        }
    }
}

impl From<Comparison> for PaperTable {
    fn from(comparison: Comparison) -> Self {
        let groups = comparison.groups.into_iter().chain([comparison.total]);
        Self {
            phase: comparison.phase,
            lines: groups.map(PaperLine::from).collect(),
        }
    }
}

/// Images of one group, here and in the paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaperLine {
    /// The group.
    pub title: String,
    /// Training images here, those for validation included, which the paper does not have.
    pub train: usize,
    /// Images for validation here.
    pub validation: usize,
    /// Test images here.
    pub test: usize,
    /// Training images of the paper; `None` where it has no such group.
    pub paper_train: Option<usize>,
    /// Test images of the paper.
    pub paper_test: Option<usize>,
    /// Training images after the paper's augmentation; `None` where it augments no such group.
    pub augmented: Option<usize>,
}

impl From<Compared> for PaperLine {
    fn from(group: Compared) -> Self {
        Self {
            title: group.title,
            train: group.found.train,
            validation: group.validation,
            test: group.found.test,
            paper_train: group.paper.map(|paper| paper.train),
            paper_test: group.paper.map(|paper| paper.test),
            augmented: group.augmented,
        }
    }
}

/// Pairs by what they join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairCounts {
    /// Pairs in all.
    pub pairs: usize,
    /// Across parts: leakage.
    pub across_parts: usize,
    /// In one part but of different groups: weighs a picture twice, and hints that a group is not what it says.
    pub across_groups: usize,
    /// With different classes: one of them is wrong.
    pub across_classes: usize,
}

/// Two files with one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CopyPair {
    /// One of them.
    pub first: Place,
    /// The other.
    pub second: Place,
    /// Whether they are of one group.
    pub same_group: bool,
    /// Correlation at 96 pixels after alignment; 1 for equal pictures.
    pub correlation: f32,
    /// Correlation of the fine structure; 1 for equal pictures.
    pub detail: f32,
    /// Number of the set of pictures that are copies of each other, directly or through others.
    pub set: u32,
    /// Both pictures, if they are kept.
    pub thumbnails: Option<[Thumbnail; 2]>,
}

impl CopyPair {
    /// Both files, as the table names them.
    pub fn files(&self) -> (&str, &str) {
        (&self.first.file, &self.second.file)
    }

    /// Whether the pair joins two parts.
    pub fn is_across_parts(&self) -> bool {
        self.first.part != self.second.part
    }

    /// Whether the pictures are equal.
    pub fn is_exact(&self) -> bool {
        self.correlation >= 1.0 && self.detail >= 1.0
    }
}

/// Where a picture stands in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file as the table names it.
    pub file: String,
    /// Its part.
    pub part: String,
    /// Its label.
    pub label: String,
    /// Its source; empty if the table does not say.
    pub source: String,
}

/// A group that is in more than one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedGroup {
    /// A file of it in each part that it is in.
    pub files: Vec<Place>,
    /// Its images.
    pub images: usize,
}

/// Masks of one source's images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskCount {
    /// The source; empty if the table does not say.
    pub source: String,
    /// Images with the lung field drawn by hand, which the first phase learns.
    pub lung_field: usize,
    /// Images with another mask.
    pub other: usize,
    /// Images without one.
    pub none: usize,
}

/// Why an image is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddKind {
    /// Nearly one grey.
    Flat,
    /// Nearly the negative of the other pictures.
    Inverted,
    /// Not like the other pictures.
    Unlike,
    /// More than twice as long one way as the other.
    Long,
    /// Far fewer pixels than the network sees.
    Small,
}

impl OddKind {
    /// In words.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Flat => "nearly one grey",
            Self::Inverted => "like a negative of the others",
            Self::Unlike => "unlike the others",
            Self::Long => "more than twice as long one way as the other, which is rare here",
            Self::Small => "a side of less than 128 pixels, which is rare here",
        }
    }
}

/// An image worth a look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Odd {
    /// Which.
    pub place: Place,
    /// Why.
    pub kind: OddKind,
    /// Columns and rows, in pixels.
    pub size: (u32, u32),
    /// The picture, if it is kept.
    pub thumbnail: Option<Thumbnail>,
}

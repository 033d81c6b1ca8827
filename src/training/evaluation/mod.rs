//! What a model does on labelled images: records of single images to metrics with 95 % intervals, curves, strata,
//! calibration and comparison. Plain data and pure functions; only [`saved`] touches the disk and only [`measure`] a
//! network.
//!
//! Proportions have Wilson's interval; everything else is bootstrapped over groups, because images of one patient
//! are not independent.

pub mod calibration;
mod figures;
pub mod mcnemar;
pub mod measure;
mod origin;
pub mod reliability;
pub mod saved;
pub mod scores;
pub mod surface;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use calibration::Calibration;
pub use figures::{ClassMetrics, Evaluation, InLung, MaskMetrics, Measured, Thresholds, percentiles};
pub use mcnemar::McNemar;
pub use origin::{Origin, RecordedLeakage};
pub use reliability::{Reliability, ReliabilityBin};
pub use scores::{Cells, PrecisionRecallPoint, RocPoint, ScoreTable};

use super::manifest::{Class, Row};
use super::metrics::Confusion;
use super::split::Part;

/// Between two folders in the text of a report.
pub const FOLDER_SEPARATOR: &str = ", ";

/// Data folders as a report names them.
pub fn names_of_folders<'a>(folders: impl IntoIterator<Item = &'a PathBuf>) -> String {
    let names: Vec<String> = folders.into_iter().map(|folder| folder.display().to_string()).collect();
    names.join(FOLDER_SEPARATOR)
}

/// What is known about one image after prediction; a line of `images.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The image as the manifest names it: a path relative to the data folder.
    pub file: String,
    /// Patient, or what else must not be split.
    pub group: String,
    /// Where the image comes from; empty if the manifest does not say.
    pub source: String,
    /// The manifest's label.
    pub label: String,
    /// `train`, `val` or `test`: the part of the data it belongs to, whatever was evaluated.
    pub part: String,
    /// Whether the manifest calls the patient a child.
    pub is_child: bool,
    /// Whether the manifest calls the image one of early COVID-19.
    pub is_early: bool,
    /// Whether the label is COVID-19.
    pub is_covid19: bool,
    /// Probability of COVID-19, as the network gives it.
    pub score: f64,
    /// Logit of COVID-19 minus logit of control.
    pub margin: f64,
    /// The predicted mask against the manifest's.
    pub mask: Option<MaskRecord>,
    /// In-lung activation ratio.
    pub in_lung: Option<f64>,
    /// Its chance level.
    pub chance: Option<f64>,
}

/// A predicted lung mask against the true one, in image pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskRecord {
    /// Style and origin of the true mask in one word, such as `lung-field/manual`.
    pub convention: String,
    /// Pixel by pixel.
    pub confusion: Confusion,
    /// 95th percentile of the surfaces' distance, in pixels; `None` where a mask is empty.
    pub hd95_px: Option<f64>,
    /// The same in millimetres; `None` where the image has no spacing as well.
    pub hd95_mm: Option<f64>,
}

/// A classifier and the images that it was run on: what an evaluation or an audit is of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The data folder as it was named.
    pub data: String,
    /// `train`, `val`, `test` or `all`.
    pub split: String,
    /// The classifier's name.
    pub classifier: String,
    /// Version in its card.
    pub classifier_version: String,
    /// SHA-256 of its weights: what is said here is of no others.
    pub weights_sha256: String,
    /// SHA-256 of the segmenter's weights.
    pub segmenter_sha256: String,
    /// Threshold on the COVID-19 probability.
    pub threshold: f64,
    /// Images of the split whose group is in the training part: no test of weights trained on these data.
    pub in_training_part: usize,
}

/// Everything that one evaluation says: what `evaluation.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// What was evaluated, on what.
    #[serde(flatten)]
    pub subject: Subject,
    /// The split by its name, and what the run of the weights recorded.
    #[serde(flatten)]
    pub origin: Origin,
    /// What computed it.
    pub device: String,
    /// Laterals, which are left out.
    pub laterals_left_out: usize,
    /// The metrics.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Files that could not be evaluated.
    pub failures: Vec<Failed>,
}

/// What is known about one image after segmentation; a line of a segmenter's `images.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentedImage {
    /// The image as the manifest names it.
    pub file: String,
    /// Patient, or what else must not be split.
    pub group: String,
    /// Where the image comes from; empty if the manifest does not say.
    pub source: String,
    /// The predicted mask against the manifest's.
    pub mask: MaskRecord,
}

/// Everything that the evaluation of a segmenter alone says: its `evaluation.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmenterReport {
    /// The data folder as it was named.
    pub data: String,
    /// `train`, `val`, `test` or `all`.
    pub split: String,
    /// The split by its name, and what the run of the weights recorded.
    #[serde(flatten)]
    pub origin: Origin,
    /// The segmenter's name.
    pub segmenter: String,
    /// Version in its card.
    pub segmenter_version: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// What computed it.
    pub device: String,
    /// Threshold on the lung probability.
    pub threshold: f64,
    /// Images of the split that have no mask to compare with.
    pub without_mask: usize,
    /// Images of the split whose group is in the training part.
    pub in_training_part: usize,
    /// By the masks' convention: style and origin.
    pub masks: std::collections::BTreeMap<String, MaskMetrics>,
    /// Files that could not be evaluated.
    pub failures: Vec<Failed>,
}

/// A file that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The file as the manifest names it.
    pub file: String,
    /// One sentence with the cause.
    pub error: String,
}

/// A part of the data, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selection {
    /// One part.
    Only(Part),
    /// Every image.
    All,
}

impl Selection {
    /// Every split, in the order of a menu.
    pub const EVERY: [Self; 4] = [
        Self::Only(Part::Train),
        Self::Only(Part::Validation),
        Self::Only(Part::Test),
        Self::All,
    ];

    /// `train`, `val`, `test` or `all`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Only(part) => part.name(),
            Self::All => "all",
        }
    }

    /// Whether an image belongs to it.
    pub fn has(self, row: &Row) -> bool {
        match self {
            Self::Only(part) => row.part() == part,
            Self::All => true,
        }
    }
}

impl std::str::FromStr for Selection {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::EVERY.into_iter().find(|split| split.name() == name);
        found.ok_or_else(|| format!("no split is called '{name}'; there are train, val, test and all"))
    }
}

/// Whether the patient is a child: the manifest's note, or a source that holds children only.
pub fn is_child(row: &Row) -> bool {
    let note = row.note.as_deref().unwrap_or_default().to_lowercase();
    row.source.as_deref() == Some("kermany") || note.contains("paediatric") || note.contains("pediatric")
}

/// Whether the image is one of early COVID-19 (no or limited pneumonia to be seen): the manifest's note, label or
/// source has the word `early`, as QaTa-COV19's folder does.
pub fn is_early(row: &Row) -> bool {
    let says_so = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.into_iter().any(|word| word.eq_ignore_ascii_case("early"))
    };
    let cells = [row.note.as_deref(), row.source.as_deref(), Some(row.label.as_str())];
    row.class == Class::Covid19 && cells.into_iter().flatten().any(says_so)
}

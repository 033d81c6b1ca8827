//! An evaluation as the window needs it: figures, records and sorted scores, so that every threshold is answered at
//! once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::training::dataset;
use crate::training::evaluation::{Record, Report, ScoreTable, SegmenterReport, saved};
use crate::training::metrics::Confusion;
use crate::training::runs;

/// Points of a curve that are drawn: more than there are pixels to draw them on.
const MOST_POINTS: usize = 2000;

/// A cell of the confusion matrix: the truth, and what was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// Labelled COVID-19.
    pub covid19: bool,
    /// Decided as COVID-19.
    pub positive: bool,
}

impl Cell {
    /// Row by row: truth down, decision across, COVID-19 first.
    pub const ALL: [Self; 4] = [
        Self::new(true, true),
        Self::new(true, false),
        Self::new(false, true),
        Self::new(false, false),
    ];

    const fn new(covid19: bool, positive: bool) -> Self {
        Self { covid19, positive }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match (self.covid19, self.positive) {
            (true, true) => "True positives",
            (true, false) => "False negatives",
            (false, true) => "False positives",
            (false, false) => "True negatives",
        }
    }

    /// Its count.
    pub fn count(self, confusion: &Confusion) -> u64 {
        match (self.covid19, self.positive) {
            (true, true) => confusion.tp,
            (true, false) => confusion.fn_,
            (false, true) => confusion.fp,
            (false, false) => confusion.tn,
        }
    }
}

/// An evaluation.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Folder that it lies in.
    pub folder: PathBuf,
    /// Its figures.
    pub report: Report,
    /// Its images.
    pub records: Vec<Record>,
    /// Their scores in order.
    pub scores: ScoreTable,
    /// False positive rate and sensitivity, thinned to what can be drawn.
    pub roc: Vec<[f64; 2]>,
    /// Recall and precision, thinned to what can be drawn.
    pub precision_recall: Vec<[f64; 2]>,
    /// Mean predicted and observed frequency of every bin that holds images.
    pub reliability: Vec<[f64; 2]>,
}

/// What lies in the folder of an evaluation.
#[derive(Debug, Clone)]
pub enum Found {
    /// The run was not evaluated.
    Nothing,
    /// A classifier was.
    Classifier(Box<Evaluated>),
    /// A segmenter was, by its masks.
    Segmenter(Box<SegmenterReport>),
}

impl Found {
    /// Reads a run's evaluation on a split.
    ///
    /// # Errors
    /// In a sentence, if there is one that cannot be read.
    pub fn read(run: &Path, split: &str) -> Result<Self, String> {
        let folder = runs::evaluation_folder(run, split);
        if !folder.join(saved::REPORT).is_file() {
            return Ok(Self::Nothing);
        }
        match saved::read_report(&folder) {
            Ok(report) => {
                let records = saved::read_records(&folder).map_err(|e| e.to_string())?;
                Ok(Self::Classifier(Box::new(Evaluated::new(folder, report, records))))
            }
            Err(error) => {
                let segmented = saved::read_segmented(&folder).map_err(|_| error.to_string())?;
                Ok(Self::Segmenter(Box::new(segmented)))
            }
        }
    }
}

impl Evaluated {
    /// Sorts scores and makes curves.
    pub fn new(folder: PathBuf, report: Report, records: Vec<Record>) -> Self {
        let (values, truth): (Vec<f64>, Vec<bool>) = records.iter().map(|r| (r.score, r.is_covid19)).unzip();
        let scores = ScoreTable::new(&values, &truth);
        let roc = scores
            .roc()
            .iter()
            .map(|p| [p.false_positive_rate, p.true_positive_rate])
            .collect();
        let precision_recall = scores
            .precision_recall()
            .iter()
            .map(|p| [p.recall, p.precision])
            .collect();
        let bins = report.evaluation.reliability.bins.iter();
        let reliability = bins.filter_map(|bin| Some([bin.predicted?, bin.observed?])).collect();
        Self {
            folder,
            roc: thinned(roc),
            precision_recall: thinned(precision_recall),
            reliability,
            report,
            records,
            scores,
        }
    }

    /// Images of a cell at a threshold, the most certain first, as the manifest names them.
    pub fn images(&self, cell: Cell, threshold: f64) -> Vec<&str> {
        let cells = self.scores.cells(threshold);
        let mut indices = match (cell.covid19, cell.positive) {
            (true, true) => cells.tp,
            (true, false) => cells.fn_,
            (false, true) => cells.fp,
            (false, false) => cells.tn,
        };
        if !cell.positive {
            indices.reverse();
        }
        indices
            .into_iter()
            .map(|index| self.records[index].file.as_str())
            .collect()
    }
}

/// Where the images of a cell lie.
///
/// # Errors
/// In a sentence, if the data folder is no longer there.
pub fn files_of(evaluated: &Evaluated, cell: Cell, threshold: f64) -> Result<Vec<PathBuf>, String> {
    let data = Path::new(&evaluated.report.subject.data);
    let images = evaluated.images(cell, threshold);
    let direct: Vec<PathBuf> = images.iter().map(|image| data.join(image)).collect();
    if direct.iter().all(|path| path.is_file()) {
        return Ok(direct);
    }
    // Data sets that were downloaded, and several at once, name their images otherwise than by their paths.
    let mut folders = evaluated.report.subject.data.split(", ").map(PathBuf::from);
    let first = folders.next().unwrap_or_default();
    let options = dataset::Options {
        beside: folders.collect(),
        ..dataset::Options::default()
    };
    let manifest = dataset::open(&first, &options).map_err(|e| e.to_string())?;
    let paths: HashMap<&str, &PathBuf> = manifest.rows.iter().map(|row| (row.file.as_str(), &row.path)).collect();
    let found = images
        .iter()
        .filter_map(|image| paths.get(image).map(|path| (*path).clone()));
    Ok(found.collect())
}

/// Every n-th point, and the last.
fn thinned(points: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let last = points.last().copied();
    let mut kept: Vec<[f64; 2]> = points.into_iter().step_by(every).collect();
    if every > 1 {
        kept.extend(last);
    }
    kept
}

//! An evaluation as the window needs it: figures, records and sorted scores, so that every threshold is answered at
//! once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::training::dataset;
use crate::training::evaluation::{
    FOLDER_SEPARATOR, Record, Report, ScoreTable, SegmenterReport, names_of_folders, saved,
};
use crate::training::manifest::Manifest;
use crate::training::metrics::Confusion;
use crate::training::request::Request;
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
    Segmenter {
        /// Folder that its evaluation lies in.
        folder: PathBuf,
        /// Its figures.
        report: Box<SegmenterReport>,
    },
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
                Ok(Self::Segmenter {
                    folder,
                    report: Box::new(segmented),
                })
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFiles {
    /// Those that are there.
    pub files: Vec<PathBuf>,
    /// How many are not.
    pub missing: usize,
}

impl CellFiles {
    /// That some are missing, in a sentence.
    pub fn problem(&self) -> Option<String> {
        let all = self.files.len() + self.missing;
        (self.missing > 0).then(|| format!("Not there any more: {} of {all} images.", self.missing))
    }

    fn of(paths: impl Iterator<Item = Option<PathBuf>>) -> Self {
        let (mut files, mut missing) = (Vec::new(), 0);
        for path in paths {
            if let Some(path) = path.filter(|path| path.is_file()) {
                files.push(path);
            } else {
                missing += 1;
            }
        }
        Self { files, missing }
    }
}

/// Where the images of a cell of a run's evaluation lie.
///
/// # Errors
/// In a sentence, if the data folder is no longer there.
pub fn files_of(evaluated: &Evaluated, run: &Path, cell: Cell, threshold: f64) -> Result<CellFiles, String> {
    let named = evaluated.report.subject.data.as_str();
    let images = evaluated.images(cell, threshold);
    let direct = CellFiles::of(images.iter().map(|image| Some(Path::new(named).join(image))));
    if direct.missing == 0 {
        return Ok(direct);
    }
    // Data sets that were downloaded, and several at once, name their images otherwise than by their paths.
    let manifest = data_of(named, run)?;
    let paths: HashMap<&str, &PathBuf> = manifest.rows.iter().map(|row| (row.file.as_str(), &row.path)).collect();
    let path = |image: &&str| paths.get(image).map(|path| (*path).clone());
    Ok(CellFiles::of(images.iter().map(path)))
}

/// Opens the data that an evaluation names, with the images of them that the run took.
fn data_of(named: &str, run: &Path) -> Result<Manifest, String> {
    let request = Request::of_run(run).ok();
    let is_own = |request: &&Request| names_of_folders(&folders_of_request(request)) == named;
    let own = request.as_ref().filter(is_own);
    let mut folders = own.map_or_else(|| folders_of(named), folders_of_request).into_iter();
    let first = folders.next().unwrap_or_default();
    // Where an image lies does not hang on its part: other data take no rule of the run, and no split file is written.
    let options = dataset::Options {
        beside: folders.collect(),
        split_file: None,
        ..own.map(|own| own.dataset.clone()).unwrap_or_default()
    };
    dataset::open(&first, &options).map_err(|e| e.to_string())
}

fn folders_of_request(request: &Request) -> Vec<PathBuf> {
    let beside = request.dataset.beside.iter();
    std::iter::once(&request.data).chain(beside).cloned().collect()
}

/// The folders in a report's text; where a folder's own name holds what separates them, the shortest that are there.
fn folders_of(named: &str) -> Vec<PathBuf> {
    let (mut folders, mut begun) = (Vec::new(), String::new());
    for piece in named.split(FOLDER_SEPARATOR) {
        if !begun.is_empty() {
            begun.push_str(FOLDER_SEPARATOR);
        }
        begun.push_str(piece);
        if Path::new(&begun).is_dir() {
            folders.push(PathBuf::from(std::mem::take(&mut begun)));
        }
    }
    if !begun.is_empty() {
        folders.push(PathBuf::from(begun));
    }
    folders
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_parted_where_they_are_there() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folders = ["one", "two, three", "four"].map(|name| root.path().join(name));
        for folder in &folders {
            std::fs::create_dir(folder).expect("a folder");
        }
        assert_eq!(folders_of(&names_of_folders(&folders)), folders);
        assert_eq!(folders_of("nowhere, at all"), [PathBuf::from("nowhere, at all")]);
    }

    #[test]
    fn what_is_missing_is_counted() {
        let there = tempfile::NamedTempFile::new().expect("a file");
        let paths = [Some(there.path().to_owned()), None, Some(PathBuf::from("nowhere.png"))];
        let found = CellFiles::of(paths.into_iter());
        assert_eq!((found.files.len(), found.missing), (1, 2));
        let said = found.problem().expect("some are missing");
        assert_eq!(said, "Not there any more: 2 of 3 images.");
        assert_eq!(CellFiles::of(std::iter::empty()).problem(), None);
    }
}

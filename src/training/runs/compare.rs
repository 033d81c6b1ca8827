//! Two runs side by side: the settings that differ, their curves, their figures on the same split, and a test
//! of both, where both were evaluated on the same images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::training::evaluation::{MaskMetrics, McNemar, Measured, Record, SegmenterReport, saved};

use super::{Curve, Error, Run, folder, open};

/// Splits in the order in which they are compared: the test part says most.
const SPLITS: [&str; 4] = ["test", "val", "all", "train"];

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingPair {
    /// Its name, such as `rate` or `augmentation.shift`.
    pub name: String,
    /// Its value in both runs; `None` where a run does not have it.
    pub values: [Option<Value>; 2],
}

/// A curve of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurvePair {
    /// Its name, such as `train_loss`.
    pub name: String,
    /// Empty where a run does not have it.
    pub curves: [Curve; 2],
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FigurePair {
    /// Its name, such as `roc_auc`.
    pub name: String,
    /// `None` where a run does not have it.
    pub values: [Option<Measured>; 2],
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Their folders' names.
    pub runs: [String; 2],
    /// Settings that differ.
    pub settings: Vec<SettingPair>,
    /// Curves that either has.
    pub curves: Vec<CurvePair>,
    /// The split that both were evaluated on; the figures below are of it.
    pub split: Option<String>,
    /// Figures on that split.
    pub figures: Vec<FigurePair>,
    /// Whether one decides rightly more often, on the images that both were evaluated on.
    pub mcnemar: Option<McNemar>,
    /// What is missing, in sentences.
    pub notes: Vec<String>,
}

/// Compares two run folders.
///
/// # Errors
/// If one of them is no run.
pub fn compare(first: &Path, second: &Path) -> Result<Comparison, Error> {
    let runs = [open(first)?, open(second)?];
    let mut comparison = Comparison {
        runs: [runs[0].name.clone(), runs[1].name.clone()],
        settings: settings(&runs),
        curves: curves(&runs),
        split: None,
        figures: Vec::new(),
        mcnemar: None,
        notes: Vec::new(),
    };
    if let [Some(first), Some(second)] = runs.each_ref().map(|run| run.best.as_ref())
        && first.metric != second.metric
    {
        comparison.notes.push(format!(
            "The best epoch of {} is the one with the best {}, that of {} the one with the best {}: their \
             validation_score is not the same metric.",
            runs[0].name, first.metric, runs[1].name, second.metric
        ));
    }
    let in_both = |split: &&&str| {
        runs.iter()
            .all(|run| run.evaluations.iter().any(|have| have == **split))
    };
    match SPLITS.iter().find(in_both) {
        Some(split) => evaluated(&mut comparison, &runs, split),
        None => comparison.notes.push(
            "There is no part of the data on which both runs were evaluated: evaluate both on the same one.".to_owned(),
        ),
    }
    Ok(comparison)
}

/// Fills in what the evaluations on a split say.
fn evaluated(comparison: &mut Comparison, runs: &[Run; 2], split: &str) {
    let folders = runs.each_ref().map(|run| folder::evaluation_folder(&run.folder, split));
    let alone = folders.each_ref().map(|folder| saved::read_segmented(folder).ok());
    if alone.iter().any(Option::is_some) {
        comparison.split = Some(split.to_owned());
        return segmented(comparison, &folders, &alone);
    }
    let read = || -> Result<_, saved::Error> {
        let reports = [saved::read_report(&folders[0])?, saved::read_report(&folders[1])?];
        let records = [saved::read_records(&folders[0])?, saved::read_records(&folders[1])?];
        Ok((reports, records))
    };
    let (reports, records) = match read() {
        Ok(found) => found,
        Err(error) => return comparison.notes.push(error.to_string()),
    };
    comparison.split = Some(split.to_owned());
    comparison.figures = figures(&reports.each_ref().map(|report| named_figures(&report.evaluation)));
    let thresholds = reports.each_ref().map(|report| report.subject.threshold);
    for (run, report) in runs.iter().zip(&reports) {
        let is_current = run
            .version
            .as_ref()
            .is_some_and(|(_, sha)| *sha == report.subject.weights_sha256);
        if !is_current {
            comparison.notes.push(format!(
                "{}: evaluated with weights that are no longer its best ones; evaluate it again.",
                run.name
            ));
        }
    }
    match paired(&records, thresholds) {
        pairs if pairs.is_empty() => comparison.notes.push("The two evaluations share no image.".to_owned()),
        pairs => {
            let images = [records[0].len(), records[1].len()];
            if pairs.len() < images[0].max(images[1]) {
                comparison.notes.push(format!(
                    "McNemar's test is on the {} images that both evaluations hold, of {} and {}.",
                    pairs.len(),
                    images[0],
                    images[1]
                ));
            }
            comparison.mcnemar = Some(McNemar::of(pairs));
        }
    }
}

/// Whether each model is right, on the images of the same name and label.
fn paired(records: &[Vec<Record>; 2], thresholds: [f64; 2]) -> Vec<(bool, bool)> {
    let second: BTreeMap<&str, &Record> = records[1].iter().map(|record| (record.file.as_str(), record)).collect();
    let right = |record: &Record, threshold: f64| (record.score >= threshold) == record.is_covid19;
    let pair = |first: &Record| {
        let second = second.get(first.file.as_str())?;
        let same = second.is_covid19 == first.is_covid19;
        same.then(|| (right(first, thresholds[0]), right(second, thresholds[1])))
    };
    records[0].iter().filter_map(pair).collect()
}

fn named_figures(evaluation: &crate::training::evaluation::Evaluation) -> BTreeMap<String, Measured> {
    let overall = &evaluation.overall;
    let mut figures = BTreeMap::from([
        ("roc_auc".to_owned(), overall.roc_auc),
        ("average_precision".to_owned(), overall.average_precision),
        ("sensitivity".to_owned(), overall.sensitivity),
        ("specificity".to_owned(), overall.specificity),
        ("precision".to_owned(), overall.precision),
        ("accuracy".to_owned(), overall.accuracy),
        ("f1".to_owned(), overall.f1),
        ("f2".to_owned(), overall.f2),
    ]);
    for (source, metrics) in &evaluation.by_source {
        if metrics.roc_auc.value.is_some() {
            figures.insert(format!("roc_auc in {source}"), metrics.roc_auc);
        }
    }
    figures.extend(mask_figures(&evaluation.masks));
    if let Some(in_lung) = evaluation.in_lung_activation.get("all") {
        figures.insert("in_lung_activation".to_owned(), in_lung.mean);
    }
    figures
}

/// Evaluations of which one at least is a segmenter's alone: they have masks in common.
fn segmented(comparison: &mut Comparison, folders: &[PathBuf; 2], alone: &[Option<SegmenterReport>; 2]) {
    let masks = |place: usize| match &alone[place] {
        Some(report) => Ok(mask_figures(&report.masks)),
        None => saved::read_report(&folders[place]).map(|report| mask_figures(&report.evaluation.masks)),
    };
    match (masks(0), masks(1)) {
        (Ok(first), Ok(second)) => comparison.figures = figures(&[first, second]),
        (Err(error), _) | (_, Err(error)) => comparison.notes.push(error.to_string()),
    }
    if alone.iter().any(Option::is_none) {
        let text = "One of the two is a segmenter: only their lung masks are compared.";
        comparison.notes.push(text.to_owned());
    }
}

fn mask_figures(masks: &BTreeMap<String, MaskMetrics>) -> BTreeMap<String, Measured> {
    let of = |(convention, masks): (&String, &MaskMetrics)| {
        [
            (format!("dice on {convention}"), masks.dice),
            (format!("iou on {convention}"), masks.iou),
            (format!("hd95 in pixels on {convention}"), masks.hd95_px),
        ]
    };
    masks.iter().flat_map(of).collect()
}

fn figures(both: &[BTreeMap<String, Measured>; 2]) -> Vec<FigurePair> {
    let names: BTreeSet<&String> = both.iter().flat_map(BTreeMap::keys).collect();
    let pair = |name: &String| FigurePair {
        name: name.clone(),
        values: both.each_ref().map(|figures| figures.get(name).copied()),
    };
    names
        .into_iter()
        .map(pair)
        .filter(|pair| pair.values.iter().flatten().any(|figure| figure.value.is_some()))
        .collect()
}

fn settings(runs: &[Run; 2]) -> Vec<SettingPair> {
    let flat = runs.each_ref().map(|run| {
        let mut flat = BTreeMap::new();
        flatten("", &Value::Object(run.settings.clone()), &mut flat);
        flat
    });
    let names: BTreeSet<&String> = flat.iter().flat_map(BTreeMap::keys).collect();
    let pair = |name: &String| SettingPair {
        name: name.clone(),
        values: flat.each_ref().map(|settings| settings.get(name).cloned()),
    };
    names
        .into_iter()
        .map(pair)
        .filter(|pair| pair.values[0] != pair.values[1])
        .collect()
}

/// Objects become names with points; arrays stay whole.
fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&name, value, into);
            }
        }
        value => drop(into.insert(prefix.to_owned(), value.clone())),
    }
}

fn curves(runs: &[Run; 2]) -> Vec<CurvePair> {
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.curves.keys()).collect();
    let pair = |name: &String| CurvePair {
        name: name.clone(),
        curves: runs
            .each_ref()
            .map(|run| run.curves.get(name).cloned().unwrap_or_default()),
    };
    names.into_iter().map(pair).collect()
}

//! `recovnet evaluate`: a model on a labelled data set, as a table or as JSON.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::imaging;
use crate::inference::models::Models;
use crate::inference::pipeline;
use crate::report::{self, Failure};
use crate::training::manifest::{Class, Row};
use crate::training::metrics::Confusion;
use crate::training::sample;
use crate::training::split::{Leakage, Part};

use super::dataset::DatasetArgs;
use super::evaluation::{Evaluation, Record};
use super::options::{ClassifierArg, ModelArgs};
use super::output::{Lines, progress_bar};
use super::table;

/// Options of `recovnet evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Which part of the data
    #[arg(long, value_enum, default_value_t = Split::All)]
    split: Split,
    #[command(flatten)]
    classifier: ClassifierArg,
    #[command(flatten)]
    models: ModelArgs,
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
}

/// A part of the data, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    Train,
    Val,
    Test,
    All,
}

impl Split {
    fn has(self, part: Part) -> bool {
        match self {
            Self::Train => part == Part::Train,
            Self::Val => part == Part::Validation,
            Self::Test => part == Part::Test,
            Self::All => true,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
            Self::All => "all",
        }
    }
}

/// What the command writes.
#[derive(Debug, Serialize)]
pub struct Results {
    /// The data folder as it was named.
    pub data: String,
    /// `train`, `val`, `test` or `all`.
    pub split: &'static str,
    /// Name of the split that the part is of.
    pub parted_by: String,
    /// Patients on both sides of that split; not zero where the test is not independent.
    pub groups_in_test_and_other_parts: Leakage,
    /// The classifier's name.
    pub classifier: String,
    /// Version in its card.
    pub classifier_version: String,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// SHA-256 of the segmenter's weights.
    pub segmenter_sha256: String,
    /// What computed it.
    pub device: String,
    /// Threshold on the COVID-19 probability.
    pub threshold: f64,
    /// Laterals, which are left out.
    pub laterals_left_out: usize,
    /// Images of the split whose group is in the training part: no test of weights trained on these data.
    pub in_training_part: usize,
    /// The metrics.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// Files that could not be evaluated.
    pub failures: Vec<Failure>,
}

/// Runs the command.
///
/// # Errors
/// If the manifest cannot be used, the models cannot be loaded, or the result cannot be written.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let manifest = args.dataset.open()?;
    let in_split = |row: &&Row| args.split.has(row.part());
    let (laterals, rows): (Vec<&Row>, Vec<&Row>) =
        manifest.rows.iter().filter(in_split).partition(|row| row.is_left_out());
    anyhow::ensure!(
        !rows.is_empty(),
        "{}: no images in split '{}'",
        args.dataset.display(),
        args.split.name()
    );
    args.models.threads.apply()?;
    let models = Models::load(
        args.models.weights.as_deref(),
        args.classifier.name,
        &args.models.device,
    )?;
    let mut lines = Lines::open(args.json.as_deref())?;
    let (records, failures) = predict_all(&models, &rows);
    let card = &models.classifier.1;
    let results = Results {
        data: args.dataset.display(),
        split: args.split.name(),
        parted_by: manifest.split.id.clone(),
        groups_in_test_and_other_parts: manifest.split.leakage,
        classifier: card.name.clone(),
        classifier_version: card.version.clone(),
        weights_sha256: card.sha256.clone(),
        segmenter_sha256: models.segmenter.1.sha256.clone(),
        device: models.device_label.clone(),
        threshold: card.threshold,
        laterals_left_out: laterals.len(),
        in_training_part: rows.iter().filter(|row| row.part() == Part::Train).count(),
        evaluation: Evaluation::of(&records, card.threshold),
        failures,
    };
    lines.write(&results)?;
    if matches!(lines, Lines::Words) {
        print!("{}", table::of(&results));
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    Ok(ExitCode::from(u8::from(!results.failures.is_empty())))
}

fn predict_all(models: &Models, rows: &[&Row]) -> (Vec<Record>, Vec<Failure>) {
    let bar = progress_bar(rows.len());
    let (mut records, mut failures) = (Vec::new(), Vec::new());
    for row in rows {
        let failure = match predict(models, row) {
            Ok((record, failure)) => {
                records.push(record);
                failure
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failure {
            let (file, error) = (row.file.clone(), format!("{error:#}"));
            bar.suspend(|| eprintln!("{error}"));
            failures.push(Failure { file, error });
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    (records, failures)
}

/// One image's record; a mask that cannot be used costs the image's mask only, and is told beside it.
fn predict(models: &Models, row: &Row) -> anyhow::Result<(Record, Option<anyhow::Error>)> {
    let image = imaging::open(&row.path)?;
    let findings = pipeline::analyse(models, &image, &mut |_| true).with_context(|| row.path.display().to_string())?;
    let mut failure = None;
    let mask = row
        .mask
        .as_ref()
        .and_then(|file| match sample::read_masks(file, image.width, image.height) {
            Ok(truth) => {
                let counts = Confusion::of_masks(&findings.mask.pixels, &truth);
                Some((convention(&file.style, &file.origin), counts))
            }
            Err(error) => {
                failure = Some(error.into());
                None
            }
        });
    let record = Record {
        group: row.group.clone(),
        source: row.source.clone().unwrap_or_default(),
        is_child: is_child(row),
        is_covid19: row.class == Class::Covid19,
        score: findings.probabilities.covid19,
        mask,
        in_lung: findings.in_lung.ratio,
        chance: findings.in_lung.chance,
    };
    Ok((record, failure))
}

/// Style and origin of a mask in one word, such as `lung-field/manual`.
fn convention(style: &str, origin: &str) -> String {
    match (style, origin) {
        ("", "") => "unnamed".to_owned(),
        (style, "") => style.to_owned(),
        ("", origin) => origin.to_owned(),
        (style, origin) => format!("{style}/{origin}"),
    }
}

/// The manifest's note, or a source that holds children only.
fn is_child(row: &Row) -> bool {
    let note = row.note.as_deref().unwrap_or_default().to_lowercase();
    row.source.as_deref() == Some("kermany") || note.contains("paediatric") || note.contains("pediatric")
}

//! `recovnet evaluate`: a model on a labelled data set, as a table, as JSON, and as a folder of tables and drawings.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::Args;
use indicatif::ProgressBar;

use crate::inference::models::Models;
use crate::nn::ModelCard;
use crate::nn::card::Task;
use crate::report::{self, Drawing};
use crate::training::evaluation::measure::{self, Chosen};
use crate::training::evaluation::{Failed, Report, SegmenterReport, Selection, saved};
use crate::training::runs;

use super::dataset::{DatasetArgs, warn_of_other_split};
use super::options::{ClassifierSource, ModelArgs, selection};
use super::output::{self, Lines, progress_bar};
use super::table;

/// Options of `recovnet evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Which part of the data: train, val, test or all
    #[arg(long, value_parser = selection, default_value = "all")]
    split: Selection,
    #[command(flatten)]
    classifier: ClassifierSource,
    #[command(flatten)]
    models: ModelArgs,
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
    /// Write evaluation.json, a table of the images, the curves as tables and drawings (PNG and SVG) here
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// If the manifest cannot be used, the models cannot be loaded, or the result cannot be written.
pub fn run(args: &EvaluateArgs) -> anyhow::Result<ExitCode> {
    let (manifest, data) = args.dataset.open_for(args.classifier.run.as_deref())?;
    let chosen = Chosen::of(&manifest, args.split);
    anyhow::ensure!(
        !chosen.rows.is_empty(),
        "{data}: no images in split '{}'",
        args.split.name()
    );
    args.models.threads.apply()?;
    let segmenter = args.classifier.file()?.filter(|file| is_segmenter(file));
    match segmenter {
        Some(file) => evaluate_segmenter(args, &file, &chosen, data),
        None => evaluate_classifier(args, &chosen, data),
    }
}

/// Whether the card beside a file is a segmenter's; a missing card is said when the file is loaded.
fn is_segmenter(file: &Path) -> bool {
    ModelCard::beside(file).is_ok_and(|card| card.task == Task::Segmenter)
}

/// Goes on with the bar, and tells a failure above it.
fn show(bar: &ProgressBar) -> impl FnMut(usize, Option<&Failed>) {
    move |done, failure| {
        if let Some(failure) = failure {
            bar.suspend(|| eprintln!("{}", failure.error));
        }
        bar.set_position(done as u64);
    }
}

/// A classifier on chosen images; `data` is the data folders as reports name them.
fn evaluate_classifier(args: &EvaluateArgs, chosen: &Chosen<'_>, data: String) -> anyhow::Result<ExitCode> {
    let mut models = args.classifier.load(&args.models)?;
    warn_of_other_split(chosen.split_id, &models.classifier.1);
    let mut lines = Lines::open(args.json.as_deref())?;
    let bar = progress_bar(chosen.rows.len());
    let measured = measure::records(&mut models, &chosen.rows, &AtomicBool::new(false), &mut show(&bar));
    bar.finish_and_clear();
    let results = Report::of(&models, data, args.split, chosen, &measured);
    lines.write(&results)?;
    if matches!(lines, Lines::Words) {
        print!("{}", table::of(&results));
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    for folder in results_folders(args) {
        saved::write(&folder, &results, &measured.records)?;
    }
    if let Some(folder) = &args.out {
        let drawings = report::evaluation_drawings(&results, &measured.records, results.subject.threshold);
        write_drawings(folder, &drawings)?;
    }
    Ok(ExitCode::from(u8::from(!results.failures.is_empty())))
}

/// A segmenter alone, on the images that have a mask.
fn evaluate_segmenter(args: &EvaluateArgs, file: &Path, chosen: &Chosen<'_>, data: String) -> anyhow::Result<ExitCode> {
    let (segmenter, device) = Models::load_segmenter_file(file, &args.models.device)?;
    warn_of_other_split(chosen.split_id, &segmenter.1);
    let mut lines = Lines::open(args.json.as_deref())?;
    let bar = progress_bar(chosen.rows.iter().filter(|row| row.mask.is_some()).count());
    let models = (&segmenter, &device);
    let (images, failures) = measure::segmented(models, &chosen.rows, &AtomicBool::new(false), &mut show(&bar));
    bar.finish_and_clear();
    let results = SegmenterReport::of(models, data, args.split, chosen, (&images, failures));
    lines.write(&results)?;
    if matches!(lines, Lines::Words) {
        print!("{}", table::of_segmenter(&results));
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    for folder in results_folders(args) {
        saved::write_segmented(&folder, &results, &images)?;
    }
    if let Some(folder) = &args.out {
        write_drawings(folder, &report::segmenter_drawings(&results, &images))?;
    }
    Ok(ExitCode::from(u8::from(!results.failures.is_empty())))
}

/// Where results are kept: in the run that was evaluated, and where they were asked for.
fn results_folders(args: &EvaluateArgs) -> Vec<PathBuf> {
    let of_run = args.classifier.run_of_results();
    let of_run = of_run.map(|run| runs::evaluation_folder(run, args.split.name()));
    of_run.into_iter().chain(args.out.clone()).collect()
}

/// Writes drawings as PNG and as SVG.
///
/// # Errors
/// If a file cannot be written.
pub fn write_drawings(folder: &Path, drawings: &[(&str, Drawing)]) -> anyhow::Result<()> {
    for (name, drawing) in drawings {
        output::write(&folder.join(format!("{name}.svg")), drawing.svg().as_bytes())?;
        output::write(&folder.join(format!("{name}.png")), &drawing.png()?)?;
    }
    Ok(())
}

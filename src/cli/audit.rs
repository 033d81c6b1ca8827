//! `recovnet audit`: whether a classifier needs the lungs, with a traffic light.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::inference::models::Models;
use crate::report;
use crate::training::audit::{self, Audit, Region};
use crate::training::evaluation::measure::Chosen;
use crate::training::evaluation::{Failed, Measured, Selection};
use crate::training::manifest::Manifest;
use crate::training::runs;

use super::dataset::{DatasetArgs, warn_of_other_split};
use super::evaluate::write_drawings;
use super::options::{ClassifierSource, ModelArgs, selection};
use super::output::{Lines, progress_bar};

/// Options of `recovnet audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Which part of the data: train, val, test or all
    #[arg(long, value_parser = selection, default_value = "test")]
    split: Selection,
    #[command(flatten)]
    classifier: ClassifierSource,
    #[command(flatten)]
    models: ModelArgs,
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write audit.json and drawings (PNG and SVG) here
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Runs the command. Exit code 1 only if a file failed: the light is a result, not a failure.
///
/// # Errors
/// If the manifest cannot be used, the models cannot be loaded, or the result cannot be written.
pub fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    let (manifest, data) = args.dataset.open_for(args.classifier.run.as_deref())?;
    args.models.threads.apply()?;
    let mut models = args.classifier.load(&args.models)?;
    warn_of_other_split(&manifest.split.id, &models.classifier.1);
    let mut lines = Lines::open(args.json.as_deref())?;
    let audit = make(&mut models, &manifest, data, args.split)?;
    lines.write(&audit)?;
    if matches!(lines, Lines::Words) {
        print!("{}", words(&audit));
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    if let Some(run) = args.classifier.run_of_results() {
        audit::saved::write(&runs::audit_folder(run), &audit)?;
    }
    if let Some(folder) = &args.out {
        audit::saved::write(folder, &audit)?;
        write_drawings(folder, &report::audit_drawings(&audit))?;
    }
    Ok(ExitCode::from(u8::from(!audit.failures.is_empty())))
}

/// Audits with a progress bar.
///
/// # Errors
/// If the split holds no image.
pub fn make(models: &mut Models, manifest: &Manifest, data: String, split: Selection) -> anyhow::Result<Audit> {
    let chosen = Chosen::of(manifest, split);
    anyhow::ensure!(!chosen.rows.is_empty(), "{data}: no images in split '{}'", split.name());
    let bar = progress_bar(chosen.rows.len());
    let mut progress = |done: usize, failure: Option<&Failed>| {
        if let Some(failure) = failure {
            bar.suspend(|| eprintln!("{}", failure.error));
        }
        bar.set_position(done as u64);
    };
    let made = audit::measure::audit(models, data, split, &chosen, &AtomicBool::new(false), &mut progress);
    bar.finish_and_clear();
    Ok(made.expect("nobody cancels it"))
}

/// An audit for a reader.
pub fn words(audit: &Audit) -> String {
    let hash = audit.subject.weights_sha256.get(..8).unwrap_or_default();
    let mut text = format!(
        "Shortcut audit of {} {} ({hash}) on {}, split {}: {}\n",
        audit.subject.classifier,
        audit.subject.classifier_version,
        audit.subject.data,
        audit.subject.split,
        audit.light.name().to_uppercase()
    );
    for reason in &audit.reasons {
        text.push_str("  ");
        text.push_str(reason);
        text.push('\n');
    }
    if audit.subject.in_training_part > 0 {
        text.push_str("Images of the training part are among them.\n");
    }
    text.push_str("\nROC-AUC by what the network is shown\n");
    // Writing to a string cannot fail.
    for region in Region::ALL {
        if let Some(figures) = audit.regions.get(region.name()) {
            let (area, images) = (figure(figures.roc_auc), figures.images);
            let _ = writeln!(text, "  {:<14}{area}  ({images} images)", region.words());
        }
    }
    text.push_str("\nROC-AUC on whole images by source\n");
    for (source, figures) in &audit.by_source {
        let _ = writeln!(
            text,
            "  {source:<14}{}  ({} images)",
            figure(figures.roc_auc),
            figures.images
        );
    }
    if let Some(source) = &audit.source {
        let _ = writeln!(
            text,
            "\nSource told by the features: ROC-AUC {}",
            figure(source.roc_auc)
        );
    }
    let in_lung = &audit.in_lung;
    let chance = in_lung
        .chance_median
        .map_or("-".to_owned(), |chance| format!("{chance:.4}"));
    let median = figure(in_lung.median);
    let _ = writeln!(
        text,
        "In-lung activation, median: {median}; chance level, median: {chance}"
    );
    text
}

/// A figure with its interval.
pub fn figure(figure: Measured) -> String {
    let value = figure.value.map_or("-".to_owned(), |value| format!("{value:.4}"));
    let interval = figure
        .interval
        .map_or(String::new(), |i| format!("  [{:.4}, {:.4}]", i.low, i.high));
    value + &interval
}

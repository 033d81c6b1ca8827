//! `recovnet evaluate`: a model on a labelled data set, as a table, as JSON, and as a folder of tables and drawings.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use clap::Args;

use crate::report::{self, Drawing};
use crate::training::evaluation::measure::{self, Chosen};
use crate::training::evaluation::{Failed, Report, Split, saved};
use crate::training::manifest::Manifest;
use crate::training::runs;

use super::options::{ClassifierSource, ModelArgs, split};
use super::output::{self, Lines, progress_bar};
use super::table;

/// Options of `recovnet evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// Folder with manifest.csv
    #[arg(long, value_name = "FOLDER")]
    data: PathBuf,
    /// Which part of the data: train, val, test or all
    #[arg(long, value_parser = split, default_value = "all")]
    split: Split,
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
    let manifest = Manifest::read(&args.data)?;
    let chosen = Chosen::of(&manifest.rows, args.split);
    anyhow::ensure!(
        !chosen.rows.is_empty(),
        "{}: no images in split '{}'",
        args.data.display(),
        args.split.name()
    );
    args.models.threads.apply()?;
    let models = args.classifier.load(&args.models)?;
    let mut lines = Lines::open(args.json.as_deref())?;
    let bar = progress_bar(chosen.rows.len());
    let mut progress = |done: usize, failure: Option<&Failed>| {
        if let Some(failure) = failure {
            bar.suspend(|| eprintln!("{}", failure.error));
        }
        bar.set_position(done as u64);
    };
    let measured = measure::records(&models, &chosen.rows, &AtomicBool::new(false), &mut progress);
    bar.finish_and_clear();
    let results = Report::of(&models, args.data.display().to_string(), args.split, &chosen, &measured);
    lines.write(&results)?;
    if matches!(lines, Lines::Words) {
        print!("{}", table::of(&results));
        println!("{}.", report::NOTICE);
    }
    lines.close()?;
    if let Some(run) = &args.classifier.run {
        saved::write(
            &runs::evaluation_folder(run, args.split.name()),
            &results,
            &measured.records,
        )?;
    }
    if let Some(folder) = &args.out {
        saved::write(folder, &results, &measured.records)?;
        let drawings = report::evaluation_drawings(&results, &measured.records, results.threshold);
        write_drawings(folder, &drawings)?;
    }
    Ok(ExitCode::from(u8::from(!results.failures.is_empty())))
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

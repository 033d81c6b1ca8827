//! `recovnet check-data`: what a labelled data set holds, and whether its parts are independent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::training::check::report::CopyPair;
use crate::training::check::{self, CheckReport, Options, Progress, Stage, Thumbnail, gate, html, words};
use crate::training::manifest::{Manifest, Row};
use crate::training::split;

use super::dataset::DatasetArgs;
use super::output::{self, Lines};
use super::{Usage, folders, options};

/// Exit code of a program that was stopped from the keyboard, as shells have it.
pub(super) const INTERRUPTED: u8 = 130;

/// Options of `recovnet check-data`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Where the JSON goes: - for standard output (the default unless that is a terminal), or a file
    #[arg(long, value_name = "-|FILE")]
    json: Option<PathBuf>,
    /// Write the report here: .html with histograms and pictures, or .md
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the pictures of copies and odd images here: 8-bit PNG of 96 x 96 pixels
    #[arg(long, value_name = "FOLDER")]
    thumbnails: Option<PathBuf>,
    /// Write a split here (a file for --split-file) in which groups that share a picture are in one part, and check it
    #[arg(long, value_name = "FILE")]
    together: Option<PathBuf>,
    /// Threads that work [default: one a core]
    #[arg(long, value_name = "N", value_parser = options::threads)]
    threads: Option<usize>,
}

/// How a report is written down.
#[derive(Clone, Copy)]
enum Form {
    Html,
    Markdown,
}

/// Runs the command: exit code 1 on leakage or unreadable files.
///
/// # Errors
/// If the manifest cannot be used, the check cannot be made, or something not be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let form = args.report.as_deref().map(form_of).transpose()?;
    if let Some(file) = args.together.as_ref().filter(|file| file.exists()) {
        return Err(Usage(format!(
            "{}: this file is there already; name another one",
            file.display()
        ))
        .into());
    }
    let mut manifest = args.dataset.open_and_keep_split()?;
    anyhow::ensure!(!manifest.rows.is_empty(), "{}: no images", args.dataset.display());
    let cancel = cancel_on_ctrl_c()?;
    let mut lines = Lines::open(args.json.as_deref())?;
    let scratch = folders::checks().filter(|folder| std::fs::create_dir_all(folder).is_ok());
    let options = Options {
        threads: args.threads,
        scratch,
    };
    let Some(report) = check_and_part(args, &mut manifest, &options, &cancel)? else {
        eprintln!("recovnet: cancelled; nothing was written");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if let Some(folder) = &options.scratch {
        // For the runs to come; without it they check again.
        let _ = gate::keep(folder, &report);
    }
    if let (Some(path), Some(form)) = (&args.report, form) {
        let text = match form {
            Form::Html => html::html(&report),
            Form::Markdown => words::markdown(&report),
        };
        output::write(path, text.as_bytes())?;
    }
    if let Some(folder) = &args.thumbnails {
        write_thumbnails(folder, &report)?;
    }
    let sound = report.leakage().is_none() && report.unreadable.total == 0;
    if matches!(lines, Lines::Words) {
        print!("{}", words::text(&report));
        println!("{}.", words::NOTICE);
    }
    lines.write(&report.without_thumbnails())?;
    lines.close()?;
    Ok(ExitCode::from(u8::from(!sound)))
}

/// Checks the data; where the user wants it, parts them anew by what was found and checks them as they are parted then.
/// `None` if it was cancelled.
fn check_and_part(
    args: &CheckArgs,
    manifest: &mut Manifest,
    options: &Options,
    cancel: &AtomicBool,
) -> anyhow::Result<Option<CheckReport>> {
    let report = check_with_bar(&manifest.rows, options, cancel)?;
    let (Some(file), Some(found)) = (&args.together, &report) else {
        return Ok(report);
    };
    anyhow::ensure!(
        found.copies.is_whole(),
        "{}: there are {} pairs of copies, of which only {} are listed; take equal files out of the data first",
        args.dataset.display(),
        found.copies.total,
        found.copies.first.len()
    );
    let pairs = found.copies.first.iter().map(CopyPair::files);
    manifest.split =
        split::keep_together(&mut manifest.rows, pairs, manifest.split.seed).with_context(|| args.dataset.display())?;
    let report = check_with_bar(&manifest.rows, options, cancel)?;
    if report.is_some() {
        split::file::write(file, &manifest.rows, &manifest.split)?;
        let (file, split) = (file.display(), &manifest.split.id);
        eprintln!(
            "note: groups that share a picture are in one part: split {split}, to be named by --split-file {file}"
        );
    }
    Ok(report)
}

fn check_with_bar(rows: &[Row], options: &Options, cancel: &AtomicBool) -> anyhow::Result<Option<CheckReport>> {
    let bar = ProgressBar::new(rows.len() as u64);
    let outcome = check::run(rows, options, cancel, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    match outcome {
        Err(check::Error::Cancelled) => Ok(None),
        outcome => Ok(Some(outcome?)),
    }
}

fn form_of(path: &Path) -> Result<Form, Usage> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_lowercase().as_str() {
        "html" | "htm" => Ok(Form::Html),
        "md" => Ok(Form::Markdown),
        _ => Err(Usage(format!("{}: a report ends in .html or .md", path.display()))),
    }
}

/// A flag that is raised when the user presses Ctrl+C; a second time ends the program at once.
pub(super) fn cancel_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first time the flag is not up yet when it is looked at.
        flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED), Arc::clone(&cancel))
            .and_then(|_| flag::register(signal, Arc::clone(&cancel)))
            .context("Ctrl+C cannot be listened to")?;
    }
    Ok(cancel)
}

fn show(bar: &ProgressBar, progress: Progress) {
    let (what, unit) = match progress.stage {
        Stage::Reading => ("reading", "images"),
        Stage::Searching => ("looking for copies", "images"),
        Stage::Comparing => ("comparing", "pairs"),
    };
    if bar.message() != what {
        let template = format!("{{msg:20}} {{bar:32}} {{pos}}/{{len}} {unit}, {{eta}} left");
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        bar.reset_eta();
    }
    bar.set_length(progress.total as u64);
    bar.set_position(progress.done as u64);
}

/// Writes every kept picture; numbers name them, because a file's name may say more than it should.
fn write_thumbnails(folder: &Path, report: &CheckReport) -> anyhow::Result<()> {
    let write = |name: String, thumbnail: &Thumbnail| output::write(&folder.join(name), &thumbnail.png);
    for (i, copy) in report.copies.first.iter().enumerate() {
        for (side, thumbnail) in ["a", "b"].iter().zip(copy.thumbnails.iter().flatten()) {
            write(format!("copy-{:03}-{side}.png", i + 1), thumbnail)?;
        }
    }
    for (i, odd) in report.odd.first.iter().enumerate() {
        if let Some(thumbnail) = &odd.thumbnail {
            write(format!("odd-{:03}.png", i + 1), thumbnail)?;
        }
    }
    Ok(())
}

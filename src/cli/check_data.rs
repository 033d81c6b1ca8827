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

use crate::training::check::{self, CheckReport, Options, Progress, Stage, Thumbnail, gate, html, words};

use super::dataset::DatasetArgs;
use super::output::{self, Lines};
use super::{Usage, folders, options};

/// Exit code of a program that was stopped from the keyboard, as shells have it.
const INTERRUPTED: u8 = 130;

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
    let manifest = args.dataset.open_and_keep_split()?;
    anyhow::ensure!(!manifest.rows.is_empty(), "{}: no images", args.dataset.display());
    let cancel = cancel_on_ctrl_c()?;
    let mut lines = Lines::open(args.json.as_deref())?;
    let scratch = folders::checks().filter(|folder| std::fs::create_dir_all(folder).is_ok());
    let options = Options {
        threads: args.threads,
        scratch,
    };
    let bar = ProgressBar::new(manifest.rows.len() as u64);
    let outcome = check::run(&manifest.rows, &options, &cancel, &mut |progress| show(&bar, progress));
    bar.finish_and_clear();
    let report = match outcome {
        Err(check::Error::Cancelled) => {
            eprintln!("recovnet: cancelled; nothing was written");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        outcome => outcome?,
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

fn form_of(path: &Path) -> Result<Form, Usage> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending.to_lowercase().as_str() {
        "html" | "htm" => Ok(Form::Html),
        "md" => Ok(Form::Markdown),
        _ => Err(Usage(format!("{}: a report ends in .html or .md", path.display()))),
    }
}

/// A flag that is raised when the user presses Ctrl+C; a second time ends the program at once.
fn cancel_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
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

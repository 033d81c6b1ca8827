//! `recovnet index`: which patients, studies, series and instances lie below a folder or are listed by a DICOMDIR.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::library::{Catalogue, Counts, Instance, Library, Patient, Series, Study, Summary};

use super::check_data::{INTERRUPTED, cancel_on_ctrl_c};
use super::folders;

/// Options of `recovnet index`.
#[derive(Debug, Args)]
pub struct IndexArgs {
    /// The folder or DICOMDIR
    #[arg(value_name = "FOLDER or DICOMDIR")]
    source: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// The database [default: the viewer's own, in the user's data folder]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// List patients, studies, series and files; names patients
    #[arg(long)]
    list: bool,
}

/// Runs the command: exit code 1 if a file could not be read, or something not be looked at.
///
/// # Errors
/// If the source cannot be looked through or the database not be used.
pub fn run(args: &IndexArgs) -> anyhow::Result<ExitCode> {
    let database = args.db.clone().or_else(folders::library);
    let database = database.context("this system has no folder for the user's data; name a database with --db")?;
    let cancel = cancel_on_ctrl_c()?;
    let mut library = Library::open(&database)?;
    if let Some(notice) = library.notice() {
        eprintln!("recovnet: {notice}");
    }
    let bar = ProgressBar::new_spinner();
    bar.set_message("looking for files");
    let summary = library.index(&args.source, &cancel, &|progress| {
        // One worker at a time gets here with its first file; a second style does no harm.
        if bar.length() != Some(progress.total as u64) {
            bar.set_length(progress.total as u64);
            bar.set_style(style());
            bar.reset_eta();
        }
        bar.set_position(progress.done as u64);
    });
    bar.finish_and_clear();
    let summary = summary?;
    let counts = library.counts(Some(&summary.root))?;
    let catalogue = args.list.then(|| library.catalogue(Some(&summary.root))).transpose()?;
    if args.json {
        println!("{}", as_json(&summary, &counts, catalogue.as_ref(), &database));
    } else {
        print!("{}", as_text(&summary, &counts, catalogue.as_ref()));
    }
    if summary.cancelled {
        eprintln!("recovnet: cancelled; what was read so far is kept");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let sound = counts.unreadable.is_empty() && summary.problems.is_empty();
    Ok(ExitCode::from(u8::from(!sound)))
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} files, {per_sec}, {eta} left");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Files a second, looked at one way or the other; 0 where no time passed.
fn rate(summary: &Summary) -> f64 {
    let seconds = summary.elapsed.as_secs_f64();
    if seconds > 0.0 {
        summary.files as f64 / seconds
    } else {
        0.0
    }
}

fn as_json(summary: &Summary, counts: &Counts, catalogue: Option<&Catalogue>, database: &Path) -> Value {
    let mut object = json!({
        "source": summary.root.to_string_lossy(),
        "database": database.to_string_lossy(),
        "patients": counts.patients,
        "studies": counts.studies,
        "series": counts.series,
        "instances": counts.instances,
        "copies": counts.copies,
        "other_files": counts.other,
        "unreadable": counts.unreadable,
        "problems": summary.problems,
        "files": summary.files,
        "read": summary.read,
        "unchanged": summary.unchanged,
        "gone": summary.gone,
        "cancelled": summary.cancelled,
        "seconds": summary.elapsed.as_secs_f64(),
        "files_per_second": rate(summary),
    });
    if let Some(catalogue) = catalogue {
        object["list"] = catalogue.patients.iter().map(patient_json).collect();
    }
    object
}

fn patient_json(patient: &Patient) -> Value {
    json!({
        "name": patient.name,
        "patient_id": patient.patient_id,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "studies": patient.studies.iter().map(study_json).collect::<Vec<_>>(),
    })
}

fn study_json(study: &Study) -> Value {
    json!({
        "uid": study.uid,
        "date": study.date,
        "time": study.time,
        "description": study.description,
        "accession_number": study.accession,
        "series": study.series.iter().map(series_json).collect::<Vec<_>>(),
    })
}

fn series_json(series: &Series) -> Value {
    json!({
        "uid": series.uid,
        "number": series.number,
        "modality": series.modality,
        "description": series.description,
        "body_part": series.body_part,
        "instances": series.instances.iter().map(instance_json).collect::<Vec<_>>(),
    })
}

fn instance_json(instance: &Instance) -> Value {
    json!({
        "file": instance.path.to_string_lossy(),
        "number": instance.number,
        "view_position": instance.view,
        "rows": instance.size.map(|(rows, _)| rows),
        "columns": instance.size.map(|(_, columns)| columns),
        "frames": instance.frames,
    })
}

fn as_text(summary: &Summary, counts: &Counts, catalogue: Option<&Catalogue>) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for (name, count) in [
        ("Patients", counts.patients),
        ("Studies", counts.studies),
        ("Series", counts.series),
        ("Instances", counts.instances),
        ("Other files", counts.other),
        ("Unreadable", counts.unreadable.values().sum()),
    ] {
        line(format!("{name:<12}{count:>9}"));
    }
    if counts.copies > 0 {
        line(format!("{} of the instances are there more than once.", counts.copies));
    }
    for (reason, count) in counts.unreadable.iter().chain(&summary.problems) {
        line(format!("{count:>9} x {reason}"));
    }
    line(format!(
        "{} files in {:.2} s, {:.0} a second: {} read, {} unchanged, {} gone.",
        summary.files,
        summary.elapsed.as_secs_f64(),
        rate(summary),
        summary.read,
        summary.unchanged,
        summary.gone,
    ));
    for patient in catalogue.into_iter().flat_map(|catalogue| &catalogue.patients) {
        line(String::new());
        line(words(
            &[&patient.name, &patient.patient_id, &patient.birth_date],
            "No patient named",
        ));
        for study in &patient.studies {
            let parts = [study.date.as_deref(), study.description.as_deref()].map(Option::unwrap_or_default);
            line(format!("  {}", words(&parts, "Study without a date")));
            for series in &study.series {
                let number = series.number.map(|number| number.to_string()).unwrap_or_default();
                let modality = series.modality.as_deref().unwrap_or_default();
                let description = series.description.as_deref().unwrap_or_default();
                line(format!("    {}", words(&[modality, &number, description], "Series")));
                for instance in &series.instances {
                    line(format!("      {}", instance.path.display()));
                }
            }
        }
    }
    text
}

/// The parts that are there, with commas between them.
fn words(parts: &[&str], otherwise: &str) -> String {
    let there: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if there.is_empty() {
        otherwise.to_owned()
    } else {
        there.join(", ")
    }
}

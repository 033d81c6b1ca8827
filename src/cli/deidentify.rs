//! `recovnet deidentify`: DICOM files without who is on them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::deidentify::batch::{self, Batch, Sources};
use crate::deidentify::report::{Form, Report, Status};
use crate::deidentify::{Dates, Key, KeyError, Masking, Options, Region, Settings};

use super::check_data::{INTERRUPTED, cancel_on_ctrl_c};
use super::{Usage, output};

/// Options of `recovnet deidentify`.
#[derive(Debug, Args)]
#[command(
    after_help = "PS3.15 annex E, Basic Profile: identities go, UIDs and patients get pseudonyms that stay \
                        the same with the same key. Text in the pixels stays unless --mask says otherwise: look at the \
                        files before they leave the house."
)]
pub struct DeidentifyArgs {
    /// DICOM files, or folders that hold some
    #[arg(value_name = "IN", required = true)]
    inputs: Vec<PathBuf>,
    /// Folder that is written into; files get their new SOP Instance UIDs as names
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What is kept beside the Basic Profile
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    retain: Vec<Retain>,
    /// What is cleaned instead of removed
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    clean: Vec<Clean>,
    /// Dates are removed, shifted by so many days a patient (times stay), or kept
    #[arg(long, value_enum, default_value_t = DatesArg::Remove)]
    dates: DatesArg,
    /// The secret that pseudonyms are made with, outside the folder that is written into; made if it is not there.
    /// Without it, another run gives other names
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Text in the pixels: auto masks what is found, warn only says so, none does not look; or a rectangle in pixels of
    /// the picture, as often as there are any
    #[arg(long, value_name = "auto|warn|none|X,Y,W,H", default_value = "warn")]
    mask: Vec<MaskArg>,
    /// Write what was changed here, .json or .csv, outside the folder that is written into: it leads from the originals
    /// to their pseudonyms
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// The report has old and new values: it names the patients then
    #[arg(long)]
    old_values: bool,
    /// Go on with what was written into the folder before
    #[arg(long, requires = "key")]
    resume: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Retain {
    /// UIDs
    Uids,
    /// Serial numbers, station names
    Device,
    /// Name and address of the institution
    Institution,
    /// Sex, age, size, weight
    Patient,
    /// Private attributes that the standard lists as safe
    Private,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clean {
    /// Descriptions keep the words of a radiological vocabulary
    Descriptors,
    /// Structured content keeps its codes and numbers
    Structured,
    /// Overlays and annotations keep their drawings
    Graphics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DatesArg {
    Remove,
    Shift,
    Keep,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum MaskArg {
    Auto,
    Warn,
    None,
    Region(Region),
}

impl FromStr for MaskArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => return Ok(Self::Auto),
            "warn" => return Ok(Self::Warn),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Self::Region(Region { x, y, width, height })),
            _ => Err("it is auto, warn, none, or a rectangle X,Y,W,H of at least one pixel".to_owned()),
        }
    }
}

impl DeidentifyArgs {
    fn options(&self) -> Options {
        Options {
            retain_uids: self.retain.contains(&Retain::Uids),
            retain_device_identity: self.retain.contains(&Retain::Device),
            retain_institution_identity: self.retain.contains(&Retain::Institution),
            retain_patient_characteristics: self.retain.contains(&Retain::Patient),
            retain_safe_private: self.retain.contains(&Retain::Private),
            dates: match self.dates {
                DatesArg::Remove => Dates::Remove,
                DatesArg::Shift => Dates::Shift,
                DatesArg::Keep => Dates::Keep,
            },
            clean_descriptors: self.clean.contains(&Clean::Descriptors),
            clean_structured_content: self.clean.contains(&Clean::Structured),
            clean_graphics: self.clean.contains(&Clean::Graphics),
        }
    }

    fn masking(&self) -> Result<Masking, Usage> {
        let region = |mask: &MaskArg| match mask {
            MaskArg::Region(region) => Some(*region),
            _ => None,
        };
        let regions: Option<Vec<Region>> = self.mask.iter().map(region).collect();
        match (self.mask.as_slice(), regions) {
            ([MaskArg::Auto], _) => Ok(Masking::Auto),
            ([MaskArg::Warn], _) => Ok(Masking::Warn),
            ([MaskArg::None], _) => Ok(Masking::None),
            (_, Some(regions)) => Ok(Masking::Regions(regions)),
            _ => Err(Usage("--mask: words and rectangles do not go together".to_owned())),
        }
    }
}

/// Runs the command: exit code 1 if a file failed.
///
/// # Errors
/// If the key, the folder or the report cannot be read or written.
pub fn run(args: &DeidentifyArgs) -> anyhow::Result<ExitCode> {
    let form = args.report.as_deref().map(form_of).transpose()?;
    let masking = args.masking()?;
    batch::kept_apart(&args.out, &[args.key.as_deref(), args.report.as_deref()])?;
    let Sources { files, notes } = batch::sources(&args.inputs, &args.out);
    if files.is_empty() {
        for note in &notes {
            eprintln!("note: {note}");
        }
        anyhow::bail!("there is no file to work on");
    }
    let batch = Batch {
        files,
        out: args.out.clone(),
        settings: Settings {
            options: args.options(),
            key: key(args.key.as_deref())?,
            masking,
            old_values: args.old_values,
        },
        resume: args.resume,
    };
    let cancel = cancel_on_ctrl_c()?;
    let bar = output::progress_bar(batch.files.len());
    let mut report = batch::run(&batch, &|done, _| bar.set_position(done as u64), &cancel)?;
    bar.finish_and_clear();
    report.notes = notes;
    say(&report, args);
    write(&report, args, form)?;
    let (_, _, failed) = report.counts();
    Ok(if report.cancelled {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::from(u8::from(failed > 0))
    })
}

fn key(path: Option<&Path>) -> Result<Key, KeyError> {
    path.map_or_else(Key::random, Key::load_or_create)
}

fn form_of(path: &Path) -> Result<Form, Usage> {
    let fault = || Usage(format!("{}: the name must end in .json or .csv", path.display()));
    Form::of(path).ok_or_else(fault)
}

fn write(report: &Report, args: &DeidentifyArgs, form: Option<Form>) -> anyhow::Result<()> {
    if let (Some(path), Some(form)) = (&args.report, form) {
        let bytes = report.to_bytes(form).map_err(anyhow::Error::msg)?;
        output::write_private(path, &bytes)?;
    }
    if args.json {
        let bytes = report.to_json().map_err(anyhow::Error::msg)?;
        println!("{}", String::from_utf8(bytes).context("the report is no text")?);
    }
    Ok(())
}

fn say(report: &Report, args: &DeidentifyArgs) {
    for note in &report.notes {
        eprintln!("note: {note}");
    }
    for file in &report.files {
        let source = file.source.display();
        if let Status::Failed(reason) = &file.status {
            eprintln!("recovnet: {source}: {reason}");
        }
        for warning in &file.warnings {
            eprintln!("note: {source}: {warning}");
        }
    }
    if !args.json {
        println!("{}", report.summary());
    }
    if report.cancelled {
        eprintln!(
            "recovnet: cancelled; {}",
            match args.key {
                Some(_) => "--resume goes on, with the same --key",
                None => "without --key, there is no going on: begin anew in an empty folder",
            }
        );
    }
}

//! `recovnet phantom`: writes the synthetic chest phantom.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::imaging::phantom::{self, DEFAULT_SIZE};

use super::{Usage, output};

/// Options of `recovnet phantom`.
#[derive(Debug, Args)]
pub struct PhantomArgs {
    /// What to write: a PNG or a DICOM file, by the name's ending
    #[arg(value_name = "OUT.png|OUT.dcm")]
    out: PathBuf,
    /// Columns
    #[arg(long, default_value_t = DEFAULT_SIZE, value_name = "PIXELS")]
    width: u32,
    /// Rows
    #[arg(long, default_value_t = DEFAULT_SIZE, value_name = "PIXELS")]
    height: u32,
    /// Another number, another exposure of the same chest: every pixel's noise differs
    #[arg(long, default_value_t = 0, value_name = "N")]
    seed: u32,
}

/// Runs the command.
///
/// # Errors
/// If the name's ending or the size is not possible, or the file cannot be written.
pub fn run(args: &PhantomArgs) -> anyhow::Result<ExitCode> {
    let ending = args
        .out
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let bytes = match ending.to_ascii_lowercase().as_str() {
        "png" => phantom::png_bytes_seeded(args.width, args.height, args.seed),
        "dcm" => phantom::dicom_bytes_seeded(args.width, args.height, args.seed),
        _ => return Err(Usage(format!("{}: the name must end in .png or .dcm", args.out.display())).into()),
    };
    output::write(&args.out, &bytes.context("the phantom cannot be made")?)?;
    Ok(ExitCode::SUCCESS)
}

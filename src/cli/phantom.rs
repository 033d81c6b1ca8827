//! `recovnet phantom`: writes the synthetic chest phantom.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::imaging::phantom;

use super::{Usage, output};

/// Options of `recovnet phantom`.
#[derive(Debug, Args)]
pub struct PhantomArgs {
    /// OUT.png or OUT.dcm
    #[arg(value_name = "OUT.png|OUT.dcm")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// If the file's ending is neither, or it cannot be written.
pub fn run(args: &PhantomArgs) -> anyhow::Result<ExitCode> {
    let ending = args.out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let bytes = match ending.to_ascii_lowercase().as_str() {
        "png" => phantom::png(),
        "dcm" => phantom::dicom(),
        _ => return Err(Usage(format!("{}: the name must end in .png or .dcm", args.out.display())).into()),
    };
    output::write(&args.out, &bytes)?;
    Ok(ExitCode::SUCCESS)
}

//! `recovnet doctor`: what this program and this machine have, line by line.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::inference::device;
use crate::inference::models::{self, ClassifierName, WeightsFile};
use crate::nn::ops::cpu::tile::KERNEL_VARIABLE;
use crate::nn::ops::cpu::{kernel_name, threads};
use crate::report;
use crate::viewer;

use super::machine;

/// Options of `recovnet doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Folder searched first for weights
    #[arg(long, value_name = "FOLDER")]
    weights: Option<PathBuf>,
}

/// Runs the command; exit code 1 if the weights of the segmenter or of ReCovNet-v1 are missing or not right.
pub fn run(args: &DoctorArgs) -> ExitCode {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "recovnet {} (commit {}, features: {})",
        env!("CARGO_PKG_VERSION"),
        machine::commit(),
        machine::features()
    );
    let _ = writeln!(text, "CPU: {}", cpu());
    let _ = writeln!(text, "Kernels: {}", kernels());
    for line in device::cuda_report() {
        let _ = writeln!(text, "CUDA: {line}");
    }
    let _ = writeln!(text, "GPU driver: {}", gpu_driver());
    for line in viewer::adapter_report() {
        let _ = writeln!(text, "Display: {line}");
    }
    let usable = weights(args, &mut text);
    let _ = writeln!(text, "{}.", report::NOTICE);
    // A reader that has seen enough may have closed the pipe.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(u8::from(!usable))
}

/// Model, cores and the vector instructions that the kernels can use.
fn cpu() -> String {
    format!(
        "{}, {} cores, {} threads compute, {}",
        machine::cpu_model(),
        machine::cores(),
        threads(),
        machine::vectors()
    )
}

/// The kernels that compute on the CPU, and whether the environment has chosen them.
fn kernels() -> String {
    let name = kernel_name();
    let wanted = std::env::var(KERNEL_VARIABLE).unwrap_or_default();
    if wanted.is_empty() {
        name.to_owned()
    } else if wanted.eq_ignore_ascii_case(name) {
        format!("{name}, chosen by {KERNEL_VARIABLE}")
    } else {
        format!("{name}; {KERNEL_VARIABLE} names '{wanted}', which this machine does not have")
    }
}

/// The NVIDIA kernel driver's version, or why there is none.
fn gpu_driver() -> String {
    let version = std::fs::read_to_string("/sys/module/nvidia/version");
    match version {
        Ok(version) => format!("NVIDIA {}", version.trim()),
        Err(_) => "no NVIDIA driver is loaded".to_owned(),
    }
}

/// Tells where weights are looked for and what is there; whether the main job can run.
fn weights(args: &DoctorArgs, text: &mut String) -> bool {
    let folders = models::weights_folders(args.weights.as_deref());
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let _ = writeln!(text, "Weights are looked for in: {}", names.join(", "));
    let segmenter = models::verified_segmenter(&folders);
    let mut usable = tell(models::SEGMENTER, &segmenter, text);
    for name in ClassifierName::ALL {
        let verified = models::verified_classifier(&folders, name);
        let optional = matches!(verified, Err(models::Error::Missing { .. }));
        if name == ClassifierName::RecovnetV1 || !optional {
            usable &= tell(name.name(), &verified, text);
        } else {
            let _ = writeln!(text, "Weights {name}: not there (optional)");
        }
    }
    usable
}

fn tell(name: &str, verified: &Result<WeightsFile, models::Error>, text: &mut String) -> bool {
    match verified {
        Ok(WeightsFile { path, card }) => {
            let hash = card.sha256.get(..8).unwrap_or_default();
            let _ = writeln!(
                text,
                "Weights {name}: version {}, SHA-256 {hash} verified, {}",
                card.version,
                path.display()
            );
        }
        Err(error) => {
            let _ = writeln!(text, "Weights {name}: {error}");
        }
    }
    verified.is_ok()
}

//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::inference::device::DeviceChoice;
use crate::inference::models::ClassifierName;
use crate::nn::Precision;
use crate::nn::ops::cpu::{self, ThreadsError};

/// Where weights lie and what computes.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// Folder searched first for weights
    #[arg(long, value_name = "FOLDER")]
    pub weights: Option<PathBuf>,
    /// What computes: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: String,
    #[command(flatten)]
    pub threads: ThreadsArg,
}

/// How many threads compute.
#[derive(Debug, Clone, Copy, Args)]
pub struct ThreadsArg {
    /// Threads that compute on the CPU [default: one a core]
    #[arg(long = "threads", value_name = "N", value_parser = threads)]
    number: Option<usize>,
}

impl ThreadsArg {
    /// Starts so many threads, if a number was given; before anything is computed.
    ///
    /// # Errors
    /// If the system cannot.
    pub fn apply(self) -> Result<(), ThreadsError> {
        self.number.map_or(Ok(()), cpu::set_threads)
    }
}

/// Starts so many threads that compute, and as many that load pictures, if a number is given.
///
/// # Errors
/// If the system cannot.
pub fn start_threads(number: Option<usize>) -> Result<(), ThreadsError> {
    let Some(number) = number else {
        return Ok(());
    };
    cpu::set_threads(number)?;
    // The pool that loads is there already only if something was loaded; it computes nothing that depends on it.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(number).build_global();
    Ok(())
}

/// Which classifier scores the pictures.
#[derive(Debug, Clone, Copy, Args)]
pub struct ClassifierArg {
    #[arg(
        long = "classifier",
        value_name = "NAME",
        default_value_t = ClassifierName::RecovnetV1,
        help = format!("One of {}", ClassifierName::names())
    )]
    /// Its name, which is also that of its weights.
    pub name: ClassifierName,
}

/// A device's name as it was given, if there is such a device.
pub fn device(name: &str) -> Result<String, String> {
    let choice: Result<DeviceChoice, _> = name.parse();
    choice.map(|_| name.to_owned()).map_err(|error| error.to_string())
}

/// A number of threads that may compute.
pub fn threads(text: &str) -> Result<usize, String> {
    let number = text.parse().map_err(|_| "a whole number is needed".to_owned())?;
    cpu::check_threads(number).map_err(|error| error.to_string())?;
    Ok(number)
}

/// What numbers to compute with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// f32 throughout.
    #[default]
    F32,
    /// bf16 with f32 parameters.
    Bf16,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::F32 => Self::F32,
            PrecisionName::Bf16 => Self::Bf16,
        }
    }
}

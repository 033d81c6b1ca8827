//! Options that several commands share.

use std::path::PathBuf;

use clap::Args;

use crate::inference::device::DeviceChoice;
use crate::inference::models::ClassifierName;

/// Where weights lie and what computes.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// Folder searched first for weights
    #[arg(long, value_name = "FOLDER")]
    pub weights: Option<PathBuf>,
    /// What computes: auto, cpu or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: String,
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

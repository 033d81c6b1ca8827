//! Options that several commands share.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::inference::device::DeviceChoice;
use crate::inference::installed;
use crate::inference::models::{self, ClassifierName, Models};
use crate::nn::Precision;
use crate::nn::ops::cpu::{self, ThreadsError};
use crate::training::evaluation::Selection;
use crate::training::runs;

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

/// Which classifiers score the pictures.
#[derive(Debug, Clone, Args)]
pub struct ClassifiersArg {
    #[arg(
        long = "classifier",
        value_name = "NAME",
        default_value = ClassifierName::RecovnetV1.name(),
        value_parser = classifiers,
        help = format!("One of {}, or all for every installed one; can be given several times", ClassifierName::names())
    )]
    /// As they were given.
    wanted: Vec<Wanted>,
}

/// A classifier by its name, or all that are installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    One(ClassifierName),
    All,
}

fn classifiers(name: &str) -> Result<Wanted, String> {
    if name == "all" {
        return Ok(Wanted::All);
    }
    name.parse().map(Wanted::One)
}

impl ClassifiersArg {
    /// The names in their order, each once. Those that `all` leaves out are told on standard error.
    ///
    /// # Errors
    /// If `all` finds none.
    pub fn names(&self, weights: Option<&Path>) -> anyhow::Result<Vec<ClassifierName>> {
        let mut names: Vec<ClassifierName> = Vec::new();
        for wanted in &self.wanted {
            let more = match wanted {
                Wanted::One(name) => vec![*name],
                Wanted::All => {
                    let ready = installed::ready(&models::weights_folders(weights));
                    let missing = ClassifierName::ALL.into_iter().filter(|name| !ready.contains(name));
                    let missing: Vec<&str> = missing.map(ClassifierName::name).collect();
                    anyhow::ensure!(
                        !ready.is_empty(),
                        "no classifier is installed; 'recovnet models' says how to get one"
                    );
                    if !missing.is_empty() {
                        let missing = missing.join(", ");
                        eprintln!("not installed: {missing}; 'recovnet models' says how to train them");
                    }
                    ready
                }
            };
            for name in more {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}

/// Which classifier is measured: an installed one, any file, or a run's best weights.
#[derive(Debug, Clone, Args)]
pub struct ClassifierSource {
    #[command(flatten)]
    installed: ClassifierArg,
    /// A classifier's weights file instead, with its card beside it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "name"])]
    weights_file: Option<PathBuf>,
    /// Folder of a run instead: its best weights; the results are kept in it, and its own data are parted as it parted
    /// them unless a split is named
    #[arg(long, value_name = "FOLDER", conflicts_with = "name")]
    pub run: Option<PathBuf>,
    /// The network of this epoch of the run instead of the best one, if it was kept (train --keep-every); its results
    /// are not kept in the run
    #[arg(long, value_name = "EPOCH", requires = "run")]
    epoch: Option<usize>,
}

impl ClassifierSource {
    /// The best weights of a run.
    pub fn of_run(run: &Path) -> Self {
        Self {
            installed: ClassifierArg {
                name: ClassifierName::RecovnetV1,
            },
            weights_file: None,
            run: Some(run.to_owned()),
            epoch: None,
        }
    }

    /// The run that results are kept in: those of its best weights are.
    pub fn run_of_results(&self) -> Option<&Path> {
        self.run.as_deref().filter(|_| self.epoch.is_none())
    }

    /// The weights file, if one is named by itself or by its run.
    ///
    /// # Errors
    /// If no run lies in the folder, or it did not keep the epoch that is asked for.
    pub fn file(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(folder) = &self.run else {
            return Ok(self.weights_file.clone());
        };
        let run = runs::open(folder)?;
        let Some(epoch) = self.epoch else {
            return Ok(Some(runs::best_weights(&run.folder)));
        };
        let kept: Vec<String> = run.kept.iter().map(usize::to_string).collect();
        let there = if kept.is_empty() {
            "none".to_owned()
        } else {
            kept.join(", ")
        };
        anyhow::ensure!(
            run.kept.contains(&epoch),
            "{}: the network of epoch {epoch} was not kept; of these epochs it was: {there} ('train --keep-every N' \
             keeps them)",
            folder.display()
        );
        Ok(Some(runs::kept_weights(&run.folder, epoch)))
    }

    /// Loads it with the segmenter.
    ///
    /// # Errors
    /// If the run is none, weights are missing or refused, or the device cannot be used.
    pub fn load(&self, args: &ModelArgs) -> anyhow::Result<Models> {
        let (weights, device) = (args.weights.as_deref(), args.device.as_str());
        let loaded: Result<Models, models::Error> = match self.file()? {
            Some(file) => Models::load_file(weights, &file, device),
            None => Models::load(weights, self.installed.name, device),
        };
        Ok(loaded?)
    }
}

/// A part of the data by its name.
pub fn selection(name: &str) -> Result<Selection, String> {
    name.parse()
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

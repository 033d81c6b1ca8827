//! The run folder: settings, metrics, the best weights with their card, and all it takes to go on. Every file is
//! put in place whole; what belongs together lies in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::nn::weights::{self, Precision};
use crate::nn::{Device, ModelCard, Network, Tensor};

use super::Error;
use super::adam::{Adam, AdamForm, Moments};
use super::dataset;
use super::event::EpochRecord;
use super::manifest::Manifest;
use super::recipe::Config;
use super::split::{self, SplitRule};
use super::trainer::Job;

/// Settings.
const CONFIG: &str = "config.json";
/// One line an epoch.
const METRICS: &str = "metrics.jsonl";
/// Best weights by the validation part.
const BEST: &str = "best.safetensors";
/// Network, optimiser and progress after the last finished epoch.
const LAST: &str = "last.safetensors";
/// How the data are parted, unless by the hash of groups, which needs no file.
const SPLIT: &str = "split.json";
/// Prefixes of the optimiser's tensors in the last checkpoint.
const FIRST_MOMENT: &str = "adam.first.";
const SECOND_MOMENT: &str = "adam.second.";
/// Metadata entry of the last checkpoint.
const PROGRESS: &str = "progress";

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Its score on the validation part.
    pub score: f64,
    /// Image size it was reached at: scores of different sizes are not compared.
    pub size: usize,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Optimiser steps.
    pub steps: u64,
    /// Best epoch.
    pub best: Option<Best>,
    /// The finished epochs.
    pub records: Vec<EpochRecord>,
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A folder that may hold a run.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Opens a job's data; a run that goes on keeps the split that lies in its folder.
    ///
    /// # Errors
    /// If the data or the split cannot be used.
    pub fn open_data(&self, job: &Job) -> Result<Manifest, Error> {
        let mut options = job.dataset.clone();
        let kept = self.file(SPLIT);
        if job.resume && options.split_file.is_none() && kept.exists() {
            options.split_file = Some(kept);
        }
        Ok(dataset::open(&job.data, &options)?)
    }

    /// Keeps how the data are parted.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_split(&self, manifest: &Manifest) -> Result<(), Error> {
        if manifest.split.rule == SplitRule::Hash {
            return Ok(());
        }
        let written = split::file::write(&self.file(SPLIT), &manifest.rows, &manifest.split);
        Ok(written.map_err(dataset::Error::from)?)
    }

    /// Begins a run: makes the folder and writes the settings.
    ///
    /// # Errors
    /// If a run lies there already, or the folder cannot be written.
    pub fn create(path: &Path, config: &Config) -> Result<Self, Error> {
        let folder = Self { path: path.to_owned() };
        if folder.file(CONFIG).exists() {
            let reason = "a run lies here already; resume it with --resume or name another folder".to_owned();
            return Err(Error::Run {
                path: path.to_owned(),
                reason,
            });
        }
        std::fs::create_dir_all(path).map_err(|e| cannot_write(path, &e))?;
        write_json(&folder.file(CONFIG), config)?;
        Ok(folder)
    }

    /// Opens a run to go on with it.
    ///
    /// # Errors
    /// If there is none, or its settings are others than `config`; the first that differs is named.
    pub fn open(path: &Path, config: &Config) -> Result<Self, Error> {
        let folder = Self { path: path.to_owned() };
        let file = folder.file(CONFIG);
        let fail = |reason: String| Error::Run {
            path: file.clone(),
            reason,
        };
        let text = std::fs::read_to_string(&file).map_err(|e| fail(format!("no run to resume: {e}")))?;
        let recorded: Config =
            serde_json::from_str(&text).map_err(|e| fail(format!("these are no settings of a run: {e}")))?;
        match difference(&recorded, config) {
            None => Ok(folder),
            Some((setting, there, here)) => Err(fail(format!(
                "the run in this folder has {setting} {there}, not {here}; resume it with its own settings"
            ))),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the best weights lie.
    pub fn best_weights(&self) -> PathBuf {
        self.file(BEST)
    }

    /// Saves the best weights, convolution kernels as f16, and returns their SHA-256. Their card is next: see
    /// [`Self::save_card`].
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save_best(&self, network: &impl Network, metadata: &BTreeMap<String, String>) -> Result<String, Error> {
        Ok(weights::save(
            &self.best_weights(),
            &network.state(),
            metadata,
            Precision::F16Kernels,
        )?)
    }

    /// Writes the card beside the best weights.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_card(&self, card: &ModelCard) -> Result<(), Error> {
        write_json(&self.best_weights().with_extension("json"), card)
    }

    /// Saves everything it takes to go on, and the metrics of the epochs so far.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_last(&self, network: &impl Network, adam: &Adam, progress: &Progress) -> Result<(), Error> {
        let mut tensors = network.state();
        for (name, moments) in adam.moments()?.iter() {
            for (prefix, values) in [(FIRST_MOMENT, &moments.first), (SECOND_MOMENT, &moments.second)] {
                let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu).map_err(crate::nn::Error::from)?;
                tensors.insert(format!("{prefix}{name}"), tensor);
            }
        }
        let text = json(&self.file(LAST), progress)?;
        let metadata = BTreeMap::from([(PROGRESS.to_owned(), text)]);
        weights::save(&self.file(LAST), &tensors, &metadata, Precision::Full)?;
        self.save_metrics(&progress.records)
    }

    fn save_metrics(&self, records: &[EpochRecord]) -> Result<(), Error> {
        let file = self.file(METRICS);
        let mut lines = String::new();
        for record in records {
            lines += &json(&file, record)?;
            lines.push('\n');
        }
        atomic_file::write(&file, lines.as_bytes()).map_err(|e| cannot_write(&file, &e))
    }

    /// Puts network and optimiser back as they were after the last finished epoch; `None` where none was finished.
    ///
    /// # Errors
    /// If the checkpoint is broken or of another network.
    pub fn load_last(&self, network: &mut impl Network, form: AdamForm) -> Result<Option<(Adam, Progress)>, Error> {
        let file = self.file(LAST);
        if !file.exists() {
            return Ok(None);
        }
        let fail = |reason: String| Error::Run {
            path: file.clone(),
            reason,
        };
        let mut device = Device::Cpu;
        network.visit(&mut |_, tensor, _| device = tensor.device().clone());
        let (tensors, metadata) = weights::read(&file, &device)?;
        let text = metadata
            .get(PROGRESS)
            .ok_or_else(|| fail("this is no checkpoint of a run".to_owned()))?;
        let progress: Progress =
            serde_json::from_str(text).map_err(|e| fail(format!("this is no checkpoint of a run: {e}")))?;
        network.load_state(&tensors)?;
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (name, tensor) in &tensors {
            let values = || tensor.to_vec1::<f32>().map_err(crate::nn::Error::from);
            if let Some(name) = name.strip_prefix(FIRST_MOMENT) {
                moments.entry(name.to_owned()).or_default().first = values()?;
            } else if let Some(name) = name.strip_prefix(SECOND_MOMENT) {
                moments.entry(name.to_owned()).or_default().second = values()?;
            }
        }
        Ok(Some((Adam::restore(form, progress.steps, moments), progress)))
    }
}

/// The first setting that differs: its name, what is recorded and what is asked for.
fn difference(recorded: &Config, asked: &Config) -> Option<(String, String, String)> {
    let fields = |config: &Config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (recorded, asked) = (fields(recorded), fields(asked));
    recorded.into_iter().find_map(|(name, there)| {
        let here = asked.get(&name).cloned().unwrap_or_default();
        (there != here).then(|| (name, there.to_string(), here.to_string()))
    })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::Run {
        path: path.to_owned(),
        reason: format!("cannot be written: {error}"),
    }
}

/// A value as JSON on one line, for a file.
fn json<T: Serialize>(file: &Path, value: &T) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| cannot_write(file, &e.into()))
}

/// Writes a value as JSON for people to read.
fn write_json<T: Serialize>(file: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|e| cannot_write(file, &e.into()))?;
    atomic_file::write(file, format!("{text}\n").as_bytes()).map_err(|e| cannot_write(file, &e))
}

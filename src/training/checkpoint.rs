//! The run folder: settings, metrics, the best weights with their card, and all it takes to go on. Every file is
//! put in place whole; what belongs together lies in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic_file;
use crate::nn::weights::{self, Precision};
use crate::nn::{Device, ModelCard, Network, Tensor};

use super::Error;
use super::adam::{Adam, AdamSettings, Moments};
use super::check::gate::Record;
use super::dataset;
use super::event::{EpochRecord, Place};
use super::fingerprint::Fingerprint;
use super::lock::RunLock;
use super::manifest::Manifest;
use super::recipe::Config;
use super::request::Request;
use super::split::{self, SplitRule};
use super::trainer::Job;

/// Settings.
const CONFIG: &str = "config.json";
/// One line an epoch.
const METRICS: &str = "metrics.jsonl";
/// Best weights by the validation part.
const BEST: &str = "best.safetensors";
/// Network, optimiser and progress at the last checkpoint.
const LAST: &str = "last.safetensors";
/// How the data are parted, unless by the hash of groups, which needs no file.
const SPLIT: &str = "split.json";
/// What a check of the data found.
const CHECK: &str = "check.json";
/// The run as it was asked for; see [`super::request::Request`].
pub const REQUEST: &str = "job.json";
/// Prefixes of the optimiser's tensors in the last checkpoint.
const FIRST_MOMENT: &str = "adam.first.";
const SECOND_MOMENT: &str = "adam.second.";
/// Metadata entry of the last checkpoint.
const PROGRESS: &str = "progress";
/// Metadata entry of weights: the epoch they come from.
pub const EPOCH: &str = "epoch";
/// Version of settings and checkpoints. Those of version 1 lay at the ends of epochs only.
const FORMAT: u32 = 2;

/// The best epoch so far.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Its score on the validation part, by the metric that the run is judged by.
    pub score: f64,
    /// Image size it was reached at: scores of different sizes are not compared.
    pub size: usize,
}

impl From<&EpochRecord> for Best {
    fn from(record: &EpochRecord) -> Self {
        Self {
            epoch: record.epoch,
            score: record.validation_score,
            size: record.size,
        }
    }
}

/// The part of an epoch that is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Within {
    /// Steps.
    pub steps: usize,
    /// Bits of the sum of their losses (f64): decimal digits would not come back exactly.
    pub loss_bits: u64,
    /// Images.
    pub images: usize,
    /// Rate of the last step.
    pub rate: f64,
    /// Seconds they took.
    pub seconds: f64,
    /// Seconds of those in which the network waited for images.
    pub waited: f64,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Version of what a checkpoint holds.
    #[serde(default)]
    pub format: u32,
    /// Optimiser steps.
    pub steps: u64,
    /// Best epoch.
    pub best: Option<Best>,
    /// The finished epochs.
    pub records: Vec<EpochRecord>,
    /// The epoch under way.
    #[serde(default)]
    pub within: Within,
    /// Most images at once by image size, where memory was short.
    #[serde(default)]
    pub micro: BTreeMap<usize, usize>,
    /// What computed it: `CPU, 2 threads`.
    #[serde(default)]
    pub device: String,
}

impl Progress {
    /// Where the run goes on.
    pub fn place(&self) -> Place {
        Place {
            epochs: self.records.len(),
            steps: self.within.steps,
        }
    }
}

/// What lies in the settings file.
#[derive(Debug, Serialize, Deserialize)]
struct Recorded {
    #[serde(default)]
    format: u32,
    #[serde(flatten)]
    config: Config,
    #[serde(default)]
    rows: Fingerprint,
}

/// A run's folder. Nothing else can run there once it was begun or opened.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    lock: Option<RunLock>,
}

impl RunFolder {
    /// A folder that may hold a run.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            lock: None,
        }
    }

    /// Opens a job's data; a run that goes on keeps the split that lies in its folder.
    ///
    /// # Errors
    /// If the data or the split cannot be used.
    pub fn open_data(&self, job: &Job) -> Result<Manifest, Error> {
        let options = job.dataset.clone();
        let options = if job.resume {
            self.with_kept_split(options)
        } else {
            options
        };
        Ok(dataset::open(&job.data, &options)?)
    }

    /// Options that part the run's data as they are parted in its folder, if they name no split file of their own.
    pub fn with_kept_split(&self, mut options: dataset::Options) -> dataset::Options {
        let kept = self.file(SPLIT);
        if options.split_file.is_none() && kept.exists() {
            options.split_file = Some(kept);
        }
        options
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

    /// Begins a run: makes the folder, locks it and writes the settings.
    ///
    /// # Errors
    /// If a run lies there already, or the folder cannot be written.
    pub fn create(path: &Path, config: &Config, rows: Fingerprint) -> Result<Self, Error> {
        std::fs::create_dir_all(path).map_err(|e| cannot_write(path, &e))?;
        let folder = Self::locked(path)?;
        if folder.file(CONFIG).exists() {
            let reason = "a run lies here already; resume it or name another folder".to_owned();
            return Err(Error::Run {
                path: path.to_owned(),
                reason,
            });
        }
        let recorded = Recorded {
            format: FORMAT,
            config: config.clone(),
            rows,
        };
        write_json(&folder.file(CONFIG), &recorded)?;
        Ok(folder)
    }

    fn locked(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            lock: Some(RunLock::take(path)?),
            ..Self::at(path)
        })
    }

    /// Opens and locks a run to go on with it.
    ///
    /// # Errors
    /// If there is none, it is of another version of the program, its settings are others than `config` (the first that
    /// differs is named), or its images are others.
    pub fn open(path: &Path, config: &Config, rows: &Fingerprint) -> Result<Self, Error> {
        let file = path.join(CONFIG);
        let fail = |reason: String| Error::Run {
            path: file.clone(),
            reason,
        };
        let text = std::fs::read_to_string(&file).map_err(|e| fail(format!("no run to resume: {e}")))?;
        let fields: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| fail(format!("these are no settings of a run: {e}")))?;
        check_format(fields["format"].as_u64().unwrap_or(1)).map_err(&fail)?;
        let recorded: Recorded =
            serde_json::from_value(fields).map_err(|e| fail(format!("these are no settings of a run: {e}")))?;
        if let Some((setting, there, here)) = difference(&recorded.config, config) {
            return Err(fail(format!(
                "the run in this folder has {setting} {there}, not {here}; resume it with its own settings"
            )));
        }
        if recorded.rows != *rows {
            let what = if recorded.rows.images == rows.images {
                "names, labels, parts or sizes of the files are others".to_owned()
            } else {
                format!(
                    "it began with {} images, now there are {}",
                    recorded.rows.images, rows.images
                )
            };
            return Err(fail(format!(
                "the data are not those that the run began with: {what}; put them back, or begin a new run"
            )));
        }
        Self::locked(path)
    }

    /// Keeps how the run was asked for.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_request(&self, request: &Request) -> Result<(), Error> {
        write_json(&self.file(REQUEST), request)
    }

    /// Keeps what a check of the data found.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save_check(&self, record: &Record) -> Result<(), Error> {
        write_json(&self.file(CHECK), record)
    }

    /// What the check of a run's data found, if there was one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn check(&self) -> Result<Option<Record>, Error> {
        let file = self.file(CHECK);
        let fail = |reason: String| Error::Run {
            path: file.clone(),
            reason,
        };
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&file).map_err(|e| fail(format!("cannot be read: {e}")))?;
        let record = serde_json::from_str(&text);
        record.map_err(|e| fail(format!("this says nothing of a check: {e}")))
    }

    /// Number of a process that died in a run in this folder.
    pub fn died(&self) -> Option<u32> {
        self.lock.as_ref().and_then(|lock| lock.died)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings of a run.
    ///
    /// # Errors
    /// If there is none in the folder, or it is of another version of the program.
    pub fn config(&self) -> Result<Config, Error> {
        let file = self.file(CONFIG);
        let fail = |reason: String| Error::Run {
            path: file.clone(),
            reason,
        };
        let text = std::fs::read_to_string(&file).map_err(|e| fail(format!("no run to resume: {e}")))?;
        let recorded: Recorded =
            serde_json::from_str(&text).map_err(|e| fail(format!("these are no settings of a run: {e}")))?;
        check_format(recorded.format.into()).map_err(&fail)?;
        Ok(recorded.config)
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
    /// If it cannot be written; what was there before stays.
    pub fn save_last(&self, network: &impl Network, adam: &Adam, progress: &Progress) -> Result<(), Error> {
        let mut tensors = network.state();
        for (name, moments) in adam.moments()?.iter() {
            for (prefix, values) in [(FIRST_MOMENT, &moments.first), (SECOND_MOMENT, &moments.second)] {
                let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu).map_err(crate::nn::Error::from)?;
                tensors.insert(format!("{prefix}{name}"), tensor);
            }
        }
        let progress = Progress {
            format: FORMAT,
            ..progress.clone()
        };
        let text = json(&self.file(LAST), &progress)?;
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

    /// Puts network and optimiser back as they were at the last checkpoint; `None` where there is none.
    ///
    /// # Errors
    /// If the checkpoint is broken, of another network or of another version of the program.
    pub fn load_last(
        &self,
        network: &mut impl Network,
        settings: AdamSettings,
    ) -> Result<Option<(Adam, Progress)>, Error> {
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
        check_format(progress.format.into()).map_err(&fail)?;
        let other = |cause: &dyn std::fmt::Display| {
            fail(format!(
                "this is the checkpoint of another network ({cause}); resume the run that it belongs to, or begin a \
                 new one"
            ))
        };
        network.load_state(&tensors).map_err(|e| other(&e))?;
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (name, tensor) in &tensors {
            let values = || tensor.to_vec1::<f32>().map_err(crate::nn::Error::from);
            if let Some(name) = name.strip_prefix(FIRST_MOMENT) {
                moments.entry(name.to_owned()).or_default().first = values()?;
            } else if let Some(name) = name.strip_prefix(SECOND_MOMENT) {
                moments.entry(name.to_owned()).or_default().second = values()?;
            }
        }
        let mut odd = None;
        network.visit(&mut |name, tensor, _| {
            let length = tensor.elem_count();
            if moments
                .get(name)
                .is_some_and(|m| m.first.len() != length || m.second.len() != length)
            {
                odd = Some(name.to_owned());
            }
        });
        match odd {
            Some(name) => Err(other(&format!("the optimiser's state of {name} is of another size"))),
            None => Ok(Some((Adam::restore(settings, progress.steps, moments), progress))),
        }
    }

    /// The epoch that the best weights on disk come from.
    pub fn best_epoch(&self) -> Option<usize> {
        let (_, metadata) = weights::read(&self.best_weights(), &Device::Cpu).ok()?;
        metadata.get(EPOCH)?.parse().ok()
    }
}

/// Refuses what another version of the program wrote.
fn check_format(found: u64) -> Result<(), String> {
    if found == u64::from(FORMAT) {
        return Ok(());
    }
    Err(format!(
        "another version of the program wrote this (format {found}, this one has {FORMAT}); go on with that version, \
         or begin a new run, with the run's best weights as its initial ones if you like"
    ))
}

/// The first setting that differs: its name, what is recorded and what is asked for. What a run from before a setting
/// was there was judged by is its task's own metric.
fn difference(recorded: &Config, asked: &Config) -> Option<(String, String, String)> {
    let plain = |config: &Config| Config {
        best_by: Some(config.best_metric()),
        ..config.clone()
    };
    let fields = |config: &Config| match serde_json::to_value(plain(config)) {
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
pub(super) fn write_json<T: Serialize>(file: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|e| cannot_write(file, &e.into()))?;
    atomic_file::write(file, format!("{text}\n").as_bytes()).map_err(|e| cannot_write(file, &e))
}

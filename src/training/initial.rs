//! The weights that a run begins with, and what they must be: verified, of the same encoder, of the right task, and
//! never trained on another split, whose training images may be test images here. An encoder that was imported from
//! elsewhere has no card and no split; segmenter and baseline may begin with it, under a fresh decoder or head.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::nn::card::Task;
use crate::nn::{self, BackboneKind, Graph, ModelCard, Network, Tensor, import, weights};

use super::Error;
use super::card::{LEARNED_BEFORE, UNKNOWN_SOURCE};
use super::manifest::Row;
use super::request::may_begin_with;
use super::split::SPLIT_KEY;
use super::trainer::Job;

/// Initial weights.
#[derive(Debug)]
pub struct Initial {
    /// Tensors by name.
    pub state: BTreeMap<String, Tensor>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Whether these are an encoder alone, so that decoder or head begin anew.
    pub encoder_only: bool,
    /// What they were trained on, those they began with first; nothing for an imported encoder.
    pub learned: Vec<Learned>,
}

/// A training that weights have behind them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    /// Name of their split.
    pub split: String,
    /// Where their images came from; `None` if the card does not say of all.
    pub sources: Option<BTreeSet<String>>,
}

impl Learned {
    /// All trainings of weights with this split in their metadata, by their card.
    fn of(split: &str, card: &ModelCard) -> Vec<Self> {
        let details = card.details.get("data");
        let before = details.and_then(|data| serde_json::from_value(data[LEARNED_BEFORE].clone()).ok());
        let mut learned: Vec<Self> = before.unwrap_or_default();
        let parts = details.and_then(|data| data["parts"].as_object());
        let sources = parts.map(|parts| {
            let by_source = parts.values().filter_map(|part| part["by_source"].as_object());
            let names = by_source.flat_map(|sources| sources.keys().cloned());
            names.collect::<BTreeSet<String>>()
        });
        learned.push(Self {
            split: split.to_owned(),
            sources: sources.filter(|sources| !sources.is_empty() && !sources.contains(UNKNOWN_SOURCE)),
        });
        learned
    }

    /// Whether these rows may hold test images that were trained on.
    fn may_know(&self, split: &str, rows: &[Row]) -> bool {
        let is_known = |row: &Row| match (&row.source, &self.sources) {
            (Some(source), Some(sources)) => sources.contains(source),
            _ => true,
        };
        self.split != split && rows.iter().any(is_known)
    }
}

impl Initial {
    /// Checks that the weights at `path` have seen no test image of these rows: all they were trained on was of the
    /// same split, or of other sources.
    ///
    /// # Errors
    /// If they may have.
    pub fn check_split(&self, path: &Path, split: &str, rows: &[Row]) -> Result<(), Error> {
        match self.learned.iter().find(|learned| learned.may_know(split, rows)) {
            None => Ok(()),
            Some(learned) => Err(Error::Init {
                path: path.to_owned(),
                reason: other_split(&learned.split, split),
            }),
        }
    }
}

fn other_split(found: &str, needed: &str) -> String {
    format!(
        "these weights were trained on the split '{found}', not on '{needed}', and not on images from elsewhere only: \
         they may have seen test images; begin with others, or part the data as theirs (--split-rule, --split-file)"
    )
}

/// Reads and checks a job's initial weights.
///
/// # Errors
/// If they are missing where the task needs them, are of another task, encoder or split, or cannot be read.
pub fn read(job: &Job) -> Result<Option<Initial>, Error> {
    let config = &job.config;
    let Some(path) = &job.init else {
        return match config.task {
            Task::Recovnet => Err(Error::Usage(
                "recovnet begins with the encoder of a trained segmenter: name its weights with --init (without \
                 one it would be the plain baseline)"
                    .to_owned(),
            )),
            Task::Segmenter | Task::Baseline => Ok(None),
        };
    };
    let fail = |reason: String| Error::Init {
        path: path.clone(),
        reason,
    };
    let check_encoder = |encoder: BackboneKind, graph: Graph| {
        if (encoder, graph) == (config.encoder, config.graph) {
            return Ok(());
        }
        Err(fail(format!(
            "these weights are of {encoder} ({graph} graph), not of {} ({} graph); train with --encoder {encoder} \
             --graph {graph}, or name other weights",
            config.encoder, config.graph
        )))
    };
    if let Some(initial) = imported(job, path, &check_encoder)? {
        return Ok(Some(initial));
    }
    let card = ModelCard::beside(path)?;
    check_task(path, config.task, card.task)?;
    check_encoder(card.backbone, card.graph)?;
    let (state, metadata) = weights::read_verified(path, &card.sha256, &job.device)?;
    match metadata.get(SPLIT_KEY).map(String::as_str) {
        Some(split) => {
            let learned = Learned::of(split, &card);
            // The rows of a run may be of other sources, but not if nobody knows of which these are.
            let unknown = |learned: &&Learned| learned.split != config.split && learned.sources.is_none();
            if let Some(learned) = learned.iter().find(unknown) {
                return Err(fail(other_split(&learned.split, &config.split)));
            }
            Ok(Some(Initial {
                state,
                sha256: card.sha256,
                encoder_only: false,
                learned,
            }))
        }
        None => Err(fail(
            "these weights do not say which split they were trained on".to_owned(),
        )),
    }
}

/// An encoder that `recovnet import` wrote; `None` for any other file.
fn imported(
    job: &Job,
    path: &Path,
    check_encoder: &dyn Fn(BackboneKind, Graph) -> Result<(), Error>,
) -> Result<Option<Initial>, Error> {
    // Weights with a card are ours, and the card says more of them.
    if path.with_extension("json").exists() || !path.exists() {
        return Ok(None);
    }
    let (state, metadata) = weights::read(path, &job.device)?;
    let Some((encoder, graph)) = import::encoder_of(&metadata) else {
        return Ok(None);
    };
    if job.config.task == Task::Recovnet {
        return Err(Error::Usage(format!(
            "{}: this is an imported encoder, but recovnet begins with the encoder of a trained segmenter; train a \
             segmenter from it first, or the baseline",
            path.display()
        )));
    }
    check_encoder(encoder, graph)?;
    Ok(Some(Initial {
        state,
        sha256: weights::sha256_of(path)?,
        encoder_only: true,
        learned: Vec::new(),
    }))
}

/// Puts initial weights into a new network; tensors of a decoder or head that they lack stay as they are.
///
/// # Errors
/// If they lack a tensor of the encoder, or have one of another shape.
pub fn load(network: &mut impl Network, state: &BTreeMap<String, Tensor>) -> nn::Result<()> {
    let fresh = |name: &str| name.starts_with("decoder.") || name.starts_with("fc.");
    if state.keys().any(|name| fresh(name)) {
        return network.load_state(state);
    }
    let mut whole: BTreeMap<String, Tensor> = network.state();
    whole.retain(|name, _| fresh(name));
    whole.extend(state.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
    network.load_state(&whole)
}

fn check_task(path: &Path, task: Task, found: Task) -> Result<(), Error> {
    if may_begin_with(task, found) {
        return Ok(());
    }
    let needed = match task {
        Task::Recovnet => "segmenter or of an earlier recovnet",
        Task::Segmenter | Task::Baseline => name(task),
    };
    Err(Error::Usage(format!(
        "{}: these weights are of a {}, but a {} begins with those of a {needed}",
        path.display(),
        name(found),
        name(task),
    )))
}

fn name(task: Task) -> &'static str {
    match task {
        Task::Segmenter => "segmenter",
        Task::Recovnet => "recovnet",
        Task::Baseline => "baseline",
    }
}

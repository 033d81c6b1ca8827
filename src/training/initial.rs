//! The weights that a run begins with, and what they must be: verified, of the same encoder, of the right task, and
//! never trained on another split, whose training images may be test images here. An encoder that was imported from
//! elsewhere has no card and no split; segmenter and baseline may begin with it, under a fresh decoder or head.

use std::collections::BTreeMap;
use std::path::Path;

use crate::nn::card::Task;
use crate::nn::{self, BackboneKind, Graph, ModelCard, Network, Tensor, import, weights};

use super::Error;
use super::split::{SPLIT_KEY, SPLIT_VERSION};
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
        Some(SPLIT_VERSION) => Ok(Some(Initial {
            state,
            sha256: card.sha256,
            encoder_only: false,
        })),
        Some(other) => Err(fail(format!(
            "these weights were trained on the split '{other}', not on '{SPLIT_VERSION}': they may have seen test images"
        ))),
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
    let needed = if task == Task::Recovnet { Task::Segmenter } else { task };
    if found == needed {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "{}: these weights are of a {}, but a {} begins with those of a {}",
        path.display(),
        name(found),
        name(task),
        name(needed)
    )))
}

fn name(task: Task) -> &'static str {
    match task {
        Task::Segmenter => "segmenter",
        Task::Recovnet => "recovnet",
        Task::Baseline => "baseline",
    }
}

//! The weights that a run begins with, and what they must be: verified, of the same encoder, of the right task, and
//! never trained on another split, whose training images may be test images here.

use std::collections::BTreeMap;
use std::path::Path;

use crate::nn::card::Task;
use crate::nn::{ModelCard, Tensor, weights};

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
    let card = ModelCard::beside(path)?;
    check_task(path, config.task, card.task)?;
    let fail = |reason: String| Error::Init {
        path: path.clone(),
        reason,
    };
    if card.backbone != config.encoder || card.graph != config.graph {
        return Err(fail(format!(
            "these weights are of {} ({:?} graph), not of {} ({:?} graph)",
            card.backbone, card.graph, config.encoder, config.graph
        )));
    }
    let (state, metadata) = weights::read_verified(path, &card.sha256, &job.device)?;
    match metadata.get(SPLIT_KEY).map(String::as_str) {
        Some(SPLIT_VERSION) => Ok(Some(Initial {
            state,
            sha256: card.sha256,
        })),
        Some(other) => Err(fail(format!(
            "these weights were trained on the split '{other}', not on '{SPLIT_VERSION}': they may have seen test images"
        ))),
        None => Err(fail(
            "these weights do not say which split they were trained on".to_owned(),
        )),
    }
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

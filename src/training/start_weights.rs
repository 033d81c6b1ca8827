//! Weights that a run may begin with, looked at before it begins: what a file is, and what an encoder trained elsewhere
//! becomes. Knows no window.

use std::path::{Path, PathBuf};

use crate::nn::card::Task;
use crate::nn::import;
use crate::nn::import::report::{Fate, Report};
use crate::nn::{BackboneKind, Device, Graph, ModelCard, weights};

use super::Error;

/// Lines of a report that are kept.
const MOST_LINES: usize = 60;

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum StartWeights {
    /// A network of ours.
    Network {
        /// Its name and version.
        name: String,
        /// What it computes.
        task: Task,
        /// Its encoder.
        encoder: BackboneKind,
        /// Which graph of it.
        graph: Graph,
    },
    /// An encoder that was imported before.
    Encoder {
        /// Which.
        encoder: BackboneKind,
        /// Which graph of it.
        graph: Graph,
    },
    /// Something that has to be imported first.
    Foreign,
}

/// Looks at a file: the card beside it, or what it says of itself.
///
/// # Errors
/// If it is not there, or its card is none.
pub fn look_at(path: &Path) -> Result<StartWeights, Error> {
    if !path.is_file() {
        return Err(Error::Init {
            path: path.to_owned(),
            reason: "there is no such file".to_owned(),
        });
    }
    if path.with_extension("json").exists() {
        let card = ModelCard::beside(path)?;
        return Ok(StartWeights::Network {
            name: format!("{} {}", card.name, card.version),
            task: card.task,
            encoder: card.backbone,
            graph: card.graph,
        });
    }
    // Whatever cannot be read as ours is read by the importer, which says what is wrong with it.
    let metadata = weights::read(path, &Device::Cpu).map(|(_, metadata)| metadata);
    Ok(match metadata.ok().and_then(|metadata| import::encoder_of(&metadata)) {
        Some((encoder, graph)) => StartWeights::Encoder { encoder, graph },
        None => StartWeights::Foreign,
    })
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedEncoder {
    /// What was read, as what, in a line.
    pub title: String,
    /// Number of tensors by what became of them.
    pub counts: Vec<(&'static str, usize)>,
    /// Every tensor that was not simply used; the first of them.
    pub remarkable: Vec<String>,
    /// Which graph the weights belong to.
    pub graph: Graph,
    /// The weights file that was written.
    pub weights: PathBuf,
}

/// Where an imported encoder is written: beside the file that it comes from.
pub fn imported_path(file: &Path, encoder: BackboneKind) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let stem = stem.trim_end_matches(".weights");
    file.with_file_name(format!("{stem}-{encoder}.safetensors"))
}

/// Makes an encoder of torchvision, timm or Keras a weights file that a run can begin with, and says what became of
/// every tensor.
///
/// # Errors
/// If the file cannot be read or holds other weights, or the weights file cannot be written.
pub fn import_encoder(file: &Path, encoder: BackboneKind) -> Result<ImportedEncoder, Error> {
    let imported = import::read(file, encoder)?;
    let report = &imported.report;
    if let Some(problem) = &report.problem {
        return Err(Error::Init {
            path: file.to_owned(),
            reason: format!("{problem}; nothing was written"),
        });
    }
    let weights = imported_path(file, encoder);
    imported.save(&weights)?;
    Ok(ImportedEncoder {
        title: format!(
            "{} ({}) as {}, {} graph: {} tensors needed",
            report.file,
            report.format.name(),
            report.backbone,
            report.graph,
            report.needed
        ),
        counts: counts(report),
        remarkable: remarkable(report),
        graph: report.graph,
        weights,
    })
}

fn counts(report: &Report) -> Vec<(&'static str, usize)> {
    let count = |fate: Fate| (fate.name(), report.count(fate));
    Fate::ALL
        .into_iter()
        .map(count)
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn remarkable(report: &Report) -> Vec<String> {
    let entries = report.tensors.iter().filter(|entry| entry.fate != Fate::Used);
    let lines = entries.map(|entry| format!("{}: {}", entry.fate.name(), entry.words()));
    lines.take(MOST_LINES).collect()
}

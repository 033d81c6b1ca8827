//! Encoders trained elsewhere: files of torchvision, timm and Keras become a weights file of ours. Each step has a
//! file: the formats (`safe`, `pth` with `archive` and `pickle`, `hdf5`), the names (`plan`, `keras`), and what is
//! said (`report`).

mod archive;
mod hdf5;
pub mod keras;
mod pickle;
mod plan;
mod pth;
pub mod report;
mod safe;
pub mod source;

use std::collections::HashSet;
use std::path::Path;

use candle_core::{DType, Tensor};

use self::plan::{Needed, Plan, Rest};
use self::report::{Entry, Fate, Report};
use self::source::{Found, Source};
use super::weights::{self, Metadata, Precision, State};
use super::{BackboneKind, Error, Graph, Result, Role};

/// Metadata entry that names the encoder, in files that hold nothing else.
const ENCODER_KEY: &str = "encoder";
/// Metadata entry that names the graph.
const GRAPH_KEY: &str = "graph";

/// Weights of an encoder that were read, with what became of every tensor.
#[derive(Debug)]
pub struct Imported {
    /// What became of every tensor.
    pub report: Report,
    state: State,
}

/// The encoder and graph of an imported file, by its metadata; `None` for a file that is none.
pub fn encoder_of(metadata: &Metadata) -> Option<(BackboneKind, Graph)> {
    Some((
        metadata.get(ENCODER_KEY)?.parse().ok()?,
        metadata.get(GRAPH_KEY)?.parse().ok()?,
    ))
}

/// Reads a file of torchvision, timm or Keras as the weights of an encoder.
///
/// # Errors
/// If the file cannot be read, is damaged, of no known format, or holds code. Where it can be read but holds other
/// weights, the [`Report::problem`] of the result says so.
pub fn read(path: &Path, kind: BackboneKind) -> Result<Imported> {
    let bytes = weights::read_bytes(path)?;
    let sha256 = weights::sha256(&bytes);
    let fail = |reason: String| Error::Weights {
        path: path.to_owned(),
        reason,
    };
    let source = open(bytes).map_err(fail)?;
    let graph = if source.format().is_keras() {
        Graph::Keras
    } else {
        Graph::Torch
    };
    let needed = plan::needed(kind, graph)?;
    let plan = Plan::new(&needed, source.found(), source.format());
    let (state, tensors) = take(&*source, &needed, &plan)?;
    let mut report = Report {
        file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256,
        format: source.format(),
        backbone: kind,
        graph,
        needed: needed.len(),
        problem: None,
        tensors,
    };
    report.problem = problem(&report, &*source)?;
    Ok(Imported { report, state })
}

impl Imported {
    /// Writes the weights file; returns its SHA-256.
    ///
    /// # Errors
    /// If the weights cannot be used, or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<String> {
        let report = &self.report;
        if let Some(problem) = &report.problem {
            return Err(Error::Weights {
                path: path.to_owned(),
                reason: format!("is not written: {} {problem}", report.file),
            });
        }
        let entries = [
            (ENCODER_KEY, report.backbone.name()),
            (GRAPH_KEY, report.graph.name()),
            ("source", &report.file),
            ("source_format", report.format.name()),
            ("source_sha256", &report.sha256),
        ];
        let metadata = entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        weights::save(path, &self.state, &metadata, Precision::Full)
    }
}

/// Opens a file by what it begins with, whatever it is called.
fn open(bytes: Vec<u8>) -> std::result::Result<Box<dyn Source>, String> {
    let known = "a safetensors, .pth or .h5 file of torchvision, timm or Keras is needed";
    Ok(if bytes.starts_with(archive::MAGIC) {
        Box::new(pth::TorchFile::open_zip(bytes)?)
    } else if bytes.starts_with(hdf5::MAGIC) {
        Box::new(hdf5::KerasFile::open(bytes)?)
    } else if bytes.starts_with(pth::LEGACY_MAGIC) {
        Box::new(pth::TorchFile::open_legacy(bytes)?)
    } else if bytes.get(8) == Some(&b'{') {
        Box::new(safe::SafeFile::open(bytes)?)
    } else if bytes.starts_with(b"\x80") {
        // Any other pickle: what it names says whether it is code, half a file or something else.
        pickle::Pickle::read(&bytes)?;
        return Err(format!("is a pickle, but none that torch.save wrote; {known}"));
    } else if bytes.trim_ascii_start().starts_with(b"<") {
        return Err(format!("is a web page, not the file itself; {known}"));
    } else {
        return Err(format!("is of no known format; {known}"));
    })
}

/// Takes what is needed, and says of every tensor what became of it.
fn take(source: &dyn Source, needed: &[Needed], plan: &Plan) -> Result<(State, Vec<Entry>)> {
    let (mut state, mut entries) = (State::new(), Vec::new());
    let pairs = || needed.iter().zip(&plan.sources);
    let shifted: HashSet<&str> = pairs()
        .filter(|(n, from)| n.role == Role::Beta && from.is_some())
        .map(|(n, _)| n.layer())
        .collect();
    for (needed, from) in pairs() {
        let entry = if let Some(index) = *from {
            let taken = take_one(source, needed, index)?;
            if let Ok((tensor, _)) = &taken {
                state.insert(needed.name.clone(), tensor.clone());
            }
            let (fate, note) = match taken {
                Ok((_, note)) if note.is_empty() => (Fate::Used, note),
                Ok((_, note)) => (Fate::Changed, note),
                Err(refused) => refused,
            };
            entry(Some(needed), Some(&source.found()[index]), fate, note)
        } else if needed.role == Role::FixedGamma && shifted.contains(needed.layer()) {
            let ones = Tensor::ones(needed.shape.as_slice(), DType::F32, &super::Device::Cpu)?;
            state.insert(needed.name.clone(), ones);
            entry(
                Some(needed),
                None,
                Fate::Filled,
                "1: Keras has no scale here".to_owned(),
            )
        } else {
            entry(Some(needed), None, Fate::Missing, String::new())
        };
        entries.push(entry);
    }
    for &(index, rest) in &plan.rest {
        let (fate, note) = match rest {
            Rest::Counter => (Fate::Ignored, "count of batches"),
            Rest::Head => (Fate::Ignored, "classifier of other classes"),
            Rest::OtherEncoder => (Fate::OtherEncoder, "no such layer in this encoder"),
            Rest::Unknown => (Fate::LeftOver, ""),
        };
        entries.push(entry(None, Some(&source.found()[index]), fate, note.to_owned()));
    }
    Ok((state, entries))
}

fn entry(needed: Option<&Needed>, found: Option<&Found>, fate: Fate, note: String) -> Entry {
    Entry {
        name: needed.map(|n| n.name.clone()),
        source: found.map(|f| f.name.clone()),
        shape: found.map_or_else(
            || needed.map(|n| n.shape.clone()).unwrap_or_default(),
            |f| f.shape.clone(),
        ),
        stored: found.map(|f| f.stored),
        fate,
        note,
    }
}

/// A tensor in memory layout and what was changed on the way, or why it cannot be taken.
type Taken = std::result::Result<(Tensor, String), (Fate, String)>;

fn take_one(source: &dyn Source, needed: &Needed, index: usize) -> Result<Taken> {
    let found = &source.found()[index];
    if plan::shape(found, needed.role, source.format()) != needed.shape {
        return Ok(Err((Fate::WrongShape, format!("{:?} is needed", needed.shape))));
    }
    let tensor = match source.read(index) {
        Ok(tensor) => tensor,
        Err(reason) => return Ok(Err((Fate::BadValues, reason))),
    };
    if let Some(reason) = unusable(&tensor, needed.role)? {
        return Ok(Err((Fate::BadValues, reason)));
    }
    let mut changes = Vec::new();
    if found.strided {
        changes.push("gathered".to_owned());
    }
    if found.stored != "f32" {
        changes.push(format!("converted from {}", found.stored));
    }
    let tensor = match (needed.role, source.format().is_keras()) {
        (Role::Kernel, true) => {
            changes.push("turned from HWIO to OIHW".to_owned());
            tensor.permute((3, 0, 1, 2))?.contiguous()?
        }
        (Role::Kernel, false) => tensor.permute((0, 2, 3, 1))?.contiguous()?,
        _ => tensor,
    };
    Ok(Ok((tensor, changes.join(", "))))
}

/// Why a network cannot compute with these numbers.
fn unusable(tensor: &Tensor, role: Role) -> Result<Option<String>> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
        return Ok(Some(format!("holds {bad}")));
    }
    let negative = role == Role::RunningVariance && values.iter().any(|&value| value < 0.0);
    Ok(negative.then(|| "holds a negative variance".to_owned()))
}

/// Why the weights cannot be used, in one sentence, and what to do.
fn problem(report: &Report, source: &dyn Source) -> Result<Option<String>> {
    let foreign = [Fate::Missing, Fate::WrongShape, Fate::OtherEncoder];
    if foreign.iter().all(|&fate| report.count(fate) == 0) {
        return Ok(report.first(Fate::BadValues).map(|(name, entry)| {
            format!(
                "cannot be used: {name} {}; get the file again or train it anew",
                entry.note
            )
        }));
    }
    let mut parts = Vec::new();
    let needed = report.needed;
    if let Some((name, _)) = report.first(Fate::Missing) {
        let missing = report.count(Fate::Missing);
        parts.push(format!(
            "{missing} of {needed} tensors are missing (the first is {name})"
        ));
    }
    if let Some((name, entry)) = report.first(Fate::WrongShape) {
        let wrong = report.count(Fate::WrongShape);
        parts.push(format!(
            "{wrong} have another shape (the first is {name}: {:?}, but {})",
            entry.shape, entry.note
        ));
    }
    if let Some((name, _)) = report.first(Fate::OtherEncoder) {
        let other = report.count(Fate::OtherEncoder);
        parts.push(format!(
            "{other} belong to a larger or another encoder (the first is {name})"
        ));
    }
    let advice = likeness(report, source)?;
    Ok(Some(format!(
        "are not the weights of {}: {}; {advice}",
        report.backbone,
        parts.join(", ")
    )))
}

/// Which backbone a file looks like, if not like the one asked for.
fn likeness(report: &Report, source: &dyn Source) -> Result<String> {
    let (found, format) = (source.found(), source.format());
    let mut best: Option<(BackboneKind, usize, usize, bool)> = None;
    for kind in BackboneKind::ALL {
        let needed = plan::needed(kind, report.graph)?;
        let plan = Plan::new(&needed, found, format);
        let fits = plan.fits(&needed, found, format);
        let whole = !plan.rest.iter().any(|(_, rest)| *rest == Rest::OtherEncoder);
        let share = |fits: usize, all: usize| fits as f64 / all as f64;
        if best.is_none_or(|(_, f, n, _)| share(fits, needed.len()) > share(f, n)) {
            best = Some((kind, fits, needed.len(), whole));
        }
    }
    Ok(match best {
        Some((kind, fits, needed, whole)) if 2 * fits > needed && kind != report.backbone => {
            let same = if fits == needed && whole {
                "they are those of"
            } else {
                "they look like those of"
            };
            format!("{same} {kind} ({fits} of {needed} tensors fit): import them with --as {kind}")
        }
        _ => {
            format!("a file of {} is needed", BackboneKind::names())
        }
    })
}

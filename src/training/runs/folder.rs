//! Reading run folders, whoever wrote them and however far they came.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use walkdir::WalkDir;

use crate::atomic_file;
use crate::nn::ModelCard;
use crate::training::audit;
use crate::training::evaluation::saved;
use crate::training::kept::kept_epoch;
use crate::training::recipe::Recipe;
use crate::training::request::Request;

use super::{BestEpoch, Curve, Error, Run, RunState};

const CONFIG: &str = "config.json";
const METRICS: &str = "metrics.jsonl";
const EVENTS: &str = "events.jsonl";
const LOCK: &str = "run.lock";
const BEST: &str = "best.safetensors";
const NOTES: &str = "notes.txt";
/// Results that are kept in the run's own folder: `evaluation/test/…`, `audit/…`.
const EVALUATION: &str = "evaluation";
const AUDIT: &str = "audit";
/// Folders below the root in which runs are looked for.
const DEPTH: usize = 3;
/// No settings, metrics or notes are longer; what is longer is not read.
const MAX_BYTES: u64 = 64 << 20;
/// The last event lies within so many bytes of the end.
const TAIL_BYTES: u64 = 64 << 10;

/// The best weights of a run.
pub fn best_weights(run: &Path) -> PathBuf {
    run.join(BEST)
}

/// The card of a run's best weights.
///
/// # Errors
/// If no run lies there, or it has no best weights yet.
pub fn card(run: &Path) -> Result<ModelCard, Error> {
    open(run)?;
    Ok(ModelCard::beside(&best_weights(run))?)
}

/// Where a run keeps its evaluation on a split.
pub fn evaluation_folder(run: &Path, split: &str) -> PathBuf {
    run.join(EVALUATION).join(split)
}

/// Where a run keeps its audit.
pub fn audit_folder(run: &Path) -> PathBuf {
    run.join(AUDIT)
}

/// Every run below a folder (itself included), the one that was written last first. What cannot be read of a run is
/// said in its [`Run::problem`].
///
/// # Errors
/// If the folder cannot be listed.
pub fn list(root: &Path) -> Result<Vec<Run>, Error> {
    let readable = fs::read_dir(root);
    readable.map_err(|e| Error::File {
        path: root.to_owned(),
        reason: format!("the folder cannot be listed: {e}"),
    })?;
    let found = WalkDir::new(root).max_depth(DEPTH + 1).follow_links(true).into_iter();
    let configs = found
        .flatten()
        .filter(|entry| entry.file_name() == CONFIG && entry.file_type().is_file());
    let folders = configs.filter_map(|entry| entry.path().parent().map(Path::to_owned));
    let mut runs: Vec<Run> = folders
        .filter(|folder| looks_like_run(folder))
        .map(|folder| read(&folder))
        .collect();
    runs.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.folder.cmp(&b.folder)));
    Ok(runs)
}

/// Reads one run folder.
///
/// # Errors
/// If no run lies there.
pub fn open(folder: &Path) -> Result<Run, Error> {
    if looks_like_run(folder) {
        return Ok(read(folder));
    }
    let reason = if folder.is_dir() {
        format!("there is no {CONFIG} of a run; name the folder that 'train --run-dir' wrote")
    } else {
        "there is no such folder".to_owned()
    };
    Err(Error::NoRun {
        path: folder.to_owned(),
        reason,
    })
}

/// Other programs write a `config.json`, too: a run's has a task, or lies beside what only runs have.
fn looks_like_run(folder: &Path) -> bool {
    let config = folder.join(CONFIG);
    config.is_file()
        && (folder.join(METRICS).is_file() || json_object(&config).is_ok_and(|settings| settings.contains_key("task")))
}

fn read(folder: &Path) -> Run {
    let mut problems = Vec::new();
    let settings = json_object(&folder.join(CONFIG)).unwrap_or_else(|problem| {
        problems.push(problem);
        Map::new()
    });
    let metrics = Metrics::read(folder, &mut problems);
    let card = ModelCard::beside(&best_weights(folder)).ok();
    let epochs = epochs_of(&settings).or(metrics.epochs);
    let (state, ended) = state(folder, metrics.done, epochs, card.is_some());
    problems.extend(ended);
    let (bytes, modified) = extent(folder);
    Run {
        name: folder.file_name().map_or_else(
            || folder.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
        state,
        problem: (!problems.is_empty()).then(|| problems.join("; ")),
        model: card
            .as_ref()
            .map(|card| card.name.clone())
            .or_else(|| model_of(&settings)),
        data: Request::of_run(folder).ok().map(|request| request.data),
        settings,
        epochs_done: metrics.done,
        epochs,
        curves: metrics.curves,
        best: metrics.best,
        kept: kept(folder),
        version: card.as_ref().map(|card| (card.version.clone(), card.sha256.clone())),
        bytes,
        modified,
        notes: read_notes(folder),
        evaluations: evaluations(folder),
        audit: card.and_then(|card| {
            let audit = audit::saved::read(&audit_folder(folder)).ok()??;
            (audit.subject.weights_sha256 == card.sha256).then_some(audit.light)
        }),
        folder: folder.to_owned(),
    }
}

fn text(path: &Path) -> Result<String, String> {
    let fail = |e: &dyn std::fmt::Display| format!("{}: cannot be read: {e}", path.display());
    if fs::metadata(path).map_err(|e| fail(&e))?.len() > MAX_BYTES {
        return Err(fail(&"it is too large to be a run's"));
    }
    fs::read_to_string(path).map_err(|e| fail(&e))
}

fn json_object(path: &Path) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(&text(path)?) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(format!("{}: these are no settings of a run", path.display())),
        Err(e) => Err(format!("{}: these are no settings of a run: {e}", path.display())),
    }
}

/// What `metrics.jsonl` says.
#[derive(Default)]
struct Metrics {
    done: usize,
    epochs: Option<usize>,
    curves: BTreeMap<String, Curve>,
    best: Option<BestEpoch>,
}

impl Metrics {
    fn read(folder: &Path, problems: &mut Vec<String>) -> Self {
        let path = folder.join(METRICS);
        let mut metrics = Self::default();
        if !path.is_file() {
            return metrics;
        }
        let text = text(&path).unwrap_or_else(|problem| {
            problems.push(problem);
            String::new()
        });
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            match serde_json::from_str::<Value>(line) {
                Ok(Value::Object(record)) => metrics.add(&record),
                _ => problems.push(format!("{}: line {number} is no epoch's record", path.display())),
            }
        }
        metrics
    }

    /// Every number of a record becomes a point of the curve of its name; `[{"name": …, "value": …}]` as well.
    fn add(&mut self, record: &Map<String, Value>) {
        let number = |name: &str| record.get(name).and_then(Value::as_f64);
        let epoch = number("epoch").map_or(self.done + 1, |epoch| epoch as usize);
        self.done = self.done.max(epoch);
        self.epochs = number("epochs").map(|epochs| epochs as usize).or(self.epochs);
        let mut point = |name: &str, value: f64| {
            let curve = self.curves.entry(name.to_owned()).or_default();
            curve.push([epoch as f64, value]);
        };
        for (name, value) in record {
            match value {
                Value::Number(_) if !matches!(name.as_str(), "epoch" | "epochs") => {
                    point(name, value.as_f64().unwrap_or(f64::NAN));
                }
                Value::Array(items) => {
                    for item in items {
                        let pair = (item.get("name").and_then(Value::as_str), item.get("value"));
                        if let (Some(name), Some(value)) = (pair.0, pair.1.and_then(Value::as_f64)) {
                            point(name, value);
                        }
                    }
                }
                _ => {}
            }
        }
        let is_best = record.get("best").and_then(Value::as_bool).unwrap_or(false);
        if let Some(score) = number("validation_score").filter(|_| is_best) {
            let metric = record.get("metric").and_then(Value::as_str).unwrap_or("score");
            self.best = Some(BestEpoch {
                epoch,
                score,
                metric: metric.to_owned(),
            });
        }
    }
}

fn epochs_of(settings: &Map<String, Value>) -> Option<usize> {
    let stages = settings.get("schedule")?.as_array()?;
    let epochs = |stage: &Value| stage.get("epochs")?.as_u64();
    Some(stages.iter().filter_map(epochs).sum::<u64>() as usize)
}

fn model_of(settings: &Map<String, Value>) -> Option<String> {
    let encoder = settings.get("encoder")?.as_str()?;
    let task = serde_json::from_value(settings.get("task")?.clone()).ok()?;
    Some(Recipe::Scratch.config(task, encoder.parse().ok()?).model_name())
}

/// How a run stands, and the sentence of its failure.
fn state(folder: &Path, done: usize, epochs: Option<usize>, has_card: bool) -> (RunState, Option<String>) {
    if is_locked(folder) {
        return (RunState::Running, None);
    }
    let last = last_event(folder);
    let event = last.as_ref().and_then(|event| event.get("event")?.as_str());
    let all_done = has_card && epochs.is_some_and(|epochs| epochs > 0 && done >= epochs);
    match event {
        Some("finished") => (RunState::Finished, None),
        Some("failed") => {
            let reason = last.as_ref().and_then(|event| event.get("reason")?.as_str());
            (RunState::Failed, reason.map(str::to_owned))
        }
        _ if all_done => (RunState::Finished, None),
        _ => (RunState::Interrupted, None),
    }
}

/// Whether a run is going on in the folder: what tells is the lock, since the system gives the number of a process that
/// died to another one.
fn is_locked(folder: &Path) -> bool {
    let path = folder.join(LOCK);
    let Ok(file) = fs::File::open(&path) else {
        return false;
    };
    // A run that ended leaves the file empty, which is not locked here: a run that begins would find it taken.
    if file.metadata().is_ok_and(|about| about.len() == 0) {
        return false;
    }
    // Shared, so that two readers at once do not take each other for a run.
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(fs::TryLockError::WouldBlock) => true,
        // Some network folders know no locks: the number is all there is.
        Err(fs::TryLockError::Error(_)) => names_living_process(&path),
    }
}

fn names_living_process(lock: &Path) -> bool {
    let Ok(text) = text(lock) else {
        return false;
    };
    let digits = |c: char| !c.is_ascii_digit();
    let process = text.split(digits).find(|part| !part.is_empty());
    process.is_some_and(is_alive)
}

#[cfg(target_os = "linux")]
fn is_alive(process: &str) -> bool {
    Path::new("/proc").join(process).is_dir()
}

/// Elsewhere the file is taken at its word.
#[cfg(not(target_os = "linux"))]
fn is_alive(_: &str) -> bool {
    true
}

/// The last whole line of the events.
fn last_event(folder: &Path) -> Option<Map<String, Value>> {
    let mut file = fs::File::open(folder.join(EVENTS)).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut tail).ok()?;
    let tail = String::from_utf8_lossy(&tail);
    tail.lines().rev().find_map(|line| serde_json::from_str(line).ok())
}

/// Bytes in the folder, and the latest change of a file in it, in seconds since 1970.
fn extent(folder: &Path) -> (u64, u64) {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let files = WalkDir::new(folder).into_iter().flatten();
    let about = files
        .filter(|entry| entry.file_type().is_file())
        .flat_map(|e| e.metadata());
    about.fold((0, 0), |(bytes, latest), about| {
        let modified = about.modified().map_or(0, seconds);
        (bytes + about.len(), latest.max(modified))
    })
}

/// Epochs whose networks are kept for themselves; those without a card were never finished.
fn kept(folder: &Path) -> Vec<usize> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut epochs: Vec<usize> = entries
        .filter(|entry| entry.path().with_extension("json").is_file())
        .filter_map(|entry| kept_epoch(&entry.file_name().to_string_lossy()))
        .collect();
    epochs.sort_unstable();
    epochs
}

fn evaluations(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join(EVALUATION)).into_iter().flatten().flatten();
    let complete = entries.filter(|entry| entry.path().join(saved::REPORT).is_file());
    let mut splits: Vec<String> = complete
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    splits.sort();
    splits
}

/// What the user wrote about a run; empty if nothing.
pub fn read_notes(folder: &Path) -> String {
    text(&folder.join(NOTES)).map_or_else(|_| String::new(), |text| text.trim_end().to_owned())
}

/// Writes the notes of a run.
///
/// # Errors
/// If no run lies in the folder, or the file cannot be written.
pub fn write_notes(folder: &Path, notes: &str) -> Result<(), Error> {
    open(folder)?;
    let path = folder.join(NOTES);
    let written = atomic_file::write(&path, format!("{}\n", notes.trim_end()).as_bytes());
    written.map_err(|e| Error::File {
        path,
        reason: format!("the notes cannot be written: {e}"),
    })
}

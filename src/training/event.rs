//! What a run tells its listener, whoever that is: the panel, the terminal and the file in the run folder read the
//! same lines of JSON.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::checkpoint::Best;
use super::recipe::{BestBy, Config};

/// One line of `metrics.jsonl`: an epoch that is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Side of the images, in pixels.
    pub size: usize,
    /// Mean training loss over the epoch's batches.
    pub train_loss: f64,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean loss on the validation part.
    pub validation_loss: f64,
    /// What `validation_score` is: `dice` (mean over images, on the network input), `roc_auc`, or what the run is judged by
    /// instead; see [`BestBy`].
    pub metric: String,
    /// Score on the validation part; larger is better, but for `loss`.
    pub validation_score: f64,
    /// The other metrics on the validation part by name: for a classifier at probability 0.5; absent where undefined.
    #[serde(default)]
    pub validation: Vec<Metric>,
    /// Whether this is the best epoch at this size so far.
    pub best: bool,
    /// Images the network was trained on.
    pub images: usize,
    /// Seconds the epoch took, validation included.
    pub seconds: f64,
    /// Images per second of the training part of it.
    pub images_per_second: f64,
    /// Share of the training part in which the network waited for images, 0 to 1.
    #[serde(default)]
    pub waited: f64,
}

/// A number with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Such as `sensitivity`.
    pub name: String,
    /// Its value.
    pub value: f64,
}

impl EpochRecord {
    /// A metric of the validation part by its name; `None` where it is undefined.
    pub fn metric(&self, name: &str) -> Option<f64> {
        if self.metric == name {
            return Some(self.validation_score);
        }
        let found = self.validation.iter().find(|metric| metric.name == name);
        found.map(|metric| metric.value)
    }

    /// The record with seven significant digits in every number: enough for a reader, and few enough to come back
    /// from JSON exactly, so that a resumed run compares scores as the first one did.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self {
            train_loss: rounded(self.train_loss),
            rate: rounded(self.rate),
            validation_loss: rounded(self.validation_loss),
            validation_score: rounded(self.validation_score),
            validation: self
                .validation
                .into_iter()
                .map(|metric| Metric {
                    value: rounded(metric.value),
                    ..metric
                })
                .collect(),
            seconds: rounded(self.seconds),
            images_per_second: rounded(self.images_per_second),
            waited: rounded(self.waited),
            ..self
        }
    }
}

fn rounded(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

/// A place in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Epochs that are done.
    pub epochs: usize,
    /// Steps that are done in the epoch under way.
    pub steps: usize,
}

/// Images of a part of the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartCount {
    /// `train`, `val` or `test`.
    pub part: String,
    /// Images.
    pub images: usize,
    /// Of them, those of COVID-19.
    pub covid19: usize,
    /// Groups (patients) that they come from.
    pub groups: usize,
}

/// A run begins, or goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Name of the network that comes of it.
    pub name: String,
    /// All settings.
    pub config: Box<Config>,
    /// Folder of the labelled files.
    pub data: PathBuf,
    /// Folder that the run is kept in.
    pub run: PathBuf,
    /// What computes, in words: `CPU, 2 threads`.
    pub device: String,
    /// Epochs of the whole run.
    pub epochs: usize,
    /// Steps (parameter updates) of each epoch.
    pub steps_per_epoch: usize,
    /// Images of each part.
    pub parts: Vec<PartCount>,
    /// Where an earlier session left off; `None` for a new run.
    pub resumed_from: Option<Place>,
    /// The epochs of earlier sessions.
    pub records: Vec<EpochRecord>,
    /// Number of the process.
    pub process: u32,
    /// Version of the program.
    pub version: String,
}

/// A training step is done.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Steps done since the run's first epoch, earlier sessions included.
    pub done: usize,
    /// Steps of the whole run.
    pub total: usize,
    /// Epoch, from 1.
    pub epoch: usize,
    /// Mean loss of its images.
    pub loss: f64,
    /// Learning rate.
    pub rate: f64,
    /// Images of the step.
    pub images: usize,
    /// Images per second since the epoch (or this session of it) began.
    pub images_per_second: f64,
    /// Share of that time in which the network waited for images, 0 to 1.
    pub waited: f64,
    /// Euclidean norm of the gradient over all parameters before it was clipped; `None` where nothing had one.
    pub gradient_norm: Option<f64>,
    /// Memory of the process in MiB; `None` where the system does not say.
    pub memory_mib: Option<f64>,
    /// Memory of the GPU in use in MiB; `None` on the CPU.
    pub gpu_mib: Option<f64>,
}

/// What the network makes of an image of the watch-list after an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Place in the watch-list, from 0; the files' names begin with it.
    pub number: usize,
    /// The image, as the manifest names it.
    pub file: String,
    /// Whether it is one of COVID-19.
    pub covid19: bool,
    /// The network's input: grey PNG, 16 bits, relative to the run folder.
    pub image: PathBuf,
    /// Phase I: probability of lung; phase II: activation map over its largest value. As `image`.
    pub map: PathBuf,
    /// The lung mask on the network's input, 8 bits, as `image`: phase I thresholded, phase II a segmenter's.
    pub mask: Option<PathBuf>,
    /// Phase I: Dice with the manual mask; phase II: probability of COVID-19.
    pub score: Option<f64>,
    /// Phase II: largest value of the activation map, before it was scaled.
    pub largest: Option<f64>,
    /// Phase II with a segmenter: share of the activation inside the lungs.
    pub in_lung: Option<f64>,
    /// What that share would be if the activation were spread evenly: the lungs' share of the input.
    pub chance: Option<f64>,
}

/// A checkpoint is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Where the run goes on from it.
    pub place: Place,
    /// Seconds that training stood still for it.
    pub seconds: f64,
}

/// What a listener should say once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The run begins with an imported encoder; its decoder or head begins with random weights.
    EncoderOnly,
    /// The micro-batch became smaller because memory was short; the effective batch is the same.
    SmallerBatch,
    /// The rate fell because the score stood still.
    RateFell,
    /// The score stood still for as many epochs as early stopping allows.
    StoppedEarly,
    /// Pictures or groups lie in more than one part of the data.
    Leakage,
    /// A file that is not needed to go on could not be written.
    NotWritten,
    /// A lock of a process that is gone was taken over.
    LockTakenOver,
    /// Something of this session differs from the one before in a way that keeps it from being bit-identical.
    NotIdentical,
    /// The machine does not do what a setting asks for.
    Ignored,
}

/// How a run ends before its last epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// After the batch under way.
    AfterBatch,
    /// After the epoch under way.
    AfterEpoch,
}

/// What a run takes, measured with a few trial steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What computed them, in words.
    pub device: String,
    /// One a stage of the schedule.
    pub stages: Vec<StageEstimate>,
    /// Seconds of the whole run, without loading images.
    pub seconds: f64,
    /// Most memory of the process, in MiB; `None` where the system does not say.
    pub peak_mib: Option<f64>,
    /// Memory that is free now, in MiB; `None` where the system does not say.
    pub free_mib: Option<f64>,
}

/// What the epochs of a stage take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageEstimate {
    /// Side of the images, in pixels.
    pub size: usize,
    /// Epochs of the stage.
    pub epochs: usize,
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Seconds of a step.
    pub seconds_per_step: f64,
    /// Seconds of an epoch, validation included.
    pub epoch_seconds: f64,
    /// Images at once: less than the batch where memory is short.
    pub micro_batch: usize,
}

/// Something happened in a run. Every run ends in exactly one of `Finished`, `Stopped`, `Failed` and (where that was all
/// it was to do) `Estimated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TrainingEvent {
    /// The settings are checked and the run folder is begun.
    Started(Started),
    /// The data are being checked for what lies in more than one part.
    Checking {
        /// `reading`, `searching` or `comparing`.
        stage: String,
        /// Images (or pairs, when comparing) done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// Images are being decoded and resized for the next epochs.
    Loading {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
        /// Side they are brought to, in pixels.
        size: usize,
    },
    /// A training step is done.
    Step(StepRecord),
    /// The validation part is being evaluated.
    Validating {
        /// Epoch, from 1.
        epoch: usize,
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// An epoch is done and its checkpoints are on disk.
    Epoch(EpochRecord),
    /// The watch-list was redrawn.
    Watch {
        /// Epoch, from 1.
        epoch: usize,
        /// The images of the list, in its order.
        images: Vec<Watched>,
    },
    /// All it takes to go on is on disk.
    Checkpoint(Checkpoint),
    /// Something a reader should know.
    Note {
        /// What it is about.
        kind: NoteKind,
        /// It in a sentence.
        text: String,
    },
    /// The run waits.
    Paused {
        /// Where it stands.
        place: Place,
    },
    /// A paused run goes on.
    Resumed,
    /// A stop was asked for and will be made.
    Stopping {
        /// When.
        when: Stop,
    },
    /// Some trial steps were measured; nothing was trained.
    Estimated(Estimate),
    /// The last epoch is done.
    Finished {
        /// Best weights; their card lies beside them.
        weights: PathBuf,
        /// The epoch they come from.
        best: Best,
    },
    /// The run was stopped and can be resumed.
    Stopped {
        /// Where it goes on.
        place: Place,
    },
    /// The run cannot go on.
    Failed {
        /// Cause and what to do, in a sentence or two.
        reason: String,
        /// Where it can be resumed; `None` where nothing was kept.
        kept: Option<Place>,
    },
}

impl TrainingEvent {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        matches!(
            self,
            Self::Estimated(_) | Self::Finished { .. } | Self::Stopped { .. } | Self::Failed { .. }
        )
    }
}

/// An event with its time: one line of a file or pipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Seconds since 1970.
    pub time: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: TrainingEvent,
}

impl Line {
    /// An event that happens now.
    pub fn now(event: TrainingEvent) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            // Milliseconds: more digits would only lengthen the lines.
            time: (since.as_secs_f64() * 1000.0).round() / 1000.0,
            event,
        }
    }

    /// JSON on one line, with its end.
    ///
    /// # Panics
    /// Never: an event is plain data.
    pub fn text(&self) -> String {
        let mut text = serde_json::to_string(self).expect("an event is plain data");
        text.push('\n');
        text
    }

    /// Reads a line back.
    ///
    /// # Errors
    /// If it is none.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// The metrics that epochs have, in the order they came; the loss, which has a place of its own, is none of them.
pub fn metric_names(records: &[EpochRecord]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for record in records {
        let others = record.validation.iter().map(|metric| metric.name.as_str());
        for name in std::iter::once(record.metric.as_str()).chain(others) {
            if name != BestBy::Loss.name() && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

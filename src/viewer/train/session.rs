//! What is known of a run, gathered from its events alone: where it stands, its curves, its speed, how long it will
//! take. Knows no process and no window.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::series::Series;
use crate::training::event::{
    EpochRecord, Line, Place, Started, StepRecord, Stop, TrainingEvent, Watched, metric_names,
};

/// Where a run writes its events down.
const EVENTS: &str = "events.jsonl";
/// A longer line is none of a run.
const LONGEST_LINE: u64 = 16 << 20;
/// Most notes kept.
const MOST_NOTES: usize = 100;
/// Seconds over which the present speed is measured.
const RECENT: f64 = 30.0;

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Standing {
    /// There is none.
    #[default]
    None,
    /// Its process was started and has not spoken.
    Starting,
    /// The data are checked for what is in two parts.
    Checking {
        /// What of it.
        stage: String,
        /// Images or pairs done.
        done: usize,
        /// Of so many.
        total: usize,
    },
    /// Images are being read.
    Loading {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
        /// Side of the images, in pixels.
        size: usize,
    },
    /// It trains.
    Training,
    /// The validation part is being evaluated.
    Validating {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// It waits.
    Paused,
    /// It is over: the best weights lie here.
    Finished(PathBuf),
    /// It was stopped and can be resumed.
    Stopped(Place),
    /// It cannot go on, for a reason in a sentence; resumed, it begins at the place.
    Failed(String, Option<Place>),
}

/// A run as its events tell it.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Where it stands.
    pub standing: Standing,
    /// What was asked of it and has not come about.
    pub asked: Option<Asked>,
    /// Its settings and counts.
    pub started: Option<Started>,
    /// The latest step.
    pub step: Option<StepRecord>,
    /// Loss of every batch over the step.
    pub batch_loss: Series,
    /// Learning rate of every batch over the step.
    pub rate: Series,
    /// Norm of the gradient over the step.
    pub gradient: Series,
    /// Images per second over the step.
    pub speed: Series,
    /// The epochs that are done, earlier sessions included.
    pub epochs: Vec<EpochRecord>,
    /// The watch-list after every epoch that drew it.
    pub watch: Vec<(usize, Vec<Watched>)>,
    /// Sentences that a reader should know.
    pub notes: Vec<String>,
    clock: Clock,
}

/// What the user asked of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To wait.
    Pause,
    /// To go on.
    Resume,
    /// To end.
    Stop(Stop),
}

/// Seconds of work and of waiting, by the run's own clock.
#[derive(Debug, Clone, Default)]
struct Clock {
    /// First step of this session: time and steps done before it.
    first: Option<(f64, usize)>,
    /// Time of the latest event.
    now: f64,
    /// When the pause began that lasts.
    pause: Option<f64>,
    /// Seconds waited since the first step.
    waited: f64,
    /// Times of recent steps, with the steps done and the seconds waited until then.
    recent: Vec<(f64, usize, f64)>,
    /// When the stage before or between steps was first heard of, what it was called and what was done by then.
    stage: Option<(f64, String, usize)>,
}

impl Clock {
    fn stage(&mut self, name: &str, done: usize) {
        if self.stage.as_ref().is_none_or(|(_, known, _)| known != name) {
            self.stage = Some((self.now, name.to_owned(), done));
        }
    }

    fn step(&mut self, time: f64, done: usize) {
        self.stage = None;
        if self.first.is_none() {
            self.first = Some((time, done));
        }
        self.recent.push((time, done, self.waited));
        let waited = self.waited;
        self.recent
            .retain(|&(at, _, before)| (time - at) - (waited - before) <= RECENT);
    }

    /// Seconds of work a step took on average: over the whole session, and lately. Validation is in both.
    fn seconds_per_step(&self) -> Option<(f64, f64)> {
        let per_step = |(time, done, waited): (f64, usize, f64)| {
            let &(now, latest, waited_now) = self.recent.last()?;
            let steps = latest.checked_sub(done).filter(|steps| *steps > 0)?;
            Some(((now - time) - (waited_now - waited)) / steps as f64)
        };
        let (first_time, first_done) = self.first?;
        let overall = per_step((first_time, first_done, 0.0))?;
        let lately = self.recent.first().copied().and_then(per_step).unwrap_or(overall);
        Some((overall, lately))
    }
}

/// How long a run will take, in seconds, by its two speeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Left {
    /// At the faster of the two.
    pub least: f64,
    /// At the slower of the two.
    pub most: f64,
}

impl Session {
    /// A run whose process was just started.
    pub fn starting() -> Self {
        Self {
            standing: Standing::Starting,
            ..Self::default()
        }
    }

    /// What a run wrote down about itself, so that its curves can be drawn again.
    ///
    /// # Errors
    /// In a sentence, if there is nothing to read. Lines that are none are passed over.
    pub fn read(run: &Path) -> Result<Self, String> {
        let path = run.join(EVENTS);
        let file =
            File::open(&path).map_err(|e| format!("{}: the earlier curves cannot be read: {e}", path.display()))?;
        let mut session = Self::default();
        let mut lines = BufReader::new(file);
        let mut text = Vec::new();
        while read_line(&mut lines, &mut text).is_ok_and(|read| read > 0) {
            if let Ok(line) = Line::parse(&String::from_utf8_lossy(&text)) {
                session.hear(line);
            }
        }
        Ok(session)
    }

    /// The same curves for a process that was just started to go on with them.
    #[must_use]
    pub fn going_on(&self) -> Self {
        Self {
            standing: Standing::Starting,
            asked: None,
            // How fast the former process was says nothing of this one.
            clock: Clock::default(),
            ..self.clone()
        }
    }

    /// Whether a process is at work.
    pub fn is_active(&self) -> bool {
        !matches!(
            self.standing,
            Standing::None | Standing::Finished(_) | Standing::Stopped(_) | Standing::Failed(..)
        )
    }

    /// Takes in an event.
    pub fn hear(&mut self, line: Line) {
        self.clock.now = line.time;
        match line.event {
            TrainingEvent::Started(started) => self.begin(started),
            TrainingEvent::Checking { stage, done, total } => {
                self.clock.stage(&stage, done);
                self.standing = Standing::Checking { stage, done, total };
            }
            TrainingEvent::Loading { done, total, size } => {
                self.clock.stage(&format!("loading at {size}"), done);
                self.standing = Standing::Loading { done, total, size };
            }
            TrainingEvent::Step(step) => self.step(line.time, step),
            TrainingEvent::Validating { done, total, .. } => {
                self.clock.stage("validating", done);
                self.standing = Standing::Validating { done, total };
            }
            TrainingEvent::Epoch(record) => self.epoch(record),
            TrainingEvent::Watch { epoch, images } => {
                self.watch.retain(|(other, _)| *other != epoch);
                self.watch.push((epoch, images));
                self.watch.sort_by_key(|(epoch, _)| *epoch);
            }
            // A run does not estimate; the panel has no use for checkpoints.
            TrainingEvent::Checkpoint(_) | TrainingEvent::Estimated(_) => {}
            TrainingEvent::Note { text, .. } => self.note(text),
            TrainingEvent::Paused { .. } => {
                self.clock.pause = Some(line.time);
                self.standing = Standing::Paused;
                self.asked = None;
            }
            TrainingEvent::Resumed => {
                if let Some(since) = self.clock.pause.take() {
                    self.clock.waited += line.time - since;
                }
                self.standing = Standing::Training;
                self.asked = None;
            }
            TrainingEvent::Stopping { when } => self.asked = Some(Asked::Stop(when)),
            TrainingEvent::Finished { weights, .. } => self.end(Standing::Finished(weights)),
            TrainingEvent::Stopped { place } => self.end(Standing::Stopped(place)),
            TrainingEvent::Failed { reason, kept } => self.end(Standing::Failed(reason, kept)),
        }
    }

    fn begin(&mut self, started: Started) {
        self.epochs.clone_from(&started.records);
        // Curves of steps that a resumed run makes again would run backwards.
        let place = started.resumed_from.unwrap_or_default();
        self.cut(place.epochs * started.steps_per_epoch + place.steps);
        self.standing = Standing::Training;
        self.clock = Clock::default();
        self.started = Some(started);
    }

    /// Forgets what was drawn of steps after this one.
    fn cut(&mut self, steps: usize) {
        for series in [
            &mut self.batch_loss,
            &mut self.rate,
            &mut self.gradient,
            &mut self.speed,
        ] {
            let kept: Vec<[f64; 2]> = series
                .points()
                .iter()
                .copied()
                .filter(|at| at[0] <= steps as f64)
                .collect();
            *series = Series::default();
            for [x, y] in kept {
                series.push(x, y);
            }
        }
    }

    fn step(&mut self, time: f64, step: StepRecord) {
        let at = step.done as f64;
        self.batch_loss.push(at, step.loss);
        self.rate.push(at, step.rate);
        if let Some(norm) = step.gradient_norm {
            self.gradient.push(at, norm);
        }
        self.speed.push(at, step.images_per_second);
        self.clock.step(time, step.done);
        self.step = Some(step);
        self.standing = Standing::Training;
    }

    fn epoch(&mut self, record: EpochRecord) {
        self.epochs.retain(|other| other.epoch < record.epoch);
        self.epochs.push(record);
    }

    fn note(&mut self, text: String) {
        if self.notes.len() < MOST_NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    fn end(&mut self, standing: Standing) {
        self.standing = standing;
        self.asked = None;
    }

    /// Steps done and steps of the whole run.
    pub fn steps(&self) -> Option<(usize, usize)> {
        if let Some(step) = &self.step {
            return Some((step.done, step.total));
        }
        let started = self.started.as_ref()?;
        let place = started.resumed_from.unwrap_or_default();
        let per_epoch = started.steps_per_epoch;
        Some((place.epochs * per_epoch + place.steps, started.epochs * per_epoch))
    }

    /// The epoch under way (from 1), its steps done and its steps in all.
    pub fn epoch_steps(&self) -> Option<(usize, usize, usize)> {
        let per_epoch = self.started.as_ref()?.steps_per_epoch.max(1);
        let (done, total) = self.steps()?;
        let epochs = total / per_epoch;
        // The last step of an epoch belongs to it until the next one begins.
        let index = done.saturating_sub(1) / per_epoch;
        Some(((index + 1).min(epochs.max(1)), done - index * per_epoch, per_epoch))
    }

    /// What is done, and of how much, of a stage before or between steps.
    pub fn stage(&self) -> Option<(usize, usize)> {
        match self.standing {
            Standing::Checking { done, total, .. }
            | Standing::Loading { done, total, .. }
            | Standing::Validating { done, total } => Some((done, total)),
            _ => None,
        }
    }

    /// How many seconds the stage will go on; `None` before there is anything to judge by.
    pub fn left_of_stage(&self) -> Option<f64> {
        let (done, total) = self.stage()?;
        let (since, _, before) = self.clock.stage.as_ref()?;
        let per_part = (self.clock.now - since) / done.checked_sub(*before).filter(|parts| *parts > 0)? as f64;
        Some(per_part * total.checked_sub(done)? as f64)
    }

    /// How long the steps to the end of the run will take.
    pub fn left(&self) -> Option<Left> {
        let (done, total) = self.steps()?;
        self.time_of(total.checked_sub(done)?)
    }

    /// How long the steps to the end of the epoch will take.
    pub fn left_of_epoch(&self) -> Option<Left> {
        let (_, done, steps) = self.epoch_steps()?;
        self.time_of(steps.checked_sub(done)?)
    }

    fn time_of(&self, steps: usize) -> Option<Left> {
        let (overall, lately) = self.clock.seconds_per_step()?;
        let [one, other] = [overall, lately].map(|seconds| seconds * steps as f64);
        Some(Left {
            least: one.min(other),
            most: one.max(other),
        })
    }

    /// The metrics that epochs have, in the order they came; the loss, which has a chart of its own, is none of them.
    pub fn metrics(&self) -> Vec<&str> {
        metric_names(&self.epochs)
    }

    /// A metric over the epochs.
    pub fn metric(&self, name: &str) -> Vec<[f64; 2]> {
        let of_record = |record: &EpochRecord| Some([record.epoch as f64, record.metric(name)?]);
        self.epochs.iter().filter_map(of_record).collect()
    }

    /// Mean in-lung activation of the watch-list over the epochs, and of its chance level.
    pub fn in_lung(&self) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
        let mean = |pick: fn(&Watched) -> Option<f64>| {
            let of_epoch = |(epoch, images): &(usize, Vec<Watched>)| {
                let values: Vec<f64> = images.iter().filter_map(pick).collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                (!values.is_empty()).then_some([*epoch as f64, mean])
            };
            self.watch.iter().filter_map(of_epoch).collect()
        };
        (mean(|image| image.in_lung), mean(|image| image.chance))
    }
}

fn read_line(lines: &mut impl BufRead, text: &mut Vec<u8>) -> io::Result<usize> {
    text.clear();
    lines.by_ref().take(LONGEST_LINE).read_until(b'\n', text)
}

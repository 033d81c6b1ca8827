//! The training loop. It tells a callback what happens and knows no listener; a run that was stopped or killed goes on
//! after its last checkpoint as if nothing had been.

mod ahead;
mod epoch;
mod estimate;
mod keep;
mod loading;
mod room;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::nn::card::Task;
use crate::nn::{self, Device, Workspace};

use super::Error;
use super::adam::Adam;
use super::card;
use super::check::gate::Record;
use super::checkpoint::{Best, Progress, RunFolder};
use super::control::{Controls, Next};
use super::dataset;
use super::event::{NoteKind, PartCount, Started, Stop, TrainingEvent};
use super::fingerprint::Fingerprint;
use super::initial::{self, Learned};
use super::loss::Objective;
use super::lungs::Lungs;
use super::manifest::{Class, Manifest, Row};
use super::outlet::Outlet;
use super::phase::{Classification, Phase, Segmentation};
use super::pool::{Order, Pool};
use super::recipe::{Augmenting, Config, idle_epochs};
use super::record::Recorder;
use super::request::Request;
use super::split::Part;
use super::watch::{Watch, WatchList};
use keep::Checkpoints;
use loading::{Data, lungs, permitted, rows};

pub use estimate::estimate;

/// Address space for the training thread's stack; deep graphs need more than a thread's default.
pub const STACK_BYTES: usize = 64 << 20;

/// A run to be made or resumed.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is computed; `init` is filled in from [`Job::init`].
    pub config: Config,
    /// Data folder; see [`dataset::open`].
    pub data: PathBuf,
    /// What to take of the data, with further folders, and how to part them.
    pub dataset: dataset::Options,
    /// Where the run is kept.
    pub run: PathBuf,
    /// Initial weights with their card beside them.
    pub init: Option<PathBuf>,
    /// Weights of the segmenter that says where the lungs are, with their card beside them.
    pub segmenter: Option<PathBuf>,
    /// Whether to go on with the run that lies in the folder.
    pub resume: bool,
    /// Where it is computed.
    pub device: Device,
    /// What does not change the result.
    pub session: Session,
}

/// How a run is made, which changes nothing of what comes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// What computes, in words: `CPU, 2 threads`.
    pub device: String,
    /// Time between two checkpoints inside an epoch; longer where one takes long. 0 is after every batch.
    pub checkpoint_every: Duration,
    /// Epochs from one network that is kept for itself to the next, beside the best and the last; none is if `None`.
    pub keep_every: Option<usize>,
    /// Most memory that the run may have, in MiB; what is free if `None`. Batches are cut smaller to stay below it.
    pub memory_mib: Option<f64>,
    /// Where reports of checked data are kept; see [`Config::on_leakage`].
    pub reports: Option<PathBuf>,
    /// Where decoded inputs are kept, if anywhere.
    pub cache: Option<PathBuf>,
    /// Images that are looked at after every epoch.
    pub watch: WatchList,
    /// How the run was asked for; kept in its folder.
    pub request: Option<Box<Request>>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            device: "CPU".to_owned(),
            checkpoint_every: Duration::from_mins(1),
            keep_every: None,
            memory_mib: None,
            reports: None,
            cache: None,
            watch: WatchList::default(),
            request: None,
        }
    }
}

/// What a finished run leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Best weights; their card lies beside them.
    pub weights: PathBuf,
    /// The epoch they come from and its score on the validation part.
    pub best: Best,
}

/// Receives a run's events on the training thread.
pub type Listener<'a> = &'a mut (dyn FnMut(TrainingEvent) + Send);

/// Makes or resumes a run on a thread of its own and waits for it; `controls` pauses and stops it from another. The
/// last event is one that [`TrainingEvent::is_last`] holds for.
///
/// # Errors
/// If settings, data, initial weights or run folder cannot be used, the loss diverges, or the run is stopped.
///
/// # Panics
/// If the system can start no thread.
pub fn train(job: &Job, controls: &Controls, listener: Listener<'_>) -> Result<Outcome, Error> {
    thread::scope(|scope| {
        let run = || {
            let mut outlet = Outlet::new(listener);
            let outcome = match job.config.task {
                Task::Segmenter => Run::<Segmentation>::prepare(job, controls, &mut outlet).and_then(Run::fit),
                Task::Recovnet | Task::Baseline => {
                    Run::<Classification>::prepare(job, controls, &mut outlet).and_then(Run::fit)
                }
            };
            let last = last_event(&outcome, &outlet);
            outlet.emit(last);
            outcome
        };
        thread::Builder::new()
            .name("training".into())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, run)
            .expect("the system can start a thread")
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn last_event(outcome: &Result<Outcome, Error>, outlet: &Outlet<'_>) -> TrainingEvent {
    match outcome {
        Ok(outcome) => TrainingEvent::Finished {
            weights: outcome.weights.clone(),
            best: outcome.best,
        },
        Err(Error::Cancelled) => TrainingEvent::Stopped {
            place: outlet.kept().unwrap_or_default(),
        },
        Err(error) => TrainingEvent::Failed {
            reason: error.to_string(),
            kept: outlet.kept(),
        },
    }
}

struct Run<'a, 'o, P: Phase> {
    config: Config,
    session: Session,
    rows: Arc<[Row]>,
    learned: Vec<Learned>,
    /// What a check of the data found, if there was one.
    check: Option<Record>,
    /// Finds the lungs, for regions and the watch-list.
    lungs: Option<Lungs>,
    watch_list: Vec<Row>,
    /// The watch-list at the image size under way.
    watch: Option<Watch>,
    /// What an epoch is drawn from.
    pool: Arc<Pool>,
    objective: Objective,
    folder: RunFolder,
    device: Device,
    workspace: Workspace,
    network: P::Network,
    adam: Adam,
    progress: Progress,
    checkpoints: Checkpoints,
    /// Image sizes whose room in memory was looked at.
    roomy: BTreeSet<usize>,
    /// Whether a stop after this epoch was told of.
    stopping: bool,
    controls: &'a Controls,
    outlet: &'a mut Outlet<'o>,
}

impl<'a, 'o, P: Phase> Run<'a, 'o, P> {
    fn prepare(job: &Job, controls: &'a Controls, outlet: &'a mut Outlet<'o>) -> Result<Self, Error> {
        job.config.check()?;
        let initial = initial::read(job)?;
        if initial.as_ref().is_some_and(|initial| initial.encoder_only) {
            let text = "begins with an imported encoder; decoder or head begin with random weights";
            outlet.note(NoteKind::EncoderOnly, text);
        }
        let lungs = lungs(job)?;
        let manifest = RunFolder::at(&job.run).open_data(job)?;
        let needs_lungs = !job.config.region.is_full();
        let config = Config {
            init: initial.as_ref().map(|init| init.sha256.clone()),
            segmenter: lungs
                .as_ref()
                .filter(|_| needs_lungs)
                .map(|lungs| lungs.sha256().to_owned()),
            split: manifest.split.id.clone(),
            // What is recorded says which it is.
            best_by: Some(job.config.best_metric()),
            ..job.config.clone()
        };
        let rows = rows::<P>(job, &manifest, &config, initial.as_ref())?;
        let (rows, check) = permitted::<P>(job, &manifest, rows, controls, outlet)?;
        let watch_list = job.session.watch.rows(&manifest, &rows, config.seed)?;
        let mut network = P::build(&config, initial.as_ref().map(|init| &init.state), &job.device)?;
        let (folder, kept) = begin(job, &config, (&manifest, check.as_ref()), &rows, &mut network)?;
        let (adam, progress) = kept.unwrap_or_else(|| (Adam::new(config.optimiser()), Progress::default()));
        let training: Vec<&Row> = rows.iter().filter(|row| row.part() == Part::Train).collect();
        let pool = Pool::of_rows(&training, &config.augmenting, config.seed);
        let mut run = Self {
            objective: config.objective(pool.count()),
            pool: Arc::new(pool),
            rows: rows.into(),
            learned: initial.map(|initial| initial.learned).unwrap_or_default(),
            check,
            lungs,
            watch_list,
            watch: None,
            folder,
            device: job.device.clone(),
            workspace: Workspace::default(),
            network,
            adam,
            progress,
            checkpoints: Checkpoints::new(job.session.checkpoint_every),
            roomy: BTreeSet::new(),
            stopping: false,
            session: job.session.clone(),
            config,
            controls,
            outlet,
        };
        run.announce(job);
        Ok(run)
    }

    /// Tells that the run begins, and of what is odd about it.
    fn announce(&mut self, job: &Job) {
        match Recorder::open(&job.run) {
            Ok(recorder) => self.outlet.record(recorder),
            Err(problem) => self.outlet.note(NoteKind::NotWritten, problem),
        }
        let resumed = self.progress.place();
        self.outlet.emit(TrainingEvent::Started(Started {
            name: self.config.model_name(),
            config: Box::new(self.config.clone()),
            data: job.data.clone(),
            run: job.run.clone(),
            device: self.session.device.clone(),
            epochs: self.config.epochs(),
            steps_per_epoch: Order::of(&self.pool, &self.config).steps(),
            parts: [Part::Train, Part::Validation, Part::Test]
                .map(|part| self.count(part))
                .into(),
            resumed_from: (self.progress.steps > 0).then_some(resumed),
            records: self.progress.records.clone(),
            process: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }));
        if let Some(process) = self.folder.died() {
            let text =
                format!("the process that ran here before ({process}) ended without a word; its lock is taken over");
            self.outlet.note(NoteKind::LockTakenOver, text);
        }
        let before = std::mem::replace(&mut self.progress.device, self.session.device.clone());
        if self.progress.steps > 0 && before != self.session.device {
            let text = format!(
                "the run began on {before} and goes on on {}: it will not be the same to the last bit",
                self.session.device
            );
            self.outlet.note(NoteKind::NotIdentical, text);
        }
    }

    fn count(&self, part: Part) -> PartCount {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.part() == part).collect();
        let groups: BTreeSet<&str> = rows.iter().map(|row| row.group.as_str()).collect();
        PartCount {
            part: part.name().to_owned(),
            images: rows.len(),
            covid19: rows.iter().filter(|row| row.class == Class::Covid19).count(),
            groups: groups.len(),
        }
    }

    fn fit(mut self) -> Result<Outcome, Error> {
        let mut described = card::describe_data(&self.rows.iter().collect::<Vec<_>>(), &self.learned);
        if let Some(check) = &self.check {
            described["check"] =
                json!({"leakage": check.leakage, "on_leakage": check.on_leakage, "left_out": check.left_out.len()});
        }
        let mut data = self.restore_kept(&described)?;
        for epoch in self.progress.records.len()..self.config.epochs() {
            if self.has_stopped_early() {
                break;
            }
            let size = self.config.size_of(epoch);
            let ready = match data.take() {
                Some(ready) if ready.size == size => ready,
                _ => self.load(size)?,
            };
            self.restore_best(&ready, &described)?;
            self.epoch(epoch, &ready, &described)?;
            data = Some(ready);
            let is_last = epoch + 1 == self.config.epochs();
            if !is_last && matches!(self.controls.next(), Next::StopAfterEpoch | Next::Stop) {
                if !self.stopping {
                    self.outlet.emit(TrainingEvent::Stopping { when: Stop::AfterEpoch });
                }
                return Err(Error::Cancelled);
            }
        }
        self.finish(data, &described)
    }

    /// Whether the score has stood still for as many epochs of the last stage as the settings allow.
    fn has_stopped_early(&mut self) -> bool {
        let Some(patience) = self.config.patience else {
            return false;
        };
        let last = self.config.schedule.last().map(|stage| stage.size);
        let records = &self.progress.records;
        let of_stage: Vec<_> = records
            .iter()
            .filter(|record| Some(record.size) == last)
            .cloned()
            .collect();
        let idle = idle_epochs(&of_stage);
        if idle < patience {
            return false;
        }
        let metric = self.config.best_metric().name();
        let text = format!("stops early: {idle} epochs brought no better {metric} on the validation part");
        self.outlet.note(NoteKind::StoppedEarly, text);
        true
    }

    /// Evaluates the best weights as they lie on disk, and writes their card.
    fn finish(mut self, data: Option<Data>, described: &serde_json::Value) -> Result<Outcome, Error> {
        let weights = self.folder.best_weights();
        let best = self.progress.best.ok_or_else(|| Error::Run {
            path: weights.clone(),
            reason: "the run has no epochs".to_owned(),
        })?;
        let data = match data {
            Some(data) if data.size == best.size => data,
            _ => self.load(best.size)?,
        };
        self.restore_best(&data, described)?;
        let sha256 = nn::weights::sha256_of(&weights)?;
        nn::weights::load_into(&mut self.network, &weights, &self.device)?;
        let tally = self.evaluate(&data, best.epoch)?;
        let card = card::card(&self.config, described, best, &tally, sha256);
        self.folder.save_card(&card)?;
        Ok(Outcome { weights, best })
    }
}

/// Begins the run folder, or opens it and puts the network back where it was.
fn begin(
    job: &Job,
    config: &Config,
    (manifest, check): (&Manifest, Option<&Record>),
    rows: &[Row],
    network: &mut impl nn::Network,
) -> Result<(RunFolder, Option<(Adam, Progress)>), Error> {
    let fingerprint = Fingerprint::of(rows);
    if job.resume {
        let folder = RunFolder::open(&job.run, config, &fingerprint)?;
        let kept = folder.load_last(network, config.optimiser())?;
        return Ok((folder, kept));
    }
    let folder = RunFolder::create(&job.run, config, fingerprint)?;
    folder.save_split(manifest)?;
    if let Some(request) = &job.session.request {
        folder.save_request(request)?;
    }
    if let Some(check) = check {
        folder.save_check(check)?;
    }
    Ok((folder, None))
}

/// Ranges of the random transforms, unless there are none.
fn augmentation(config: &Config) -> Option<super::augment::Augmentation> {
    (config.augmenting != Augmenting::Off).then_some(config.augmentation)
}

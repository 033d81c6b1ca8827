//! The training loop. It tells a callback what happens and knows no listener; a run that was stopped goes on after
//! its last finished epoch as if nothing had been.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::nn::card::Task;
#[cfg(feature = "cuda")]
use crate::nn::ops::cuda::Reading;
use crate::nn::{self, DType, Device, Tape, Workspace};

use super::Error;
use super::adam::Adam;
use super::batches::{Batch, Plan};
use super::card;
use super::checkpoint::{Best, Progress, RunFolder};
use super::dataset;
use super::event::{EpochRecord, TrainingEvent};
use super::initial::{self, Learned};
use super::manifest::Row;
use super::phase::{self, Classification, Phase, Segmentation, Tally};
use super::recipe::Config;
use super::sample::{self, Sample};
use super::split::{Part, SPLIT_KEY};
use super::step::{self, StepConfig, images};

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
    /// Whether to go on with the run that lies in the folder.
    pub resume: bool,
    /// Where it is computed.
    pub device: Device,
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

/// Makes or resumes a run on a thread of its own and waits for it. Setting `cancel` ends it after the step under
/// way.
///
/// # Errors
/// If data, initial weights or run folder cannot be used, the loss diverges, or the run is cancelled.
///
/// # Panics
/// If the system can start no thread.
pub fn train(job: &Job, cancel: &AtomicBool, listener: Listener<'_>) -> Result<Outcome, Error> {
    thread::scope(|scope| {
        let run = || match job.config.task {
            Task::Segmenter => Run::<Segmentation>::prepare(job, cancel, listener)?.fit(),
            Task::Recovnet | Task::Baseline => Run::<Classification>::prepare(job, cancel, listener)?.fit(),
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

/// The samples of an epoch's image size.
struct Data {
    size: usize,
    train: Vec<Sample>,
    validation: Vec<Sample>,
}

struct Run<'a, P: Phase> {
    config: Config,
    rows: Vec<Row>,
    learned: Vec<Learned>,
    folder: RunFolder,
    device: Device,
    workspace: Workspace,
    network: P::Network,
    adam: Adam,
    progress: Progress,
    cancel: &'a AtomicBool,
    listener: Listener<'a>,
}

impl<'a, P: Phase> Run<'a, P> {
    fn prepare(job: &Job, cancel: &'a AtomicBool, listener: Listener<'a>) -> Result<Self, Error> {
        check_schedule(&job.config)?;
        let initial = initial::read(job)?;
        if initial.as_ref().is_some_and(|initial| initial.encoder_only) {
            listener(TrainingEvent::EncoderOnly);
        }
        let manifest = RunFolder::at(&job.run).open_data(job)?;
        let config = Config {
            init: initial.as_ref().map(|init| init.sha256.clone()),
            split: manifest.split.id.clone(),
            ..job.config.clone()
        };
        let rows: Vec<Row> = manifest.rows.iter().filter(|row| P::takes(row)).cloned().collect();
        phase::check_rows::<P>(&manifest, &rows)?;
        if let (Some(initial), Some(path)) = (&initial, &job.init) {
            initial.check_split(path, &config.split, &rows)?;
        }
        manifest.check_files(&rows)?;
        let mut network = P::build(&config, initial.as_ref().map(|init| &init.state), &job.device)?;
        let mut adam = Adam::new(config.adam);
        let mut progress = Progress::default();
        let folder = if job.resume {
            let folder = RunFolder::open(&job.run, &config)?;
            if let Some(last) = folder.load_last(&mut network, config.adam)? {
                (adam, progress) = last;
            }
            folder
        } else {
            let folder = RunFolder::create(&job.run, &config)?;
            folder.save_split(&manifest)?;
            folder
        };
        Ok(Self {
            config,
            rows,
            learned: initial.map(|initial| initial.learned).unwrap_or_default(),
            folder,
            device: job.device.clone(),
            workspace: Workspace::default(),
            network,
            adam,
            progress,
            cancel,
            listener,
        })
    }

    fn fit(mut self) -> Result<Outcome, Error> {
        let described = card::describe_data(&self.rows.iter().collect::<Vec<_>>(), &self.learned);
        let mut data: Option<Data> = None;
        for epoch in self.progress.records.len()..self.config.epochs() {
            let size = self.config.size_of(epoch);
            let ready = match data.take() {
                Some(ready) if ready.size == size => ready,
                _ => self.load(size)?,
            };
            self.epoch(epoch, &ready, &described)?;
            data = Some(ready);
        }
        self.finish(data, &described)
    }

    fn load(&mut self, size: usize) -> Result<Data, Error> {
        let part = |part| self.rows.iter().filter(move |row| row.part() == part);
        let first = part(Part::Train).count();
        let rows: Vec<&Row> = part(Part::Train).chain(part(Part::Validation)).collect();
        let total = rows.len();
        let listener = &mut self.listener;
        let mut on_progress = |done| listener(TrainingEvent::Loading { done, total, size });
        let spec = self.config.input(size);
        let mut train = sample::load(&rows, &spec, P::MASKS, self.cancel, &mut on_progress)?;
        let validation = train.split_off(first);
        Ok(Data {
            size,
            train,
            validation,
        })
    }

    fn epoch(&mut self, epoch: usize, data: &Data, described: &serde_json::Value) -> Result<(), Error> {
        let begin = Instant::now();
        let trained = self.train_epoch(epoch, data)?;
        (self.listener)(TrainingEvent::Validating { epoch: epoch + 1 });
        let tally = self.evaluate(data)?;
        let score = P::score(&tally).ok_or(Error::Diverged {
            epoch: epoch + 1,
            step: trained.steps,
        })?;
        let record = EpochRecord {
            epoch: epoch + 1,
            epochs: self.config.epochs(),
            size: data.size,
            train_loss: trained.loss / trained.steps as f64,
            rate: trained.rate,
            validation_loss: tally.loss / tally.images as f64,
            metric: P::METRIC.to_owned(),
            validation_score: score,
            best: false,
            images: trained.images,
            seconds: begin.elapsed().as_secs_f64(),
            images_per_second: trained.images as f64 / trained.seconds,
        };
        self.keep(record.rounded(), &tally, described)
    }

    /// Puts an epoch's checkpoints on disk and tells of it.
    fn keep(&mut self, mut record: EpochRecord, tally: &Tally, described: &serde_json::Value) -> Result<(), Error> {
        let reached = Best {
            epoch: record.epoch,
            score: record.validation_score,
            size: record.size,
        };
        record.best = self
            .progress
            .best
            .is_none_or(|best| best.size != reached.size || best.score < reached.score);
        if record.best {
            self.progress.best = Some(reached);
            let sha256 = self.folder.save_best(&self.network, &self.metadata(reached))?;
            let card = card::card(&self.config, described, reached, tally, sha256);
            self.folder.save_card(&card)?;
        }
        self.progress.steps = self.adam.steps();
        self.progress.records.push(record.clone());
        self.folder.save_last(&self.network, &self.adam, &self.progress)?;
        (self.listener)(TrainingEvent::Epoch(record));
        Ok(())
    }

    fn train_epoch(&mut self, epoch: usize, data: &Data) -> Result<Trained, Error> {
        let spec = self.config.input(data.size);
        let plan = Plan {
            samples: &data.train,
            spec: &spec,
            batch: self.config.batch,
            augmentation: Some(self.config.augmentation),
            balanced: self.config.balanced,
            seed: self.config.seed,
        };
        let steps = plan.steps();
        let mut course = Course {
            epoch,
            steps,
            total: steps * self.config.epochs(),
            begin: Instant::now(),
            trained: Trained::default(),
        };
        #[cfg(feature = "cuda")]
        if self.device.is_cuda() {
            self.train_epoch_on_gpu(&plan, &mut course)?;
            return Ok(course.finish());
        }
        plan.for_each(epoch, |number, batch| {
            let (images, rate) = (batch.len(), self.begin_step(&course, number)?);
            let config = self.step_config(data.size, rate);
            let loss = step::step::<P>(
                &mut self.network,
                &mut self.adam,
                batch,
                config,
                (&self.device, &self.workspace),
            )?;
            course.record(number, images, rate, loss, self.listener)
        })?;
        Ok(course.finish())
    }

    /// The rate of a step, unless the run was cancelled.
    fn begin_step(&self, course: &Course, step: usize) -> Result<f64, Error> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        Ok(self.config.rate_at(course.epoch * course.steps + step, course.steps))
    }

    /// The steps on a GPU. A step's loss is read when the next one is under way, so that the GPU never waits for
    /// what comes next.
    #[cfg(feature = "cuda")]
    fn train_epoch_on_gpu(&mut self, plan: &Plan<'_>, course: &mut Course) -> Result<(), Error> {
        let mut before: Option<(usize, usize, f64, Reading)> = None;
        plan.for_each_plain(course.epoch, |number, batch| {
            let (images, rate) = (batch.labels.len(), self.begin_step(course, number)?);
            let config = self.step_config(plan.spec.width, rate);
            let reading = step::step_on_gpu::<P>(
                &mut self.network,
                &mut self.adam,
                &batch,
                plan.spec,
                config,
                &self.device,
            )?;
            if let Some((number, images, rate, reading)) = before.replace((number, images, rate, reading)) {
                course.record(number, images, rate, reading.wait()?, self.listener)?;
            }
            Ok::<_, Error>(())
        })?;
        match before {
            Some((step, images, rate, reading)) => course.record(step, images, rate, reading.wait()?, self.listener),
            None => Ok(()),
        }
    }

    fn step_config(&self, size: usize, rate: f64) -> StepConfig {
        StepConfig {
            size,
            rate,
            bn_momentum: self.config.bn_momentum,
            precision: self.config.precision,
        }
    }

    /// Evaluates the validation part as it is, with running statistics.
    fn evaluate(&self, data: &Data) -> Result<Tally, Error> {
        let spec = self.config.input(data.size);
        let mut tally = Tally::default();
        for chunk in data.validation.chunks(self.config.batch) {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let mut batch = Batch::plain(chunk, &spec);
            let images = images(&mut batch, data.size, &self.device)?;
            let images = self.config.precision.of_input(&images)?;
            let output = P::forward(&self.network, &images, &mut Tape::evaluation_in(&self.workspace))?;
            let logits = output
                .tensor()
                .to_dtype(DType::F32)
                .and_then(|z| z.flatten_all()?.to_vec1::<f32>());
            P::tally(&logits.map_err(nn::Error::from)?, &batch, &mut tally);
        }
        Ok(tally)
    }

    /// What a weights file says of itself.
    fn metadata(&self, best: Best) -> BTreeMap<String, String> {
        let entries = [
            ("name", self.config.model_name()),
            ("backbone", self.config.encoder.name().to_owned()),
            (SPLIT_KEY, self.config.split.clone()),
            ("seed", self.config.seed.to_string()),
            ("epoch", best.epoch.to_string()),
        ];
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect()
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
        let sha256 = nn::weights::sha256_of(&weights)?;
        nn::weights::load_into(&mut self.network, &weights, &self.device)?;
        let tally = self.evaluate(&data)?;
        let card = card::card(&self.config, described, best, &tally, sha256);
        self.folder.save_card(&card)?;
        Ok(Outcome { weights, best })
    }
}

/// Sums over an epoch's training steps.
#[derive(Default)]
struct Trained {
    loss: f64,
    steps: usize,
    images: usize,
    rate: f64,
    seconds: f64,
}

/// An epoch's way.
struct Course {
    epoch: usize,
    /// Steps of this epoch.
    steps: usize,
    /// Steps of the run.
    total: usize,
    begin: Instant,
    trained: Trained,
}

impl Course {
    /// Adds a finished step and tells of it.
    fn record(
        &mut self,
        step: usize,
        images: usize,
        rate: f64,
        loss: f64,
        listener: &mut (dyn FnMut(TrainingEvent) + Send),
    ) -> Result<(), Error> {
        if !loss.is_finite() {
            return Err(Error::Diverged {
                epoch: self.epoch + 1,
                step: step + 1,
            });
        }
        let trained = &mut self.trained;
        trained.images += images;
        trained.rate = rate;
        trained.loss += loss;
        trained.steps += 1;
        let images_per_second = trained.images as f64 / self.begin.elapsed().as_secs_f64();
        listener(TrainingEvent::Step {
            done: self.epoch * self.steps + step + 1,
            total: self.total,
            epoch: self.epoch + 1,
            loss,
            images_per_second,
        });
        Ok(())
    }

    fn finish(self) -> Trained {
        Trained {
            seconds: self.begin.elapsed().as_secs_f64(),
            ..self.trained
        }
    }
}

/// Refuses image sizes that the encoder cannot see, before anything is read.
fn check_schedule(config: &Config) -> Result<(), Error> {
    let side = config.encoder.smallest_side();
    match config.schedule.iter().find(|stage| stage.size < side) {
        None => Ok(()),
        Some(stage) => Err(Error::Usage(format!(
            "{} needs images of at least {side} pixels, the schedule has {}",
            config.encoder, stage.size
        ))),
    }
}

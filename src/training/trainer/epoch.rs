//! An epoch: its steps, what may happen between two of them, and its evaluation.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::nn::{self, DType, Device, Tape};
#[cfg(feature = "cuda")]
use crate::training::step::Readings;

use super::loading::Data;
use super::{Run, augmentation};
use crate::training::batches::{Batch, Plan};
use crate::training::checkpoint::Within;
use crate::training::control::Next;
use crate::training::event::{EpochRecord, NoteKind, StepRecord, Stop, TrainingEvent};
use crate::training::phase::{Phase, Tally};
use crate::training::pool::Order;
use crate::training::step::{self, StepConfig, Stepped, images};
use crate::training::{Error, memory};

/// How often memory is looked at.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// An epoch's way.
pub(super) struct Course {
    /// From 0.
    pub epoch: usize,
    /// Steps of this epoch.
    pub steps: usize,
    /// Steps of the run.
    pub total: usize,
    /// What is done, sessions before this one included.
    pub done: Within,
    /// Sum of the losses.
    pub loss: f64,
    /// Since when time is counted that is not in `done` yet.
    since: Instant,
    memory: Memory,
    device: Device,
}

/// Memory in use when it was last looked at, in MiB.
struct Memory {
    at: Instant,
    process: Option<f64>,
    gpu: Option<f64>,
}

impl Memory {
    fn now(device: &Device) -> Self {
        Self {
            at: Instant::now(),
            process: memory::resident_mib(),
            gpu: memory::gpu_mib(device),
        }
    }
}

impl Course {
    fn new(epoch: usize, (steps, epochs): (usize, usize), done: Within, device: &Device) -> Self {
        Self {
            epoch,
            steps,
            total: steps * epochs,
            done,
            loss: f64::from_bits(done.loss_bits),
            since: Instant::now(),
            memory: Memory::now(device),
            device: device.clone(),
        }
    }

    /// Counts the time up to now.
    fn count_time(&mut self) {
        let now = Instant::now();
        self.done.seconds += now.duration_since(self.since).as_secs_f64();
        self.since = now;
    }

    /// Leaves out the time since the last count.
    fn skip_time(&mut self) {
        self.since = Instant::now();
    }

    /// Adds a finished step.
    fn record(&mut self, images: usize, rate: f64, waited: Duration, stepped: Stepped) -> StepRecord {
        self.count_time();
        self.loss += stepped.loss;
        let done = &mut self.done;
        done.loss_bits = self.loss.to_bits();
        done.images += images;
        done.rate = rate;
        done.steps += 1;
        done.waited += waited.as_secs_f64();
        if self.memory.at.elapsed() > MEMORY_EVERY {
            self.memory = Memory::now(&self.device);
        }
        StepRecord {
            done: self.epoch * self.steps + done.steps,
            total: self.total,
            epoch: self.epoch + 1,
            loss: stepped.loss,
            rate,
            images,
            images_per_second: done.images as f64 / done.seconds,
            waited: (done.waited / done.seconds).min(1.0),
            gradient_norm: (stepped.gradient_norm > 0.0).then_some(stepped.gradient_norm),
            memory_mib: self.memory.process,
            gpu_mib: self.memory.gpu,
        }
    }
}

impl<P: Phase> Run<'_, '_, P> {
    /// Trains and evaluates an epoch, and keeps what came of it.
    pub(super) fn epoch(&mut self, epoch: usize, data: &Data, described: &serde_json::Value) -> Result<(), Error> {
        self.make_room(data)?;
        // After what batches need was measured, and until the epoch ends.
        let _ahead = self.decode_ahead(epoch);
        let trained = self.train_epoch(epoch, data)?;
        let begin = Instant::now();
        let tally = match self.evaluate_after(data, epoch + 1, Some(trained)) {
            Err(Error::Cancelled) => {
                self.outlet.emit(TrainingEvent::Stopping { when: Stop::AfterBatch });
                self.save_within(trained)?;
                return Err(Error::Cancelled);
            }
            outcome => outcome?,
        };
        if !P::score(&tally).is_some_and(f64::is_finite) || !tally.loss.is_finite() {
            return Err(Error::DivergedOnValidation { epoch: epoch + 1 });
        }
        let best_by = self.config.best_metric();
        let (mut metrics, validation_loss) = (P::metrics(&tally), tally.loss / tally.images as f64);
        let score = best_by.take(&mut metrics, validation_loss);
        let record = EpochRecord {
            epoch: epoch + 1,
            epochs: self.config.epochs(),
            size: data.size,
            train_loss: f64::from_bits(trained.loss_bits) / trained.steps as f64,
            rate: trained.rate,
            validation_loss,
            metric: best_by.name().to_owned(),
            validation_score: score,
            validation: metrics,
            best: false,
            images: trained.images,
            seconds: trained.seconds + begin.elapsed().as_secs_f64(),
            images_per_second: trained.images as f64 / trained.seconds,
            waited: (trained.waited / trained.seconds).min(1.0),
        };
        self.keep(record.rounded(), &tally, described)
    }

    fn train_epoch(&mut self, epoch: usize, data: &Data) -> Result<Within, Error> {
        let spec = self.config.input(data.size);
        let pool = Arc::clone(&self.pool);
        let plan = Plan {
            samples: &data.train,
            order: Order::of(&pool, &self.config),
            spec: &spec,
            augmentation: augmentation(&self.config),
        };
        let done = std::mem::take(&mut self.progress.within);
        let steps = plan.order.steps();
        let mut course = Course::new(epoch, (steps, self.config.epochs()), done, &self.device);
        self.checkpoints.begin();
        #[cfg(feature = "cuda")]
        if self.device.is_cuda() {
            self.train_epoch_on_gpu(&plan, &mut course)?;
            return Ok(course.done);
        }
        plan.for_each((epoch, done.steps), |number, batch, waited| {
            self.between(&mut course)?;
            let (images, rate) = (batch.len(), self.rate(&course, number));
            let config = self.step_config(data.size, rate);
            let stepped = step::step::<P>(
                &mut self.network,
                &mut self.adam,
                batch,
                config,
                (&self.device, &self.workspace),
            )?;
            self.record(&mut course, (images, rate, waited), stepped)
        })?;
        Ok(course.done)
    }

    /// Adds a finished step and tells of it.
    fn record(
        &mut self,
        course: &mut Course,
        (images, rate, waited): (usize, f64, Duration),
        stepped: Stepped,
    ) -> Result<(), Error> {
        if !stepped.loss.is_finite() || !stepped.gradient_norm.is_finite() {
            return Err(self.diverged(course.epoch, course.done.steps));
        }
        let record = course.record(images, rate, waited, stepped);
        self.outlet.emit(TrainingEvent::Step(record));
        Ok(())
    }

    /// What names the images of a step.
    fn diverged(&self, epoch: usize, step: usize) -> Error {
        let training = self.training_rows();
        let samples = Order::of(&self.pool, &self.config).samples(epoch, step);
        let names = samples.into_iter().filter_map(|sample| training.get(sample));
        Error::Diverged {
            epoch: epoch + 1,
            step: step + 1,
            files: names.map(|row| row.file.clone()).collect(),
        }
    }

    /// Between two steps: a checkpoint if one is due, and what the controls ask for.
    fn between(&mut self, course: &mut Course) -> Result<(), Error> {
        loop {
            match self.controls.next() {
                Next::Go => break,
                Next::StopAfterEpoch => {
                    if !std::mem::replace(&mut self.stopping, true) {
                        self.outlet.emit(TrainingEvent::Stopping { when: Stop::AfterEpoch });
                    }
                    break;
                }
                Next::Stop => {
                    self.outlet.emit(TrainingEvent::Stopping { when: Stop::AfterBatch });
                    course.count_time();
                    self.save_within(course.done)?;
                    return Err(Error::Cancelled);
                }
                Next::Pause => {
                    course.count_time();
                    self.save_within(course.done)?;
                    self.pause();
                    course.skip_time();
                }
            }
        }
        if self.checkpoints.is_due() && course.done.steps > 0 {
            course.count_time();
            self.try_save_within(course.done)?;
            course.skip_time();
        }
        Ok(())
    }

    /// Waits for the end of a pause.
    fn pause(&mut self) {
        let place = self.progress.place();
        self.outlet.emit(TrainingEvent::Paused { place });
        self.controls.wait();
        self.outlet.emit(TrainingEvent::Resumed);
    }

    /// The rate of a step.
    fn rate(&self, course: &Course, step: usize) -> f64 {
        let rates = self.config.rates(course.steps, &self.progress.records);
        rates.at(course.epoch * course.steps + step)
    }

    fn step_config(&self, size: usize, rate: f64) -> StepConfig {
        StepConfig {
            size,
            rate,
            clip: self.config.clip,
            bn_momentum: self.config.bn_momentum,
            precision: self.config.precision,
            objective: self.objective,
            micro: self.micro(size),
        }
    }

    /// Evaluates the validation part as it is, with running statistics, where nothing was trained since the last
    /// checkpoint.
    pub(super) fn evaluate(&mut self, data: &Data, epoch: usize) -> Result<Tally, Error> {
        self.evaluate_after(data, epoch, None)
    }

    /// As [`Run::evaluate`], after steps that no checkpoint has: a pause puts them on disk before it waits.
    fn evaluate_after(&mut self, data: &Data, epoch: usize, trained: Option<Within>) -> Result<Tally, Error> {
        let spec = self.config.input(data.size);
        let mut tally = Tally::default();
        let total = data.validation.len();
        for chunk in data.validation.chunks(self.micro(data.size)) {
            match self.controls.next() {
                Next::Stop => return Err(Error::Cancelled),
                Next::Pause => {
                    if let Some(trained) = trained {
                        self.save_within(trained)?;
                    }
                    self.pause();
                }
                Next::Go | Next::StopAfterEpoch => {}
            }
            self.outlet.emit(TrainingEvent::Validating {
                epoch,
                done: tally.images,
                total,
            });
            let mut batch = Batch::plain(chunk, &spec);
            let images = images(&mut batch, data.size, &self.device)?;
            let images = self.config.precision.of_input(&images)?;
            let output = P::forward(&self.network, &images, &mut Tape::evaluation_in(&self.workspace))?;
            let logits = output
                .tensor()
                .to_dtype(DType::F32)
                .and_then(|z| z.flatten_all()?.to_vec1::<f32>());
            let logits = logits.map_err(nn::Error::from)?;
            P::tally(&logits, &batch, &self.config.losses, &mut tally);
        }
        Ok(tally)
    }
}

/// A step on its way.
#[cfg(feature = "cuda")]
struct Flying {
    images: usize,
    rate: f64,
    waited: Duration,
    readings: Readings,
}

#[cfg(feature = "cuda")]
impl<P: Phase> Run<'_, '_, P> {
    /// The steps on a GPU. A step's loss is read when the next one is under way, so that the GPU never waits for
    /// what comes next.
    fn train_epoch_on_gpu(&mut self, plan: &Plan<'_>, course: &mut Course) -> Result<(), Error> {
        let mut before: Option<Flying> = None;
        let first = course.done.steps;
        plan.for_each_plain((course.epoch, first), |number, batch, waited| {
            if self.checkpoints.is_due() || self.controls.next() != Next::Go {
                self.land(course, before.take())?;
            }
            self.between(course)?;
            let (images, rate) = (batch.labels.len(), self.rate(course, number));
            let readings = loop {
                let config = self.step_config(plan.spec.width, rate);
                let (network, adam) = (&mut self.network, &mut self.adam);
                match step::step_on_gpu::<P>(network, adam, &batch, plan.spec, config, &self.device) {
                    Err(error) if error.is_out_of_memory() && config.micro > 2 => {
                        self.land(course, before.take())?;
                        self.shrink(
                            plan.spec.width,
                            config.micro.min(images).div_ceil(2).max(2),
                            "the GPU's memory is full",
                        );
                    }
                    outcome => break outcome?,
                }
            };
            let flying = Flying {
                images,
                rate,
                waited,
                readings,
            };
            let landed = before.replace(flying);
            self.land(course, landed)
        })?;
        self.land(course, before)
    }

    /// Waits for a step's loss and tells of it.
    fn land(&mut self, course: &mut Course, flying: Option<Flying>) -> Result<(), Error> {
        let Some(flying) = flying else {
            return Ok(());
        };
        let stepped = flying.readings.wait()?;
        self.record(course, (flying.images, flying.rate, flying.waited), stepped)
    }
}

impl<P: Phase> Run<'_, '_, P> {
    /// Makes the micro-batches of an image size smaller and says so; the effective batch stays.
    pub(super) fn shrink(&mut self, size: usize, micro: usize, cause: &str) {
        self.progress.micro.insert(size, micro);
        let text = format!(
            "{cause}: batches of {} images are computed {micro} at a time; a step still averages over all of them, but \
             batch normalisation sees {micro}",
            self.config.effective_batch()
        );
        self.outlet.note(NoteKind::SmallerBatch, text);
    }
}

//! What a run takes: a few steps of every stage on this machine, with pictures of noise, before anything is begun.

use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Job;
use super::loading::rows;
use super::room::{Room, TRIAL};
use crate::nn::card::Task;
use crate::nn::{self, Tape, Workspace};
use crate::training::adam::Adam;
use crate::training::batches::Batch;
use crate::training::checkpoint::RunFolder;
use crate::training::event::{Estimate, StageEstimate};
use crate::training::phase::{Classification, Phase, Segmentation};
use crate::training::pool::{Order, Pool};
use crate::training::split::Part;
use crate::training::step::{StepConfig, images, step};
use crate::training::{Error, initial, memory};

/// Steps whose time is taken, after one that warms up; the shortest counts.
const TIMED: usize = 2;

/// Measures some steps of every stage. Nothing is written, and no image is read: the data only say how many steps there
/// are.
///
/// # Errors
/// If settings, data or initial weights cannot be used, or a step fails.
pub fn estimate(job: &Job) -> Result<Estimate, Error> {
    job.config.check()?;
    let mut job = job.clone();
    job.dataset = job.dataset.without_new_split_file();
    match job.config.task {
        Task::Segmenter => measure::<Segmentation>(&job),
        Task::Recovnet | Task::Baseline => measure::<Classification>(&job),
    }
}

fn measure<P: Phase>(job: &Job) -> Result<Estimate, Error> {
    let config = &job.config;
    let initial = initial::read(job)?;
    let manifest = RunFolder::at(&job.run).open_data(job)?;
    let rows = rows::<P>(job, &manifest, config, None)?;
    let part = |part| rows.iter().filter(move |row| row.part() == part);
    let (training, validation) = (part(Part::Train).collect::<Vec<_>>(), part(Part::Validation).count());
    let pool = Pool::of_rows(&training, &config.augmenting, config.seed);
    let order = Order::of(&pool, config);
    let mut trial = Trial::<P> {
        job,
        network: P::build(config, initial.as_ref().map(|initial| &initial.state), &job.device)?,
        adam: Adam::new(config.optimiser()),
        workspace: Workspace::default(),
        objective: config.objective(pool.count()),
    };
    let free_mib = memory::available_mib();
    let (mut stages, mut peak_mib) = (Vec::new(), None);
    for stage in &config.schedule {
        let (micro, seconds_per_step, seconds_per_image) = trial.stage(stage.size)?;
        // Every stage begins a new peak.
        peak_mib = memory::peak_mib().map(|peak| peak_mib.map_or(peak, |before: f64| before.max(peak)));
        let steps_per_epoch = order.steps();
        stages.push(StageEstimate {
            size: stage.size,
            epochs: stage.epochs,
            steps_per_epoch,
            seconds_per_step,
            epoch_seconds: steps_per_epoch as f64 * seconds_per_step + validation as f64 * seconds_per_image,
            micro_batch: micro,
        });
    }
    Ok(Estimate {
        device: job.session.device.clone(),
        seconds: stages
            .iter()
            .map(|stage| stage.epochs as f64 * stage.epoch_seconds)
            .sum(),
        stages,
        peak_mib,
        free_mib,
    })
}

struct Trial<'a, P: Phase> {
    job: &'a Job,
    network: P::Network,
    adam: Adam,
    workspace: Workspace,
    objective: crate::training::loss::Objective,
}

impl<P: Phase> Trial<'_, P> {
    /// Images at once, seconds of a step, and seconds that evaluating an image takes.
    fn stage(&mut self, size: usize) -> Result<(usize, f64, f64), Error> {
        let config = &self.job.config;
        let room = Room {
            config,
            objective: &self.objective,
            device: &self.job.device,
            workspace: &self.workspace,
            limit_mib: self.job.session.memory_mib,
        };
        let fit = room.fit::<P>(&self.network, noise(TRIAL, size, P::MASKS, config.seed), size)?;
        let mut micro = fit.map_or(config.batch, |fit| fit.micro);
        let begun = loop {
            match self.steps(size, micro) {
                Err(Error::Network(error)) if error.is_out_of_memory() && micro > 2 => micro = micro.div_ceil(2).max(2),
                outcome => break outcome?,
            }
        };
        let mut batch = noise(micro, size, P::MASKS, config.seed);
        let started = Instant::now();
        let input = config
            .precision
            .of_input(&images(&mut batch, size, &self.job.device)?)?;
        let output = P::forward(&self.network, &input, &mut Tape::evaluation_in(&self.workspace))?;
        output
            .tensor()
            .flatten_all()
            .and_then(|z| z.to_dtype(nn::DType::F32)?.to_vec1::<f32>())
            .map_err(nn::Error::from)?;
        Ok((micro, begun, started.elapsed().as_secs_f64() / micro as f64))
    }

    fn steps(&mut self, size: usize, micro: usize) -> Result<f64, Error> {
        let config = &self.job.config;
        let settings = StepConfig {
            size,
            // No step: the network stays as it is, whatever the pictures are.
            rate: 0.0,
            clip: config.clip,
            bn_momentum: 0.0,
            precision: config.precision,
            objective: self.objective,
            micro,
        };
        let mut shortest = f64::INFINITY;
        for number in 0..=TIMED {
            let batch = noise(config.effective_batch(), size, P::MASKS, number as u64);
            let started = Instant::now();
            let device = (&self.job.device, &self.workspace);
            step::<P>(&mut self.network, &mut self.adam, batch, settings, device)?;
            let took = started.elapsed().as_secs_f64();
            if number > 0 {
                shortest = shortest.min(took);
            }
        }
        Ok(shortest)
    }
}

/// Pictures of noise of both classes, with masks of a half if there are masks.
fn noise(count: usize, size: usize, masks: bool, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pixels = size * size;
    Batch {
        images: (0..count * 3 * pixels).map(|_| rng.random_range(-2.0..2.0)).collect(),
        masks: if masks {
            (0..count * pixels)
                .map(|pixel| u8::from(pixel % size < size / 2))
                .collect()
        } else {
            Vec::new()
        },
        labels: (0..count).map(|image| (image % 2) as u8).collect(),
    }
}

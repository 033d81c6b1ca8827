//! Batches that fit into memory: on the CPU the room that an image takes is found by a trial before the first step,
//! because the system ends a process that asks for too much instead of telling it.

use super::Run;
use super::loading::Data;
use crate::heap;
use crate::nn::{self, Device, Tape, Tensor, Workspace};
use crate::training::Error;
use crate::training::batches::Batch;
use crate::training::loss::Objective;
use crate::training::memory;
use crate::training::phase::{Phase, Targets};
use crate::training::recipe::Config;
use crate::training::step::images;

/// Images of the trial: the fewest that batch normalisation can do with.
pub(super) const TRIAL: usize = 2;
/// Steps after which a workspace has given back every buffer that lies idle in it.
const EMPTYING: usize = 4;
/// Share of the free memory that a step may take; the rest is for what the estimate misses.
const USABLE: f64 = 0.85;

impl<P: Phase> Run<'_, '_, P> {
    /// Most images that the network sees at once at an image size.
    pub(super) fn micro(&self, size: usize) -> usize {
        let most = self.config.batch;
        self.progress.micro.get(&size).map_or(most, |micro| most.min(*micro))
    }

    /// Makes the micro-batches of an image size smaller if memory would not do; done once a size.
    pub(super) fn make_room(&mut self, data: &Data) -> Result<(), Error> {
        let known = self.progress.micro.contains_key(&data.size) || !self.roomy.insert(data.size);
        if known || data.train.len() < TRIAL {
            return Ok(());
        }
        let room = Room {
            config: &self.config,
            objective: &self.objective,
            device: &self.device,
            workspace: &self.workspace,
            limit_mib: self.session.memory_mib,
        };
        let batch = Batch::plain(&data.train[..TRIAL], &self.config.input(data.size));
        let Some(fit) = room.fit::<P>(&self.network, batch, data.size)? else {
            return Ok(());
        };
        if fit.micro < self.config.batch {
            let cause = format!(
                "{} images of {} px need about {:.0} MiB, {:.0} MiB are free",
                self.config.batch, data.size, fit.need_mib, fit.free_mib
            );
            self.shrink(data.size, fit.micro, &cause);
        }
        Ok(())
    }
}

/// What a trial is made with.
pub(super) struct Room<'a> {
    pub config: &'a Config,
    pub objective: &'a Objective,
    pub device: &'a Device,
    pub workspace: &'a Workspace,
    /// Most memory that the process may have; what is free if `None`.
    pub limit_mib: Option<f64>,
}

/// How many images fit.
pub(super) struct Fit {
    /// At once.
    pub micro: usize,
    /// What the whole batch would need.
    pub need_mib: f64,
    /// What is free.
    pub free_mib: f64,
}

impl Room<'_> {
    /// Tries a batch of [`TRIAL`] images; `None` on a GPU, which tells when it is full, and where the system does not
    /// tell of memory.
    ///
    /// # Errors
    /// If the network fails.
    pub(super) fn fit<P: Phase>(&self, network: &P::Network, batch: Batch, size: usize) -> Result<Option<Fit>, Error> {
        if !self.device.is_cpu() {
            return Ok(None);
        }
        self.empty();
        if !memory::reset_peak() {
            return Ok(None);
        }
        let before = memory::resident_mib();
        let free = match self.limit_mib {
            Some(limit) => before.map(|resident| (limit - resident).max(0.0)),
            None => memory::available_mib(),
        };
        self.pass::<P>(network, batch, size)?;
        let (Some(peak), Some(before), Some(free_mib)) = (memory::peak_mib(), before, free) else {
            return Ok(None);
        };
        let per_image = (peak - before).max(0.0) / TRIAL as f64;
        let mut micro = self.config.batch;
        while micro > TRIAL && micro as f64 * per_image >= free_mib * USABLE {
            micro = micro.div_ceil(2).max(TRIAL);
        }
        Ok(Some(Fit {
            micro,
            need_mib: self.config.batch as f64 * per_image,
            free_mib,
        }))
    }

    /// Gives back what former steps left: a trial that is served from it would seem to need less than it does.
    fn empty(&self) {
        for _ in 0..EMPTYING {
            // Every tape begins a step, and what some steps did not use leaves the workspace.
            drop(Tape::training_in(self.workspace));
        }
        heap::trim();
    }

    /// Forward and back, and nothing changes.
    fn pass<P: Phase>(&self, network: &P::Network, mut batch: Batch, size: usize) -> nn::Result<()> {
        let input = self
            .config
            .precision
            .of_input(&images(&mut batch, size, self.device)?)?;
        let mut tape = Tape::training_in(self.workspace);
        let output = P::forward(network, &input, &mut tape)?;
        let logits = output.tensor().flatten_all()?.to_vec1::<f32>()?;
        let targets = Targets {
            masks: &batch.masks,
            labels: &batch.labels,
        };
        let (_, gradient) = P::loss(&logits, &targets, self.objective);
        let seed = Tensor::from_vec(gradient, output.dims(), self.device)?;
        let backward = tape.backward(&[(&output, seed)])?;
        backward.gradients.recycle(self.workspace);
        Ok(())
    }
}

//! Batches that fit into memory: on the CPU the room that an image takes is found by a trial before the first step,
//! because the system ends a process that asks for too much instead of telling it.

use super::{Data, Run};
use crate::nn::Tape;
use crate::training::Error;
use crate::training::batches::Batch;
use crate::training::memory;
use crate::training::phase::{Phase, Targets};
use crate::training::step::images;

/// Images of the trial: the fewest that batch normalisation can do with.
const TRIAL: usize = 2;
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
        if known || !self.device.is_cpu() || data.train.len() < TRIAL {
            return Ok(());
        }
        let Some(per_image) = self.mib_per_image(data)? else {
            return Ok(());
        };
        let free = match self.session.memory_mib {
            Some(limit) => memory::resident_mib().map(|resident| (limit - resident).max(0.0)),
            None => memory::available_mib(),
        };
        let Some(free) = free else {
            return Ok(());
        };
        let (mut micro, most) = (self.config.batch, free * USABLE);
        while micro > TRIAL && micro as f64 * per_image > most {
            micro = micro.div_ceil(2).max(TRIAL);
        }
        if micro < self.config.batch {
            let need = self.config.batch as f64 * per_image;
            let cause = format!(
                "{} images of {} px need about {need:.0} MiB, {free:.0} MiB are free",
                self.config.batch, data.size
            );
            self.shrink(data.size, micro, &cause);
        }
        Ok(())
    }

    /// MiB that an image takes on its way through the network and back; `None` where the system does not tell.
    fn mib_per_image(&mut self, data: &Data) -> Result<Option<f64>, Error> {
        if !memory::reset_peak() {
            return Ok(None);
        }
        let before = memory::resident_mib();
        let spec = self.config.input(data.size);
        let mut batch = Batch::plain(&data.train[..TRIAL], &spec);
        let input = self
            .config
            .precision
            .of_input(&images(&mut batch, data.size, &self.device)?)?;
        let mut tape = Tape::training_in(&self.workspace);
        let output = P::forward(&self.network, &input, &mut tape)?;
        let logits = output
            .tensor()
            .flatten_all()
            .and_then(|z| z.to_vec1::<f32>())
            .map_err(crate::nn::Error::from)?;
        let targets = Targets {
            masks: &batch.masks,
            labels: &batch.labels,
        };
        let (_, gradient) = P::loss(&logits, &targets, &self.objective);
        let seed =
            crate::nn::Tensor::from_vec(gradient, output.dims(), &self.device).map_err(crate::nn::Error::from)?;
        let backward = tape.backward(&[(&output, seed)])?;
        backward.gradients.recycle(&self.workspace);
        let taken = memory::peak_mib().zip(before);
        Ok(taken.map(|(peak, before)| (peak - before).max(0.0) / TRIAL as f64))
    }
}

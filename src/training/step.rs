//! One step of training, as the loop makes it and as `bench` times it.

use crate::nn::{self, Device, Network, RunningVariance, Tape, Tensor};

use super::adam::Adam;
use super::batches::Batch;
use super::phase::Phase;

/// What a step needs to know beside network, optimiser and batch.
#[derive(Debug, Clone, Copy)]
pub struct StepConfig {
    /// Side of the square input, in pixels.
    pub size: usize,
    /// Learning rate.
    pub rate: f64,
    /// Share of the batch's statistics that enters the running ones.
    pub bn_momentum: f64,
}

/// Forward, loss, backward, optimiser and running statistics; returns the loss before the step.
///
/// # Errors
/// If the batch is empty or not of that size, or an operation fails.
pub fn step<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    mut batch: Batch,
    config: StepConfig,
    device: &Device,
) -> nn::Result<f64> {
    let images = images(&mut batch, config.size, device)?;
    let mut tape = Tape::training();
    let output = P::forward(network, &images, &mut tape)?;
    let logits = output.tensor().flatten_all()?.to_vec1::<f32>()?;
    let (loss, gradient) = P::loss(&logits, &batch);
    let seed = Tensor::from_vec(gradient, output.tensor().dims(), device)?;
    let backward = tape.backward(&[(&output, seed)])?;
    adam.step(network, &backward.gradients, config.rate)?;
    // Both frameworks that the recipes follow take the unbiased variance (Keras 2's fused kernel does).
    let form = RunningVariance::Unbiased;
    network.update_running(&backward.statistics, config.bn_momentum, form)?;
    Ok(loss)
}

/// Moves a batch's images to the device: `[n, 3, size, size]`.
///
/// # Errors
/// If they are not of that size, or the device refuses.
pub(super) fn images(batch: &mut Batch, size: usize, device: &Device) -> nn::Result<Tensor> {
    Ok(Tensor::from_vec(
        std::mem::take(&mut batch.images),
        (batch.len(), 3, size, size),
        device,
    )?)
}

//! One step of training, as the loop makes it and as `bench` times it.

#[cfg(feature = "cuda")]
use crate::nn::InputSpec;
#[cfg(feature = "cuda")]
use crate::nn::ops::cuda::{self, GreyPlanes, Reading};
use crate::nn::{self, Device, Network, Precision, RunningVariance, Tape, Tensor, Workspace};

use super::adam::Adam;
use super::batches::Batch;
#[cfg(feature = "cuda")]
use super::batches::PlainBatch;
#[cfg(feature = "cuda")]
use super::phase::GpuTargets;
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
    /// What numbers the network computes with.
    pub precision: Precision,
}

/// Forward, loss, backward, optimiser and running statistics; returns the loss before the step. `workspace` keeps
/// the buffers for the next step.
///
/// # Errors
/// If the batch is empty or not of that size, or an operation fails.
pub fn step<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    mut batch: Batch,
    config: StepConfig,
    (device, workspace): (&Device, &Workspace),
) -> nn::Result<f64> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        let shape = (batch.len(), 3, config.size, config.size);
        let images = config
            .precision
            .of_input(&cuda::upload_images(&batch.images, shape, device)?)?;
        let masks = (!batch.masks.is_empty()).then(|| cuda::upload_bytes(&batch.masks, device));
        let targets = GpuTargets {
            labels: cuda::upload_bytes(&batch.labels, device)?,
            masks: masks.transpose()?,
        };
        return walk_on_gpu::<P>(network, adam, &images, &targets, config)?.wait();
    }
    let images = config.precision.of_input(&images(&mut batch, config.size, device)?)?;
    let mut tape = Tape::training_in(workspace);
    let output = P::forward(network, &images, &mut tape)?;
    let logits = output.tensor().flatten_all()?.to_vec1::<f32>()?;
    let (loss, gradient) = P::loss(&logits, &batch);
    let seed = Tensor::from_vec(gradient, output.dims(), device)?;
    let backward = tape.backward(&[(&output, seed)])?;
    adam.step(network, &backward.gradients, config.rate)?;
    // Both frameworks that the recipes follow take the unbiased variance (Keras 2's fused kernel does).
    let form = RunningVariance::Unbiased;
    network.update_running(&backward.statistics, config.bn_momentum, form)?;
    backward.gradients.recycle(workspace);
    Ok(loss)
}

/// As [`step`], with nothing but grey planes, targets and the loss between host and GPU, and without waiting.
///
/// # Errors
/// If the batch is empty or not of that size, or the GPU refuses.
#[cfg(feature = "cuda")]
pub fn step_on_gpu<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    batch: &PlainBatch,
    spec: &InputSpec,
    config: StepConfig,
    device: &Device,
) -> nn::Result<Reading> {
    let planes = GreyPlanes {
        levels: &batch.levels,
        masks: &batch.masks,
        matrices: &batch.matrices,
        size: (spec.height, spec.width),
        mean: spec.mean,
        std: spec.std,
    };
    let (images, masks) = cuda::network_input(&planes, config.precision.dtype(), device)?;
    let targets = GpuTargets {
        labels: cuda::upload_bytes(&batch.labels, device)?,
        masks,
    };
    walk_on_gpu::<P>(network, adam, &images, &targets, config)
}

/// The step behind the upload; the loss is on its way when it returns.
#[cfg(feature = "cuda")]
fn walk_on_gpu<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    images: &Tensor,
    targets: &GpuTargets,
    config: StepConfig,
) -> nn::Result<Reading> {
    let mut tape = Tape::training();
    let output = P::forward(network, images, &mut tape)?;
    let (loss, seed) = P::loss_on_gpu(output.tensor(), targets)?;
    let reading = Reading::of(&loss)?;
    let backward = tape.backward(&[(&output, seed)])?;
    adam.step(network, &backward.gradients, config.rate)?;
    network.update_running(&backward.statistics, config.bn_momentum, RunningVariance::Unbiased)?;
    Ok(reading)
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

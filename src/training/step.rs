//! One step of training, as the loop makes it and as `bench` times it: forward, loss and backward of one or more
//! micro-batches, then the optimiser.

use std::collections::BTreeMap;

#[cfg(feature = "cuda")]
use crate::nn::InputSpec;
use crate::nn::ops::cpu;
#[cfg(feature = "cuda")]
use crate::nn::ops::cuda::{self, GreyPlanes, Reading};
use crate::nn::{self, Backward, Device, Gradients, Network, Precision, RunningVariance, Tape, Tensor, Workspace};

use super::adam::{Adam, GradientNorm};
use super::batches::Batch;
#[cfg(feature = "cuda")]
use super::batches::PlainBatch;
use super::loss::Objective;
#[cfg(feature = "cuda")]
use super::phase::GpuTargets;
use super::phase::{Phase, Targets};

/// What a step needs to know beside network, optimiser and batch.
#[derive(Debug, Clone, Copy)]
pub struct StepConfig {
    /// Side of the square input, in pixels.
    pub size: usize,
    /// Learning rate.
    pub rate: f64,
    /// Largest norm of the gradient; longer ones are shortened to it.
    pub clip: Option<f64>,
    /// Share of the batch's statistics that enters the running ones.
    pub bn_momentum: f64,
    /// What numbers the network computes with.
    pub precision: Precision,
    /// What is minimised.
    pub objective: Objective,
    /// Most images that the network sees at once. A larger batch is cut into micro-batches, whose gradients are averaged
    /// by their images; each has batch statistics (and, in phase I, a Dice loss) of its own.
    pub micro: usize,
}

/// What a step found before it changed anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stepped {
    /// Mean loss of the batch's images.
    pub loss: f64,
    /// Euclidean norm of the gradient before it was clipped. Where it is no number, the parameters were left as they were;
    /// in host memory all of the network, and where the loss is none as well.
    pub gradient_norm: f64,
}

/// Forward, loss, backward, optimiser and running statistics. `workspace` keeps the buffers for the next step.
///
/// # Errors
/// If the batch is empty or not of that size, or an operation fails; the network is as it was then.
pub fn step<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    batch: Batch,
    config: StepConfig,
    (device, workspace): (&Device, &Workspace),
) -> nn::Result<Stepped> {
    #[cfg(feature = "cuda")]
    if device.is_cuda() {
        return step_from_host::<P>(network, adam, batch, config, device);
    }
    cpu::on_pool(|| {
        let sum = sum_on_host::<P>(network, batch, &config, (device, workspace))?;
        let gradient_norm = if sum.loss.is_finite() {
            apply(network, adam, &sum, &config)?.wait()?
        } else {
            sum.gradients.norm()?
        };
        sum.gradients.recycle(workspace);
        Ok(Stepped {
            loss: sum.loss,
            gradient_norm,
        })
    })
}

/// Loss, gradients and statistics of a batch in host memory; nothing is changed.
fn sum_on_host<P: Phase>(
    network: &P::Network,
    batch: Batch,
    config: &StepConfig,
    (device, workspace): (&Device, &Workspace),
) -> nn::Result<Sum> {
    let all = batch.len();
    let mut sum = Sum::default();
    for mut part in batch.micro(config.micro) {
        let share = part.len() as f64 / all as f64;
        let images = config.precision.of_input(&images(&mut part, config.size, device)?)?;
        let mut tape = Tape::training_in(workspace);
        let output = P::forward(network, &images, &mut tape)?;
        let logits = output.tensor().flatten_all()?.to_vec1::<f32>()?;
        let targets = Targets {
            masks: &part.masks,
            labels: &part.labels,
        };
        let (loss, gradient) = P::loss(&logits, &targets, &config.objective);
        let seed = Tensor::from_vec(gradient, output.dims(), device)?;
        sum.loss += share * loss;
        sum.add(tape.backward(&[(&output, seed)])?, share)?;
    }
    Ok(sum)
}

/// What the micro-batches of a step add up to.
#[derive(Default)]
struct Sum {
    loss: f64,
    gradients: Gradients,
    /// Of every micro-batch.
    statistics: Vec<Vec<nn::BatchStatistics>>,
}

impl Sum {
    /// Adds a micro-batch that holds so large a share of the step's images.
    fn add(&mut self, backward: Backward, share: f64) -> nn::Result<()> {
        self.statistics.push(backward.statistics);
        if share >= 1.0 {
            // The only one: nothing is to be scaled or added.
            self.gradients = backward.gradients;
            return Ok(());
        }
        let mut sum: BTreeMap<String, Tensor> = BTreeMap::new();
        for (name, gradient) in backward.gradients.iter() {
            let scaled = (gradient * share)?;
            let added = match self.gradients.get(name) {
                Some(before) => (before + scaled)?,
                None => scaled,
            };
            sum.insert(name.to_owned(), added);
        }
        self.gradients = sum.into_iter().collect();
        Ok(())
    }
}

/// Optimiser and, where the gradient is known to be one, running statistics.
fn apply(network: &mut impl Network, adam: &mut Adam, sum: &Sum, config: &StepConfig) -> nn::Result<GradientNorm> {
    let norm = adam.step(network, &sum.gradients, config.rate, config.clip)?;
    if matches!(norm, GradientNorm::Known(norm) if !norm.is_finite()) {
        return Ok(norm);
    }
    for seen in &sum.statistics {
        // Both frameworks that the recipes follow take the unbiased variance (Keras 2's fused kernel does).
        network.update_running(seen, config.bn_momentum, RunningVariance::Unbiased)?;
    }
    Ok(norm)
}

/// Losses and norm of a step on their way from the GPU.
#[cfg(feature = "cuda")]
pub struct Readings {
    losses: Vec<(f64, Reading)>,
    norm: GradientNorm,
}

#[cfg(feature = "cuda")]
impl Readings {
    /// What the step found.
    ///
    /// # Errors
    /// If the GPU was lost.
    pub fn wait(self) -> nn::Result<Stepped> {
        let mut loss = 0.0;
        for (share, reading) in self.losses {
            loss += share * reading.wait()?;
        }
        Ok(Stepped {
            loss,
            gradient_norm: self.norm.wait()?,
        })
    }
}

/// As [`step`], with nothing but grey planes, targets, loss and norm between host and GPU, and without waiting: whether
/// they are numbers is known only later.
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
) -> nn::Result<Readings> {
    let all = batch.labels.len();
    let mut sum = Sum::default();
    let mut losses = Vec::new();
    for part in batch.micro(config.micro) {
        let share = part.labels.len() as f64 / all as f64;
        let planes = GreyPlanes {
            levels: &part.levels,
            masks: &part.masks,
            matrices: &part.matrices,
            size: (spec.height, spec.width),
            mean: spec.mean,
            std: spec.std,
        };
        let (images, masks) = cuda::network_input(&planes, config.precision.dtype(), device)?;
        let targets = GpuTargets {
            labels: cuda::upload_bytes(&part.labels, device)?,
            masks,
        };
        losses.push((
            share,
            walk_on_gpu::<P>(network, &images, &targets, &config, (&mut sum, share))?,
        ));
    }
    let norm = apply(network, adam, &sum, &config)?;
    Ok(Readings { losses, norm })
}

/// [`step`] on a GPU: the batch is uploaded as it is, and the loss waited for.
#[cfg(feature = "cuda")]
fn step_from_host<P: Phase>(
    network: &mut P::Network,
    adam: &mut Adam,
    batch: Batch,
    config: StepConfig,
    device: &Device,
) -> nn::Result<Stepped> {
    let all = batch.len();
    let mut sum = Sum::default();
    let mut losses = Vec::new();
    for part in batch.micro(config.micro) {
        let share = part.len() as f64 / all as f64;
        let shape = (part.len(), 3, config.size, config.size);
        let images = config
            .precision
            .of_input(&cuda::upload_images(&part.images, shape, device)?)?;
        let masks = (!part.masks.is_empty()).then(|| cuda::upload_bytes(&part.masks, device));
        let targets = GpuTargets {
            labels: cuda::upload_bytes(&part.labels, device)?,
            masks: masks.transpose()?,
        };
        losses.push((
            share,
            walk_on_gpu::<P>(network, &images, &targets, &config, (&mut sum, share))?,
        ));
    }
    let norm = apply(network, adam, &sum, &config)?;
    Readings { losses, norm }.wait()
}

/// Forward, loss and backward of a micro-batch; its loss is on its way when it returns.
#[cfg(feature = "cuda")]
fn walk_on_gpu<P: Phase>(
    network: &P::Network,
    images: &Tensor,
    targets: &GpuTargets,
    config: &StepConfig,
    (sum, share): (&mut Sum, f64),
) -> nn::Result<Reading> {
    let mut tape = Tape::training();
    let output = P::forward(network, images, &mut tape)?;
    let (loss, seed) = loss_on_gpu::<P>(output.tensor(), targets, &config.objective)?;
    let reading = Reading::of(&loss)?;
    sum.add(tape.backward(&[(&output, seed)])?, share)?;
    Ok(reading)
}

/// The loss on the GPU where it has a kernel for it; others are computed by the host, which the GPU waits for.
#[cfg(feature = "cuda")]
fn loss_on_gpu<P: Phase>(logits: &Tensor, targets: &GpuTargets, objective: &Objective) -> nn::Result<(Tensor, Tensor)> {
    if *objective == Objective::default() {
        return P::loss_on_gpu(logits, targets);
    }
    let bytes = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<u8>();
    let masks = targets.masks.as_ref().map(bytes).transpose()?.unwrap_or_default();
    let labels = bytes(&targets.labels)?;
    let values = logits.to_dtype(nn::DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let targets = Targets {
        masks: &masks,
        labels: &labels,
    };
    let (loss, gradient) = P::loss(&values, &targets, objective);
    let device = logits.device();
    let gradient = Tensor::from_vec(gradient, logits.shape(), device)?.to_dtype(logits.dtype())?;
    Ok((Tensor::new(&[loss], device)?, gradient))
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

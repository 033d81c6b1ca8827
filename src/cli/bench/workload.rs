//! The work itself: a case built and ready, a call a round. It uses what `predict` and `train` use, nothing made for
//! measuring.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::imaging::{self, phantom};
use crate::inference::models::{ClassifierName, Models};
use crate::inference::pipeline;
use crate::nn::card::Task;
use crate::nn::{Classifier, Device, Graph, Precision, Segmenter, StepTime, Tensor, Workspace};
use crate::training::adam::Adam;
use crate::training::batches::Batch;
use crate::training::loss::Objective;
use crate::training::phase::{Classification, Phase, Segmentation};
use crate::training::recipe::{Config, Recipe};
use crate::training::step::{StepConfig, step};

use super::case::{Case, Head, Work};
use super::protocol::Epoch;
use super::{Folders, loading, opening};

/// Side of the networks' input, in pixels: the paper's.
pub const SIZE: usize = 224;
/// The phantom's size in the pipeline: that of a usual radiograph.
const PICTURE: (u32, u32) = (2000, 2500);
/// Seed of weights and pictures.
const SEED: u64 = 1;

/// One round: how long it took, and its parts if it has any.
pub struct Timed {
    /// All of it.
    pub elapsed: Duration,
    /// Parts by name.
    pub stages: BTreeMap<&'static str, Duration>,
    /// Epochs if it trains from files.
    pub epochs: Vec<Epoch>,
}

/// Runs a round.
pub type Rounds = Box<dyn FnMut() -> anyhow::Result<Timed>>;

/// Builds a case.
///
/// # Errors
/// If the device has no room for it, the pipeline's weights are not there, or the data cannot be used.
pub fn build(case: &Case, device: &Device, folders: Folders<'_>) -> anyhow::Result<Rounds> {
    match (case.work, case.network.head) {
        (Work::Inference, Head::Classifier) => classify(case, device),
        (Work::Inference, Head::Segmenter) => segment(case, device),
        (Work::Training, Head::Classifier) => train::<Classification>(case, Task::Baseline, device),
        (Work::Training, Head::Segmenter) => train::<Segmentation>(case, Task::Segmenter, device),
        (Work::Loading, _) => loading::build(case, device, folders.data),
        (Work::Pipeline, _) => predict(case, folders.weights),
        (Work::Opening, _) => opening::build(folders.data),
    }
}

/// Times a call that has no parts.
fn timed(call: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Timed> {
    let start = Instant::now();
    call()?;
    Ok(Timed {
        elapsed: start.elapsed(),
        stages: BTreeMap::new(),
        epochs: Vec::new(),
    })
}

/// What every step of a network's plan takes on the CPU.
///
/// # Errors
/// If the images have no room.
pub fn steps(case: &Case, rounds: usize) -> anyhow::Result<Vec<StepTime>> {
    let (images, device) = (images(case, &Device::Cpu)?, &Device::Cpu);
    let backbone = case.network.backbone;
    Ok(match case.network.head {
        Head::Classifier => Classifier::new(backbone, Graph::Torch, SEED, device)?.profile(&images, rounds)?,
        Head::Segmenter => Segmenter::new(backbone, Graph::Torch, SEED, device)?.profile(&images, rounds)?,
    })
}

fn images(case: &Case, device: &Device) -> anyhow::Result<Tensor> {
    let images = Tensor::from_vec(pixels(case.batch), (case.batch, 3, SIZE, SIZE), device)?;
    Ok(Precision::from(case.precision).of_input(&images)?)
}

fn classify(case: &Case, device: &Device) -> anyhow::Result<Rounds> {
    let network = Classifier::new(case.network.backbone, Graph::Torch, SEED, device)?;
    let (images, device) = (images(case, device)?, device.clone());
    Ok(Box::new(move || {
        timed(|| {
            network.predict(&images)?;
            Ok(device.synchronize()?)
        })
    }))
}

fn segment(case: &Case, device: &Device) -> anyhow::Result<Rounds> {
    let network = Segmenter::new(case.network.backbone, Graph::Torch, SEED, device)?;
    let (images, device) = (images(case, device)?, device.clone());
    Ok(Box::new(move || {
        timed(|| {
            network.predict(&images)?;
            Ok(device.synchronize()?)
        })
    }))
}

/// What a step of a recipe does in this case.
pub fn step_config(config: &Config, case: &Case) -> StepConfig {
    StepConfig {
        size: SIZE,
        rate: config.rate,
        clip: config.clip,
        bn_momentum: config.bn_momentum,
        precision: case.precision.into(),
        objective: Objective::default(),
        micro: case.batch,
    }
}

fn train<P: Phase>(case: &Case, task: Task, device: &Device) -> anyhow::Result<Rounds>
where
    P::Network: 'static,
{
    let config = Recipe::Scratch.config(task, case.network.backbone);
    let mut network = P::build(&config, None, device)?;
    let mut adam = Adam::new(config.adam);
    let batch = labelled(case.batch, P::MASKS);
    let settings = step_config(&config, case);
    let (device, workspace) = (device.clone(), Workspace::default());
    Ok(Box::new(move || {
        // The loop gets its batches from another thread: copying this one is not the step's work.
        let batch = batch.clone();
        timed(|| {
            let stepped = step::<P>(&mut network, &mut adam, batch, settings, (&device, &workspace))?;
            anyhow::ensure!(stepped.loss.is_finite(), "the loss is no longer a number");
            Ok(device.synchronize()?)
        })
    }))
}

/// The whole prediction and, before it in the same round, its two networks alone, to be compared with.
fn predict(case: &Case, weights: Option<&Path>) -> anyhow::Result<Rounds> {
    let models = Models::load(weights, ClassifierName::RecovnetV1, &case.device)?;
    let (width, height) = PICTURE;
    let file = phantom::dicom_bytes(width, height)?;
    let images = Tensor::from_vec(pixels(1), (1, 3, SIZE, SIZE), &models.device)?;
    Ok(Box::new(move || {
        let start = Instant::now();
        models.segmenter.0.predict(&images)?;
        models.device.synchronize()?;
        let segmenter_alone = start.elapsed();
        let start = Instant::now();
        models.classifier.0.predict(&images)?;
        models.device.synchronize()?;
        let classifier_alone = start.elapsed();

        let start = Instant::now();
        let image = imaging::decode(Path::new("phantom.dcm"), &file)?;
        let decode = start.elapsed();
        let findings = pipeline::analyse(&models, &image, &mut |_| true)?;
        let elapsed = start.elapsed();
        let parts = findings.timings;
        let stages = BTreeMap::from([
            ("decode", decode),
            ("preprocess", parts.preprocess),
            ("segment", parts.segment),
            ("classify", parts.classify),
            ("explain", parts.explain),
            ("segmenter alone", segmenter_alone),
            ("classifier alone", classifier_alone),
        ]);
        Ok(Timed {
            elapsed,
            stages,
            epochs: Vec::new(),
        })
    }))
}

/// Random values as normalised pictures have them, `[n, 3, SIZE, SIZE]`.
fn pixels(images: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    (0..images * 3 * SIZE * SIZE)
        .map(|_| rng.random_range(-2.0..2.0))
        .collect()
}

/// Random pictures of both classes in turn; with masks two lungs of an ellipse each.
fn labelled(images: usize, masks: bool) -> Batch {
    let inside = |index: usize| {
        let (x, y) = (index % SIZE, index / SIZE % SIZE);
        let across = |centre: f64| (x as f64 / SIZE as f64 - centre) / 0.14;
        let down = (y as f64 / SIZE as f64 - 0.5) / 0.3;
        u8::from([0.3, 0.7].iter().any(|&c| across(c).powi(2) + down.powi(2) <= 1.0))
    };
    Batch {
        images: pixels(images),
        masks: if masks {
            (0..images * SIZE * SIZE).map(inside).collect()
        } else {
            Vec::new()
        },
        labels: (0..images).map(|image| (image % 2) as u8).collect(),
    }
}

//! What differs between the two phases of the paper (section 2.3): which rows are used, the network, the loss and
//! the score that a checkpoint is chosen by.

use std::collections::BTreeMap;

use crate::nn::{CamTarget, Classifier, DType, Device, Network, Result, Segmenter, Tape, Tensor, Value};

use super::Error;
use super::batches::Batch;
use super::event::Metric;
use super::initial;
use super::loss::{self, Losses, Objective};
use super::manifest::{Class, INFECTED_REGION, Manifest, Row};
use super::metrics::{self, Confusion};
use super::recipe::{BestBy, Config};
use super::split::Part;
use super::watch::Look;

/// Results of evaluated images, gathered batch by batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tally {
    /// Sum of the images' losses.
    pub loss: f64,
    /// Number of images.
    pub images: usize,
    /// Phase I: Dice per image on the network input at probability 0.5.
    pub dice: Vec<Option<f64>>,
    /// Phase I: pixels of all images at probability 0.5.
    pub pixels: Confusion,
    /// Phase II: probability of COVID-19 per image.
    pub scores: Vec<f64>,
    /// Phase II: whether the image is one of COVID-19.
    pub truth: Vec<bool>,
}

/// What a batch on a GPU is to become.
#[cfg(feature = "cuda")]
pub struct GpuTargets {
    /// `[n]`.
    pub labels: Tensor,
    /// `[n * h * w]`, if the samples have masks.
    pub masks: Option<Tensor>,
}

/// One of the two phases.
pub trait Phase {
    /// The network that is trained.
    type Network: Network + Send;
    /// Whether samples carry masks.
    const MASKS: bool;

    /// Whether a row takes part; laterals do only where the paper takes them.
    fn takes(row: &Row) -> bool;

    /// The network before its first step. `init` holds the tensors of the initial weights, if any.
    ///
    /// # Errors
    /// If `init` does not fit.
    fn build(config: &Config, init: Option<&BTreeMap<String, Tensor>>, device: &Device) -> Result<Self::Network>;

    /// Logits of a batch `[n, 3, h, w]`: `[n, h, w, 1]` or `[n, 2]`.
    ///
    /// # Errors
    /// If an operation fails.
    fn forward(network: &Self::Network, images: &Tensor, tape: &mut Tape) -> Result<Value>;

    /// Loss of a batch's logits (row-major) and its gradient.
    fn loss(logits: &[f32], targets: &Targets<'_>, objective: &Objective) -> (f64, Vec<f32>);

    /// The same on a GPU with [`Objective::default`]: the loss, first value of a f64 tensor, and its gradient in the
    /// shape of the logits.
    ///
    /// # Errors
    /// If the GPU refuses.
    #[cfg(feature = "cuda")]
    fn loss_on_gpu(logits: &Tensor, targets: &GpuTargets) -> Result<(Tensor, Tensor)>;

    /// Adds a batch's results; the losses are those of training without weights of classes.
    fn tally(logits: &[f32], batch: &Batch, losses: &Losses, tally: &mut Tally);

    /// The phase's own score of all results; `None` where it is undefined, as it is where the network's output is none.
    fn score(tally: &Tally) -> Option<f64>;

    /// What the network makes of one image, `[1, 3, h, w]`.
    ///
    /// # Errors
    /// If an operation fails.
    fn look(network: &Self::Network, image: &Tensor) -> Result<Look>;

    /// All metrics of all results by name, the phase's own score first; those that are undefined are left out.
    fn metrics(tally: &Tally) -> Vec<Metric>;
}

fn defined(metrics: impl IntoIterator<Item = (&'static str, Option<f64>)>) -> Vec<Metric> {
    let with_value = |(name, value): (&str, Option<f64>)| {
        value.map(|value| Metric {
            name: name.to_owned(),
            value,
        })
    };
    metrics.into_iter().filter_map(with_value).collect()
}

/// What a batch's logits should be.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// `[n, h, w]`, 0 or 1; empty where the samples have no masks.
    pub masks: &'a [u8],
    /// `[n]`: the classes' neurons.
    pub labels: &'a [u8],
}

/// Phase I: lung segmentation with the hybrid loss, on manual lung-field masks.
pub struct Segmentation;

impl Phase for Segmentation {
    type Network = Segmenter;
    const MASKS: bool = true;

    fn takes(row: &Row) -> bool {
        row.is_for_segmentation()
    }

    fn build(config: &Config, init: Option<&BTreeMap<String, Tensor>>, device: &Device) -> Result<Segmenter> {
        let mut network = Segmenter::new(config.encoder, config.graph, config.seed, device)?;
        if let Some(state) = init {
            initial::load(&mut network, state)?;
        }
        Ok(network)
    }

    fn forward(network: &Segmenter, images: &Tensor, tape: &mut Tape) -> Result<Value> {
        network.forward(images, tape)
    }

    fn loss(logits: &[f32], targets: &Targets<'_>, objective: &Objective) -> (f64, Vec<f32>) {
        let (loss, gradient) = objective.losses.hybrid.of_logits(logits, targets.masks);
        (loss.total(), gradient)
    }

    #[cfg(feature = "cuda")]
    fn loss_on_gpu(logits: &Tensor, targets: &GpuTargets) -> Result<(Tensor, Tensor)> {
        let masks = targets.masks.as_ref().ok_or_else(|| crate::nn::Error::Shape {
            tensor: "masks".to_owned(),
            found: vec![0],
            expected: logits.dims().to_vec(),
        })?;
        crate::nn::ops::cuda::hybrid(logits, masks)
    }

    fn tally(logits: &[f32], batch: &Batch, losses: &Losses, tally: &mut Tally) {
        let pixels = logits.len() / batch.len();
        for (logits, truth) in logits.chunks_exact(pixels).zip(batch.masks.chunks_exact(pixels)) {
            let (loss, _) = losses.hybrid.of_logits(logits, truth);
            let mask: Vec<u8> = logits.iter().map(|&z| u8::from(z >= 0.0)).collect();
            tally.loss += loss.total();
            tally.images += 1;
            let counts = Confusion::of_masks(&mask, truth);
            tally.dice.push(counts.dice());
            tally.pixels += counts;
        }
    }

    fn score(tally: &Tally) -> Option<f64> {
        metrics::mean(tally.dice.iter().copied())
    }

    fn look(network: &Segmenter, image: &Tensor) -> Result<Look> {
        let probability = network.predict(image)?.to_dtype(DType::F32)?;
        let (_, _, height, width) = image.dims4()?;
        Ok(Look {
            map: probability.flatten_all()?.to_vec1()?,
            grid: (width, height),
            probability: None,
        })
    }

    fn metrics(tally: &Tally) -> Vec<Metric> {
        defined([
            (BestBy::Dice.name(), Self::score(tally)),
            (BestBy::Iou.name(), tally.pixels.iou()),
            (BestBy::Sensitivity.name(), tally.pixels.sensitivity()),
            (BestBy::Specificity.name(), tally.pixels.specificity()),
        ])
    }
}

/// Phase II: COVID-19 against control with categorical cross-entropy; the encoder is not frozen.
pub struct Classification;

impl Phase for Classification {
    type Network = Classifier;
    const MASKS: bool = false;

    fn takes(row: &Row) -> bool {
        row.is_for_classification()
    }

    fn build(config: &Config, init: Option<&BTreeMap<String, Tensor>>, device: &Device) -> Result<Classifier> {
        match init {
            Some(state) if state.keys().any(|name| name.starts_with("decoder.")) => {
                let mut segmenter = Segmenter::new(config.encoder, config.graph, config.seed, device)?;
                segmenter.load_state(state)?;
                Classifier::from_segmenter(&segmenter, config.seed, device)
            }
            state => {
                let mut network = Classifier::new(config.encoder, config.graph, config.seed, device)?;
                if let Some(state) = state {
                    initial::load(&mut network, state)?;
                }
                Ok(network)
            }
        }
    }

    fn forward(network: &Classifier, images: &Tensor, tape: &mut Tape) -> Result<Value> {
        network.forward(images, tape)
    }

    fn loss(logits: &[f32], targets: &Targets<'_>, objective: &Objective) -> (f64, Vec<f32>) {
        let entropy = &objective.losses.entropy;
        entropy.of_logits(logits, targets.labels, objective.class_weights)
    }

    #[cfg(feature = "cuda")]
    fn loss_on_gpu(logits: &Tensor, targets: &GpuTargets) -> Result<(Tensor, Tensor)> {
        crate::nn::ops::cuda::cross_entropy(logits, &targets.labels)
    }

    fn tally(logits: &[f32], batch: &Batch, losses: &Losses, tally: &mut Tally) {
        let (loss, _) = losses.entropy.of_logits(logits, &batch.labels, [1.0; 2]);
        tally.loss += loss * batch.len() as f64;
        tally.images += batch.len();
        for (pair, &label) in logits.chunks_exact(2).zip(&batch.labels) {
            tally
                .scores
                .push(loss::sigmoid(f64::from(pair[1]) - f64::from(pair[0])));
            tally.truth.push(label == 1);
        }
    }

    fn score(tally: &Tally) -> Option<f64> {
        metrics::roc_auc(&tally.scores, &tally.truth)
    }

    fn look(network: &Classifier, image: &Tensor) -> Result<Look> {
        let output = network.predict(image)?;
        let logits: Vec<f32> = output.logits.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
        let cells = network.activation_map(&output.features, Class::Covid19 as usize, CamTarget::Logit)?;
        let (_, rows, columns) = cells.dims3()?;
        let cells: Vec<f32> = cells.flatten_all()?.to_vec1()?;
        Ok(Look {
            map: cells.into_iter().map(|value| value.max(0.0)).collect(),
            grid: (columns, rows),
            probability: Some(loss::sigmoid(f64::from(logits[1]) - f64::from(logits[0]))),
        })
    }

    fn metrics(tally: &Tally) -> Vec<Metric> {
        let counts = Confusion::at(0.5, &tally.scores, &tally.truth);
        defined([
            (BestBy::RocAuc.name(), Self::score(tally)),
            (BestBy::Sensitivity.name(), counts.sensitivity()),
            (BestBy::Specificity.name(), counts.specificity()),
            (BestBy::Precision.name(), counts.precision()),
            (BestBy::F1.name(), counts.f_score(1.0)),
            (BestBy::F2.name(), counts.f_score(2.0)),
            (BestBy::Accuracy.name(), counts.accuracy()),
        ])
    }
}

/// Refuses data that a run would find out too late to be useless; `rows` are those that the phase takes.
///
/// # Errors
/// Naming the folder, what is missing and what to do.
pub fn check_rows<P: Phase>(manifest: &Manifest, rows: &[Row]) -> std::result::Result<(), Error> {
    let fail = |reason: String| {
        Err(Error::TooFew {
            folder: manifest.folder.clone(),
            reason,
        })
    };
    let marks_infection = |row: &Row| row.mask.as_ref().is_some_and(|mask| mask.style == INFECTED_REGION);
    if P::MASKS && rows.is_empty() && manifest.rows.iter().any(marks_infection) {
        return fail(
            "the masks of these data (QaTa-COV19's mask_* files) mark infected regions, not lungs, and phase I learns \
             the lung field; name data with lung masks, such as Montgomery and JSRT"
                .to_owned(),
        );
    }
    for part in [Part::Train, Part::Validation] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.part() == part).collect();
        if rows.len() < 2 {
            let what = if P::MASKS {
                "images with a manual lung-field mask"
            } else {
                "frontal images"
            };
            return fail(format!(
                "its {part} part has {} {what}, too few; add more, or part the data otherwise (--split-rule)",
                rows.len()
            ));
        }
        let missing = [Class::Control, Class::Covid19]
            .into_iter()
            .find(|class| rows.iter().all(|row| row.class != *class));
        if let (false, Some(class)) = (P::MASKS, missing) {
            let (label, other) = match class {
                Class::Covid19 => ("'covid'", "every other one is control"),
                Class::Control => ("any but 'covid'", "those of COVID-19 alone teach nothing"),
            };
            return fail(format!(
                "its {part} part has no image of class {class:?} (label {label}; {other}); add some, with a second \
                 --data folder if need be, or part the data otherwise (--split-rule)"
            ));
        }
    }
    Ok(())
}

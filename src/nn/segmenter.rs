//! Phase I (paper section 2.3): encoder and decoder WITHOUT skip connections, so that the encoder's last feature
//! map alone has to tell where the lungs are.

use candle_core::{DType, Tensor};

use super::backbone::{Backbone, Observe};
use super::init::Init;
use super::layers::{BatchNorm, Conv2d, ConvConfig, channels_last};
use super::network::{Network, Role};
use super::ops::{self, Window};
use super::plan::{Planned, Plans, Record, StepTime};
use super::tape::{Tape, Value};
use super::{BackboneKind, Device, Graph, Result, weights};

/// Filters of the decoder's stages (paper section 2.3).
const FILTERS: [usize; 5] = [256, 128, 64, 32, 16];
const STAGE_NAMES: [&str; 5] = ["decoder.0", "decoder.1", "decoder.2", "decoder.3", "decoder.4"];
/// Keras's default, which the paper does not change.
const EPSILON: f64 = 1e-3;

/// Upsampling by 2, then twice 3x3 convolution, batch normalisation, `ReLU`.
#[derive(Debug, Clone)]
struct Stage {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
}

/// Feature map to mask logits.
#[derive(Debug, Clone)]
struct Decoder {
    stages: Vec<Stage>,
    out: Conv2d,
}

fn conv(input: usize, output: usize, bias: bool) -> ConvConfig {
    ConvConfig {
        input,
        output,
        window: Window::square(3, 1, 1),
        bias,
    }
}

impl Decoder {
    fn new(mut input: usize, init: &mut Init<'_>) -> Result<Self> {
        let mut stages = Vec::with_capacity(FILTERS.len());
        for (name, filters) in STAGE_NAMES.into_iter().zip(FILTERS) {
            stages.push(Stage {
                conv1: Conv2d::new(&format!("{name}.conv1"), conv(input, filters, false), init)?,
                bn1: BatchNorm::new(&format!("{name}.bn1"), filters, EPSILON, init)?,
                conv2: Conv2d::new(&format!("{name}.conv2"), conv(filters, filters, false), init)?,
                bn2: BatchNorm::new(&format!("{name}.bn2"), filters, EPSILON, init)?,
            });
            input = filters;
        }
        Ok(Self {
            stages,
            out: Conv2d::new("decoder.out", conv(input, 1, true), init)?,
        })
    }

    fn forward(&self, x: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        let mut x = x.clone();
        for (stage, name) in self.stages.iter().zip(STAGE_NAMES) {
            x = ops::upsample_x2(tape, &x)?;
            x = stage.conv1.forward(&x, tape)?;
            x = stage.bn1.forward_relu(&x, tape)?;
            x = stage.conv2.forward(&x, tape)?;
            x = stage.bn2.forward_relu(&x, tape)?;
            observe(name, std::slice::from_ref(&x))?;
        }
        self.out.forward(&x, tape)
    }
}

/// The lung segmentation network.
#[derive(Debug, Clone)]
pub struct Segmenter {
    pub(super) encoder: Backbone,
    decoder: Decoder,
    device: Device,
    plans: Plans,
}

impl Segmenter {
    /// A new network with initial values from a seed.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn new(kind: BackboneKind, graph: Graph, seed: u64, device: &Device) -> Result<Self> {
        Self::build(kind, graph, &mut Init::new(seed, device), device)
    }

    /// A network whose values are put in afterwards; drawing millions of initial ones first would take longer.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn blank(kind: BackboneKind, graph: Graph, device: &Device) -> Result<Self> {
        Self::build(kind, graph, &mut Init::blank(device), device)
    }

    fn build(kind: BackboneKind, graph: Graph, init: &mut Init<'_>, device: &Device) -> Result<Self> {
        Ok(Self {
            encoder: Backbone::new(kind, graph, init)?,
            decoder: Decoder::new(kind.feature_channels(), init)?,
            device: device.clone(),
            plans: Plans::default(),
        })
    }

    /// Loads a weights file.
    ///
    /// # Errors
    /// If the file cannot be read, or lacks a tensor or has one of another shape.
    pub fn load(weights: &std::path::Path, kind: BackboneKind, graph: Graph, device: &Device) -> Result<Self> {
        let mut network = Self::blank(kind, graph, device)?;
        weights::load_into(&mut network, weights, device)?;
        Ok(network)
    }

    /// Loads a weights file whose SHA-256 is the model card's.
    ///
    /// # Errors
    /// As [`Segmenter::load`], and if the hash differs.
    pub fn load_verified(
        weights: &std::path::Path,
        sha256: &str,
        kind: BackboneKind,
        graph: Graph,
        device: &Device,
    ) -> Result<Self> {
        let mut network = Self::build(kind, graph, &mut Init::blank(device), device)?;
        weights::load_verified_into(&mut network, weights, sha256, device)?;
        Ok(network)
    }

    /// Mask logits at the input's size: `[n, 3, h, w]` to `[n, h, w, 1]`.
    ///
    /// The decoder's map is resized bilinearly where 32 does not divide the input (its five stages double the
    /// encoder's map, whatever that is).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, images: &Tensor, tape: &mut Tape) -> Result<Value> {
        self.forward_observed(images, tape, &mut |_, _| Ok(()))
    }

    /// As [`Segmenter::forward`], showing every feature map on the way and the logits before resizing as
    /// `logits_native`.
    ///
    /// # Errors
    /// If the shapes do not fit, or `observe` fails.
    pub fn forward_observed(&self, images: &Tensor, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        self.decode(&channels_last(images)?, tape, observe)
    }

    /// [`Segmenter::forward_observed`] of an activation `[n, h, w, 3]`.
    fn decode(&self, images: &Value, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        let (_, h, w, _) = images.tensor().dims4()?;
        let features = self.encoder.forward(images, tape, observe)?;
        let logits = self.decoder.forward(&features, tape, observe)?;
        observe("logits_native", std::slice::from_ref(&logits))?;
        if logits.tensor().dims()[1..3] == [h, w] {
            return Ok(logits);
        }
        ops::resize_bilinear(tape, &logits, h, w)
    }

    /// Lung probability per pixel: `[n, 3, h, w]` to `[n, h, w]`, in 0..=1.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        probability(&self.planned(images)?.evaluate()?)
    }

    /// What there is to evaluate for images.
    pub(super) fn planned(&self, images: &Tensor) -> Result<Planned<'_, impl Record>> {
        self.plans
            .of(|x: &Value, tape: &mut Tape| self.outputs(x, tape), images, &self.device)
    }

    /// Logits of an activation `[n, h, w, 3]`.
    fn outputs(&self, images: &Value, tape: &mut Tape) -> Result<Vec<Value>> {
        Ok(vec![self.decode(images, tape, &mut |_, _| Ok(()))?])
    }

    /// Times every step of [`Segmenter::predict`] on the CPU, as the shortest of `rounds` runs.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn profile(&self, images: &Tensor, rounds: usize) -> Result<Vec<StepTime>> {
        self.planned(images)?.profile(rounds)
    }
}

/// Sigmoid of the logits: `[n, h, w, 1]` to `[n, h, w]`.
pub(super) fn probability(outputs: &[Tensor]) -> Result<Tensor> {
    let logits = outputs[0].squeeze(3)?.to_dtype(DType::F32)?;
    Ok((((logits.neg()?.exp()?) + 1.0)?).recip()?)
}

impl Network for Segmenter {
    fn visit(&self, f: &mut dyn FnMut(&str, &Tensor, Role)) {
        self.encoder.visit(f);
        for stage in &self.decoder.stages {
            stage.conv1.visit(f);
            stage.bn1.visit(f);
            stage.conv2.visit(f);
            stage.bn2.visit(f);
        }
        self.decoder.out.visit(f);
    }

    fn visit_mut(&mut self, f: &mut dyn FnMut(&str, &mut Tensor, Role)) {
        self.plans = Plans::default();
        self.encoder.visit_mut(f);
        for stage in &mut self.decoder.stages {
            stage.conv1.visit_mut(f);
            stage.bn1.visit_mut(f);
            stage.conv2.visit_mut(f);
            stage.bn2.visit_mut(f);
        }
        self.decoder.out.visit_mut(f);
    }
}

//! Phase II (paper section 2.3): encoder, global average pooling and a fully connected layer with two neurons.
//! `ReCovNet` takes its encoder from a trained segmenter; the plain baselines do not, and share everything else.

use candle_core::{DType, Tensor};

use super::backbone::{Backbone, Observe};
use super::gradcam::{self, CamTarget};
use super::init::Init;
use super::layers::{Linear, channels_first, channels_last};
use super::network::{Network, Role};
use super::ops;
use super::plan::{Planned, Plans, Record, StepTime};
use super::segmenter::Segmenter;
use super::tape::{Tape, Value};
use super::{BackboneKind, Device, Graph, Result, weights};

/// Classes: neuron 0 is control, neuron 1 is COVID-19.
pub const CLASSES: usize = 2;

/// `ReCovNet` or a plain baseline.
#[derive(Debug, Clone)]
pub struct Classifier {
    encoder: Backbone,
    fc: Linear,
    device: Device,
    plans: Plans,
}

/// Output of a classifier for a batch.
#[derive(Debug, Clone)]
pub struct Classification {
    /// Last feature map, `[n, c, h, w]`.
    pub features: Tensor,
    /// `[n, 2]`: control, COVID-19.
    pub logits: Tensor,
}

impl Classifier {
    /// A new network with initial values from a seed: a plain baseline to be trained.
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
            fc: Linear::new("fc", kind.feature_channels(), CLASSES, init)?,
            device: device.clone(),
            plans: Plans::default(),
        })
    }

    /// `ReCovNet` before phase II: a segmenter's encoder, running statistics and all, under a new head.
    ///
    /// # Errors
    /// If the device has no room for it.
    pub fn from_segmenter(segmenter: &Segmenter, seed: u64, device: &Device) -> Result<Self> {
        let kind = segmenter.encoder.kind();
        let mut init = Init::new(seed, device);
        Ok(Self {
            encoder: segmenter.encoder.clone(),
            fc: Linear::new("fc", kind.feature_channels(), CLASSES, &mut init)?,
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
    /// As [`Classifier::load`], and if the hash differs.
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

    /// Class logits: `[n, 3, h, w]` to `[n, 2]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn forward(&self, images: &Tensor, tape: &mut Tape) -> Result<Value> {
        self.forward_observed(images, tape, &mut |_, _| Ok(()))
    }

    /// As [`Classifier::forward`], showing every feature map on the way.
    ///
    /// # Errors
    /// If the shapes do not fit, or `observe` fails.
    pub fn forward_observed(&self, images: &Tensor, tape: &mut Tape, observe: Observe<'_>) -> Result<Value> {
        let features = self.encoder.forward(&channels_last(images)?, tape, observe)?;
        self.head(&features, tape)
    }

    /// Global average pooling and the fully connected layer: `[n, h, w, c]` to `[n, 2]`.
    pub(super) fn head(&self, features: &Value, tape: &mut Tape) -> Result<Value> {
        let pooled = ops::global_average_pool(tape, features)?;
        self.fc.forward(&pooled, tape)
    }

    /// Evaluates a batch: `[n, 3, h, w]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn predict(&self, images: &Tensor) -> Result<Classification> {
        classification(&self.planned(images)?.evaluate()?)
    }

    /// What there is to evaluate for images.
    pub(super) fn planned(&self, images: &Tensor) -> Result<Planned<'_, impl Record>> {
        self.plans
            .of(|x: &Value, tape: &mut Tape| self.outputs(x, tape), images, &self.device)
    }

    /// Feature map and logits of an activation `[n, h, w, 3]`.
    fn outputs(&self, images: &Value, tape: &mut Tape) -> Result<Vec<Value>> {
        let features = self.encoder.forward(images, tape, &mut |_, _| Ok(()))?;
        let logits = self.head(&features, tape)?;
        Ok(vec![features, logits])
    }

    /// Times every step of [`Classifier::predict`] on the CPU, as the shortest of `rounds` runs.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn profile(&self, images: &Tensor, rounds: usize) -> Result<Vec<StepTime>> {
        self.planned(images)?.profile(rounds)
    }

    /// Raw Grad-CAM (before `ReLU`) of a class at the last feature map: `[n, c, h, w]` to `[n, h, w]`.
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn activation_map(&self, features: &Tensor, class: usize, target: CamTarget) -> Result<Tensor> {
        gradcam::raw_map(self, features, class, target)
    }
}

/// The outputs of [`Classifier::outputs`] by name.
pub(super) fn classification(outputs: &[Tensor]) -> Result<Classification> {
    Ok(Classification {
        features: channels_first(&outputs[0].to_dtype(DType::F32)?)?,
        logits: outputs[1].flatten_from(1)?,
    })
}

impl Network for Classifier {
    fn visit(&self, f: &mut dyn FnMut(&str, &Tensor, Role)) {
        self.encoder.visit(f);
        self.fc.visit(f);
    }

    fn visit_mut(&mut self, f: &mut dyn FnMut(&str, &mut Tensor, Role)) {
        self.plans = Plans::default();
        self.encoder.visit_mut(f);
        self.fc.visit_mut(f);
    }
}

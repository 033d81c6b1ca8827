//! Grad-CAM (Selvaraju et al. 2017) at the encoder's last feature map: the class score's gradient, averaged over
//! the map, weighs its channels.

use candle_core::{DType, Tensor};

use super::recovnet::{CLASSES, Classifier};
use super::tape::Tape;
use super::{Error, Result};

/// What a Grad-CAM map is the gradient of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CamTarget {
    /// The class's logit: the default.
    Logit,
    /// The class's logit minus the other's.
    Margin,
    /// The class's probability; its gradient vanishes where the network is sure.
    Probability,
}

impl CamTarget {
    /// Gradient of the target with respect to one image's logits.
    fn gradient(self, logits: &[f64], class: usize) -> [f64; CLASSES] {
        let other = 1 - class;
        let mut gradient = [0.0; CLASSES];
        match self {
            Self::Logit => gradient[class] = 1.0,
            Self::Margin => (gradient[class], gradient[other]) = (1.0, -1.0),
            Self::Probability => {
                let p = 1.0 / (1.0 + (logits[other] - logits[class]).exp());
                (gradient[class], gradient[other]) = (p * (1.0 - p), -p * (1.0 - p));
            }
        }
        gradient
    }
}

/// `sum over k of alpha_k A_k` before `ReLU`, alpha the gradient's spatial mean: `[n, c, h, w]` to `[n, h, w]`.
pub(super) fn raw_map(network: &Classifier, features: &Tensor, class: usize, target: CamTarget) -> Result<Tensor> {
    if class >= CLASSES {
        return Err(Error::Shape {
            tensor: "class".into(),
            found: vec![class],
            expected: vec![0, CLASSES - 1],
        });
    }
    let mut tape = Tape::explanation();
    let watched = tape.watch(&features.permute((0, 2, 3, 1))?.contiguous()?);
    let logits = network.head(&watched, &mut tape)?;
    let rows: Vec<Vec<f64>> = logits.tensor().to_dtype(DType::F64)?.to_vec2()?;
    let seed: Vec<f64> = rows.iter().flat_map(|row| target.gradient(row, class)).collect();
    let seed = Tensor::from_vec(seed, (rows.len(), CLASSES), features.device())?.to_dtype(features.dtype())?;
    let mut backward = tape.backward(&[(&logits, seed)])?;
    let gradient = backward
        .watched
        .pop()
        .flatten()
        .expect("the head's gradient reaches the watched features");
    let alpha = gradient.mean_keepdim((1, 2))?;
    Ok(watched.tensor().broadcast_mul(&alpha)?.sum(3)?)
}

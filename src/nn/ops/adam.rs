//! Adam's step over one parameter in host memory. New values are written beside the old: whoever holds a tensor does
//! not see it change.

use candle_core::Tensor;

use super::cpu::{self, Host, tensor};
use crate::nn::{Error, Result};

/// Factors of one step, with `g` the scaled gradient: `m = keep1 m + take1 g`, `v = keep2 v + take2 g²`,
/// `value -= rate m / (sqrt(v) root + epsilon)`.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Share of the first moment that stays, and of the gradient that enters.
    pub first: (f32, f32),
    /// Share of the second moment that stays, and of the squared gradient that enters.
    pub second: (f32, f32),
    /// Rate, with the correction of the first moment.
    pub rate: f32,
    /// Correction of the second moment's root.
    pub root: f32,
    /// Added to it.
    pub epsilon: f32,
    /// What gradients are multiplied by first: 1, or less where they are clipped.
    pub scale: f32,
}

impl AdamStep {
    /// The next values of a parameter; both moments move.
    ///
    /// # Errors
    /// If gradient or moments are not of the parameter's size, or the tensors are not f32 in host memory.
    pub fn apply(&self, values: &Tensor, gradient: &Tensor, moments: (&mut [f32], &mut [f32])) -> Result<Tensor> {
        let len = values.elem_count();
        if [gradient.elem_count(), moments.0.len(), moments.1.len()] != [len; 3] {
            return Err(Error::Shape {
                tensor: "moments of a parameter".into(),
                found: vec![moments.0.len(), moments.1.len()],
                expected: vec![len, len],
            });
        }
        let next = {
            let (values, gradient) = (Host::of(values)?, Host::of(gradient)?);
            cpu::adam::step(self, values.slice()?, gradient.slice()?, moments)
        };
        tensor(next, values.shape())
    }
}

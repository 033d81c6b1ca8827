//! Initial values: He-normal kernels (He et al. 2015), uniform heads as torch's, from a seed.

use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Result;

/// Makes the tensors of a new network; equal seeds give equal networks.
pub struct Init<'a> {
    /// `None` for a network whose values are about to be loaded: drawing millions of numbers first takes longer.
    rng: Option<ChaCha8Rng>,
    device: &'a Device,
}

impl<'a> Init<'a> {
    /// From a seed.
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            rng: Some(ChaCha8Rng::seed_from_u64(seed)),
            device,
        }
    }

    /// All zeros, to be loaded over.
    pub(super) fn blank(device: &'a Device) -> Self {
        Self { rng: None, device }
    }

    /// A convolution kernel, normal with variance 2 / fan-in.
    pub(super) fn kernel(&mut self, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
        let Some(rng) = &mut self.rng else {
            return Ok(Tensor::zeros(shape, DType::F32, self.device)?);
        };
        let (o, kh, kw, c) = shape;
        let deviation = (2.0 / (kh * kw * c) as f64).sqrt();
        let values: Vec<f32> = (0..o * kh * kw * c).map(|_| (normal(rng) * deviation) as f32).collect();
        Ok(Tensor::from_vec(values, shape, self.device)?)
    }

    /// A fully connected weight, uniform within 1 / sqrt(fan-in).
    pub(super) fn matrix(&mut self, rows: usize, columns: usize) -> Result<Tensor> {
        let Some(rng) = &mut self.rng else {
            return Ok(Tensor::zeros((rows, columns), DType::F32, self.device)?);
        };
        let limit = 1.0 / (columns as f32).sqrt();
        let values: Vec<f32> = (0..rows * columns).map(|_| rng.random_range(-limit..=limit)).collect();
        Ok(Tensor::from_vec(values, (rows, columns), self.device)?)
    }

    /// A vector of equal values.
    pub(super) fn vector(&mut self, len: usize, value: f64) -> Result<Tensor> {
        Ok(Tensor::full(value, len, self.device)?.to_dtype(DType::F32)?)
    }
}

/// A standard normal number (Box-Muller).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

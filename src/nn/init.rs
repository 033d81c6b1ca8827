//! Initial values: He-normal kernels (He et al. 2015), uniform heads as torch's, from a seed.

use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Result;

/// Makes the tensors of a new network; equal seeds give equal networks.
pub struct Init<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Init<'a> {
    /// From a seed.
    pub(super) fn new(seed: u64, device: &'a Device) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            device,
        }
    }

    /// A standard normal number (Box-Muller).
    fn normal(&mut self) -> f64 {
        let (u, v): (f64, f64) = (self.rng.random(), self.rng.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// A convolution kernel, normal with variance 2 / fan-in.
    pub(super) fn kernel(&mut self, shape: (usize, usize, usize, usize)) -> Result<Tensor> {
        let (o, kh, kw, c) = shape;
        let deviation = (2.0 / (kh * kw * c) as f64).sqrt();
        let values: Vec<f32> = (0..o * kh * kw * c)
            .map(|_| (self.normal() * deviation) as f32)
            .collect();
        Ok(Tensor::from_vec(values, shape, self.device)?)
    }

    /// A fully connected weight, uniform within 1 / sqrt(fan-in).
    pub(super) fn matrix(&mut self, rows: usize, columns: usize) -> Result<Tensor> {
        let limit = 1.0 / (columns as f32).sqrt();
        let values: Vec<f32> = (0..rows * columns)
            .map(|_| self.rng.random_range(-limit..=limit))
            .collect();
        Ok(Tensor::from_vec(values, (rows, columns), self.device)?)
    }

    /// A vector of equal values.
    pub(super) fn vector(&mut self, len: usize, value: f64) -> Result<Tensor> {
        Ok(Tensor::full(value, len, self.device)?.to_dtype(DType::F32)?)
    }
}

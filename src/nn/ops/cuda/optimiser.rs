//! Adam and the running statistics, one kernel over all tensors each. New values are written beside the old: whoever
//! holds a tensor does not see it change, as on the CPU.

use candle_core::{DType, Device, Tensor};
use cudarc::driver::{CudaSlice, DeviceRepr, LaunchConfig};

use super::gpu::{Gpu, Reading, THREADS, address, launch, slice_address};
use crate::nn::ops::AdamStep;
use crate::nn::{Error, Result};

/// Elements of one tensor that a block steps.
const STRETCH: usize = 16_384;

/// The kernels' `Stretch`.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Stretch {
    tensor: i32,
    length: i32,
    begin: i64,
    moment: i64,
}

// SAFETY: the same fields in the same order as the kernels' structure.
unsafe impl DeviceRepr for Stretch {}

/// Both moments of all parameters on a GPU.
pub struct AdamState {
    device: Device,
    /// Elements of each parameter, in the order of the calls.
    lengths: Vec<usize>,
    stretches: CudaSlice<Stretch>,
    blocks: u32,
    first: Tensor,
    second: Tensor,
}

impl AdamState {
    /// Moments of parameters of these lengths, one after the other; from nothing or from what was saved.
    ///
    /// # Errors
    /// If the GPU refuses.
    pub fn new(device: &Device, lengths: Vec<usize>, first: &[f32], second: &[f32]) -> Result<Self> {
        let gpu = Gpu::at(device)?;
        let total: usize = lengths.iter().sum();
        if first.len() != total || second.len() != total {
            return Err(Error::Shape {
                tensor: "moments of Adam".into(),
                found: vec![first.len(), second.len()],
                expected: vec![total, total],
            });
        }
        let mut stretches = Vec::new();
        let mut moment = 0;
        for (tensor, &length) in lengths.iter().enumerate() {
            for begin in (0..length).step_by(STRETCH) {
                stretches.push(Stretch {
                    tensor: tensor as i32,
                    length: STRETCH.min(length - begin) as i32,
                    begin: begin as i64,
                    moment: (moment + begin) as i64,
                });
            }
            moment += length;
        }
        Ok(Self {
            device: device.clone(),
            blocks: stretches.len() as u32,
            stretches: gpu.upload("Adam", &stretches)?,
            lengths,
            first: Tensor::from_slice(first, total, device)?,
            second: Tensor::from_slice(second, total, device)?,
        })
    }

    /// Lengths of the parameters.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Both moments in host memory.
    ///
    /// # Errors
    /// If the GPU was lost.
    pub fn moments(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok((self.first.to_vec1()?, self.second.to_vec1()?))
    }

    /// One step, with gradients of a larger norm than `clip` shortened to it; gives the new values in the order of
    /// `values`, and the norm. Where the norm is no number, the new values are the old.
    ///
    /// # Errors
    /// If a tensor is of another length, or the GPU refuses.
    pub fn step(
        &mut self,
        values: &[Tensor],
        gradients: &[Tensor],
        step: &AdamStep,
        clip: Option<f64>,
    ) -> Result<(Vec<Tensor>, Reading)> {
        const OPERATION: &str = "Adam";
        let gpu = Gpu::at(&self.device)?;
        let fits = |tensors: &[Tensor]| tensors.iter().map(Tensor::elem_count).eq(self.lengths.iter().copied());
        if !fits(values) || !fits(gradients) {
            return Err(Error::Shape {
                tensor: "parameters of Adam".into(),
                found: gradients.iter().map(Tensor::elem_count).collect(),
                expected: self.lengths.clone(),
            });
        }
        let in_f32 = |t: &Tensor| t.to_dtype(DType::F32).and_then(|t| t.contiguous());
        let values: Vec<Tensor> = values.iter().map(in_f32).collect::<candle_core::Result<_>>()?;
        let gradients: Vec<Tensor> = gradients.iter().map(in_f32).collect::<candle_core::Result<_>>()?;
        let next: Vec<Tensor> = values
            .iter()
            .map(|v| gpu.empty(OPERATION, v.shape(), DType::F32))
            .collect::<Result<_>>()?;
        let all = values.iter().chain(&gradients).chain(&next);
        let pointers: Vec<u64> = all.map(address).collect::<Result<_>>()?;
        let pointers = gpu.upload(OPERATION, &pointers)?;
        let partial = gpu.empty(OPERATION, self.stretches.len().max(1), DType::F64)?;
        let norm = gpu.empty(OPERATION, 1, DType::F64)?;
        let scale = gpu.empty(OPERATION, 1, DType::F32)?;
        if self.blocks > 0 {
            launch!(
                *gpu,
                OPERATION,
                "squares",
                blocks(self.blocks),
                slice_address(&self.stretches),
                slice_address(&pointers),
                self.lengths.len() as i32,
                address(&partial)?,
            );
        }
        launch!(
            *gpu,
            OPERATION,
            "clip",
            blocks(1),
            address(&partial)?,
            self.blocks as i32,
            clip.unwrap_or(f64::INFINITY),
            address(&norm)?,
            address(&scale)?,
        );
        let norm = Reading::of(&norm)?;
        if self.blocks == 0 {
            return Ok((next, norm));
        }
        launch!(
            *gpu,
            OPERATION,
            "adam",
            blocks(self.blocks),
            slice_address(&self.stretches),
            slice_address(&pointers),
            self.lengths.len() as i32,
            address(&self.first)?,
            address(&self.second)?,
            step.first.0,
            step.first.1,
            step.second.0,
            step.second.1,
            step.rate,
            step.root,
            step.epsilon,
            address(&scale)?,
        );
        Ok((next, norm))
    }
}

fn blocks(count: u32) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (count, 1, 1),
        block_dim: (THREADS, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// One vector of running statistics and what moves it.
pub struct RunningUpdate {
    /// As it is.
    pub running: Tensor,
    /// What the batch had.
    pub batch: Tensor,
    /// What the batch's value is multiplied by first.
    pub factor: f64,
}

/// `(1 - momentum) running + momentum factor batch` of every vector, in order.
///
/// # Errors
/// If lengths differ, or the GPU refuses.
pub fn blend_running(updates: &[RunningUpdate], momentum: f64) -> Result<Vec<Tensor>> {
    const OPERATION: &str = "running statistics";
    let Some(update) = updates.first() else {
        return Ok(Vec::new());
    };
    let gpu = Gpu::of(&update.running)?;
    let mut pointers = [Vec::new(), Vec::new(), Vec::new()];
    let (mut lengths, mut factors, mut next) = (Vec::new(), Vec::new(), Vec::new());
    for RunningUpdate { running, batch, factor } in updates {
        if running.dims() != batch.dims() || running.dtype() != DType::F32 || batch.dtype() != DType::F32 {
            return Err(Error::Shape {
                tensor: OPERATION.into(),
                found: batch.dims().to_vec(),
                expected: running.dims().to_vec(),
            });
        }
        let fresh = gpu.empty(OPERATION, running.shape(), DType::F32)?;
        for (pointers, tensor) in pointers.iter_mut().zip([running, batch, &fresh]) {
            pointers.push(address(tensor)?);
        }
        lengths.push(running.elem_count() as i32);
        factors.push(*factor as f32);
        next.push(fresh);
    }
    let pointers = gpu.upload(OPERATION, &pointers.concat())?;
    let (lengths, factors) = (gpu.upload(OPERATION, &lengths)?, gpu.upload(OPERATION, &factors)?);
    launch!(
        *gpu,
        OPERATION,
        "blend",
        blocks(updates.len() as u32),
        slice_address(&pointers),
        slice_address(&lengths),
        slice_address(&factors),
        updates.len() as i32,
        momentum as f32,
    );
    Ok(next)
}

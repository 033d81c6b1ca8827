//! Buffers that a training run uses again and again. A step needs hundreds of large ones, and the system's price for
//! fresh memory (a fault for every page of it) is that of several passes over it.

use std::sync::Arc;

use candle_core::{CpuStorage, DType, InplaceOp1, Layout, Tensor};
use parking_lot::Mutex;

use super::Result;
use super::ops::cpu::Element;

/// Shorter buffers than this are the allocator's business.
const SHORTEST: usize = 1 << 14;
/// Steps that a buffer may lie idle.
const IDLE_STEPS: u64 = 2;

/// Idle buffers; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Workspace(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    step: u64,
    /// With the step of their last use, oldest first.
    idle: Vec<(u64, Vec<f32>)>,
}

impl Shelf {
    /// The shortest idle buffer that has room for `len` elements and would not waste much of it.
    fn take(&mut self, len: usize) -> Option<Vec<f32>> {
        let fits = |buffer: &Vec<f32>| (len..=len + len / 4).contains(&buffer.capacity());
        let best = (0..self.idle.len())
            .filter(|&i| fits(&self.idle[i].1))
            .min_by_key(|&i| self.idle[i].1.capacity())?;
        let mut buffer = self.idle.remove(best).1;
        buffer.resize(len, 0.0);
        Some(buffer)
    }

    /// Gives back to the system what has lain longest, at least `len` elements of it.
    fn evict(&mut self, len: usize) {
        let mut freed = 0;
        let count = self.idle.iter().take_while(|(_, buffer)| {
            let more = freed < len;
            freed += buffer.capacity();
            more
        });
        let count = count.count();
        self.idle.drain(..count);
    }
}

impl Workspace {
    /// A buffer that holds anything.
    pub(super) fn buffer<T: Element>(&self, len: usize) -> Vec<T> {
        if T::DTYPE == DType::F32 && len >= SHORTEST {
            let mut shelf = self.0.lock();
            if let Some(Ok(buffer)) = shelf.take(len).map(|b| T::cpu_storage_data(CpuStorage::F32(b))) {
                return buffer;
            }
            // What does not fit makes room, so that idle buffers never add to the largest need.
            shelf.evict(len);
        }
        vec![T::zero(); len]
    }

    /// Takes back a buffer that is no longer needed.
    pub(super) fn keep<T: Element>(&self, buffer: Vec<T>) {
        if buffer.capacity() >= SHORTEST
            && let CpuStorage::F32(buffer) = T::to_cpu_storage_owned(buffer)
        {
            let mut shelf = self.0.lock();
            let step = shelf.step;
            shelf.idle.push((step, buffer));
        }
    }

    /// Takes back the buffer of a tensor that nobody reads any more.
    pub(super) fn reclaim(&self, tensor: &Tensor) {
        if tensor.device().is_cpu()
            && tensor.dtype() == DType::F32
            && let Ok(buffer) = take_buffer::<f32>(tensor)
        {
            self.keep(buffer);
        }
    }

    /// Begins a step: buffers that were of no use for some steps go back to the system.
    pub(super) fn begin_step(&self) {
        let mut shelf = self.0.lock();
        shelf.step += 1;
        let step = shelf.step;
        shelf.idle.retain(|(used, _)| used + IDLE_STEPS >= step);
    }
}

/// Moves the elements out of a host tensor that nobody reads any more.
///
/// # Errors
/// If they are of another type, or the tensor shows only a part of them.
pub(super) fn take_buffer<T: Element>(tensor: &Tensor) -> Result<Vec<T>> {
    let taken = Take(Mutex::new(None));
    tensor.inplace_op1(&taken)?;
    let storage = taken.0.into_inner().unwrap_or(CpuStorage::F32(Vec::new()));
    Ok(T::cpu_storage_data(storage)?)
}

/// Puts an empty storage in a tensor's place.
struct Take(Mutex<Option<CpuStorage>>);

impl InplaceOp1 for Take {
    fn name(&self) -> &'static str {
        "take-buffer"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let len = match storage {
            CpuStorage::F32(values) => values.len(),
            CpuStorage::F64(values) => values.len(),
            _ => 0,
        };
        if layout.contiguous_offsets() != Some((0, len)) {
            return Err(candle_core::Error::Msg("a part of a buffer cannot be taken".into()));
        }
        *self.0.lock() = Some(std::mem::replace(storage, CpuStorage::F32(Vec::new())));
        Ok(())
    }
}

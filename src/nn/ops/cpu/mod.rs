//! CPU kernels over channels-last slices: `[n, h, w, c]` activations, `[o, kh, kw, c]` convolution kernels.
//! They know no tape and no layer; every one uses both hands of the compute pool.

pub mod adam;
pub mod conv;
pub mod elementwise;
pub mod gemm;
mod lanes;
pub mod norm;
pub mod pool;
pub mod resize;
mod scratch;
mod threads;
pub mod tile;
pub mod winograd;

use candle_core::{CpuStorage, Device, Storage, Tensor, WithDType};
use parking_lot::RwLockReadGuard;

use self::tile::Tile;
use crate::nn::{Error, Result};

pub(in crate::nn) use threads::on_every_thread;
pub use threads::{MAX_THREADS, ThreadsError, check_threads, on_pool, set_threads, threads};

/// A number that the kernels compute with: f32, and f64 for gradient checks.
pub trait Element: WithDType + Default {
    /// Computes a tile of a product.
    ///
    /// # Safety
    /// As for [`tile::multiply_f32`].
    #[allow(unsafe_code)]
    unsafe fn multiply(tile: &Tile<Self>);

    /// `self * factor + addend`, rounded once where the processor does that as fast.
    #[must_use]
    fn multiply_add(self, factor: Self, addend: Self) -> Self;

    /// Whether it is larger for max pooling, where NaN is larger than every number and so not lost.
    fn wins_over(self, other: Self) -> bool;

    /// Calls `f` with this thread's idle buffers.
    fn shelf<R>(f: impl FnOnce(&scratch::Shelf<Self>) -> R) -> R;
}

macro_rules! element {
    ($type:ty, $multiply:path) => {
        impl Element for $type {
            #[allow(unsafe_code)]
            #[inline]
            unsafe fn multiply(tile: &Tile<Self>) {
                // SAFETY: the caller's promise.
                unsafe { $multiply(tile) }
            }

            #[inline]
            fn multiply_add(self, factor: Self, addend: Self) -> Self {
                if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
                    self.mul_add(factor, addend)
                } else {
                    self * factor + addend
                }
            }

            #[inline]
            fn wins_over(self, other: Self) -> bool {
                self > other || self.is_nan()
            }

            fn shelf<R>(f: impl FnOnce(&scratch::Shelf<Self>) -> R) -> R {
                thread_local!(static SHELF: scratch::Shelf<$type> = const { scratch::Shelf::new(Vec::new()) });
                SHELF.with(f)
            }
        }
    };
}

element!(f32, tile::multiply_f32);
element!(f64, tile::multiply_f64);

/// Name of the instructions that this process computes f32 with: the best of this machine, or what
/// [`tile::KERNEL_VARIABLE`] names.
pub fn kernel_name() -> &'static str {
    tile::instruction_set().name()
}

/// Read access to the elements of a contiguous tensor in host memory, without a copy.
pub struct Host<'a> {
    storage: RwLockReadGuard<'a, Storage>,
    start: usize,
    len: usize,
}

impl<'a> Host<'a> {
    /// Opens a tensor.
    ///
    /// # Errors
    /// If it is not contiguous or lies on another device.
    pub fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(Error::Unsupported {
                operation: "a kernel",
                on: format!("a tensor of strides {:?}", layout.stride()),
            });
        };
        Ok(Self {
            storage,
            start,
            len: end - start,
        })
    }

    /// The elements, row-major.
    ///
    /// # Errors
    /// If they are of another type or not in host memory.
    pub fn slice<T: Element>(&self) -> Result<&[T]> {
        match &*self.storage {
            Storage::Cpu(cpu) => Ok(&T::cpu_storage_as_slice(cpu)?[self.start..self.start + self.len]),
            _ => Err(Error::Unsupported {
                operation: "this network",
                on: "this device: it has no path there".into(),
            }),
        }
    }
}

/// Makes a host tensor of a buffer, without a copy.
pub fn tensor<T: Element>(values: Vec<T>, shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, shape.into(), &Device::Cpu)?)
}

/// `target += other`, in place.
struct AddAssign;

impl candle_core::InplaceOp2 for AddAssign {
    fn name(&self) -> &'static str {
        "add-assign"
    }

    fn cpu_fwd(
        &self,
        target: &mut CpuStorage,
        target_layout: &candle_core::Layout,
        other: &CpuStorage,
        other_layout: &candle_core::Layout,
    ) -> candle_core::Result<()> {
        let range = |layout: &candle_core::Layout| {
            layout
                .contiguous_offsets()
                .ok_or_else(|| candle_core::Error::Msg("gradients are contiguous".into()))
        };
        let ((a, b), (c, d)) = (range(target_layout)?, range(other_layout)?);
        match (target, other) {
            (CpuStorage::F32(t), CpuStorage::F32(o)) => {
                elementwise::add_assign(&mut t[a..b], &o[c..d]);
            }
            (CpuStorage::F64(t), CpuStorage::F64(o)) => {
                elementwise::add_assign(&mut t[a..b], &o[c..d]);
            }
            _ => return Err(candle_core::Error::Msg("gradients are f32 or f64".into())),
        }
        Ok(())
    }
}

/// Adds a gradient to one that nothing else refers to.
pub fn accumulate(target: &Tensor, other: &Tensor) -> Result<()> {
    #[cfg(feature = "cuda")]
    if target.device().is_cuda() {
        return super::cuda::accumulate(target, other);
    }
    Ok(target.inplace_op2(other, &AddAssign)?)
}

//! CPU kernels over channels-last slices: `[n, h, w, c]` activations, `[o, kh, kw, c]` convolution kernels.
//! They know no tape and no layer; every one uses both hands of the compute pool.

pub mod conv;
pub mod elementwise;
pub mod norm;
pub mod pool;
pub mod resize;

use std::sync::LazyLock;

use candle_core::{CpuStorage, Device, Storage, Tensor, WithDType};
use parking_lot::RwLockReadGuard;

use crate::nn::{Error, Result};

/// The compute pool: one thread a core.
static POOL: LazyLock<rayon::ThreadPool> = LazyLock::new(|| {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|i| format!("nn-{i}"))
        .build()
        .expect("the system can start one thread a core")
});

/// Number of threads that kernels run on.
pub fn threads() -> usize {
    POOL.current_num_threads()
}

/// Runs a kernel on the compute pool and waits for it.
pub(super) fn on_pool<R: Send>(kernel: impl FnOnce() -> R + Send) -> R {
    POOL.install(kernel)
}

/// A number that the kernels compute with: f32, and f64 for gradient checks.
pub trait Element: WithDType + Default {}

impl Element for f32 {}
impl Element for f64 {}

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

//! One GPU as the operations use it: a stream that everything runs on in order, our kernels, memory that the GPU can
//! fetch from by itself. There is one a GPU and process, so that its parts are made once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::cuda_backend::{CudaDevice, CudaStorageSlice};
use candle_core::{DType, Device, DeviceLocation, Shape, Storage, Tensor};
use cudarc::driver::{
    CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaStream, DevicePtr, DeviceRepr, DriverError, LaunchConfig,
    PinnedHostSlice, result, sys,
};
use parking_lot::Mutex;

use super::convolution::Convolutions;
use crate::nn::cuda_runtime;
use crate::nn::{Error, Result};

/// Our kernels, compiled by `build.rs`.
const PTX: &str = include_str!(concat!(env!("OUT_DIR"), "/kernels.ptx"));
/// The kernels use what GPUs have had since Ampere: bf16.
const OLDEST: (i32, i32) = (8, 0);
/// Buffers for uploads under way; one more than the batches that lie ready.
const STAGED: usize = 4;
/// Threads of a block.
pub(super) const THREADS: u32 = 256;

/// The GPUs that were opened, by number.
static OPENED: Mutex<BTreeMap<usize, Arc<Gpu>>> = Mutex::new(BTreeMap::new());

/// See the module.
pub(super) struct Gpu {
    device: CudaDevice,
    pub(super) stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    functions: Mutex<HashMap<String, CudaFunction>>,
    pub(super) convolutions: Mutex<Convolutions>,
    staged: Mutex<Vec<Staged>>,
    readings: Mutex<Vec<PinnedHostSlice<f64>>>,
    name: String,
    processors: u32,
}

/// Page-locked memory on its way to the GPU.
struct Staged {
    bytes: PinnedHostSlice<u8>,
    /// When the GPU has read it.
    done: Option<CudaEvent>,
}

/// Opens a GPU, or gives what was opened before.
///
/// # Errors
/// One sentence with the cause: no driver, no library, no such GPU, one that is too old, or one without room.
pub fn open(ordinal: usize) -> std::result::Result<Device, String> {
    cuda_runtime::load()?;
    let mut opened = OPENED.lock();
    if let Some(gpu) = opened.get(&ordinal) {
        if gpu.stream.synchronize().is_ok() {
            return Ok(Device::Cuda(gpu.device.clone()));
        }
        opened.remove(&ordinal);
    }
    let gpu = Gpu::new(ordinal)?;
    let device = Device::Cuda(gpu.device.clone());
    opened.insert(ordinal, Arc::new(gpu));
    Ok(device)
}

/// Name of an opened GPU.
pub fn name(device: &Device) -> Option<String> {
    Gpu::of_device(device).ok().map(|gpu| gpu.name.clone())
}

/// Compute capability and memory of an opened GPU, in words.
pub fn describe(device: &Device) -> Option<String> {
    let gpu = Gpu::of_device(device).ok()?;
    let context = gpu.stream.context();
    let (major, minor) = context.compute_capability().ok()?;
    let (free, total) = context.mem_get_info().ok()?;
    let gib = |bytes: usize| bytes as f64 / f64::from(1 << 30);
    Some(format!(
        "compute capability {major}.{minor}, {:.1} of {:.1} GiB free",
        gib(free),
        gib(total)
    ))
}

/// Memory that is taken on an opened GPU by whoever computes there, in MiB.
pub fn taken_mib(device: &Device) -> Option<f64> {
    let gpu = Gpu::of_device(device).ok()?;
    let (free, total) = gpu.stream.context().mem_get_info().ok()?;
    Some(total.saturating_sub(free) as f64 / f64::from(1 << 20))
}

/// First line of an error (candle adds where it was); the driver's in words, with the name in brackets.
fn first_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or("no reason given");
    let inner = line
        .strip_prefix("DriverError(")
        .and_then(|rest| rest.strip_suffix("\")"));
    match inner.and_then(|inner| inner.split_once(", \"")) {
        Some((name, words)) => format!("{words} ({name})"),
        None => line.to_owned(),
    }
}

impl Gpu {
    fn new(ordinal: usize) -> std::result::Result<Self, String> {
        // A stream of our own: candle's usual one is another for each thread, and a network is loaded on one thread
        // and run on the next.
        let device = Device::new_cuda_with_stream(ordinal).map_err(|e| first_line(&e))?;
        let device = device.as_cuda_device().map_err(|e| first_line(&e))?.clone();
        // SAFETY: everything runs on the one stream made above, in the order it was asked for; nothing is left to
        // be tracked between streams.
        unsafe { device.disable_event_tracking() };
        let stream = device.cuda_stream();
        let context = stream.context();
        let capability = context.compute_capability().map_err(|e| first_line(&e))?;
        if capability < OLDEST {
            return Err(format!(
                "it has compute capability {}.{}, the kernels need {}.{} (Ampere) or newer",
                capability.0, capability.1, OLDEST.0, OLDEST.1
            ));
        }
        keep_freed_memory(context.cu_device()).map_err(|e| first_line(&e))?;
        let module = context.load_module(PTX.into()).map_err(|e| first_line(&e))?;
        let convolutions = Convolutions::new(&stream)?;
        let processors = context
            .attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
            .map_err(|e| first_line(&e))?;
        let name = context.name().map_err(|e| first_line(&e))?;
        Ok(Self {
            device,
            module,
            functions: Mutex::default(),
            convolutions: Mutex::new(convolutions),
            staged: Mutex::default(),
            readings: Mutex::default(),
            name,
            processors: processors.max(1) as u32,
            stream,
        })
    }

    fn of_device(device: &Device) -> Result<Arc<Self>> {
        let unsupported = |on: &str| Error::Unsupported {
            operation: "a CUDA operation",
            on: on.to_owned(),
        };
        let DeviceLocation::Cuda { gpu_id } = device.location() else {
            return Err(unsupported("a tensor in host memory"));
        };
        let opened = OPENED.lock();
        let gpu = opened.get(&gpu_id).filter(|gpu| match device {
            Device::Cuda(device) => device.id() == gpu.device.id(),
            _ => false,
        });
        gpu.cloned()
            .ok_or_else(|| unsupported("a GPU that was not opened by this program's own function"))
    }

    /// The GPU that a tensor lies on.
    pub(super) fn of(tensor: &Tensor) -> Result<Arc<Self>> {
        Self::of_device(tensor.device())
    }

    /// The GPU of a device.
    pub(super) fn at(device: &Device) -> Result<Arc<Self>> {
        Self::of_device(device)
    }

    /// A kernel by its name.
    pub(super) fn function(&self, name: &str) -> Result<CudaFunction> {
        let mut functions = self.functions.lock();
        if let Some(function) = functions.get(name) {
            return Ok(function.clone());
        }
        let function = self
            .module
            .load_function(name)
            .map_err(|e| refused("loading a kernel", name.to_owned(), e))?;
        functions.insert(name.to_owned(), function.clone());
        Ok(function)
    }

    /// A tensor whose elements are yet to be written.
    pub(super) fn empty(&self, operation: &'static str, shape: impl Into<Shape>, dtype: DType) -> Result<Tensor> {
        let shape = shape.into();
        let device = Device::Cuda(self.device.clone());
        // SAFETY: every caller writes all elements with the kernel or library call that comes next on the stream.
        let tensor = unsafe { Tensor::empty(&shape, dtype, &device) };
        tensor.map_err(|e| refused(operation, format!("{:?} {dtype:?}", shape.dims()), e))
    }

    /// Blocks and threads for kernels over `n` elements, several an thread where there are many.
    pub(super) fn elements(&self, n: usize) -> LaunchConfig {
        let most = self.processors as usize * 32;
        let blocks = n.div_ceil(THREADS as usize).clamp(1, most);
        LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (THREADS, 1, 1),
            shared_mem_bytes: 0,
        }
    }

    /// Blocks and threads for kernels that walk down the rows of `[rows, channels]`, `width` channels a thread.
    pub(super) fn rows(&self, rows: usize, channels: usize, width: usize) -> LaunchConfig {
        let groups = channels.div_ceil(width).max(1) as u32;
        let across = groups.min(32);
        let down = THREADS / across;
        let columns = groups.div_ceil(across);
        // At least eight rows a thread, and no more blocks than keep the GPU busy.
        let wanted = rows.div_ceil(down as usize * 8).max(1);
        let most = (self.processors * 8).div_ceil(columns).clamp(1, 65_535) as usize;
        LaunchConfig {
            grid_dim: (columns, wanted.min(most) as u32, 1),
            block_dim: (across, down, 1),
            shared_mem_bytes: across * down * 2 * width as u32 * 4,
        }
    }

    /// Puts values on the GPU without waiting for it.
    pub(super) fn upload<T: DeviceRepr + bytemuck::NoUninit>(
        &self,
        operation: &'static str,
        values: &[T],
    ) -> Result<CudaSlice<T>> {
        let fail = |e| refused(operation, format!("{} values", values.len()), e);
        let bytes: &[u8] = bytemuck::cast_slice(values);
        // SAFETY: the copy below writes all of it, on the same stream.
        let target = unsafe { self.stream.alloc::<T>(values.len().max(1)) }.map_err(fail)?;
        let mut staged = self.staged.lock();
        let place = self.free_place(&mut staged, bytes.len()).map_err(fail)?;
        let slot = &mut staged[place];
        slot.bytes.as_mut_slice().map_err(fail)?[..bytes.len()].copy_from_slice(bytes);
        let (address, _) = target.device_ptr(&self.stream);
        let source = &slot.bytes.as_slice().map_err(fail)?[..bytes.len()];
        // SAFETY: the source stays as it is until `done` tells that the GPU has read it; the target is as long.
        unsafe { result::memcpy_htod_async(address, source, self.stream.cu_stream()) }.map_err(fail)?;
        slot.done = Some(self.stream.record_event(None).map_err(fail)?);
        Ok(target)
    }

    /// A staging buffer that the GPU does not read from, of at least `len` bytes.
    fn free_place(&self, staged: &mut Vec<Staged>, len: usize) -> std::result::Result<usize, DriverError> {
        let is_free = |slot: &Staged| slot.done.as_ref().is_none_or(CudaEvent::is_complete);
        let fits = staged.iter().position(|slot| is_free(slot) && slot.bytes.len() >= len);
        if let Some(place) = fits {
            return Ok(place);
        }
        let fresh = |len: usize| {
            // SAFETY: bytes are valid whatever they hold, and are written before they are read.
            let bytes = unsafe {
                self.stream
                    .context()
                    .alloc_pinned::<u8>(len.next_power_of_two().max(4096))
            }?;
            Ok(Staged { bytes, done: None })
        };
        if staged.len() < STAGED {
            staged.push(fresh(len)?);
            return Ok(staged.len() - 1);
        }
        // The one that was used longest ago: they are used in turns.
        staged.rotate_left(1);
        let last = STAGED - 1;
        if let Some(done) = &staged[last].done {
            done.synchronize()?;
        }
        if staged[last].bytes.len() < len {
            staged[last] = fresh(len)?;
        }
        Ok(last)
    }
}

/// Tells the driver to keep freed memory for the next allocation: by default it goes back to the system whenever
/// somebody waits for the GPU.
fn keep_freed_memory(device: sys::CUdevice) -> std::result::Result<(), DriverError> {
    let mut everything = u64::MAX;
    // SAFETY: the pool is the device's own and lives as long; the attribute is read as the 64-bit number it is.
    unsafe {
        let pool = result::device::get_default_mem_pool(device)?;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, attribute, (&raw mut everything).cast())
    }
}

/// What a driver error means to the user, with what to do about it.
pub(in crate::nn) fn refused(operation: &'static str, sizes: String, error: impl std::fmt::Display) -> Error {
    let cause = first_line(&error);
    let full = ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED"]
        .iter()
        .any(|word| cause.contains(word));
    let reason = if full {
        "the GPU's memory is full; choose a smaller batch or --device cpu".to_owned()
    } else {
        format!("the GPU refused ({cause}); if it was lost, start again, else choose --device cpu")
    };
    Error::Gpu {
        operation,
        sizes,
        reason,
        full,
    }
}

/// Address of a contiguous tensor's first element on the GPU. It is good for as long as the tensor lives: memory is
/// freed on the stream, behind what was asked for before.
pub(super) fn address(tensor: &Tensor) -> Result<u64> {
    fn first<T>(slice: &CudaSlice<T>) -> u64 {
        slice.device_ptr(slice.stream()).0
    }
    let (storage, layout) = tensor.storage_and_layout();
    let unsupported = |on: String| Error::Unsupported {
        operation: "a CUDA operation",
        on,
    };
    if !layout.is_contiguous() {
        return Err(unsupported(format!("a tensor of strides {:?}", layout.stride())));
    }
    let Storage::Cuda(storage) = &*storage else {
        return Err(unsupported("a tensor in host memory".to_owned()));
    };
    let base = match &storage.slice {
        CudaStorageSlice::F32(slice) => first(slice),
        CudaStorageSlice::BF16(slice) => first(slice),
        CudaStorageSlice::F64(slice) => first(slice),
        CudaStorageSlice::U8(slice) => first(slice),
        _ => return Err(unsupported(format!("{:?}", tensor.dtype()))),
    };
    Ok(base + (layout.start_offset() * tensor.dtype().size_in_bytes()) as u64)
}

/// Address of the first element of memory that is no tensor.
pub(super) fn slice_address<T>(slice: &CudaSlice<T>) -> u64 {
    slice.device_ptr(slice.stream()).0
}

/// Ending of a kernel's name for an element type.
pub(super) fn suffix(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("f32"),
        DType::BF16 => Ok("bf16"),
        other => Err(Error::Unsupported {
            operation: "a CUDA operation",
            on: format!("{other:?}; networks compute in f32 or bf16"),
        }),
    }
}

/// Ending of a kernel's name and channels a thread, for feature maps of these channels.
pub(super) fn suffix_and_width(dtype: DType, channels: &[usize]) -> Result<(&'static str, usize)> {
    let all = |width: usize| channels.iter().all(|c| c.is_multiple_of(width));
    Ok(match suffix(dtype)? {
        "f32" if all(4) => ("f32", 4),
        "f32" => ("f32_1", 1),
        _ if all(8) => ("bf16", 8),
        _ => ("bf16_1", 1),
    })
}

/// A number on its way from the GPU.
pub struct Reading {
    gpu: Arc<Gpu>,
    /// `None` once it was read.
    value: Option<PinnedHostSlice<f64>>,
    done: CudaEvent,
}

impl Reading {
    /// Asks for the first element of a f64 tensor; the GPU works on meanwhile.
    ///
    /// # Errors
    /// If the tensor is none of f64 on a GPU.
    pub fn of(tensor: &Tensor) -> Result<Self> {
        let gpu = Gpu::of(tensor)?;
        let fail = |e| refused("reading a number", String::new(), e);
        if tensor.dtype() != DType::F64 {
            return Err(Error::Unsupported {
                operation: "reading a number",
                on: format!("{:?}", tensor.dtype()),
            });
        }
        let from = address(tensor)?;
        let spare = gpu.readings.lock().pop();
        let mut value = match spare {
            Some(value) => value,
            // SAFETY: the copy below writes it before anybody reads it.
            None => unsafe { gpu.stream.context().alloc_pinned_with_flags(1, 0) }.map_err(fail)?,
        };
        let target = value.as_mut_slice().map_err(fail)?;
        // SAFETY: one f64 is there (checked above), and `target` is read only after `done`.
        unsafe { result::memcpy_dtoh_async(target, from, gpu.stream.cu_stream()) }.map_err(fail)?;
        let done = gpu.stream.record_event(None).map_err(fail)?;
        Ok(Self {
            gpu,
            value: Some(value),
            done,
        })
    }

    /// Waits for the number.
    ///
    /// # Errors
    /// If the GPU was lost.
    pub fn wait(mut self) -> Result<f64> {
        let fail = |e| refused("reading a number", String::new(), e);
        self.done.synchronize().map_err(fail)?;
        let value = self.value.take();
        let number = value.as_ref().map_or(Ok(f64::NAN), |v| v.as_slice().map(|v| v[0]));
        self.gpu.readings.lock().extend(value);
        number.map_err(fail)
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // The GPU may still write there.
        let _ = self.done.synchronize();
    }
}

/// Launches a kernel: its name, blocks and threads, and its arguments in the order of its parameters. Tensors whose
/// addresses are passed must be bound to names: a temporary is freed on the stream before the kernel is asked for.
macro_rules! launch {
    ($gpu:expr, $operation:expr, $name:expr, $config:expr, $($argument:expr),+ $(,)?) => {{
        let (gpu, name): (&$crate::nn::ops::cuda::gpu::Gpu, &str) = (&$gpu, $name);
        let function = gpu.function(name)?;
        let mut builder = gpu.stream.launch_builder(&function);
        $(
            let argument = $argument;
            cudarc::driver::PushKernelArg::arg(&mut builder, &argument);
        )+
        // SAFETY: every argument stands for the kernel's parameter of the same place and type; addresses are of
        // tensors that the caller holds, of the sizes that it passes beside them.
        unsafe { builder.launch($config) }
            .map_err(|e| $crate::nn::ops::cuda::gpu::refused($operation, format!("kernel {name}"), e))?;
    }};
}
pub(super) use launch;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_driver_are_told_in_words() {
        let told =
            first_line(&"DriverError(CUDA_ERROR_NO_DEVICE, \"no CUDA-capable device is detected\")\n   0: candle");
        assert_eq!(told, "no CUDA-capable device is detected (CUDA_ERROR_NO_DEVICE)");
        assert_eq!(first_line(&"cuDNN: X"), "cuDNN: X");
    }

    #[test]
    fn a_full_gpu_asks_for_a_smaller_batch_and_a_lost_one_for_the_cpu() {
        let refused = |cause: &str| refused("copy", "1 byte".to_owned(), cause);
        let full = refused("out of memory (CUDA_ERROR_OUT_OF_MEMORY)");
        assert!(full.is_out_of_memory() && full.to_string().contains("smaller batch"));
        let lost = refused("device not ready (CUDA_ERROR_NOT_READY)");
        assert!(!lost.is_out_of_memory() && lost.to_string().contains("--device cpu"));
    }
}

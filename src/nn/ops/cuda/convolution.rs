//! Convolution by cuDNN: forward, gradient of the input, gradient of the kernel. The fastest algorithm is measured
//! once a shape and kept. f32 never uses TF32; bf16 adds up in f32 on tensor cores.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use cudarc::cudnn::{CudnnError, result, sys};
use cudarc::driver::{CudaSlice, CudaStream};

use super::gpu::{Gpu, address, refused, slice_address};
use crate::nn::{Error, Result};

/// Largest memory that an algorithm may use beside its operands, in bytes.
const MOST_WORKSPACE: usize = 1 << 30;
/// Algorithms that cuDNN reports on at most.
const ALGORITHMS: usize = 16;

/// What is computed of the three tensors of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    /// The output.
    Forward,
    /// The gradient of the input.
    Input,
    /// The gradient of the kernel.
    Kernel,
}

/// Sizes of a convolution, all that cuDNN is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    /// Images.
    pub n: usize,
    /// Rows, columns, channels of the input.
    pub input: (usize, usize, usize),
    /// Rows, columns, channels of the output.
    pub output: (usize, usize, usize),
    /// Rows, columns of the kernel.
    pub kernel: (usize, usize),
    /// Stride down, across.
    pub stride: (usize, usize),
    /// Padding above and below, left and right.
    pub padding: (usize, usize),
}

impl Sizes {
    /// In words, for errors.
    fn words(&self, dtype: DType) -> String {
        format!(
            "{}x{}x{}x{} with {}x{}x{} kernels to {} channels, {dtype:?}",
            self.n, self.input.0, self.input.1, self.input.2, self.kernel.0, self.kernel.1, self.input.2, self.output.2
        )
    }
}

/// How tensors lie in memory. Channels last is ours; the other is for shapes that cuDNN computes in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Layout {
    ChannelsLast,
    ChannelsFirst,
}

impl Layout {
    fn format(self) -> sys::cudnnTensorFormat_t {
        match self {
            Self::ChannelsLast => sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC,
            Self::ChannelsFirst => sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW,
        }
    }
}

type Key = (Pass, Sizes, DType);

/// A handle to cuDNN and what was found out with it.
pub(super) struct Convolutions {
    handle: sys::cudnnHandle_t,
    plans: HashMap<Key, Arc<Plan>>,
    workspace: Option<CudaSlice<u8>>,
}

// SAFETY: cuDNN lets any thread use a handle as long as one does at a time; `Gpu` keeps this behind a lock, and the
// context is made current on the thread before (`Convolutions::run`).
unsafe impl Send for Convolutions {}

/// How one convolution is computed.
struct Plan {
    descriptors: Descriptors,
    layout: Layout,
    /// Number of the algorithm in cuDNN's list of its pass.
    algorithm: u32,
    /// Bytes.
    workspace: usize,
}

// SAFETY: descriptors are plain memory that is not written after it was made.
unsafe impl Send for Plan {}
// SAFETY: as above.
unsafe impl Sync for Plan {}

/// cuDNN's descriptions of the three tensors and of the window; freed with it.
struct Descriptors {
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    window: sys::cudnnConvolutionDescriptor_t,
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        // SAFETY: each was made by its create function, or is null, and nothing else refers to it.
        unsafe {
            if !self.x.is_null() {
                let _ = result::destroy_tensor_descriptor(self.x);
            }
            if !self.w.is_null() {
                let _ = result::destroy_filter_descriptor(self.w);
            }
            if !self.y.is_null() {
                let _ = result::destroy_tensor_descriptor(self.y);
            }
            if !self.window.is_null() {
                let _ = result::destroy_convolution_descriptor(self.window);
            }
        }
    }
}

impl Descriptors {
    fn new(sizes: &Sizes, dtype: DType, layout: Layout) -> std::result::Result<Self, CudnnError> {
        let number = match dtype {
            DType::BF16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            _ => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
        };
        // FMA is full f32: the other modes may round products to TF32.
        let math = match dtype {
            DType::BF16 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
            _ => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        };
        let (format, int) = (layout.format(), |v: usize| v as i32);
        let map = |(h, w, c): (usize, usize, usize)| [int(sizes.n), int(c), int(h), int(w)];
        let (kernel, padding, stride) = (sizes.kernel, sizes.padding, sizes.stride);
        let filter = [int(sizes.output.2), int(sizes.input.2), int(kernel.0), int(kernel.1)];
        let mut made = Self {
            x: std::ptr::null_mut(),
            w: std::ptr::null_mut(),
            y: std::ptr::null_mut(),
            window: std::ptr::null_mut(),
        };
        made.x = result::create_tensor_descriptor()?;
        made.w = result::create_filter_descriptor()?;
        made.y = result::create_tensor_descriptor()?;
        made.window = result::create_convolution_descriptor()?;
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        let sum = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        // SAFETY: the descriptors were made above and are not shared yet.
        unsafe {
            result::set_tensor4d_descriptor(made.x, format, number, map(sizes.input))?;
            result::set_filter4d_descriptor(made.w, number, format, filter)?;
            result::set_tensor4d_descriptor(made.y, format, number, map(sizes.output))?;
            result::set_convolution2d_descriptor(
                made.window,
                int(padding.0),
                int(padding.1),
                int(stride.0),
                int(stride.1),
                1,
                1,
                mode,
                sum,
            )?;
            result::set_convolution_math_type(made.window, math)?;
        }
        Ok(made)
    }
}

/// cuDNN's report on an algorithm: the three `cudnnConvolution*AlgoPerf_t` are alike, and plain numbers stay sound
/// where a newer cuDNN answers with a status that the binding has no name for.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Report {
    algorithm: u32,
    status: u32,
    milliseconds: f32,
    bytes: usize,
    determinism: u32,
    math: u32,
    reserved: [i32; 3],
}

const _: () = assert!(
    size_of::<Report>() == size_of::<sys::cudnnConvolutionFwdAlgoPerf_t>()
        && size_of::<Report>() == size_of::<sys::cudnnConvolutionBwdDataAlgoPerf_t>()
        && size_of::<Report>() == size_of::<sys::cudnnConvolutionBwdFilterAlgoPerf_t>()
);

/// Addresses of input, kernel and output (or their gradients).
#[derive(Clone, Copy)]
struct Operands {
    x: *mut c_void,
    w: *mut c_void,
    y: *mut c_void,
}

/// Number of algorithms that the binding knows of a pass; what lies above cannot be asked for.
fn known(pass: Pass) -> u32 {
    match pass {
        Pass::Forward => sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_COUNT as u32,
        Pass::Input => sys::cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT as u32,
        Pass::Kernel => sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT as u32,
    }
}

/// Makes a function from an algorithm's number to the binding's enumeration; numbers that it does not know are 0.
macro_rules! algorithm {
    ($name:ident, $pass:expr, $kind:ty) => {
        fn $name(number: u32) -> $kind {
            let number = if number < known($pass) { number } else { 0 };
            // SAFETY: the enumeration has every number below its COUNT, and is of 32 bits.
            unsafe { std::mem::transmute::<u32, $kind>(number) }
        }
    };
}

algorithm!(forward_algorithm, Pass::Forward, sys::cudnnConvolutionFwdAlgo_t);
algorithm!(input_algorithm, Pass::Input, sys::cudnnConvolutionBwdDataAlgo_t);
algorithm!(kernel_algorithm, Pass::Kernel, sys::cudnnConvolutionBwdFilterAlgo_t);

impl Convolutions {
    /// Opens cuDNN on a stream.
    pub(super) fn new(stream: &CudaStream) -> std::result::Result<Self, String> {
        let fail = |e: CudnnError| format!("cuDNN cannot be used: {e}");
        let handle = result::create_handle().map_err(fail)?;
        // SAFETY: the handle was made above, the stream lives as long as the GPU that both belong to.
        unsafe { result::set_stream(handle, stream.cu_stream().cast()) }.map_err(fail)?;
        Ok(Self {
            handle,
            plans: HashMap::new(),
            workspace: None,
        })
    }

    fn workspace(&mut self, gpu: &Gpu, bytes: usize) -> Result<u64> {
        let enough = self.workspace.as_ref().filter(|w| w.len() >= bytes).map(slice_address);
        if let Some(found) = enough {
            return Ok(found);
        }
        // The old one goes first: on the stream, so behind whatever still uses it.
        self.workspace = None;
        // SAFETY: cuDNN writes what it reads of it.
        let fresh = unsafe { gpu.stream.alloc::<u8>(bytes) }
            .map_err(|e| refused("a convolution's workspace", format!("{bytes} bytes"), e))?;
        let found = slice_address(&fresh);
        self.workspace = Some(fresh);
        Ok(found)
    }

    /// The plan of a convolution; measured at its first use, on the very operands.
    fn plan(&mut self, gpu: &Gpu, key: Key, operands: Operands) -> Result<Arc<Plan>> {
        if let Some(plan) = self.plans.get(&key) {
            return Ok(plan.clone());
        }
        let (pass, sizes, dtype) = key;
        let fail = |e: CudnnError| refused("convolution", sizes.words(dtype), format!("cuDNN: {e}"));
        let none = || Error::Gpu {
            operation: "convolution",
            sizes: sizes.words(dtype),
            reason: "cuDNN has no algorithm that runs in the GPU's free memory; choose a smaller batch or --device cpu"
                .to_owned(),
            full: true,
        };
        let mut plan = None;
        for layout in [Layout::ChannelsLast, Layout::ChannelsFirst] {
            let descriptors = Descriptors::new(&sizes, dtype, layout).map_err(fail)?;
            if let Some((algorithm, workspace)) = self.measure(gpu, pass, &descriptors, operands)? {
                plan = Some(Plan {
                    descriptors,
                    layout,
                    algorithm,
                    workspace,
                });
                break;
            }
        }
        let plan = plan.ok_or_else(none)?;
        let plan = Arc::new(plan);
        self.plans.insert(key, plan.clone());
        Ok(plan)
    }

    /// Runs every algorithm and gives the fastest with its workspace; `None` if there is no room for any. Both
    /// operands' contents do not matter here: another layout holds as many elements.
    fn measure(&mut self, gpu: &Gpu, pass: Pass, d: &Descriptors, operands: Operands) -> Result<Option<(u32, usize)>> {
        let free = gpu.stream.context().mem_get_info().map_or(0, |(free, _)| free);
        let mut limit = MOST_WORKSPACE.min(free / 2);
        // What is free may be in pieces.
        let space = loop {
            match self.workspace(gpu, limit.max(1)) {
                Ok(space) => break space,
                // A GPU that was lost is not full.
                Err(error) if !error.is_out_of_memory() => return Err(error),
                Err(_) if limit > 1 << 20 => limit /= 4,
                Err(_) => return Ok(None),
            }
        };
        let reports = self.find(pass, d, operands, (space as *mut c_void, limit));
        // The measuring needs room that the operation itself does not.
        self.workspace = None;
        let mut usable = reports
            .into_iter()
            .filter(|r| r.status == 0 && r.algorithm < known(pass));
        Ok(usable.find_map(|r| {
            let bytes = self.workspace_of(pass, d, r.algorithm).ok()?;
            (bytes <= limit).then_some((r.algorithm, bytes))
        }))
    }

    /// cuDNN's own measurement, fastest first; empty if it cannot.
    fn find(&self, pass: Pass, d: &Descriptors, o: Operands, (space, bytes): (*mut c_void, usize)) -> Vec<Report> {
        let mut reports = [Report::default(); ALGORITHMS];
        let (mut count, asked) = (0, ALGORITHMS as i32);
        let to = reports.as_mut_ptr();
        // SAFETY: the operands are as large as their descriptors say, the workspace as `bytes` says, and the array
        // of reports holds as many as are asked for.
        let status = unsafe {
            match pass {
                Pass::Forward => sys::cudnnFindConvolutionForwardAlgorithmEx(
                    self.handle,
                    d.x,
                    o.x,
                    d.w,
                    o.w,
                    d.window,
                    d.y,
                    o.y,
                    asked,
                    &raw mut count,
                    to.cast(),
                    space,
                    bytes,
                ),
                Pass::Input => sys::cudnnFindConvolutionBackwardDataAlgorithmEx(
                    self.handle,
                    d.w,
                    o.w,
                    d.y,
                    o.y,
                    d.window,
                    d.x,
                    o.x,
                    asked,
                    &raw mut count,
                    to.cast(),
                    space,
                    bytes,
                ),
                Pass::Kernel => sys::cudnnFindConvolutionBackwardFilterAlgorithmEx(
                    self.handle,
                    d.x,
                    o.x,
                    d.y,
                    o.y,
                    d.window,
                    d.w,
                    o.w,
                    asked,
                    &raw mut count,
                    to.cast(),
                    space,
                    bytes,
                ),
            }
        };
        let count = if status.result().is_ok() {
            count.clamp(0, asked)
        } else {
            0
        };
        reports[..count as usize].to_vec()
    }

    fn workspace_of(&self, pass: Pass, d: &Descriptors, number: u32) -> std::result::Result<usize, CudnnError> {
        // SAFETY: the descriptors are complete.
        unsafe {
            match pass {
                Pass::Forward => {
                    let algorithm = forward_algorithm(number);
                    result::get_convolution_forward_workspace_size(self.handle, d.x, d.w, d.window, d.y, algorithm)
                }
                Pass::Input => {
                    let algorithm = input_algorithm(number);
                    result::get_convolution_backward_data_workspace_size(
                        self.handle,
                        d.w,
                        d.y,
                        d.window,
                        d.x,
                        algorithm,
                    )
                }
                Pass::Kernel => {
                    let algorithm = kernel_algorithm(number);
                    result::get_convolution_backward_filter_workspace_size(
                        self.handle,
                        d.x,
                        d.y,
                        d.window,
                        d.w,
                        algorithm,
                    )
                }
            }
        }
    }

    fn execute(&self, pass: Pass, plan: &Plan, o: Operands, space: *mut c_void) -> std::result::Result<(), CudnnError> {
        let (one, zero) = (1.0_f32, 0.0_f32);
        let (one, zero) = ((&raw const one).cast::<c_void>(), (&raw const zero).cast::<c_void>());
        let (d, bytes) = (&plan.descriptors, plan.workspace);
        // SAFETY: the operands are as large as their descriptors say, the workspace as the plan says; the factors
        // are f32, as cuDNN wants them for f32 and bf16, and are read before the call returns.
        unsafe {
            match pass {
                Pass::Forward => {
                    let algorithm = forward_algorithm(plan.algorithm);
                    result::convolution_forward(
                        self.handle,
                        one,
                        d.x,
                        o.x,
                        d.w,
                        o.w,
                        d.window,
                        algorithm,
                        space,
                        bytes,
                        zero,
                        d.y,
                        o.y,
                    )
                }
                Pass::Input => {
                    let algorithm = input_algorithm(plan.algorithm);
                    result::convolution_backward_data(
                        self.handle,
                        one,
                        d.w,
                        o.w,
                        d.y,
                        o.y,
                        d.window,
                        algorithm,
                        space,
                        bytes,
                        zero,
                        d.x,
                        o.x,
                    )
                }
                Pass::Kernel => {
                    let algorithm = kernel_algorithm(plan.algorithm);
                    result::convolution_backward_filter(
                        self.handle,
                        one,
                        d.x,
                        o.x,
                        d.y,
                        o.y,
                        d.window,
                        algorithm,
                        space,
                        bytes,
                        zero,
                        d.w,
                        o.w,
                    )
                }
            }
        }
    }
}

fn operands(x: &Tensor, w: &Tensor, y: &Tensor) -> Result<Operands> {
    Ok(Operands {
        x: address(x)? as *mut c_void,
        w: address(w)? as *mut c_void,
        y: address(y)? as *mut c_void,
    })
}

/// Computes one pass: `x` `[n, h, w, c]`, `w` `[o, kh, kw, c]`, `y` `[n, oh, ow, o]`, all of one type; the tensor that
/// the pass is about is written, the others are read.
pub(super) fn run(gpu: &Gpu, pass: Pass, sizes: Sizes, [x, w, y]: [&Tensor; 3]) -> Result<()> {
    let fail = |e: &dyn std::fmt::Display| refused("convolution", sizes.words(x.dtype()), format!("cuDNN: {e}"));
    gpu.stream.context().bind_to_thread().map_err(|e| fail(&e))?;
    let mut convolutions = gpu.convolutions.lock();
    let own = operands(x, w, y)?;
    let plan = convolutions.plan(gpu, (pass, sizes, x.dtype()), own)?;
    let space = if plan.workspace == 0 {
        std::ptr::null_mut()
    } else {
        convolutions.workspace(gpu, plan.workspace)? as *mut c_void
    };
    if plan.layout == Layout::ChannelsLast {
        return convolutions.execute(pass, &plan, own, space).map_err(|e| fail(&e));
    }
    let first = |t: &Tensor| -> Result<Tensor> { Ok(t.permute((0, 3, 1, 2))?.contiguous()?) };
    let turned = [first(x)?, first(w)?, first(y)?];
    let there = operands(&turned[0], &turned[1], &turned[2])?;
    convolutions.execute(pass, &plan, there, space).map_err(|e| fail(&e))?;
    let (result, target) = match pass {
        Pass::Forward => (&turned[2], y),
        Pass::Input => (&turned[0], x),
        Pass::Kernel => (&turned[1], w),
    };
    let back = result.permute((0, 2, 3, 1))?.contiguous()?;
    super::copy_into(gpu, &back, target)
}

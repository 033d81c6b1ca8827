//! Pooling, upsampling and resizing on the tape.

use candle_core::{DType, Tensor};
use cudarc::driver::{DeviceRepr, LaunchConfig};

use super::gpu::{Gpu, THREADS, address, launch, suffix};
use crate::nn::ops::{Window, dims, output_len};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// The kernels' `Window`.
#[repr(C)]
#[derive(Clone, Copy)]
struct WindowSizes {
    n: i32,
    h: i32,
    w: i32,
    c: i32,
    oh: i32,
    ow: i32,
    kh: i32,
    kw: i32,
    sh: i32,
    sw: i32,
    ph: i32,
    pw: i32,
}

// SAFETY: the same fields in the same order as the kernels' structure.
unsafe impl DeviceRepr for WindowSizes {}

impl WindowSizes {
    fn new(x: &Tensor, window: Window) -> Result<Self> {
        let (n, h, w, c) = dims(x, "window")?;
        let (kernel, stride, padding) = (window.kernel, window.stride, window.padding);
        // A place in the window is kept in a byte.
        if kernel.0 * kernel.1 > 255 {
            return Err(Error::Unsupported {
                operation: "a window",
                on: format!("{}x{} pixels", kernel.0, kernel.1),
            });
        }
        Ok(Self {
            n: n as i32,
            h: h as i32,
            w: w as i32,
            c: c as i32,
            oh: output_len(h, kernel.0, stride.0, padding.0)? as i32,
            ow: output_len(w, kernel.1, stride.1, padding.1)? as i32,
            kh: kernel.0 as i32,
            kw: kernel.1 as i32,
            sh: stride.0 as i32,
            sw: stride.1 as i32,
            ph: padding.0 as i32,
            pw: padding.1 as i32,
        })
    }

    fn output(&self) -> (usize, usize, usize, usize) {
        (self.n as usize, self.oh as usize, self.ow as usize, self.c as usize)
    }
}

/// As [`crate::nn::ops::max_pool`].
///
/// # Errors
/// If the window does not fit, or the GPU refuses.
pub fn max_pool(tape: &mut Tape, x: &Value, window: Window) -> Result<Value> {
    const OPERATION: &str = "max pooling";
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let sizes = WindowSizes::new(&input, window)?;
    let (dtype, suffix) = (input.dtype(), suffix(input.dtype())?);
    let y = gpu.empty(OPERATION, sizes.output(), dtype)?;
    let from = gpu.empty(OPERATION, sizes.output(), DType::U8)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("max_pool_{suffix}"),
        gpu.elements(y.elem_count()),
        sizes,
        address(&input)?,
        address(&y)?,
        address(&from)?,
    );
    let (node, shape) = (x.node, input.shape().clone());
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dy = dy.contiguous()?;
        let dx = gpu.empty(OPERATION, shape, dtype)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("max_pool_backward_{suffix}"),
            gpu.elements(dx.elem_count()),
            sizes,
            address(&from)?,
            address(&dy)?,
            address(&dx)?,
        );
        sink.put(node, dx)
    }))
}

/// As [`crate::nn::ops::average_pool`].
///
/// # Errors
/// If the window does not fit, or the GPU refuses.
pub fn average_pool(tape: &mut Tape, x: &Value, window: Window, include_padding: bool) -> Result<Value> {
    const OPERATION: &str = "average pooling";
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let sizes = WindowSizes::new(&input, window)?;
    let (dtype, suffix) = (input.dtype(), suffix(input.dtype())?);
    let y = gpu.empty(OPERATION, sizes.output(), dtype)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("average_pool_{suffix}"),
        gpu.elements(y.elem_count()),
        sizes,
        i32::from(include_padding),
        address(&input)?,
        address(&y)?,
    );
    let (node, shape) = (x.node, input.shape().clone());
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dy = dy.contiguous()?;
        let dx = gpu.empty(OPERATION, shape, dtype)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("average_pool_backward_{suffix}"),
            gpu.elements(dx.elem_count()),
            sizes,
            i32::from(include_padding),
            address(&dy)?,
            address(&dx)?,
        );
        sink.put(node, dx)
    }))
}

/// As [`crate::nn::ops::global_average_pool`]; the result is in f32 for the head.
///
/// # Errors
/// If `x` is no feature map, or the GPU refuses.
pub fn global_average_pool(tape: &mut Tape, x: &Value) -> Result<Value> {
    const OPERATION: &str = "global average pooling";
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let (n, h, w, c) = dims(&input, OPERATION)?;
    let (dtype, suffix, pixels) = (input.dtype(), suffix(input.dtype())?, h * w);
    let y = gpu.empty(OPERATION, (n, c), DType::F32)?;
    let config = LaunchConfig {
        grid_dim: (c.div_ceil(32) as u32, n as u32, 1),
        block_dim: (32, THREADS / 32, 1),
        shared_mem_bytes: THREADS * 2 * 4,
    };
    launch!(
        *gpu,
        OPERATION,
        &format!("global_average_{suffix}"),
        config,
        address(&input)?,
        pixels as i32,
        c as i32,
        address(&y)?,
    );
    let node = x.node;
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dy = dy.contiguous()?;
        let dx = gpu.empty(OPERATION, (n, h, w, c), dtype)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("global_average_backward_{suffix}"),
            gpu.elements(dx.elem_count()),
            address(&dy)?,
            n as i32,
            pixels as i32,
            c as i32,
            address(&dx)?,
        );
        sink.put(node, dx)
    }))
}

/// As [`crate::nn::ops::upsample_x2`].
///
/// # Errors
/// If `x` is no feature map, or the GPU refuses.
pub fn upsample_x2(tape: &mut Tape, x: &Value) -> Result<Value> {
    const OPERATION: &str = "upsampling";
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let (n, h, w, c) = dims(&input, OPERATION)?;
    let (dtype, suffix) = (input.dtype(), suffix(input.dtype())?);
    let y = gpu.empty(OPERATION, (n, 2 * h, 2 * w, c), dtype)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("upsample_x2_{suffix}"),
        gpu.elements(y.elem_count()),
        address(&input)?,
        n as i32,
        h as i32,
        w as i32,
        c as i32,
        address(&y)?,
    );
    let node = x.node;
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dy = dy.contiguous()?;
        let dx = gpu.empty(OPERATION, (n, h, w, c), dtype)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("upsample_x2_backward_{suffix}"),
            gpu.elements(dx.elem_count()),
            address(&dy)?,
            n as i32,
            h as i32,
            w as i32,
            c as i32,
            address(&dx)?,
        );
        sink.put(node, dx)
    }))
}

/// As [`crate::nn::ops::resize_bilinear`].
///
/// # Errors
/// If `x` is no feature map, or the GPU refuses.
pub fn resize_bilinear(tape: &mut Tape, x: &Value, rows: usize, columns: usize) -> Result<Value> {
    const OPERATION: &str = "bilinear resize";
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let (n, h, w, c) = dims(&input, OPERATION)?;
    let (dtype, suffix) = (input.dtype(), suffix(input.dtype())?);
    let y = gpu.empty(OPERATION, (n, rows, columns, c), dtype)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("resize_{suffix}"),
        gpu.elements(y.elem_count()),
        address(&input)?,
        n as i32,
        h as i32,
        w as i32,
        c as i32,
        rows as i32,
        columns as i32,
        address(&y)?,
    );
    let node = x.node;
    Ok(tape.operation(y, &[node], move |dy, sink| {
        let dy = dy.contiguous()?;
        let dx = gpu.empty(OPERATION, (n, h, w, c), dtype)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("resize_backward_{suffix}"),
            gpu.elements(dx.elem_count()),
            address(&dy)?,
            n as i32,
            h as i32,
            w as i32,
            c as i32,
            rows as i32,
            columns as i32,
            address(&dx)?,
        );
        sink.put(node, dx)
    }))
}

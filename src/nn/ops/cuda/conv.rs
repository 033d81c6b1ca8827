//! The convolution on the tape.

use candle_core::{DType, Tensor};

use super::convolution::{Pass, Sizes, run};
use super::gpu::{Gpu, address, launch, suffix_and_width};
use super::parts::sum_channels;
use crate::nn::ops::{Window, dims, output_len};
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

const OPERATION: &str = "convolution";

/// As [`crate::nn::ops::conv2d`]; a kernel in f32 is rounded to the input's type, its gradient comes back in f32.
///
/// # Errors
/// If the shapes do not fit, or the GPU refuses.
pub fn conv2d(tape: &mut Tape, x: &Value, weight: &Value, bias: Option<&Value>, window: Window) -> Result<Value> {
    let (o, kh, kw, c) = dims(weight.read(), "convolution kernel")?;
    let (n, h, w, channels) = dims(x.read(), "convolution input")?;
    if (kh, kw) != window.kernel || c != channels {
        return Err(Error::Shape {
            tensor: "convolution kernel".into(),
            found: weight.read().dims().to_vec(),
            expected: vec![o, window.kernel.0, window.kernel.1, channels],
        });
    }
    let oh = output_len(h, kh, window.stride.0, window.padding.0)?;
    let ow = output_len(w, kw, window.stride.1, window.padding.1)?;
    let sizes = Sizes {
        n,
        input: (h, w, c),
        output: (oh, ow, o),
        kernel: window.kernel,
        stride: window.stride,
        padding: window.padding,
    };
    let gpu = Gpu::of(x.read())?;
    let input = x.read().contiguous()?;
    let dtype = input.dtype();
    let kernel = weight.read().to_dtype(dtype)?;
    let y = gpu.empty(OPERATION, (n, oh, ow, o), dtype)?;
    run(&gpu, Pass::Forward, sizes, [&input, &kernel, &y])?;
    if let Some(bias) = bias {
        add_bias(&gpu, &y, bias.read())?;
    }
    let nodes = [x.node, weight.node, bias.and_then(|b| b.node)];
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        let dy = dy.contiguous()?;
        if nodes[1].is_some() {
            let dw = gpu.empty(OPERATION, kernel.shape(), dtype)?;
            run(&gpu, Pass::Kernel, sizes, [&input, &dw, &dy])?;
            sink.put(nodes[1], dw.to_dtype(DType::F32)?)?;
        }
        if nodes[2].is_some() {
            sink.put(nodes[2], sum_channels(&gpu, OPERATION, &dy)?)?;
        }
        if nodes[0].is_some() {
            let dx = gpu.empty(OPERATION, input.shape(), dtype)?;
            run(&gpu, Pass::Input, sizes, [&dx, &kernel, &dy])?;
            sink.put(nodes[0], dx)?;
        }
        Ok(())
    }))
}

/// `y += bias`, in place.
fn add_bias(gpu: &Gpu, y: &Tensor, bias: &Tensor) -> Result<()> {
    let (n, h, w, c) = dims(y, OPERATION)?;
    let (rows, bias) = (n * h * w, bias.contiguous()?);
    let (suffix, width) = suffix_and_width(y.dtype(), &[c])?;
    launch!(
        *gpu,
        OPERATION,
        &format!("add_bias_{suffix}"),
        gpu.rows(rows, c, width),
        address(y)?,
        rows as i64,
        c as i32,
        address(&bias)?,
    );
    Ok(())
}

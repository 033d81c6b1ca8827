//! Whether a device computes what the CPU computes, found out on a picture of a few pixels.

use candle_core::{DType, Device, Tensor};

use super::ops::{self, Norm, Window};
use super::tape::{Tape, Value};
use super::{Error, Result};

/// Largest difference from the CPU's numbers, which are near 1.
const TOLERANCE: f64 = 1e-3;

/// Runs one operation of each kind on a device and compares with the CPU.
///
/// # Errors
/// If an operation is missing there, fails, or gives other numbers.
pub fn check(device: &Device) -> Result<()> {
    if device.is_cpu() {
        return Ok(());
    }
    let (found, expected) = (outputs(device)?, outputs(&Device::Cpu)?);
    let largest = (found - expected)?.abs()?.max_all()?.to_scalar::<f64>()?;
    if largest <= TOLERANCE {
        return Ok(());
    }
    Err(Error::Gpu {
        operation: "self-test",
        sizes: "a network of one layer of each kind".to_owned(),
        reason: format!("it computes wrong numbers ({largest} off the CPU's); choose --device cpu"),
        full: false,
    })
}

/// Numbers without a pattern in -1..1.
fn numbers(shape: &[usize], device: &Device) -> Result<Tensor> {
    let values = (0..shape.iter().product()).map(|i: usize| ((i * 37 % 101) as f32 / 50.0) - 1.0);
    Ok(Tensor::from_vec(values.collect(), shape, device)?)
}

/// A small network's outputs, in host memory.
fn outputs(device: &Device) -> Result<Tensor> {
    const CHANNELS: usize = 8;
    let tape = &mut Tape::evaluation();
    let constant = |shape: &[usize]| numbers(shape, device).map(Value::constant);
    let x = constant(&[2, 9, 7, 3])?;
    let bias = constant(&[CHANNELS])?;
    let x = ops::conv2d(
        tape,
        &x,
        &constant(&[CHANNELS, 3, 3, 3])?,
        Some(&bias),
        Window::square(3, 1, 1),
    )?;
    let layer = Norm {
        name: "self-test",
        gamma: &constant(&[CHANNELS])?,
        beta: &bias,
        running_mean: bias.tensor(),
        running_variance: &numbers(&[CHANNELS], device)?.sqr()?,
        epsilon: 1.0,
        relu: true,
    };
    let x = ops::batch_norm(tape, &[x], &layer)?;
    let x = ops::max_pool(tape, &x, Window::square(3, 2, 1))?;
    let x = ops::upsample_x2(tape, &x)?;
    let x = ops::average_pool(tape, &x, Window::square(2, 2, 0), true)?;
    let x = ops::residual(tape, &x, &x, 0.5, true)?;
    let resized = ops::resize_bilinear(tape, &x, 3, 5)?;
    let pooled = ops::global_average_pool(tape, &x)?;
    let logits = ops::linear(tape, &pooled, &constant(&[2, CHANNELS])?, &constant(&[2])?)?;
    let host = |t: &Tensor| t.flatten_all()?.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    Ok(Tensor::cat(&[host(resized.tensor())?, host(logits.tensor())?], 0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_passes_and_the_network_gives_numbers_worth_comparing() {
        check(&Device::Cpu).expect("the CPU agrees with itself");
        let outputs = outputs(&Device::Cpu)
            .expect("outputs")
            .to_vec1::<f64>()
            .expect("numbers");
        let nonzero = outputs.iter().filter(|v| **v != 0.0).count();
        assert!(
            outputs.iter().all(|v| v.is_finite()) && nonzero > outputs.len() / 4,
            "{outputs:?}"
        );
    }
}

//! The fully connected layer on the tape: candle's matrix product, which is cuBLAS in full f32.

use candle_core::DType;

use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// As [`crate::nn::ops::linear`]; computes in f32.
///
/// # Errors
/// If the shapes do not fit, or the GPU refuses.
pub fn linear(tape: &mut Tape, x: &Value, weight: &Value, bias: &Value) -> Result<Value> {
    let (o, c) = weight.read().dims2()?;
    if x.read().dims2()?.1 != c || bias.read().dims() != [o] {
        return Err(Error::Shape {
            tensor: "fully connected layer".into(),
            found: x.read().dims().to_vec(),
            expected: vec![0, c],
        });
    }
    let input = x.read().to_dtype(DType::F32)?.contiguous()?;
    let kernel = weight.read().clone();
    let y = input.matmul(&kernel.t()?)?.broadcast_add(bias.read())?;
    let (nodes, dtype) = ([x.node, weight.node, bias.node], x.read().dtype());
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        let dy = dy.contiguous()?;
        if nodes[0].is_some() {
            sink.put(nodes[0], dy.matmul(&kernel)?.to_dtype(dtype)?)?;
        }
        if nodes[1].is_some() {
            sink.put(nodes[1], dy.t()?.contiguous()?.matmul(&input)?)?;
        }
        if nodes[2].is_some() {
            sink.put(nodes[2], dy.sum(0)?)?;
        }
        Ok(())
    }))
}

//! Sums and concatenation of feature maps on the tape, and sums of gradients.

use candle_core::Tensor;

use super::gpu::{Gpu, address, launch, suffix, suffix_and_width};
use super::parts::{Gathered, MOST_PARTS, Parts, tensors, widths};
use crate::nn::ops::dims;
use crate::nn::tape::{Tape, Value};
use crate::nn::{Error, Result};

/// As [`crate::nn::ops::residual`].
///
/// # Errors
/// If the shapes or types differ, or the GPU refuses.
pub fn residual(tape: &mut Tape, x: &Value, branch: &Value, scale: f64, relu: bool) -> Result<Value> {
    const OPERATION: &str = "residual sum";
    if x.read().dims() != branch.read().dims() || x.read().dtype() != branch.read().dtype() {
        return Err(Error::Shape {
            tensor: "residual".into(),
            found: branch.read().dims().to_vec(),
            expected: x.read().dims().to_vec(),
        });
    }
    let gpu = Gpu::of(x.read())?;
    let (a, b) = (x.read().contiguous()?, branch.read().contiguous()?);
    let (dtype, count, suffix) = (a.dtype(), a.elem_count(), suffix(a.dtype())?);
    let y = gpu.empty(OPERATION, a.shape(), dtype)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("residual_{suffix}"),
        gpu.elements(count),
        address(&a)?,
        address(&b)?,
        count as i64,
        scale as f32,
        i32::from(relu),
        address(&y)?,
    );
    let nodes = [x.node, branch.node];
    let output = relu.then(|| y.clone());
    Ok(tape.operation(y, &nodes, move |dy, sink| {
        let dy = dy.contiguous()?;
        let wanted = |node: Option<usize>| node.map(|_| gpu.empty(OPERATION, dy.shape(), dtype)).transpose();
        let (dx, d_branch) = (wanted(nodes[0])?, wanted(nodes[1])?);
        let or_null = |t: Option<&Tensor>| t.map_or(Ok(0), address);
        launch!(
            *gpu,
            OPERATION,
            &format!("residual_backward_{suffix}"),
            gpu.elements(count),
            or_null(output.as_ref())?,
            address(&dy)?,
            count as i64,
            scale as f32,
            or_null(dx.as_ref())?,
            or_null(d_branch.as_ref())?,
        );
        for (node, gradient) in nodes.into_iter().zip([dx, d_branch]) {
            if let Some(gradient) = gradient {
                sink.put(node, gradient)?;
            }
        }
        Ok(())
    }))
}

/// As [`crate::nn::ops::concat`].
///
/// # Errors
/// If the sizes differ, or the GPU refuses.
pub fn concat(tape: &mut Tape, parts: &[Value]) -> Result<Value> {
    const OPERATION: &str = "concatenation";
    if parts.len() > MOST_PARTS {
        let joined: Vec<Value> = parts
            .chunks(MOST_PARTS)
            .map(|chunk| concat(tape, chunk))
            .collect::<Result<_>>()?;
        return concat(tape, &joined);
    }
    let maps = tensors(OPERATION, parts)?;
    let widths = widths(&maps)?;
    let (n, h, w, _) = dims(&maps[0], OPERATION)?;
    let (rows, channels) = (n * h * w, widths.iter().sum::<usize>());
    let gpu = Gpu::of(&maps[0])?;
    let (suffix, width) = suffix_and_width(maps[0].dtype(), &widths)?;
    let y = gpu.empty(OPERATION, (n, h, w, channels), maps[0].dtype())?;
    launch!(
        *gpu,
        OPERATION,
        &format!("join_parts_{suffix}"),
        gpu.rows(rows, channels, width),
        Parts::of(&maps)?,
        rows as i64,
        address(&y)?,
    );
    let nodes: Vec<_> = parts.iter().map(|p| p.node).collect();
    Ok(tape.operation(y, &nodes.clone(), move |dy, sink| {
        let dy = dy.contiguous()?;
        let gathered = Gathered::new(&gpu, OPERATION, sink, &nodes, &maps)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("part_parts_{suffix}"),
            gpu.rows(rows, channels, width),
            Parts::of_widths(&widths)?,
            gathered.targets,
            rows as i64,
            address(&dy)?,
        );
        gathered.put(sink)
    }))
}

/// Adds a gradient to one that nothing else refers to.
///
/// # Errors
/// If they differ in size or type, or the GPU refuses.
pub fn accumulate(target: &Tensor, other: &Tensor) -> Result<()> {
    const OPERATION: &str = "sum of gradients";
    if target.dims() != other.dims() || target.dtype() != other.dtype() {
        return Err(Error::Shape {
            tensor: "gradient".into(),
            found: other.dims().to_vec(),
            expected: target.dims().to_vec(),
        });
    }
    let gpu = Gpu::of(target)?;
    let (count, other) = (target.elem_count(), other.contiguous()?);
    launch!(
        *gpu,
        OPERATION,
        &format!("add_assign_{}", suffix(target.dtype())?),
        gpu.elements(count),
        address(target)?,
        address(&other)?,
        count as i64,
    );
    Ok(())
}

//! Batch normalisation over one or several feature maps. What a feature map's moments are is found out once however
//! many layers read it; the output is not kept for the way back, the `ReLU`'s sign is computed again.

use candle_core::{DType, Tensor};

use super::gpu::{Gpu, address, launch, suffix, suffix_and_width};
use super::parts::{Gathered, MOST_PARTS, Parts, tensors, widths};
use crate::nn::ops::{Norm, dims};
use crate::nn::tape::{BatchStatistics, Tape, Value};
use crate::nn::{Error, Result};

const OPERATION: &str = "batch normalisation";
/// Rows of a layer's table: scale, shift, mean, inverse deviation, variance.
const TABLE: usize = 5;

/// As [`crate::nn::ops::batch_norm`].
///
/// # Errors
/// If the shapes do not fit, or the GPU refuses.
pub fn batch_norm(tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Value> {
    if parts.len() > MOST_PARTS {
        let joined = super::concat(tape, parts)?;
        return batch_norm(tape, &[joined], layer);
    }
    let maps = tensors(layer.name, parts)?;
    let widths = widths(&maps)?;
    let channels: usize = widths.iter().sum();
    if layer.gamma.read().dims() != [channels] {
        return Err(Error::Shape {
            tensor: layer.name.to_owned(),
            found: vec![channels],
            expected: layer.gamma.read().dims().to_vec(),
        });
    }
    let (n, h, w, _) = dims(&maps[0], layer.name)?;
    let gpu = Gpu::of(&maps[0])?;
    let call = Call {
        rows: n * h * w,
        channels,
        widths,
        relu: layer.relu,
        dtype: maps[0].dtype(),
    };
    let table = call.table(&gpu, tape, parts, layer)?;
    let y = gpu.empty(OPERATION, (n, h, w, channels), call.dtype)?;
    let (suffix, width) = suffix_and_width(call.dtype, &call.widths)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("norm_apply_{suffix}"),
        gpu.rows(call.rows, channels, width),
        Parts::of(&maps)?,
        call.rows as i64,
        address(&table)?,
        i32::from(call.relu),
        address(&y)?,
    );
    let nodes: Vec<_> = parts.iter().map(|p| p.node).collect();
    let affine = [layer.gamma.node, layer.beta.node];
    let all: Vec<_> = nodes.iter().copied().chain(affine).collect();
    let gamma = layer.gamma.read().contiguous()?;
    let count = if tape.uses_batch_statistics() {
        call.rows as f64
    } else {
        0.0
    };
    Ok(tape.operation(y, &all, move |dy, sink| {
        let dy = dy.contiguous()?;
        let (coefficients, d_gamma, d_beta) = call.gradients(&gpu, &maps, (&table, &gamma), count, &dy)?;
        let gathered = Gathered::new(&gpu, OPERATION, sink, &nodes, &maps)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("norm_backward_{suffix}"),
            gpu.rows(call.rows, call.channels, width),
            Parts::of(&maps)?,
            gathered.targets,
            call.rows as i64,
            address(&table)?,
            address(&coefficients)?,
            i32::from(call.relu),
            address(&dy)?,
        );
        gathered.put(sink)?;
        sink.put(affine[0], d_gamma)?;
        sink.put(affine[1], d_beta)
    }))
}

/// What a call's kernels are told.
struct Call {
    rows: usize,
    channels: usize,
    widths: Vec<usize>,
    relu: bool,
    dtype: DType,
}

impl Call {
    /// The layer's numbers, `[5, channels]`; in a training step also tells the tape what the batch was like.
    fn table(&self, gpu: &Gpu, tape: &mut Tape, parts: &[Value], layer: &Norm<'_>) -> Result<Tensor> {
        let table = gpu.empty(OPERATION, (TABLE, self.channels), DType::F32)?;
        let uses_batch = tape.uses_batch_statistics();
        let moments: Vec<Tensor> = if uses_batch {
            parts.iter().map(|part| moments(gpu, part)).collect::<Result<_>>()?
        } else {
            vec![layer.running_mean.contiguous()?, layer.running_variance.contiguous()?]
        };
        let mut of_parts = if uses_batch {
            Parts::of_widths(&self.widths)?
        } else {
            Parts::of_widths(&[self.channels])?
        };
        if uses_batch {
            for (i, (moments, width)) in moments.iter().zip(&self.widths).enumerate() {
                of_parts.mean[i] = address(moments)?;
                of_parts.variance[i] = of_parts.mean[i] + (width * size_of::<f32>()) as u64;
            }
        } else {
            of_parts.mean[0] = address(&moments[0])?;
            of_parts.variance[0] = address(&moments[1])?;
        }
        let (gamma, beta) = (layer.gamma.read().contiguous()?, layer.beta.read().contiguous()?);
        launch!(
            *gpu,
            OPERATION,
            "norm_table",
            gpu.elements(self.channels),
            of_parts,
            address(&gamma)?,
            address(&beta)?,
            layer.epsilon,
            address(&table)?,
        );
        if uses_batch {
            tape.record_statistics(BatchStatistics {
                name: layer.name.to_owned(),
                count: self.rows,
                mean: table.get(2)?,
                variance: table.get(4)?,
            });
        }
        Ok(table)
    }

    /// Coefficients of the inputs' gradients `[3, channels]`, gradients of gamma and beta.
    fn gradients(
        &self,
        gpu: &Gpu,
        maps: &[Tensor],
        (table, gamma): (&Tensor, &Tensor),
        count: f64,
        dy: &Tensor,
    ) -> Result<(Tensor, Tensor, Tensor)> {
        let (suffix, width) = suffix_and_width(self.dtype, &self.widths)?;
        let config = gpu.rows(self.rows, self.channels, width);
        let splits = config.grid_dim.1;
        let partial = gpu.empty(OPERATION, (splits as usize, 2, self.channels), DType::F32)?;
        launch!(
            *gpu,
            OPERATION,
            &format!("norm_sums_{suffix}"),
            config,
            Parts::of(maps)?,
            self.rows as i64,
            address(table)?,
            i32::from(self.relu),
            address(dy)?,
            address(&partial)?,
        );
        let coefficients = gpu.empty(OPERATION, (3, self.channels), DType::F32)?;
        let d_gamma = gpu.empty(OPERATION, self.channels, DType::F32)?;
        let d_beta = gpu.empty(OPERATION, self.channels, DType::F32)?;
        launch!(
            *gpu,
            OPERATION,
            "norm_gradients",
            gpu.elements(self.channels),
            address(&partial)?,
            splits as i32,
            self.channels as i32,
            address(table)?,
            address(gamma)?,
            count,
            address(&d_gamma)?,
            address(&d_beta)?,
            address(&coefficients)?,
        );
        Ok((coefficients, d_gamma, d_beta))
    }
}

/// Mean and biased variance of a feature map, `[2, c]` in f32; found out once.
fn moments(gpu: &Gpu, part: &Value) -> Result<Tensor> {
    if let Some(known) = part.device_moments().get() {
        return Ok(known.clone());
    }
    let x = part.read().contiguous()?;
    let (n, h, w, c) = dims(&x, OPERATION)?;
    let rows = n * h * w;
    let (packed, width) = suffix_and_width(x.dtype(), &[c])?;
    let config = gpu.rows(rows, c, width);
    let splits = config.grid_dim.1;
    let partial = gpu.empty(OPERATION, (splits as usize, 2, c), DType::F32)?;
    let found = gpu.empty(OPERATION, (2, c), DType::F32)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("moments_{packed}"),
        config,
        address(&x)?,
        rows as i64,
        c as i32,
        address(&partial)?,
    );
    let mean = address(&found)?;
    launch!(
        *gpu,
        OPERATION,
        &format!("finish_moments_{}", suffix(x.dtype())?),
        gpu.elements(c),
        address(&partial)?,
        splits as i32,
        address(&x)?,
        rows as i64,
        c as i32,
        mean,
        mean + (c * size_of::<f32>()) as u64,
    );
    Ok(part.device_moments().get_or_init(|| found).clone())
}

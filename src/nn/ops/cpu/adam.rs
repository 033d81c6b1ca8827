//! A step of Adam over one parameter.

use multiversion::multiversion;
use rayon::prelude::*;

use super::on_pool;
use crate::nn::ops::AdamStep;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 15;

/// Writes the next values, and moves both moments.
pub fn step(step: &AdamStep, values: &[f32], gradient: &[f32], moments: (&mut [f32], &mut [f32]), next: &mut [f32]) {
    if values.len() <= CHUNK {
        return step_chunk(step, values, gradient, moments, next);
    }
    on_pool(|| {
        next.par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .zip(gradient.par_chunks(CHUNK))
            .zip(moments.0.par_chunks_mut(CHUNK))
            .zip(moments.1.par_chunks_mut(CHUNK))
            .for_each(|((((next, values), gradient), first), second)| {
                step_chunk(step, values, gradient, (first, second), next);
            });
    });
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn step_chunk(
    step: &AdamStep,
    values: &[f32],
    gradient: &[f32],
    (first, second): (&mut [f32], &mut [f32]),
    next: &mut [f32],
) {
    let ((keep1, take1), (keep2, take2)) = (step.first, step.second);
    let state = first.iter_mut().zip(second);
    for (((next, value), g), (first, second)) in next.iter_mut().zip(values).zip(gradient).zip(state) {
        *first = keep1 * *first + take1 * g;
        *second = keep2 * *second + take2 * g * g;
        *next = value - step.rate * *first / (second.sqrt() * step.root + step.epsilon);
    }
}

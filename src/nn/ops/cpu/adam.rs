//! A step of Adam over one parameter, and the sum that clipping needs.

use std::mem::MaybeUninit;

use multiversion::multiversion;
use rayon::prelude::*;

use super::on_pool;
use crate::nn::ops::AdamStep;

/// Elements a thread takes at a time.
const CHUNK: usize = 1 << 15;
/// Sums that run side by side, so that the compiler can use vectors.
const LANES: usize = 8;

/// The next values; both moments move.
///
/// # Panics
/// If the slices are not of one length.
pub fn step(step: &AdamStep, values: &[f32], gradient: &[f32], moments: (&mut [f32], &mut [f32])) -> Vec<f32> {
    let len = values.len();
    assert_eq!([gradient.len(), moments.0.len(), moments.1.len()], [len; 3]);
    let mut next = Vec::with_capacity(len);
    // Not zeroed first: the network's size in fresh memory costs a core as much as the step itself.
    let room: &mut [MaybeUninit<f32>] = &mut next.spare_capacity_mut()[..len];
    if len <= CHUNK {
        step_chunk(step, values, gradient, moments, room);
    } else {
        on_pool(|| {
            room.par_chunks_mut(CHUNK)
                .zip(values.par_chunks(CHUNK))
                .zip(gradient.par_chunks(CHUNK))
                .zip(moments.0.par_chunks_mut(CHUNK))
                .zip(moments.1.par_chunks_mut(CHUNK))
                .for_each(|((((next, values), gradient), first), second)| {
                    step_chunk(step, values, gradient, (first, second), next);
                });
        });
    }
    #[allow(unsafe_code)]
    // SAFETY: every chunk of the room was written, because all slices are of its length.
    unsafe {
        next.set_len(len);
    }
    next
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn step_chunk(
    step: &AdamStep,
    values: &[f32],
    gradient: &[f32],
    (first, second): (&mut [f32], &mut [f32]),
    next: &mut [MaybeUninit<f32>],
) {
    let ((keep1, take1), (keep2, take2)) = (step.first, step.second);
    let state = first.iter_mut().zip(second);
    for (((next, value), g), (first, second)) in next.iter_mut().zip(values).zip(gradient).zip(state) {
        let g = step.scale * g;
        *first = keep1 * *first + take1 * g;
        *second = keep2 * *second + take2 * g * g;
        next.write(value - step.rate * *first / (second.sqrt() * step.root + step.epsilon));
    }
}

/// Sum of the squares, in f64; added in the same order on any number of threads.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    if values.len() <= CHUNK {
        return squares_of_chunk(values);
    }
    let sums: Vec<f64> = on_pool(|| values.par_chunks(CHUNK).map(squares_of_chunk).collect());
    sums.iter().sum()
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2+fma"))]
fn squares_of_chunk(values: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        for (lane, &value) in lanes.iter_mut().zip(group) {
            *lane += f64::from(value) * f64::from(value);
        }
    }
    let rest: f64 = rest.iter().map(|&value| f64::from(value).powi(2)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_added_over_chunks_and_rests() {
        let values: Vec<f32> = (0..2 * CHUNK + LANES + 3).map(|i| (i % 7) as f32 - 3.0).collect();
        let expected: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        assert_eq!(sum_of_squares(&values), expected, "whole numbers are added exactly");
        assert!(sum_of_squares(&[1.0, f32::NAN]).is_nan());
    }
}

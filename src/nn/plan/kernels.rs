//! Kernels made ready for products: normalisation folded in, packed or transformed; shared by the plans of a
//! network for different sizes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::fusion::Fused;
use super::graph::{Graph, Id, Operation};
use crate::nn::ops::cpu::gemm::Packed;
use crate::nn::ops::cpu::winograd;

/// A kernel in the form that a step reads.
#[derive(Clone)]
pub(super) enum Kernel {
    /// For a product.
    Packed(Arc<Packed<f32>>),
    /// For Winograd's algorithm.
    Winograd(Arc<winograd::Kernel>),
}

/// Which form of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As it is.
    Whole,
    /// Transformed.
    Winograd,
    /// Rows and columns summed that meet the same pixel before upsampling, for one of the four output phases.
    Phase(usize, usize),
}

/// Kernels and biases by the convolution they belong to.
#[derive(Default)]
pub(super) struct Kernels {
    kernels: Mutex<HashMap<(Id, Form), Kernel>>,
    biases: Mutex<HashMap<Id, Arc<Vec<f32>>>>,
}

impl Kernels {
    /// A convolution's kernel, normalisation and factor folded in.
    pub(super) fn kernel(&self, graph: &Graph, fused: &Fused, form: Form) -> Kernel {
        let make = || {
            let [.., c] = graph.nodes[input(graph, fused.convolution)].shape;
            let (weight, o) = folded(graph, fused);
            match form {
                Form::Whole => Kernel::Packed(Arc::new(Packed::transposed(&weight, weight.len() / o, o))),
                Form::Winograd => Kernel::Winograd(Arc::new(winograd::Kernel::new(&weight, c, o))),
                Form::Phase(down, across) => {
                    let weight = phase(&weight, c, (down, across));
                    Kernel::Packed(Arc::new(Packed::transposed(&weight, 4 * c, o)))
                }
            }
        };
        self.kernels
            .lock()
            .entry((fused.convolution, form))
            .or_insert_with(make)
            .clone()
    }

    /// A convolution's bias, normalisation and factor folded in.
    pub(super) fn bias(&self, graph: &Graph, fused: &Fused) -> Arc<Vec<f32>> {
        let make = || {
            let Operation::Convolution { bias, .. } = &graph.nodes[fused.convolution].operation else {
                return Arc::default();
            };
            let shift = |o: usize, b: f32| match affine(graph, fused) {
                Some((scale, shift)) => b * scale[o] + shift[o],
                None => b,
            };
            Arc::new(
                bias.iter()
                    .enumerate()
                    .map(|(o, b)| shift(o, *b) * fused.factor)
                    .collect(),
            )
        };
        self.biases.lock().entry(fused.convolution).or_insert_with(make).clone()
    }
}

/// What a convolution reads, as its layer sees it.
fn input(graph: &Graph, convolution: Id) -> Id {
    graph.nodes[convolution].operation.inputs()[0]
}

/// Scale and shift of the normalisation behind a convolution.
fn affine<'a>(graph: &'a Graph, fused: &Fused) -> Option<(&'a [f32], &'a [f32])> {
    match &graph.nodes[fused.norm?].operation {
        Operation::Affine { scale, shift, .. } => Some((scale, shift)),
        _ => None,
    }
}

/// The kernel `[o, ...]` with every output channel scaled, and their number.
fn folded(graph: &Graph, fused: &Fused) -> (Vec<f32>, usize) {
    let Operation::Convolution { weight, bias, .. } = &graph.nodes[fused.convolution].operation else {
        return (Vec::new(), 1);
    };
    let o = bias.len();
    let mut weight = weight.clone();
    let len = weight.len() / o;
    let scale = affine(graph, fused).map(|(scale, _)| scale);
    for (o, row) in weight.chunks_exact_mut(len).enumerate() {
        let factor = scale.map_or(1.0, |s| s[o]) * fused.factor;
        for w in row {
            *w *= factor;
        }
    }
    (weight, o)
}

/// `[o, 3, 3, c]` to `[o, 2, 2, c]`: upsampled pixels are equal in pairs, so the taps that meet a pair are summed.
fn phase(weight: &[f32], c: usize, (down, across): (usize, usize)) -> Vec<f32> {
    // An even output pixel sees (before, itself and its twin), an odd one (itself and its twin, after).
    let target = |tap: usize, odd: usize| (tap + 1 - odd) / 2;
    let mut phases = vec![0.0; weight.len() / 9 * 4];
    for (o, kernel) in weight.chunks_exact(9 * c).enumerate() {
        for (tap, values) in kernel.chunks_exact(c).enumerate() {
            let place = 2 * target(tap / 3, down) + target(tap % 3, across);
            let sums = &mut phases[(o * 4 + place) * c..][..c];
            sums.iter_mut().zip(values).for_each(|(s, v)| *s += *v);
        }
    }
    phases
}

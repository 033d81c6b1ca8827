//! The two transforms of F(4x4, 3x3): of tiles before the products and of the products after them.

#![allow(unsafe_code)] // registers are read from and written to pointers
#![allow(clippy::inline_always)] // or they would not be compiled for the instruction set of their caller
#![allow(clippy::needless_range_loop)] // two axes are walked at once

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{__m256, __m512};
use std::ops::Range;

use super::{IN, LANES, OUT, POINTS, Points, Problem, place};
use crate::nn::ops::cpu::conv::Geometry;
use crate::nn::ops::cpu::lanes::{Lanes, Plain};
use crate::nn::ops::cpu::tile::{InstructionSet, instruction_set};

/// Makes `$name` run `$of` with the registers of this process.
macro_rules! for_this_machine {
    ($(#[$doc:meta])* $name:ident = $of:ident($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        pub(super) unsafe fn $name($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512($($argument: $type),*) {
                // SAFETY: the caller's promise.
                unsafe { $of::<__m512>($($argument),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($argument: $type),*) {
                // SAFETY: the caller's promise.
                unsafe { $of::<__m256>($($argument),*) }
            }
            // SAFETY: the processor was asked for the instructions; the rest is the caller's promise.
            unsafe {
                match instruction_set() {
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx512 => avx512($($argument),*),
                    #[cfg(target_arch = "x86_64")]
                    InstructionSet::Avx2 => avx2($($argument),*),
                    InstructionSet::Portable => $of::<Plain>($($argument),*),
                }
            }
        }
    };
}

for_this_machine! {
    /// Writes `B^T d B` of each tile to `v`; `x` is the first element of the input and the distance of its pixels.
    ///
    /// # Safety
    /// `x` must reach what the geometry says, and `v` be as long as its strides say.
    input = any_input(g: &Geometry, x: (*const f32, usize), tiles: Range<usize>, v: &mut [f32], points: Points)
}

for_this_machine! {
    /// Writes `A^T m A` of each tile, with the epilogue, to the output channels from `column` on.
    ///
    /// # Safety
    /// The problem's pointers must reach what its geometry says, and `m` be as long as its strides say.
    output = any_output(p: &Problem<'_>, tiles: Range<usize>, column: usize, m: &[f32], points: Points)
}

/// `B^T d` of six values.
#[inline(always)]
unsafe fn input_line<L: Lanes>(d: [L; IN]) -> [L; IN] {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let even = d[4].minus(d[2].times(4.0));
        let odd = d[3].minus(d[1].times(4.0));
        let far_even = d[4].minus(d[2]);
        let far_odd = d[3].minus(d[1]).times(2.0);
        [
            d[0].times(4.0).minus(d[2].times(5.0)).plus(d[4]),
            even.plus(odd),
            even.minus(odd),
            far_even.plus(far_odd),
            far_even.minus(far_odd),
            d[1].times(4.0).minus(d[3].times(5.0)).plus(d[5]),
        ]
    }
}

/// `A^T m` of six values.
#[inline(always)]
unsafe fn output_line<L: Lanes>(m: [L; IN]) -> [L; OUT] {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let (near, near_odd) = (m[1].plus(m[2]), m[1].minus(m[2]));
        let (far, far_odd) = (m[3].plus(m[4]), m[3].minus(m[4]));
        [
            m[0].plus(near).plus(far),
            near_odd.plus(far_odd.times(2.0)),
            near.plus(far.times(4.0)),
            near_odd.plus(far_odd.times(8.0)).plus(m[5]),
        ]
    }
}

/// A column of the 36 points that `read` gives.
#[inline(always)]
fn down<L: Lanes>(read: impl Fn(usize) -> L, q: usize) -> [L; IN] {
    [
        read(q),
        read(IN + q),
        read(2 * IN + q),
        read(3 * IN + q),
        read(4 * IN + q),
        read(5 * IN + q),
    ]
}

/// A column of six rows of `half`.
#[inline(always)]
fn across<L: Lanes, const N: usize>(half: &[[L; N]; IN], y: usize) -> [L; IN] {
    [half[0][y], half[1][y], half[2][y], half[3][y], half[4][y], half[5][y]]
}

#[inline(always)]
unsafe fn any_input<L: Lanes>(
    g: &Geometry,
    (x, distance): (*const f32, usize),
    tiles: Range<usize>,
    v: &mut [f32],
    points: Points,
) {
    let (h, w, c) = g.input;
    // Outside the picture are zeros.
    let zeros = [0.0f32; LANES];
    for (index, tile) in tiles.enumerate() {
        let (image, oy, ox) = place(g, tile);
        // First element of each pixel, and how far its channels lie from it: nowhere for what is outside.
        let mut pixels = [(zeros.as_ptr(), 0); POINTS];
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let y = (oy + i / IN).wrapping_sub(g.padding.0);
            let q = (ox + i % IN).wrapping_sub(g.padding.1);
            if y < h && q < w {
                *pixel = (x.wrapping_add(((image * h + y) * w + q) * distance), 1);
            }
        }
        for first in (0..c).step_by(L::COUNT) {
            // SAFETY: pixels lie in the picture and have these channels, or are zeros; `v` holds every point's tiles.
            unsafe {
                let read = |i: usize| L::load(pixels[i].0.add(first * pixels[i].1));
                let mut half = [[L::zero(); IN]; IN];
                for q in 0..IN {
                    half[q] = input_line(down(read, q));
                }
                let target = v.as_mut_ptr().add(index * points.row + first);
                for y in 0..IN {
                    let line = input_line(across(&half, y));
                    for q in 0..IN {
                        line[q].store(target.add((y * IN + q) * points.distance));
                    }
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn any_output<L: Lanes>(p: &Problem<'_>, tiles: Range<usize>, column: usize, m: &[f32], points: Points) {
    let (g, e) = (&p.geometry, &p.epilogue);
    let (oh, ow, o) = g.output;
    for (index, tile) in tiles.enumerate() {
        let (image, oy, ox) = place(g, tile);
        for first in (0..points.row.min(o - column)).step_by(L::COUNT) {
            let channel = column + first;
            // SAFETY: `m` holds every point's tiles; pixels lie in the output, and in the residual of the same size;
            // the bias has a value for each of these channels.
            unsafe {
                let source = m.as_ptr().add(index * points.row + first);
                let read = |i: usize| L::load(source.add(i * points.distance));
                let mut half = [[L::zero(); OUT]; IN];
                for q in 0..IN {
                    half[q] = output_line(down(read, q));
                }
                let mut bias = L::zero();
                if !e.bias.is_null() {
                    bias = L::load(e.bias.add(channel));
                }
                for y in 0..OUT.min(oh - oy) {
                    let line = output_line(across(&half, y));
                    for q in 0..OUT.min(ow - ox) {
                        let pixel = (image * oh + oy + y) * ow + ox + q;
                        let mut sum = line[q].plus(bias);
                        if !e.residual.is_null() {
                            sum = sum.plus(L::load(e.residual.add(pixel * e.residual_row + channel)));
                        }
                        if e.relu {
                            sum = sum.positive();
                        }
                        sum.store(p.y.0.add(pixel * p.y.1 + channel));
                    }
                }
            }
        }
    }
}

//! The inverse DCT of a block of 8 x 8 samples of 12 bits, in integers. It is that of the Independent JPEG Group
//! (jidctint.c, "islow"), which most decoders have, so that lossy pictures are the same here as there; after C. Loeffler,
//! A. Ligtenberg, G. Moschytz, "Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP 1989.

use std::num::Wrapping;

use multiversion::multiversion;

type Number = Wrapping<i32>;
/// Rows of eight: coefficients by vertical, then horizontal frequency, or samples.
pub(super) type Block = [[Number; 8]; 8];

/// Bits behind the point of the factors.
const FACTOR_BITS: usize = 13;
/// Bits that the first of the two passes keeps behind the point; 12-bit samples leave room for one.
const FIRST_PASS_BITS: usize = 1;
/// What is added to the samples before they are coded, negated (T.81 A.3.1).
const LEVEL_SHIFT: i32 = 2048;
const HIGHEST: i32 = 4095;

/// The samples of dequantised coefficients. Those that no encoder makes wrap around.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(super) fn samples(block: &Block) -> [[u16; 8]; 8] {
    let mut columns = [[Wrapping(0); 8]; 8];
    pass::<{ FACTOR_BITS - FIRST_PASS_BITS }>(block, &mut columns);
    let mut rows = [[Wrapping(0); 8]; 8];
    // Each pass leaves the numbers larger by the square root of 8.
    pass::<{ FACTOR_BITS + FIRST_PASS_BITS + 3 }>(&transposed(&columns), &mut rows);
    let mut samples = [[0; 8]; 8];
    for (values, samples) in transposed(&rows).as_flattened().iter().zip(samples.as_flattened_mut()) {
        *samples = sample(*values);
    }
    samples
}

/// The sample that fills a block whose other coefficients are zero.
pub(super) fn flat(dc: Number) -> u16 {
    let dc = dc << FIRST_PASS_BITS;
    sample(rounded::<{ FIRST_PASS_BITS + 3 }>(dc))
}

#[inline(always)]
fn sample(value: Number) -> u16 {
    (value + Wrapping(LEVEL_SHIFT)).0.clamp(0, HIGHEST) as u16
}

#[inline(always)]
fn transposed(block: &Block) -> Block {
    let mut result = [[Wrapping(0); 8]; 8];
    for (row, numbers) in block.iter().enumerate() {
        for (column, &number) in numbers.iter().enumerate() {
            result[column][row] = number;
        }
    }
    result
}

/// Transforms each column.
#[inline(always)]
fn pass<const SHIFT: usize>(block: &Block, result: &mut Block) {
    for column in 0..8 {
        let [a, b, c, d, e, f, g, h] = block;
        let line = line::<SHIFT>([
            a[column], b[column], c[column], d[column], e[column], f[column], g[column], h[column],
        ]);
        for (row, value) in line.into_iter().enumerate() {
            result[row][column] = value;
        }
    }
}

#[inline(always)]
fn rounded<const SHIFT: usize>(value: Number) -> Number {
    (value + (Wrapping(1) << (SHIFT - 1))) >> SHIFT
}

/// The inverse DCT of eight numbers, times the square root of 8, less `SHIFT` bits.
#[inline(always)]
fn line<const SHIFT: usize>(c: [Number; 8]) -> [Number; 8] {
    // Even part: a rotation by 6/16 of pi.
    let turned = (c[2] + c[6]) * Wrapping(4433);
    let (e2, e3) = (turned - c[6] * Wrapping(15137), turned + c[2] * Wrapping(6270));
    let (e0, e1) = ((c[0] + c[4]) << FACTOR_BITS, (c[0] - c[4]) << FACTOR_BITS);
    let even = [e0 + e3, e1 + e2, e1 - e2, e0 - e3];
    // Odd part: figure 8 of the paper, with its sign reversed.
    let all = (c[7] + c[3] + c[5] + c[1]) * Wrapping(9633);
    let z1 = (c[7] + c[1]) * Wrapping(-7373);
    let z2 = (c[5] + c[3]) * Wrapping(-20995);
    let z3 = (c[7] + c[3]) * Wrapping(-16069) + all;
    let z4 = (c[5] + c[1]) * Wrapping(-3196) + all;
    let odd = [
        c[1] * Wrapping(12299) + z1 + z4,
        c[3] * Wrapping(25172) + z2 + z3,
        c[5] * Wrapping(16819) + z2 + z4,
        c[7] * Wrapping(2446) + z1 + z3,
    ];
    let mut result = [Wrapping(0); 8];
    for index in 0..4 {
        result[index] = rounded::<SHIFT>(even[index] + odd[index]);
        result[7 - index] = rounded::<SHIFT>(even[index] - odd[index]);
    }
    result
}

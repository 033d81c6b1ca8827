//! The innermost loop of every product: a few rows times a panel of 32 columns, held in registers; written for
//! AVX-512, for AVX2, and plainly for everything else, chosen at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::sync::LazyLock;

/// Columns of a panel: what a product reads of the right-hand side at once.
pub const PANEL: usize = 32;
/// Columns of a panel that lie together, a cache line of f32: a panel is two strips, because a kernel that holds half
/// a panel reads one line after the other then.
pub const STRIP: usize = 16;

/// What happens to a sum on its way to memory: `max(sum + bias + residual, 0)`.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<T> {
    /// One value a column, or null.
    pub bias: *const T,
    /// Same place in another matrix, or null.
    pub residual: *const T,
    /// Distance of the residual's rows.
    pub residual_row: usize,
    /// Whether negative results become 0.
    pub relu: bool,
}

impl<T> Epilogue<T> {
    /// Sums are stored as they are.
    pub const NONE: Self = Self {
        bias: std::ptr::null(),
        residual: std::ptr::null(),
        residual_row: 0,
        relu: false,
    };
}

/// `c = a · b` for `rows` rows and at most [`PANEL`] columns; strides are in elements.
#[derive(Debug, Clone, Copy)]
pub struct Tile<T> {
    /// Rows of `a` and `c`.
    pub rows: usize,
    /// Products a sum.
    pub depth: usize,
    /// Left-hand side.
    pub a: *const T,
    /// From one row of `a` to the next.
    pub a_row: usize,
    /// From one product to the next in `a`.
    pub a_step: usize,
    /// Right-hand side; whole strips can be read at every step, also beyond `columns`.
    pub b: *const T,
    /// From one product to the next in a strip of `b`.
    pub b_step: usize,
    /// From the first strip to the second.
    pub b_strip: usize,
    /// What is read in the place of `b` after this tile, or null: it is fetched meanwhile.
    pub next: *const T,
    /// Result.
    pub c: *mut T,
    /// From one row of `c` to the next.
    pub c_row: usize,
    /// Columns written, 1..=[`PANEL`].
    pub columns: usize,
    /// Whether the sums are added to what `c` holds.
    pub accumulate: bool,
    /// What happens to a sum before it is stored.
    pub epilogue: Epilogue<T>,
}

/// A kernel for one instruction set.
type Kernel = unsafe fn(&Tile<f32>);

/// Instructions that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX-512F.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the program is compiled for.
    Portable,
}

impl InstructionSet {
    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            Self::Portable => "portable",
        }
    }
}

/// Environment variable that names the instruction set to use instead of the best: to find out whether a fault is of
/// one kernel, and to test the others. A name that this machine does not know counts for nothing.
pub const KERNEL_VARIABLE: &str = "RECOVNET_KERNEL";

/// Instruction set and kernel that this process runs.
static CHOSEN: LazyLock<(InstructionSet, Kernel)> = LazyLock::new(|| {
    let kernels = every_kernel();
    let wanted = std::env::var(KERNEL_VARIABLE).unwrap_or_default();
    let named = kernels.iter().find(|(set, _)| set.name().eq_ignore_ascii_case(&wanted));
    named.copied().unwrap_or(kernels[0])
});

/// Kernels that this machine can run, the best first.
fn every_kernel() -> Vec<(InstructionSet, Kernel)> {
    let mut kernels: Vec<(InstructionSet, Kernel)> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            kernels.push((InstructionSet::Avx512, avx512::run));
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            kernels.push((InstructionSet::Avx2, avx2::run));
        }
    }
    kernels.push((InstructionSet::Portable, portable::run::<f32>));
    kernels
}

/// What this process computes with.
pub fn instruction_set() -> InstructionSet {
    CHOSEN.0
}

/// Computes a tile of f32 with the kernel of this process.
///
/// # Safety
/// Every element that the sizes and strides reach must be readable (`a`, `b`, bias, residual) or writable and
/// unshared (`c`).
#[allow(unsafe_code)]
pub unsafe fn multiply_f32(tile: &Tile<f32>) {
    // SAFETY: the caller's promise is the kernel's, and `every_kernel` has asked the processor for its instructions.
    unsafe { (CHOSEN.1)(tile) }
}

/// Computes a tile of f64: for gradient checks.
///
/// # Safety
/// As for [`multiply_f32`].
#[allow(unsafe_code)]
pub unsafe fn multiply_f64(tile: &Tile<f64>) {
    // SAFETY: the caller's promise is the kernel's.
    unsafe { portable::run(tile) }
}

#[cfg(test)]
#[allow(unsafe_code)]
mod tests {
    use super::*;

    /// Numbers without a pattern, in -1..1.
    fn numbers(len: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    fn check(kernel: Kernel, name: &str, (rows, depth, columns): (usize, usize, usize), plain: bool) {
        let (a_row, c_row, residual_row) = (depth + 3, columns + 5, columns + 1);
        let (a, b) = (numbers(rows * a_row, 1), numbers(depth * PANEL, 2));
        let (b_step, b_strip) = if plain { (PANEL, STRIP) } else { (STRIP, depth * STRIP) };
        let (bias, residual) = (numbers(columns, 3), numbers(rows * residual_row, 4));
        let start = numbers(rows * c_row, 5);
        let mut c = start.clone();
        let epilogue = if plain {
            Epilogue::NONE
        } else {
            Epilogue {
                bias: bias.as_ptr(),
                residual: residual.as_ptr(),
                residual_row,
                relu: true,
            }
        };
        let tile = Tile {
            rows,
            depth,
            a: a.as_ptr(),
            a_row,
            a_step: 1,
            b: b.as_ptr(),
            b_step,
            b_strip,
            next: if plain { std::ptr::null() } else { b.as_ptr() },
            c: c.as_mut_ptr(),
            c_row,
            columns,
            accumulate: plain,
            epilogue,
        };
        // SAFETY: the buffers above are as long as the sizes and strides say.
        unsafe { kernel(&tile) };
        for (i, (found, before)) in c.iter().zip(&start).enumerate() {
            let (r, q) = (i / c_row, i % c_row);
            if q >= columns {
                assert_eq!(found, before, "{name}: wrote beyond column {columns}");
                continue;
            }
            let sum: f64 = (0..depth)
                .map(|k| f64::from(a[r * a_row + k]) * f64::from(b[k * b_step + q / STRIP * b_strip + q % STRIP]))
                .sum();
            let expected = if plain {
                sum + f64::from(*before)
            } else {
                (sum + f64::from(bias[q]) + f64::from(residual[r * residual_row + q])).max(0.0)
            };
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5 * (depth as f64).sqrt().max(1.0),
                "{name}, {rows} x {depth} x {columns}: {found} at {r}, {q}, expected {expected}"
            );
        }
    }

    #[test]
    fn every_instruction_set_multiplies_alike() {
        for (set, kernel) in every_kernel() {
            let name = set.name();
            for rows in (1..=17).chain([29]) {
                for columns in [1, 7, 8, 9, 15, 16, 17, 24, 31, 32] {
                    for depth in [1, 3, 40] {
                        check(kernel, name, (rows, depth, columns), true);
                        check(kernel, name, (rows, depth, columns), false);
                    }
                }
            }
        }
    }
}

//! Neighbouring channels in one register, for code that holds so many values at once that the compiler computes them
//! one by one when they are arrays.

#![allow(unsafe_code)] // the instructions take pointers
#![allow(clippy::inline_always)] // or they would not be compiled for the instruction set of their caller

#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::{
    __m256, __m512, _mm256_add_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps, _mm256_sub_ps, _mm512_add_ps, _mm512_loadu_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_storeu_ps, _mm512_sub_ps,
};

/// `COUNT` numbers that are computed with together. Every function needs the instruction set that its type is named
/// after; loads and stores need `COUNT` elements, at any alignment.
pub(super) trait Lanes: Copy {
    /// How many.
    const COUNT: usize;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn plus(self, other: Self) -> Self;
    unsafe fn minus(self, other: Self) -> Self;
    unsafe fn times(self, factor: f32) -> Self;
    /// The larger of each and 0; what is not a number stays so.
    unsafe fn positive(self) -> Self;
}

/// Plain numbers, which the compiler may put into whatever registers it knows.
pub(super) type Plain = [f32; 4];

impl Lanes for Plain {
    const COUNT: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        [0.0; 4]
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Self>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Self>().write_unaligned(self) }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] + other[i])
    }

    #[inline(always)]
    unsafe fn minus(self, other: Self) -> Self {
        std::array::from_fn(|i| self[i] - other[i])
    }

    #[inline(always)]
    unsafe fn times(self, factor: f32) -> Self {
        self.map(|x| x * factor)
    }

    #[inline(always)]
    unsafe fn positive(self) -> Self {
        self.map(|x| if x <= 0.0 { 0.0 } else { x })
    }
}

/// Implements [`Lanes`] for a register.
#[cfg(target_arch = "x86_64")]
macro_rules! register {
    ($type:ty, $count:literal, $zero:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $mul:ident, $set:ident, $max:ident) => {
        // SAFETY (of every block): the caller has the instruction set, and promises the elements.
        impl Lanes for $type {
            const COUNT: usize = $count;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: as above.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: as above.
                unsafe { $load(from) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as above.
                unsafe { $store(to, self) }
            }

            #[inline(always)]
            unsafe fn plus(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn minus(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { $sub(self, other) }
            }

            #[inline(always)]
            unsafe fn times(self, factor: f32) -> Self {
                // SAFETY: as above.
                unsafe { $mul(self, $set(factor)) }
            }

            #[inline(always)]
            unsafe fn positive(self) -> Self {
                // The second operand is what is returned for what is not a number.
                // SAFETY: as above.
                unsafe { $max($zero(), self) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
register!(
    __m256,
    8,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_set1_ps,
    _mm256_max_ps
);
#[cfg(target_arch = "x86_64")]
register!(
    __m512,
    16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_set1_ps,
    _mm512_max_ps
);

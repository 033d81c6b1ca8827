//! The entropy-coded bits of a scan (ITU-T T.81 F.2.2.5), without the bytes that are stuffed between them.

use super::huffman::{Code, Huffman};
use super::{broken, cut_short};

/// Most bits of a code and its number.
const MOST_BITS: u32 = 16 + 15;

/// Bits that come next, and the bytes behind them. It is copied to the stack for a loop, so that the registers hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next `count` bits, from the highest; below them those that come after, or zeros.
    buffer: u64,
    count: u32,
    /// Zeros that were put behind the last bit.
    missing: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            buffer: 0,
            count: 0,
            missing: 0,
        }
    }

    /// Makes 56 bits ready, enough for a code and its number.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        if let Some(eight) = self.bytes.first_chunk::<8>() {
            let word = u64::from_be_bytes(*eight);
            if !has_ff(word) {
                self.buffer |= word.wrapping_shr(self.count);
                // The bytes that fit whole; then `count` is 56 to 63.
                self.bytes = &self.bytes[((63 - self.count) as usize / 8) & 7..];
                self.count |= 0b11_1000;
                return;
            }
        }
        // By value, because what a call may change cannot stay in registers.
        *self = refilled(*self);
    }

    /// Makes bits ready where too few are left for a code and its number; for where there mostly are.
    #[inline(always)]
    pub(super) fn top_up(&mut self) {
        if self.count < MOST_BITS {
            self.refill();
        }
    }

    /// The next code and the number behind it (T.81 F.2.2.1, EXTEND); the bits must be ready.
    #[inline(always)]
    pub(super) fn coded(&mut self, table: &Huffman) -> Option<(Code, i32)> {
        let code = table.code(self.buffer)?;
        let number = self.buffer.wrapping_shl(code.length());
        let size = code.size();
        // Numbers that begin with 0 are negative: as they are, less 2^size - 1.
        let negative = !(number.cast_signed() >> 63) as i32;
        let value = (number >> 1).wrapping_shr(63_u32.wrapping_sub(size)) as i32;
        self.buffer = self.buffer.wrapping_shl(code.total());
        self.count = self.count.wrapping_sub(code.total());
        Some((
            code,
            value.wrapping_add(negative & (-1_i32).wrapping_shl(size).wrapping_add(1)),
        ))
    }

    /// # Errors
    /// If more bits were taken than there are.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.missing > self.count {
            Err(cut_short())
        } else {
            Ok(())
        }
    }

    /// Moves behind restart marker `number`, counted from 0, past what is left before it.
    ///
    /// # Errors
    /// If another marker comes next.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), String> {
        match self.behind() {
            [0xff, marker, rest @ ..] if usize::from(*marker) == 0xd0 + number % 8 => {
                *self = Self::new(rest);
                Ok(())
            }
            [] => Err(cut_short()),
            _ => Err(broken("a restart marker is missing")),
        }
    }

    /// The bytes from the next marker on.
    pub(super) fn behind(&self) -> &'a [u8] {
        let is_marker = |two: &[u8]| two[0] == 0xff && !matches!(two[1], 0 | 0xff);
        let at = self.bytes.windows(2).position(is_marker);
        at.map_or(&[], |at| &self.bytes[at..])
    }
}

/// Whether a byte is 0xFF.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    word & !word.wrapping_add(LOWEST) & LOWEST << 7 != 0
}

/// Refills byte by byte: over stuffed bytes, and with zeros from a marker or the end on.
#[cold]
#[inline(never)]
fn refilled(mut bits: Bits) -> Bits {
    bits.buffer &= !u64::MAX.wrapping_shr(bits.count);
    while bits.count < 56 {
        let (byte, used) = match *bits.bytes {
            [0xff, 0, ..] => (0xff, 2),
            [] | [0xff, ..] => {
                bits.missing = bits.missing.saturating_add(8);
                (0, 0)
            }
            [byte, ..] => (byte, 1),
        };
        bits.bytes = &bits.bytes[used..];
        bits.buffer |= u64::from(byte) << (56 - bits.count);
        bits.count += 8;
    }
    bits
}

//! Huffman tables (ITU-T T.81 annexes C and F.2.2): a code and the number behind it are told apart by one look-up.

use super::broken;

/// Bits of the longest code that is looked up at once; longer ones are as rare as 1 in 2000.
const LOOK_UP_BITS: u32 = 11;

/// A Huffman table as its segment has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition<'a> {
    /// Codes of each length from 1 to 16.
    pub counts: &'a [u8; 16],
    pub values: &'a [u8],
}

/// What the symbols of a table mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbols {
    /// Bits of a difference of lossless samples, 0 to 16 (T.81 H.1.2.2); 16 stands for 32768, with no bits behind it.
    Samples,
    /// Bits of a difference of DC coefficients, 0 to 15.
    Dc,
    /// Zeros before an AC coefficient and its bits, four bits each.
    Ac,
}

/// A code: the bits of it and of the number behind it together, its own bits, bits of the number, symbol; one byte
/// each from the lowest. 0 for no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

impl Code {
    const NONE: Self = Self(0);

    fn new(length: u32, symbol: u8, symbols: Symbols) -> Option<Self> {
        let size = match symbols {
            Symbols::Samples if symbol == 16 => 0,
            Symbols::Samples | Symbols::Dc if symbol > 15 => return None,
            _ => u32::from(symbol & 15),
        };
        Some(Self(
            u32::from(symbol) << 24 | size << 16 | length << 8 | (length + size),
        ))
    }

    /// Bits of the code and the number behind it, 1 to 31.
    pub(super) fn total(self) -> u32 {
        self.0 & 0xff
    }

    pub(super) fn length(self) -> u32 {
        self.0 >> 8 & 0xff
    }

    /// Bits of the number.
    pub(super) fn size(self) -> u32 {
        self.0 >> 16 & 0xff
    }

    pub(super) fn symbol(self) -> u32 {
        self.0 >> 24
    }
}

/// A Huffman table.
pub(super) struct Huffman {
    /// Codes by the bits that come next.
    look_up: [Code; 1 << LOOK_UP_BITS],
    /// Per code length 1 to 16, aligned to 16 bits: the first code beyond those of this length.
    beyond: [u32; 16],
    /// Per code length, from a code to its index, modulo 2^16.
    offsets: [u16; 16],
    codes: Vec<Code>,
}

impl Huffman {
    /// # Errors
    /// If the lengths allow no code (T.81 C.2), or a symbol means nothing.
    pub(super) fn new(definition: Definition, symbols: Symbols) -> Result<Box<Self>, String> {
        let mut table = Box::new(Self {
            look_up: [Code::NONE; 1 << LOOK_UP_BITS],
            beyond: [0; 16],
            offsets: [0; 16],
            codes: Vec::with_capacity(definition.values.len()),
        });
        let mut values = definition.values.iter();
        let mut code = 0_u32;
        for (length, &count) in (1..=16).zip(definition.counts) {
            let index = length as usize - 1;
            table.offsets[index] = (table.codes.len() as u16).wrapping_sub(code as u16);
            if code + u32::from(count) > 1 << length {
                return Err(broken("a Huffman table has too many codes"));
            }
            for &symbol in values.by_ref().take(usize::from(count)) {
                let known = Code::new(length, symbol, symbols);
                let known = known.ok_or_else(|| broken("a Huffman table has a symbol that means nothing"))?;
                table.codes.push(known);
                if let Some(spare) = LOOK_UP_BITS.checked_sub(length) {
                    let first = (code << spare) as usize;
                    table.look_up[first..first + (1 << spare)].fill(known);
                }
                code += 1;
            }
            table.beyond[index] = code << (16 - length);
            code <<= 1;
        }
        Ok(table)
    }

    /// The code that the bits begin with, from the highest; `None` if no code does.
    #[inline(always)]
    pub(super) fn code(&self, bits: u64) -> Option<Code> {
        let code = self.look_up[(bits >> (64 - LOOK_UP_BITS)) as usize];
        if code == Code::NONE {
            self.long(bits)
        } else {
            Some(code)
        }
    }

    /// A code of more bits than are looked up.
    #[cold]
    #[inline(never)]
    fn long(&self, bits: u64) -> Option<Code> {
        let next = (bits >> 48) as u32;
        let index = (LOOK_UP_BITS as usize..16).find(|&index| next < self.beyond[index])?;
        let code = (next >> (15 - index)) as u16;
        self.codes
            .get(usize::from(self.offsets[index].wrapping_add(code)))
            .copied()
    }
}

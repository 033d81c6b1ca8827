//! Greyscale JPEG with 12-bit samples, process 4 (ITU-T T.81 annex F): sequential DCT with Huffman coding.

use std::num::Wrapping;

use super::bits::Bits;
use super::huffman::{Huffman, Symbols};
use super::inverse_dct::{self, Block};
use super::segments::{Segments, Tables, ZIGZAG};
use super::{Size, broken};

/// Samples along the side of a block.
const SIDE: usize = 8;

/// Decodes a codestream of one component: samples of 0 to 4095, two bytes each, low byte first.
///
/// # Errors
/// One sentence with the cause.
pub(in crate::imaging::dicom) fn decode(bytes: &[u8], size: Size) -> Result<Vec<u8>, String> {
    let mut tables = Tables::default();
    let mut segments = Segments::new(bytes);
    let header = tables.read(&mut segments)?;
    let frame = size.checked(tables.frame.as_ref(), 12..=12)?;
    let (&[component], &[(_, selectors)]) = (&frame.components[..], &header.components[..]) else {
        return Err(broken("a scan has other components than its frame"));
    };
    if (header.start, header.end, header.approximation) != (0, 63, 0) {
        return Err(broken("a scan has not all coefficients"));
    }
    let scan = Scan {
        bits: Bits::new(segments.rest()),
        quantisation: tables
            .quantisation(component.quantisation)?
            .map(|step| Wrapping(step.into())),
        dc_table: tables.huffman(selectors >> 4, Symbols::Dc)?,
        ac_table: tables.huffman(selectors & 15, Symbols::Ac)?,
        dc: Wrapping(0),
        restart_interval: tables.restart_interval,
        blocks: 0,
    };
    scan.decode(size)
}

struct Scan<'a> {
    bits: Bits<'a>,
    /// In the order of the block's rows.
    quantisation: [Wrapping<i32>; 64],
    dc_table: Box<Huffman>,
    ac_table: Box<Huffman>,
    /// DC coefficient of the block before.
    dc: Wrapping<i32>,
    /// Blocks between restart markers; 0 for none.
    restart_interval: usize,
    /// Blocks decoded.
    blocks: usize,
}

impl Scan<'_> {
    fn decode(mut self, size: Size) -> Result<Vec<u8>, String> {
        let row_bytes = size.columns * 2;
        let mut samples = vec![0; size.rows * row_bytes];
        for strip in samples.chunks_mut(SIDE * row_bytes) {
            for left in (0..row_bytes).step_by(SIDE * 2) {
                self.restart()?;
                let block = self.block();
                self.blocks += 1;
                let block = block.ok_or_else(|| broken("it has a code that its Huffman table has not"))?;
                for (row, samples) in strip.chunks_exact_mut(row_bytes).zip(block) {
                    let pairs = samples.map(u16::to_le_bytes);
                    let room = &mut row[left..];
                    match room.first_chunk_mut::<{ SIDE * 2 }>() {
                        Some(room) => room.copy_from_slice(pairs.as_flattened()),
                        None => room.copy_from_slice(&pairs.as_flattened()[..room.len()]),
                    }
                }
            }
            self.bits.check()?;
        }
        Ok(samples)
    }

    fn restart(&mut self) -> Result<(), String> {
        if self.restart_interval > 0 && self.blocks > 0 && self.blocks.is_multiple_of(self.restart_interval) {
            self.bits.check()?;
            self.bits.restart(self.blocks / self.restart_interval - 1)?;
            self.dc = Wrapping(0);
        }
        Ok(())
    }

    /// The samples of the next block; `None` if a code is unknown.
    #[inline(always)]
    fn block(&mut self) -> Option<[[u16; SIDE]; SIDE]> {
        let mut bits = self.bits;
        bits.refill();
        let (_, difference) = bits.coded(&self.dc_table)?;
        self.dc += difference;
        let mut block: Block = [[Wrapping(0); SIDE]; SIDE];
        let coefficients = block.as_flattened_mut();
        coefficients[0] = self.dc * self.quantisation[0];
        let mut index = 0;
        let mut is_flat = true;
        // Two codes for one refill.
        while index < 63 {
            bits.refill();
            if !self.coefficient(&mut bits, &mut index, coefficients)? {
                break;
            }
            is_flat = false;
            bits.top_up();
            if index >= 63 || !self.coefficient(&mut bits, &mut index, coefficients)? {
                break;
            }
        }
        self.bits = bits;
        Some(if is_flat {
            [[inverse_dct::flat(block[0][0]); SIDE]; SIDE]
        } else {
            inverse_dct::samples(&block)
        })
    }

    /// Reads an AC coefficient behind `index`, or sixteen zeros; false at the end of the block.
    #[inline(always)]
    fn coefficient(&self, bits: &mut Bits, index: &mut usize, coefficients: &mut [Wrapping<i32>]) -> Option<bool> {
        let (code, value) = bits.coded(&self.ac_table)?;
        let run = (code.symbol() >> 4) as usize;
        *index += run + 1;
        if code.size() == 0 {
            return Some(run == 15);
        }
        let place = usize::from(*ZIGZAG.get(*index)?) & 63;
        coefficients[place] = Wrapping(value) * self.quantisation[place];
        Some(true)
    }
}

//! JPEG (PS3.5 8.2.1, ITU-T T.81). Of its processes, the lossless one and the extended one of 12 bits are decoded here;
//! those of 8 bits are left to the crate jpeg-decoder. Knows nothing of files, only of codestreams whose frame header
//! was checked.

#![allow(clippy::inline_always)] // or the loops lose their registers to calls, and the DCT its caller's instruction set

mod bits;
pub(super) mod eight_bit;
pub(super) mod extended;
mod huffman;
mod inverse_dct;
pub(super) mod lossless;
pub(super) mod segments;

use std::ops::RangeInclusive;

use segments::Frame;

/// What the data set says that a frame has; room was found for so much.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub columns: usize,
    pub rows: usize,
    pub components: usize,
}

impl Size {
    /// The frame header, if it agrees.
    fn checked(self, frame: Option<&Frame>, precision: RangeInclusive<u8>) -> Result<&Frame, String> {
        let agrees = |frame: &&Frame| {
            let components = frame.components.len();
            (frame.columns, frame.rows, components) == (self.columns, self.rows, self.components)
                && precision.contains(&frame.precision)
        };
        frame
            .filter(agrees)
            .ok_or_else(|| broken("its frame header is not that of the data set"))
    }
}

fn broken(cause: &str) -> String {
    format!("its JPEG codestream is broken: {cause}")
}

fn cut_short() -> String {
    "its JPEG codestream ends too early".to_owned()
}

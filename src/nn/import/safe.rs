//! safetensors files: a header of names and ranges, then the numbers.

use candle_core::Tensor;
use safetensors::tensor::{Dtype, SafeTensors};

use super::source::{Format, Found, Source, decode};

/// An opened safetensors file.
pub(super) struct SafeFile {
    bytes: Vec<u8>,
    found: Vec<Found>,
    ranges: Vec<std::ops::Range<usize>>,
}

impl SafeFile {
    /// Reads the header.
    ///
    /// # Errors
    /// A sentence, if it is none or the file ends early.
    pub fn open(bytes: Vec<u8>) -> Result<Self, String> {
        let broken = |e: safetensors::SafeTensorError| {
            format!("is no whole safetensors file ({e}); if the download was interrupted, get it again")
        };
        let views = SafeTensors::deserialize(&bytes).map_err(broken)?;
        let base = bytes.as_ptr() as usize;
        let (mut found, mut ranges) = (Vec::new(), Vec::new());
        let mut tensors = views.tensors();
        // The header's own order is none; reports shall not change from run to run.
        tensors.sort_by(|one, two| one.0.cmp(&two.0));
        for (name, view) in tensors {
            let begin = view.data().as_ptr() as usize - base;
            ranges.push(begin..begin + view.data().len());
            found.push(Found {
                name,
                shape: view.shape().to_vec(),
                stored: stored(view.dtype()),
                strided: false,
            });
        }
        Ok(Self { bytes, found, ranges })
    }
}

fn stored(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F64 => "f64",
        Dtype::F32 => "f32",
        Dtype::F16 => "f16",
        Dtype::BF16 => "bf16",
        Dtype::I64 => "i64",
        Dtype::I32 => "i32",
        Dtype::I16 => "i16",
        Dtype::I8 => "i8",
        Dtype::U8 => "u8",
        Dtype::BOOL => "bool",
        _ => "other",
    }
}

impl Source for SafeFile {
    fn format(&self) -> Format {
        Format::SafeTensors
    }

    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&self, index: usize) -> Result<Tensor, String> {
        let found = &self.found[index];
        decode(&self.bytes[self.ranges[index].clone()], found.stored, &found.shape)
    }
}

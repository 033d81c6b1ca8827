//! A deflated data set (PS3.5 A.5), inflated as far as its picture reaches and no further: a few bytes may stand for
//! a thousand times as many that nobody asks for.

use std::io::Read;

use super::dataset::{DataSet, PIXEL_DATA, Tag};
use super::elements::{Encoding, Reader};
use super::part10;
use super::pixel_module::{DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA};

const SAMPLES_PER_PIXEL: Tag = (0x0028, 0x0002);
const NUMBER_OF_FRAMES: Tag = (0x0028, 0x0008);
const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);
const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
/// Bytes that are inflated before the first look for pixels; four times as many before each further one.
const FIRST_BYTES: usize = 64 << 10;
/// Most bytes that stand before the pixels.
const MAX_BEFORE_PIXELS: usize = 16 << 20;
/// Bytes that a deflated one may stand for, at most (RFC 1951).
const LARGEST_RATIO: usize = 1032;

/// The data set up to the end of its picture, as far as it can be inflated.
///
/// # Errors
/// If it cannot be inflated at all, or grows beyond all bounds.
pub(super) fn up_to_the_picture(body: &[u8]) -> Result<Vec<u8>, String> {
    let mut source = part10::inflater(body)?;
    let mut bytes = Vec::new();
    let mut limit = FIRST_BYTES;
    loop {
        let whole = fill(&mut *source, &mut bytes, limit)?;
        if let Some(end) = end_of_picture(&bytes) {
            if end as u64 > part10::MAX_INFLATED {
                return Err("its deflated data set grows beyond 512 MiB".to_owned());
            }
            fill(
                &mut *source,
                &mut bytes,
                end.min(body.len().saturating_mul(LARGEST_RATIO)),
            )?;
            return Ok(bytes);
        }
        if whole {
            return Ok(bytes);
        }
        if limit >= MAX_BEFORE_PIXELS {
            return Err("its deflated data set has no picture within 16 MiB".to_owned());
        }
        limit *= 4;
    }
}

/// Inflates up to `limit` bytes in all; returns whether that is the end. A missing end does not spoil what came
/// before it: what is missing is noticed where it is read.
fn fill(source: &mut dyn Read, bytes: &mut Vec<u8>, limit: usize) -> Result<bool, String> {
    let missing = limit.saturating_sub(bytes.len());
    bytes.reserve_exact(missing);
    match source.take(missing as u64).read_to_end(bytes) {
        Ok(read) => Ok(read < missing),
        Err(_) if bytes.len() > 1024 => Ok(true),
        Err(error) => Err(format!(
            "its deflated data set cannot be inflated beyond byte {}: {error}",
            bytes.len()
        )),
    }
}

/// Where the picture ends by what stands before it; `None` while that is not all there.
fn end_of_picture(bytes: &[u8]) -> Option<usize> {
    let encoding = part10::encoding_of("", bytes);
    let mut reader = Reader { data: bytes, at: 0 };
    loop {
        let start = reader.at;
        let header = reader.header(encoding).ok()?;
        if [PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA].contains(&header.tag) {
            let size = claimed(&bytes[..start], encoding);
            return Some(reader.at + header.length.unwrap_or(usize::MAX).min(size));
        }
        reader.at = start;
        reader.element(encoding).ok()?;
    }
}

/// Bytes of the uncompressed frames that a data set promises; 0 where it does not say.
fn claimed(before: &[u8], encoding: Encoding) -> usize {
    let data = DataSet::read_file(before, encoding).unwrap_or_default();
    let number = |tag: Tag| data.unsigned(tag).map(|number| number as usize);
    let (rows, columns) = (number(ROWS).unwrap_or(0), number(COLUMNS).unwrap_or(0));
    let samples = number(SAMPLES_PER_PIXEL).unwrap_or(3).max(1);
    let frames = data.count(NUMBER_OF_FRAMES).unwrap_or(1).max(1) as usize;
    let bits = number(BITS_ALLOCATED).unwrap_or(64);
    [columns, samples, frames, bits]
        .into_iter()
        .fold(rows, usize::saturating_mul)
        .div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_in_digits_also_where_the_file_tells_no_vr() {
        let element = |tag: Tag, value: &[u8]| {
            let head = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
            [&head, (value.len() as u32).to_le_bytes().as_slice(), value].concat()
        };
        let data = [
            element(SAMPLES_PER_PIXEL, &[1, 0]),
            element(NUMBER_OF_FRAMES, b"12"),
            element(ROWS, &[3, 0]),
            element(COLUMNS, &[4, 0]),
            element(BITS_ALLOCATED, &[16, 0]),
        ]
        .concat();
        assert_eq!(claimed(&data, Encoding::IMPLICIT), 12 * 3 * 4 * 2);
    }
}

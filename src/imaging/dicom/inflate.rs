//! A deflated data set (PS3.5 A.5), inflated as far as its picture reaches, or little further for who wants all of it: a
//! few bytes may stand for a thousand times as many that nobody asks for.

use std::io::Read;

use super::dataset::{DataSet, PIXEL_DATA, Tag};
use super::elements::{Encoding, Reader};
use super::part10;
use super::pixel_module::{
    BITS_ALLOCATED, COLUMNS, DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, NUMBER_OF_FRAMES, ROWS, SAMPLES_PER_PIXEL,
};

/// Bytes that are inflated before the first look for pixels; four times as many before each further one.
const FIRST_BYTES: usize = 64 << 10;
/// Most bytes that stand before the pixels.
const MAX_BEFORE_PIXELS: usize = 16 << 20;
/// Most bytes of a data set without a picture, where the whole of it is wanted: documents and waveforms are in some.
const MAX_WITHOUT_PICTURE: usize = 64 << 20;
/// Most bytes behind the picture, where they are wanted: signatures and padding.
const MAX_BEHIND_PICTURE: usize = 8 << 20;
/// Bytes that a deflated one may stand for, at most (RFC 1951).
const LARGEST_RATIO: usize = 1032;

/// The data set up to the end of its picture, as far as it can be inflated.
///
/// # Errors
/// If it cannot be inflated at all, or grows beyond all bounds.
pub(super) fn up_to_the_picture(body: &[u8]) -> Result<Vec<u8>, String> {
    inflated(body, false)
}

/// The whole data set, as far as it can be inflated.
///
/// # Errors
/// If it cannot be inflated at all, or grows beyond what a picture and what stands around it may take.
pub(super) fn whole(body: &[u8]) -> Result<Vec<u8>, String> {
    inflated(body, true)
}

fn inflated(body: &[u8], whole: bool) -> Result<Vec<u8>, String> {
    let most_without = if whole { MAX_WITHOUT_PICTURE } else { MAX_BEFORE_PIXELS };
    let mut source = part10::inflater(body)?;
    let mut bytes = Vec::new();
    let mut limit = FIRST_BYTES;
    loop {
        let is_all = fill(&mut *source, &mut bytes, limit)?;
        if let Some(end) = end_of_picture(&bytes) {
            if end as u64 > part10::MAX_INFLATED {
                return Err("its deflated data set grows beyond 512 MiB".to_owned());
            }
            if !is_all {
                let most = body.len().saturating_mul(LARGEST_RATIO);
                fill(&mut *source, &mut bytes, end.min(most))?;
            }
            if !whole || read_on(&mut *source, &mut bytes, end + MAX_BEHIND_PICTURE + 1)? {
                return Ok(bytes);
            }
            return Err("its deflated data set goes on for more than 8 MiB behind its picture".to_owned());
        }
        if is_all {
            return Ok(bytes);
        }
        if limit >= most_without {
            let most = most_without >> 20;
            return Err(format!("its deflated data set has no picture within {most} MiB"));
        }
        limit *= 4;
    }
}

/// Inflates up to `limit` bytes in all; returns whether that is the end. A missing end does not spoil what came
/// before it: what is missing is noticed where it is read.
fn fill(source: &mut dyn Read, bytes: &mut Vec<u8>, limit: usize) -> Result<bool, String> {
    bytes.reserve_exact(limit.saturating_sub(bytes.len()));
    read_on(source, bytes, limit)
}

/// The same, where little or nothing is expected.
fn read_on(source: &mut dyn Read, bytes: &mut Vec<u8>, limit: usize) -> Result<bool, String> {
    let missing = limit.saturating_sub(bytes.len());
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

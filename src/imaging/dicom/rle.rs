//! RLE Lossless (PS3.5 Annex G). The decoder of dicom-rs panics on segments that are too short, so this one
//! is ours; knows no attributes.

/// Most segments a frame may have.
const MAX_SEGMENTS: usize = 15;

/// Decodes a frame of `samples` channels of `sample_bytes` bytes to interleaved samples, low byte first.
///
/// # Errors
/// If a segment is missing, too short for so many pixels, or does not fill its plane.
pub(super) fn decode(frame: &[u8], pixels: usize, samples: usize, sample_bytes: usize) -> Result<Vec<u8>, String> {
    let header = frame
        .first_chunk::<64>()
        .ok_or("its RLE header is cut short")?
        .as_chunks::<4>()
        .0;
    let word = |index: usize| u32::from_le_bytes(header[index]) as usize;
    let planes = samples * sample_bytes;
    if word(0) != planes || planes > MAX_SEGMENTS {
        return Err(format!("its RLE frame has {} segments, not {planes}", word(0)));
    }
    // Two bytes stand for 128 at the most.
    if pixels * planes > frame.len() * 64 {
        return Err(format!(
            "its RLE frame is cut short: {} bytes cannot hold {pixels} pixels",
            frame.len()
        ));
    }
    let mut unpacked = vec![0; pixels * planes];
    for (segment, plane) in unpacked.chunks_exact_mut(pixels.max(1)).enumerate() {
        let start = word(segment + 1);
        let end = if segment + 1 < planes {
            word(segment + 2)
        } else {
            frame.len()
        };
        let bytes = frame
            .get(start..end)
            .ok_or_else(|| format!("RLE segment {segment} lies outside its frame, at bytes {start} to {end}"))?;
        if unpack(bytes, plane) < pixels {
            return Err(format!("RLE segment {segment} ends before its plane is full"));
        }
    }
    Ok(interleaved(unpacked, pixels, sample_bytes))
}

/// Bytes plane by plane, the highest byte of a sample first, to samples pixel by pixel, low byte first.
fn interleaved(planes: Vec<u8>, pixels: usize, sample_bytes: usize) -> Vec<u8> {
    let count = planes.len() / pixels.max(1);
    match count {
        0 | 1 => planes,
        2 if sample_bytes == 2 => {
            let (high, low) = planes.split_at(pixels);
            let mut words = vec![[0; 2]; pixels];
            for ((word, &high), &low) in words.iter_mut().zip(high).zip(low) {
                *word = [low, high];
            }
            words.into_flattened()
        }
        _ => {
            let mut bytes = vec![0; planes.len()];
            for (segment, plane) in planes.chunks_exact(pixels).enumerate() {
                let place = segment / sample_bytes * sample_bytes + (sample_bytes - 1 - segment % sample_bytes);
                for (byte, &value) in bytes[place..].iter_mut().step_by(count).zip(plane) {
                    *byte = value;
                }
            }
            bytes
        }
    }
}

/// Fills a plane with the unpacked bytes and returns how many there were.
fn unpack(mut bytes: &[u8], plane: &mut [u8]) -> usize {
    let mut written = 0;
    while let (Some((&control, rest)), true) = (bytes.split_first(), written < plane.len()) {
        let free = &mut plane[written..];
        let (count, used) = match (control.cast_signed(), rest.first()) {
            (-128, _) | (_, None) => (0, 0),
            (control @ 0.., _) => {
                let there = rest.len().min(control as usize + 1);
                let count = there.min(free.len());
                free[..count].copy_from_slice(&rest[..count]);
                (count, there)
            }
            (control, Some(&value)) => {
                let count = (usize::from(control.unsigned_abs()) + 1).min(free.len());
                free[..count].fill(value);
                (count, 1)
            }
        };
        written += count;
        bytes = &rest[used..];
    }
    written
}

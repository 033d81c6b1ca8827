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
    let mut decoded = vec![0; pixels * planes];
    for segment in 0..planes {
        let start = word(segment + 1);
        let end = if segment + 1 < planes {
            word(segment + 2)
        } else {
            frame.len()
        };
        let bytes = frame
            .get(start..end)
            .ok_or_else(|| format!("RLE segment {segment} lies outside its frame, at bytes {start} to {end}"))?;
        // Segments go from the highest byte of a sample to the lowest.
        let (sample, byte) = (segment / sample_bytes, sample_bytes - 1 - segment % sample_bytes);
        let places = decoded[sample * sample_bytes + byte..].iter_mut().step_by(planes);
        if unpack(bytes, places, pixels) < pixels {
            return Err(format!("RLE segment {segment} ends before its plane is full"));
        }
    }
    Ok(decoded)
}

/// Writes the unpacked bytes to `places` and returns how many there were, `pixels` at most.
fn unpack<'a>(mut bytes: &[u8], mut places: impl Iterator<Item = &'a mut u8>, pixels: usize) -> usize {
    let mut written = 0;
    while let (Some((&control, rest)), true) = (bytes.split_first(), written < pixels) {
        let control = control.cast_signed();
        let (run, used): (&[u8], usize) = match control {
            0.. => {
                let literal = &rest[..rest.len().min(control as usize + 1)];
                (literal, literal.len())
            }
            -128 => (&[], 0),
            _ => match rest.first() {
                Some(&value) => {
                    let count = usize::from(control.unsigned_abs()) + 1;
                    let count = count.min(pixels - written);
                    places.by_ref().take(count).for_each(|place| *place = value);
                    written += count;
                    (&[], 1)
                }
                None => (&[], 0),
            },
        };
        let count = run.len().min(pixels - written);
        places
            .by_ref()
            .take(count)
            .zip(run)
            .for_each(|(place, &value)| *place = value);
        written += count;
        bytes = &rest[used..];
    }
    written
}

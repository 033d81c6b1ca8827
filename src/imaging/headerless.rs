//! The headerless pictures of the JSRT database: 2048 x 2048 big-endian samples of 16 bits, of which 12 are used, and
//! large samples dark. Nothing in the file says so; its exact length, its ending and its first samples have to.

use std::path::Path;

use super::lut::{ModalityLut, Polarity};
use super::radiograph::{Acquisition, Identity, Radiograph, Samples, Scope, StoredValues};

/// Columns and rows.
pub(super) const SIDE: u32 = 2048;
/// Bits of a sample that are used.
const BITS: u8 = 12;
/// Length of the file in bytes.
const FILE_BYTES: u64 = SIDE as u64 * SIDE as u64 * 2;

/// Whether a file is called and is as long as a headerless picture.
pub(super) fn is_named_so(name: &Path, length: u64) -> bool {
    length == FILE_BYTES
        && name
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("img"))
}

/// Whether no sample at the start of a file uses more than 12 bits, which rules out every other kind of file.
pub(super) fn begins_so(head: &[u8]) -> bool {
    head.chunks_exact(2).all(|sample| sample[0] >> (BITS - 8) == 0)
}

/// Makes the picture of a file's bytes.
///
/// # Errors
/// If a sample uses more than 12 bits, or the length is wrong.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Radiograph, String> {
    Ok(Radiograph {
        file: path.to_owned(),
        frame: 1,
        frames: 1,
        width: SIDE,
        height: SIDE,
        samples: Samples::Grey(StoredValues {
            values: samples(bytes)?.into(),
            offset: 0,
        }),
        network_grey: None,
        original: None,
        bits_stored: BITS,
        modality_lut: ModalityLut::IDENTITY,
        // The samples use a part of their range only and get a window from their values.
        voi_luts: Vec::new(),
        polarity: Polarity::Inverse,
        padding: None,
        overlay_planes: Vec::new(),
        shutter: None,
        spacing: None,
        pixel_aspect: 1.0,
        identity: Identity::default(),
        acquisition: Acquisition {
            encoding: "headerless".to_owned(),
            ..Acquisition::default()
        },
        scope: Scope::InScope,
        content_hash: [0; 32],
        warnings: vec![
            "The file has no header: it is read as the JSRT database has them, 2048 x 2048 samples of 12 bits, large \
             ones dark."
                .to_owned(),
        ],
    }
    .sealed())
}

/// The samples, all within their bits.
fn samples(bytes: &[u8]) -> Result<Vec<u16>, String> {
    if bytes.len() as u64 != FILE_BYTES {
        return Err("its data are cut short".to_owned());
    }
    let values: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|sample| u16::from_be_bytes([sample[0], sample[1]]))
        .collect();
    if let Some(place) = values.iter().position(|&value| value >> BITS != 0) {
        let (x, y) = (place % SIDE as usize, place / SIDE as usize);
        return Err(format!(
            "a headerless picture has big-endian samples of {BITS} bits, but that of column {x}, row {y} is {}",
            values[place]
        ));
    }
    Ok(values)
}

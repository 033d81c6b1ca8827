//! JPEG baseline, extended and progressive of 8 bits (PS3.5 8.2.1). The colours are taken as the data set names them:
//! a codestream often does not, and its decoder would guess.

use jpeg_decoder::{ColorTransform, Decoder};

use crate::imaging::dicom::codestream::Codestream;
use crate::imaging::dicom::pixel_module::{Photometric, PixelModule};

/// Decoded samples, interleaved, of a frame whose header was checked; luma and chroma stay so.
///
/// # Errors
/// One sentence with the cause.
pub(in crate::imaging::dicom) fn decode(
    frame: &[u8],
    module: &PixelModule,
    header: &Codestream,
) -> Result<Vec<u8>, String> {
    let says_ycc = header.says_ycc;
    match module.photometric {
        Photometric::Rgb if says_ycc == Some(true) => {
            return Err("its JPEG frame says luma and chroma where its header says RGB".to_owned());
        }
        Photometric::YbrFull | Photometric::YbrFull422 if says_ycc == Some(false) => {
            return Err("its JPEG frame says RGB where its header says luma and chroma".to_owned());
        }
        Photometric::YbrJpeg2000 => return Err("its colours do not fit its compression".to_owned()),
        _ => {}
    }
    let size = module.pixels() * module.samples;
    let failed = |error: jpeg_decoder::Error| format!("its compressed frame cannot be decoded: {error}");
    let mut decoder = Decoder::new(frame);
    decoder.set_max_decoding_buffer_size(size);
    // Interleaves three channels and leaves them as they are; one channel is never transformed.
    if module.samples == 3 {
        decoder.set_color_transform(ColorTransform::RGB);
    }
    let samples = decoder.decode().map_err(failed)?;
    if samples.len() != size {
        return Err(format!(
            "its compressed frame gives {} samples, not {size}",
            samples.len()
        ));
    }
    Ok(samples)
}

//! JPEG 2000 (PS3.5 8.2.4) and High-Throughput JPEG 2000 (10.18), by `OpenJPEG`, which decodes the code-blocks of a
//! frame on all cores, or by its port to Rust (feature `openjp2`), which uses one. Luma and chroma of the codestream's
//! own transforms (`YBR_ICT`, `YBR_RCT`) come out as RGB.

#[cfg(not(any(feature = "openjpeg", feature = "openjp2")))]
compile_error!("JPEG 2000 needs a decoder: build with the feature `openjpeg` (the default) or `openjp2`");
#[cfg(all(feature = "openjpeg", feature = "openjp2"))]
compile_error!(
    "JPEG 2000 has one decoder: build with `--no-default-features --features openjp2`, or without `openjp2`"
);

use jpeg2k::Image;

use super::pixel_module::PixelModule;

/// Decoded samples, interleaved, low byte first, of a codestream whose header and tiles were checked: `sample_bytes` of each value, 1
/// or 2, in two's complement where it has a sign.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn decode(codestream: &[u8], module: &PixelModule, sample_bytes: usize) -> Result<Vec<u8>, String> {
    let image =
        Image::from_bytes(codestream).map_err(|error| format!("its compressed frame cannot be decoded: {error}"))?;
    let channels = image.components();
    if channels.len() != module.samples {
        return Err(format!(
            "its compressed frame gives {} channels, not {}",
            channels.len(),
            module.samples
        ));
    }
    let mut bytes = vec![0; module.pixels() * module.samples * sample_bytes];
    for (index, channel) in channels.iter().enumerate() {
        let (columns, rows) = (channel.width() as usize, channel.height() as usize);
        if (columns, rows) != (module.columns, module.rows) {
            return Err(format!(
                "its compressed frame gives {columns} x {rows} pixels where the header says {} x {}",
                module.columns, module.rows
            ));
        }
        let values = channel.data();
        if sample_bytes == 1 {
            let places = bytes.iter_mut().skip(index).step_by(module.samples);
            places.zip(values).for_each(|(place, &value)| *place = value as u8);
        } else {
            let pairs = bytes.as_chunks_mut::<2>().0.iter_mut();
            let places = pairs.skip(index).step_by(module.samples);
            places
                .zip(values)
                .for_each(|(place, &value)| *place = (value as u16).to_le_bytes());
        }
    }
    Ok(bytes)
}

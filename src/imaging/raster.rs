//! PNG, JPEG, TIFF, BMP and WebP files to [`Radiograph`]s. Sizes are checked from the header before anything
//! is decoded. Knows nothing of DICOM.

use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::lut::{ModalityLut, Polarity};
use super::radiograph::{Acquisition, Identity, Radiograph, Samples, Scope, StoredValues};
use super::{colour, dicom};

/// Most pixels a picture may have.
const MAX_PIXELS: u64 = 200_000_000;
/// Most bytes its decoded samples may take.
const MAX_DECODED_BYTES: u64 = 512 << 20;

/// The container a file's first bytes announce, or `None` for one that is not read here.
pub(super) fn sniff(head: &[u8]) -> Option<ImageFormat> {
    use ImageFormat::{Bmp, Jpeg, Png, Tiff, WebP};
    let format = image::guess_format(head).ok()?;
    matches!(format, Bmp | Jpeg | Png | Tiff | WebP).then_some(format)
}

/// Decodes the first picture of a file whose first bytes announced `format`.
///
/// # Errors
/// One sentence with the cause.
pub(super) fn read(path: &Path, file: impl Read + Seek, format: ImageFormat) -> Result<Radiograph, String> {
    let mut reader = BufReader::new(file);
    let pages = if format == ImageFormat::Tiff {
        tiff_pages(&mut reader)
    } else {
        1
    };
    reader.rewind().map_err(|error| error.to_string())?;
    let name = container_name(format);
    let failed = |cause| format!("the {name} picture cannot be decoded: {cause}");
    let decoded = if format == ImageFormat::Jpeg {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        check_jpeg(&bytes).map_err(failed)?;
        decode(Cursor::new(bytes), format)
    } else {
        decode(reader, format)
    };
    let (picture, orientation) = decoded.map_err(failed)?;
    let mut warnings = Vec::new();
    if pages > 1 {
        warnings.push("The file has several pages; only the first is shown.".to_owned());
    }
    if orientation != Orientation::NoTransforms {
        warnings.push("The picture was turned as the file's orientation tag says.".to_owned());
    }
    Ok(radiograph(path, name, picture, warnings))
}

/// The decoder fills what is missing with grey and guesses at CMYK, so both are caught before.
fn check_jpeg(bytes: &[u8]) -> Result<(), String> {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|two| two == marker);
    if last([0xff, 0xd9]) < last([0xff, 0xda]) {
        return Err("its data are cut short".to_owned());
    }
    match dicom::jpeg_channels(bytes) {
        Some(1 | 3) => Ok(()),
        Some(4) => Err("CMYK is made for print and has no certain grey".to_owned()),
        _ => Err("its frame header is broken".to_owned()),
    }
}

fn container_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        _ => "WebP",
    }
}

fn decode<R: BufRead + Seek>(reader: R, format: ImageFormat) -> Result<(DynamicImage, Orientation), String> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(reader, format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes())?;
    if let ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 = decoder.original_color_type() {
        return Err("CMYK is made for print and has no certain grey".to_owned());
    }
    if let ColorType::Rgb32F | ColorType::Rgba32F = decoder.color_type() {
        return Err(
            "its samples are floating-point numbers, which may be NaN and do not say what is white; \
             save it with 8 or 16 bits a sample"
                .to_owned(),
        );
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    picture.apply_orientation(orientation);
    Ok((picture, orientation))
}

fn check_size(width: u32, height: u32, bytes: u64) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err(format!("its size is {width} x {height} pixels"));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS || bytes > MAX_DECODED_BYTES {
        return Err(format!("{width} x {height} pixels are more than this program opens"));
    }
    Ok(())
}

/// Number of pages of a TIFF file, counted up to 2.
fn tiff_pages<R: Read + Seek>(reader: &mut R) -> u32 {
    fn second_page<R: Read + Seek>(reader: &mut R) -> std::io::Result<bool> {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        let big = head[0] == b'M';
        let short = |b: [u8; 2]| {
            if big {
                u16::from_be_bytes(b)
            } else {
                u16::from_le_bytes(b)
            }
        };
        let long = |b: [u8; 4]| {
            if big {
                u32::from_be_bytes(b)
            } else {
                u32::from_le_bytes(b)
            }
        };
        let first = long([head[4], head[5], head[6], head[7]]);
        reader.seek(SeekFrom::Start(u64::from(first)))?;
        let mut count = [0; 2];
        reader.read_exact(&mut count)?;
        reader.seek_relative(i64::from(short(count)) * 12)?;
        let mut next = [0; 4];
        reader.read_exact(&mut next)?;
        Ok(!matches!(long(next), 0) && long(next) != first)
    }
    // A BigTIFF or broken directory counts as one page: the decoder has the last word on it.
    1 + u32::from(second_page(reader).unwrap_or(false))
}

fn radiograph(path: &Path, name: &str, picture: DynamicImage, mut warnings: Vec<String>) -> Radiograph {
    let (width, height) = (picture.width(), picture.height());
    if picture.color().has_alpha() {
        warnings.push("The picture's transparency is ignored.".to_owned());
    }
    let (samples, bits_stored) = samples(picture, &mut warnings);
    let scope = match &samples {
        Samples::Grey(_) => Scope::InScope,
        Samples::Colour(_) => {
            warnings.push("This is a colour picture: it is shown, but not predicted.".to_owned());
            Scope::OutOfScope("it is a colour picture, and the networks read grey radiographs".to_owned())
        }
    };
    // Sixteen-bit pictures often use a part of their range only and get a window from their values.
    let voi_luts = if bits_stored == 8 {
        vec![colour::as_stored()]
    } else {
        Vec::new()
    };
    Radiograph {
        file: path.to_owned(),
        frame: 1,
        frames: 1,
        width,
        height,
        samples,
        bits_stored,
        modality_lut: ModalityLut::IDENTITY,
        voi_luts,
        polarity: Polarity::Normal,
        padding: None,
        spacing: None,
        identity: Identity::default(),
        acquisition: Acquisition {
            encoding: name.to_owned(),
            ..Acquisition::default()
        },
        scope,
        content_hash: [0; 32],
        warnings,
    }
    .sealed()
}

/// The samples as stored, grey where the channels agree, and their significant bits.
fn samples(picture: DynamicImage, warnings: &mut Vec<String>) -> (Samples, u8) {
    let grey = |values: Vec<u16>| {
        Samples::Grey(StoredValues {
            values: Arc::new(values),
            offset: 0,
        })
    };
    match picture {
        DynamicImage::ImageLuma8(pixels) => (
            grey(pixels.as_raw().iter().map(|&sample| u16::from(sample)).collect()),
            8,
        ),
        DynamicImage::ImageLumaA8(pixels) => (grey(pixels.pixels().map(|pixel| u16::from(pixel.0[0])).collect()), 8),
        DynamicImage::ImageLuma16(pixels) => (grey(pixels.into_raw()), 16),
        DynamicImage::ImageLumaA16(pixels) => (grey(pixels.pixels().map(|pixel| pixel.0[0]).collect()), 16),
        DynamicImage::ImageRgb16(_) | DynamicImage::ImageRgba16(_) => {
            let pixels = picture.into_rgb16();
            colour::from_rgb16(pixels.as_raw().as_chunks().0, warnings)
        }
        other => {
            let pixels = other.into_rgb8();
            colour::from_rgb8(pixels.as_raw().as_chunks().0, warnings)
        }
    }
}

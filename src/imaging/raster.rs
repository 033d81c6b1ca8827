//! PNG, JPEG, TIFF, BMP and WebP files to [`Radiograph`]s. Sizes are checked from the header before anything
//! is decoded. Knows nothing of DICOM.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::lut::{ModalityLut, Polarity};
use super::radiograph::{Acquisition, Identity, Original, Radiograph, Samples, Scope, StoredValues};
use super::{MAX_PIXELS, colour, dicom, tiff};

/// Most bytes its decoded samples may take.
const MAX_DECODED_BYTES: u64 = 512 << 20;
const CMYK: &str = "CMYK is made for print and has no certain grey";
const FLOATING: &str = "its samples are floating-point numbers, which may be NaN and do not say what is white; \
                        save it with 8 or 16 bits a sample";

/// The container a file's first bytes announce, or `None` for one that is not read here.
pub(super) fn sniff(head: &[u8]) -> Option<ImageFormat> {
    use ImageFormat::{Bmp, Jpeg, Png, Tiff, WebP};
    let format = image::guess_format(head).ok()?;
    matches!(format, Bmp | Jpeg | Png | Tiff | WebP).then_some(format)
}

/// Decodes the first picture of a file whose first bytes announced `format`.
///
/// # Errors
/// One sentence with the cause, and how far the file was read.
pub(super) fn read(path: &Path, file: impl Read + Seek, format: ImageFormat) -> Result<Radiograph, String> {
    let name = container_name(format);
    let reached = Cell::new(0);
    let mut reader = BufReader::new(Tracked::new(file, &reached));
    let decoded = length_of(&mut reader).and_then(|length| {
        let picture = match format {
            ImageFormat::Jpeg => jpeg(&mut reader, length),
            ImageFormat::Tiff => tiff(&mut reader, length),
            ImageFormat::Png => {
                head(&mut reader).and_then(|head| picture(&mut reader, format, length, png_room(&head)))
            }
            ImageFormat::Bmp => {
                head(&mut reader).and_then(|head| picture(&mut reader, format, length, bmp_room(&head)))
            }
            _ => picture(&mut reader, format, length, Room::UNKNOWN),
        };
        picture.map_err(|cause| format!("{cause} (read up to byte {} of {length})", reached.get()))
    });
    let decoded = decoded.map_err(|cause| format!("the {name} picture cannot be decoded: {cause}"))?;
    Ok(radiograph(path, name, decoded))
}

/// A decoded picture, and what the reader should know of it.
struct Decoded {
    picture: DynamicImage,
    warnings: Vec<String>,
}

/// Tells the furthest byte that was read.
struct Tracked<'a, R> {
    source: R,
    position: u64,
    reached: &'a Cell<u64>,
}

impl<'a, R> Tracked<'a, R> {
    fn new(source: R, reached: &'a Cell<u64>) -> Self {
        Self {
            source,
            position: 0,
            reached,
        }
    }
}

impl<R: Read> Read for Tracked<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(bytes)?;
        self.position += read as u64;
        if read > 0 {
            self.reached.set(self.reached.get().max(self.position));
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Tracked<'_, R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.source.seek(to)?;
        Ok(self.position)
    }
}

fn length_of(reader: &mut impl Seek) -> Result<u64, String> {
    let length = reader.seek(SeekFrom::End(0));
    length
        .and_then(|length| reader.rewind().map(|()| length))
        .map_err(|error| error.to_string())
}

/// The first bytes, up to where a PNG or BMP header has ended.
fn head<R: Read + Seek>(reader: &mut R) -> Result<[u8; 34], String> {
    let mut head = [0; 34];
    let read = reader.read_exact(&mut head).and_then(|()| reader.rewind());
    read.map(|()| head).map_err(|error| error.to_string())
}

/// What a file has to hold of a picture.
#[derive(Clone, Copy)]
struct Room {
    /// Bits of a pixel before it is packed.
    bits: u64,
    /// Bytes that a byte of the file stands for at the most.
    expansion: Option<u64>,
}

impl Room {
    /// There is no bound.
    const UNKNOWN: Self = Self {
        bits: 0,
        expansion: None,
    };

    /// Refuses a picture that is larger than what its file could be unpacked to.
    fn check(self, width: u32, height: u32, length: u64) -> Result<(), String> {
        let Some(expansion) = self.expansion else { return Ok(()) };
        let stored = (u64::from(width) * u64::from(height)).saturating_mul(self.bits) / 8;
        if stored > length.saturating_mul(expansion) {
            return Err(format!(
                "its data are cut short: {length} bytes cannot hold {width} x {height} pixels"
            ));
        }
        Ok(())
    }
}

/// By bit depth and colour type of the header; deflate stands for 1032 bytes with one.
fn png_room(head: &[u8; 34]) -> Room {
    let channels = match head[25] {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    Room {
        bits: u64::from(head[24]) * channels,
        expansion: Some(1032),
    }
}

/// By bits and compression of the header, whose first form has no compression. Run lengths may pass over 255 x 255
/// pixels with four bytes.
fn bmp_room(head: &[u8; 34]) -> Room {
    let short = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let (bits, compression) = if short(14) == 12 {
        (short(24), 0)
    } else {
        (short(28), short(30))
    };
    let expansion = if matches!(compression, 1 | 2) { 255 * 255 / 4 } else { 1 };
    Room {
        bits,
        expansion: Some(expansion),
    }
}

fn jpeg(reader: &mut impl Read, length: u64) -> Result<Decoded, String> {
    let bytes = whole(reader, length)?;
    check_jpeg(&bytes)?;
    // A block of 8 x 8 pixels takes a bit at least, in the channel that is not subsampled.
    let room = Room {
        bits: 8,
        expansion: Some(512),
    };
    picture(Cursor::new(bytes), ImageFormat::Jpeg, length, room)
}

fn tiff<R: Read + Seek>(reader: &mut BufReader<R>, length: u64) -> Result<Decoded, String> {
    let facts = tiff::facts(&mut *reader);
    reader.rewind().map_err(|error| error.to_string())?;
    let room = facts.map_or(Room::UNKNOWN, |facts| Room {
        bits: facts.bits,
        expansion: facts.expansion,
    });
    let mut decoded = match facts {
        Some(facts) if facts.floating => return Err(FLOATING.to_owned()),
        Some(facts) if facts.palette.is_some() => {
            let (width, height) = facts.size;
            check_size(width, height, u64::from(width) * u64::from(height) * 3)?;
            room.check(width, height, length)?;
            let (picture, orientation) = tiff::read_palette(whole(reader, length)?, facts)?;
            turned(picture, orientation, Vec::new())
        }
        _ => picture(&mut *reader, ImageFormat::Tiff, length, room)?,
    };
    if facts.is_some_and(|facts| facts.more_pages) {
        let first = "The file has several pages; only the first is shown.";
        decoded.warnings.push(first.to_owned());
    }
    Ok(decoded)
}

/// All bytes of a file of `length`; one that grows meanwhile is read as long as it was.
fn whole(reader: &mut impl Read, length: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let room = bytes.try_reserve_exact(length as usize);
    room.map_err(|error| error.to_string())?;
    let read = reader.take(length).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| error.to_string())
}

/// The decoder fills what is missing with grey and guesses at CMYK, so both are caught before.
fn check_jpeg(bytes: &[u8]) -> Result<(), String> {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|two| two == marker);
    if last([0xff, 0xd9]) < last([0xff, 0xda]) {
        return Err("its data are cut short".to_owned());
    }
    match dicom::jpeg_channels(bytes) {
        Some(1 | 3) => Ok(()),
        Some(4) => Err(CMYK.to_owned()),
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

fn picture(reader: impl BufRead + Seek, format: ImageFormat, length: u64, room: Room) -> Result<Decoded, String> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    let mut reader = ImageReader::with_format(reader, format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, decoder.total_bytes())?;
    if let ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16 = decoder.original_color_type() {
        return Err(CMYK.to_owned());
    }
    room.check(width, height, length)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut warnings = Vec::new();
    if decoder.icc_profile().is_ok_and(|profile| profile.is_some()) {
        warnings
            .push("The file's colour profile (ICC) is ignored: its levels are shown as they are stored.".to_owned());
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    Ok(turned(picture, orientation, warnings))
}

fn turned(mut picture: DynamicImage, orientation: Orientation, mut warnings: Vec<String>) -> Decoded {
    picture.apply_orientation(orientation);
    if orientation != Orientation::NoTransforms {
        warnings.push("The picture was turned as the file's orientation tag says.".to_owned());
    }
    Decoded { picture, warnings }
}

fn check_size(width: u32, height: u32, bytes: u64) -> Result<(), String> {
    if width == 0 || height == 0 {
        return Err(format!("its size is {width} x {height} pixels"));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS as u64 || bytes > MAX_DECODED_BYTES {
        return Err(format!("{width} x {height} pixels are more than this program opens"));
    }
    Ok(())
}

fn radiograph(path: &Path, name: &str, decoded: Decoded) -> Radiograph {
    let Decoded { picture, mut warnings } = decoded;
    let (width, height) = (picture.width(), picture.height());
    if picture.color().has_alpha() {
        warnings.push("The picture's transparency is ignored.".to_owned());
    }
    let (samples, bits_stored, original) = samples(picture, &mut warnings);
    let scope = match &samples {
        Samples::Grey(_) | Samples::Wide(_) => Scope::InScope,
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
        network_grey: None,
        original,
        bits_stored,
        modality_lut: ModalityLut::IDENTITY,
        voi_luts,
        polarity: Polarity::Normal,
        padding: None,
        overlay_planes: Vec::new(),
        shutter: None,
        spacing: None,
        pixel_aspect: 1.0,
        identity: Identity::default(),
        acquisition: Acquisition {
            encoding: name.to_owned(),
            lossy: (name == "JPEG").then(|| "The picture was compressed with loss, as JPEG is.".to_owned()),
            ..Acquisition::default()
        },
        scope,
        content_hash: [0; 32],
        warnings,
    }
    .sealed()
}

/// The samples as stored, grey where the channels agree, their significant bits, and the file's own samples where these
/// say more.
fn samples(picture: DynamicImage, warnings: &mut Vec<String>) -> (Samples, u8, Option<Original>) {
    let grey = |values: Vec<u16>, bits| {
        let values = Arc::new(values);
        (Samples::Grey(StoredValues { values, offset: 0 }), bits, None)
    };
    match picture {
        DynamicImage::ImageLuma8(pixels) => grey(pixels.as_raw().iter().map(|&sample| u16::from(sample)).collect(), 8),
        DynamicImage::ImageLumaA8(pixels) => grey(pixels.pixels().map(|pixel| u16::from(pixel.0[0])).collect(), 8),
        DynamicImage::ImageLuma16(pixels) => grey(pixels.into_raw(), 16),
        DynamicImage::ImageLumaA16(pixels) => grey(pixels.pixels().map(|pixel| pixel.0[0]).collect(), 16),
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

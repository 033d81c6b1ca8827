//! Headers of compressed frames, read before any decoder sees them: what a frame claims to be has to agree
//! with the data set, or a decoder would write a wrong picture or more of it than there is room for.

mod jpeg2000;

use super::jpeg::segments::Segments;
use super::pixel_module::PixelModule;

pub(super) use jpeg2000::Jpeg2000;

/// What a codestream says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codestream {
    /// Low byte of the start-of-frame marker: `C0` baseline, `C1` extended, `C3` lossless, `F7` JPEG-LS …;
    /// 0 for JPEG 2000.
    pub process: u8,
    /// Bits of a sample.
    pub precision: u8,
    /// Samples are two's complement (JPEG 2000 only).
    pub signed: bool,
    /// What it is coded by loses something: the DCT, an error that JPEG-LS allows, or the wavelet 9/7.
    pub is_lossy: bool,
    /// Whether a JPEG frame says that its three channels are luma and chroma; `None` where it is silent.
    pub says_ycc: Option<bool>,
    /// Channels of the first scan; fewer than there are means one plane after the other.
    pub scan_components: u8,
    rows: usize,
    columns: usize,
    components: usize,
    /// Bytes that it has.
    bytes: usize,
}

impl Codestream {
    /// Whether it has the size and the channels that the data set promises.
    ///
    /// # Errors
    /// A sentence with both sizes.
    pub(super) fn check(&self, module: &PixelModule) -> Result<(), String> {
        let Self {
            rows,
            columns,
            components,
            precision,
            ..
        } = *self;
        module.check_size(columns, rows)?;
        if components != module.samples {
            return Err(format!(
                "its compressed frame has {components} channels, not {}",
                module.samples
            ));
        }
        if precision == 0 || precision > module.bits.allocated {
            return Err(format!("its compressed frame has samples of {precision} bits"));
        }
        if rows * columns > self.most_pixels() {
            return Err(format!(
                "its compressed frame is cut short: {} bytes cannot hold {columns} x {rows} pixels",
                self.bytes
            ));
        }
        Ok(())
    }

    /// Most pixels that so many bytes can stand for: a block of JPEG's 8 x 8 takes a bit, a pixel of lossless JPEG does,
    /// and a run of 2^15 pixels of JPEG-LS (T.87 A.7.1). JPEG 2000 has no bound, but no radiograph of so many pixels a
    /// byte.
    fn most_pixels(&self) -> usize {
        let bits = self.bytes * 8;
        match self.process {
            0xc3 => bits,
            0xf7 => bits << 15,
            0 => self.bytes << 16,
            _ => bits * 64,
        }
    }
}

/// Reads the frame header of JPEG (ITU-T T.81 B.2.2) or JPEG-LS (T.87 C.2.2).
///
/// # Errors
/// If there is none.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Codestream, String> {
    let none = || "its compressed frame is no JPEG codestream".to_owned();
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return Err(none());
    }
    let mut segments = Segments::new(bytes);
    let mut colours = Colours::default();
    let mut found: Option<Codestream> = None;
    loop {
        let (marker, segment) = segments.next().ok_or_else(none)?;
        match marker {
            0xe0 => colours.is_jfif |= segment.starts_with(b"JFIF\0"),
            0xee if segment.starts_with(b"Adobe") => colours.adobe = segment.get(11).copied(),
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7 => {
                let &[precision, r0, r1, c0, c1, components] = segment.first_chunk().ok_or_else(none)?;
                colours.channels = segment[6..].iter().step_by(3).copied().collect();
                found = Some(Codestream {
                    process: marker,
                    precision,
                    signed: false,
                    is_lossy: !matches!(marker, 0xc3 | 0xc7 | 0xcb | 0xcf | 0xf7),
                    says_ycc: None,
                    scan_components: 0,
                    rows: usize::from(u16::from_be_bytes([r0, r1])),
                    columns: usize::from(u16::from_be_bytes([c0, c1])),
                    components: usize::from(components),
                    bytes: bytes.len(),
                });
            }
            0xda => {
                let scan_components = *segment.first().ok_or_else(none)?;
                let says_ycc = colours.says_ycc();
                // Where JPEG has the start of its spectrum, JPEG-LS has the largest error (T.87 C.2.3).
                let error = segment.get(1 + 2 * usize::from(scan_components));
                let errs = error.is_some_and(|&error| error > 0);
                return found
                    .map(|found| Codestream {
                        is_lossy: found.is_lossy || found.process == 0xf7 && errs,
                        says_ycc,
                        scan_components,
                        ..found
                    })
                    .ok_or_else(none);
            }
            _ => {}
        }
    }
}

/// What tells RGB from luma and chroma in JPEG.
#[derive(Default)]
struct Colours {
    channels: Vec<u8>,
    is_jfif: bool,
    /// Transform flag of an Adobe segment.
    adobe: Option<u8>,
}

impl Colours {
    /// Channels named R, G and B are that; an Adobe segment says it, and JFIF allows luma and chroma only.
    fn says_ycc(&self) -> Option<bool> {
        match (&self.channels[..], self.adobe) {
            ([b'R', b'G', b'B'], _) => Some(false),
            (_, Some(transform)) => Some(transform != 0),
            _ => self.is_jfif.then_some(true),
        }
    }
}

/// Channels of a JPEG picture, inside DICOM or not; `None` if it is none.
pub(in crate::imaging) fn jpeg_channels(bytes: &[u8]) -> Option<usize> {
    jpeg(bytes).ok().map(|header| header.components)
}

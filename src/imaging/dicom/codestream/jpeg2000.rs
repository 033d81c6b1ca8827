//! Headers of JPEG 2000 (ITU-T T.800 annex A). Its decoder leaves a tile black that is not there, and says nothing.

use super::Codestream;
use crate::imaging::dicom::boxes;
use crate::imaging::dicom::jpeg::segments::Segments;

/// The box that a JP2 file begins with (T.800 I.5.1).
const SIGNATURE: &[u8] = b"\0\0\0\x0cjP  \r\n\x87\n";
/// Start of codestream.
const SOC: [u8; 2] = [0xff, 0x4f];
/// Image and tile size.
const SIZ: u8 = 0x51;
/// Coding style default, and that of one component.
const COD: u8 = 0x52;
const COC: u8 = 0x53;
/// Start of a tile-part.
const SOT: u8 = 0x90;
/// Start of its data.
const SOD: u8 = 0x93;
/// The wavelet that loses nothing, 5/3 (T.800 table A.20).
const REVERSIBLE: u8 = 1;

/// A codestream whose main header was read.
pub(in crate::imaging::dicom) struct Jpeg2000<'a> {
    /// All of it, without boxes.
    pub bytes: &'a [u8],
    pub header: Codestream,
    /// Tiles that the picture has.
    tiles: usize,
    /// From the first tile-part on.
    tile_parts: &'a [u8],
}

impl<'a> Jpeg2000<'a> {
    /// Reads the main header of a frame, in a JP2 file or not.
    ///
    /// # Errors
    /// If there is none, or it uses what no medical image does.
    pub(in crate::imaging::dicom) fn read(frame: &'a [u8]) -> Result<Self, String> {
        let bytes = codestream(frame)?;
        let mut segments = Segments::new(bytes.strip_prefix(&SOC).ok_or_else(none)?);
        let (header, tiles) = match segments.next() {
            Some((SIZ, size)) => size_of(size, bytes.len())?,
            _ => return Err(none()),
        };
        let mut is_lossy = false;
        let mut tile_parts: &[u8] = &[];
        loop {
            let before = segments.rest();
            match segments.next() {
                Some((SOT, _)) => tile_parts = before,
                Some((marker, segment)) => {
                    is_lossy |= loses(marker, segment, header.components);
                    continue;
                }
                None => {}
            }
            break;
        }
        is_lossy |= self::tile_parts(tile_parts).any(|part| {
            let segments = Segments::new(part.header).take_while(|(marker, _)| !matches!(*marker, SOT | SOD));
            { segments }.any(|(marker, segment)| loses(marker, segment, header.components))
        });
        Ok(Self {
            bytes,
            header: Codestream { is_lossy, ..header },
            tiles,
            tile_parts,
        })
    }

    /// Whether each tile has all the parts that it says to have.
    ///
    /// # Errors
    /// A sentence that names the first tile that has not.
    pub(in crate::imaging::dicom) fn check_tiles(&self) -> Result<(), String> {
        // Parts that are there, and their number where it is said: in the last part, at least (T.800 A.4.2).
        let mut parts = vec![(0_usize, 0_usize); self.tiles];
        for part in tile_parts(self.tile_parts) {
            let (there, said) = parts.get_mut(part.tile).ok_or_else(none)?;
            *there += 1;
            *said = part.count.max(*said);
        }
        match parts.iter().position(|&(there, said)| there < said.max(1)) {
            None => Ok(()),
            Some(tile) => Err(format!(
                "its compressed frame is cut short: tile {} of {} is not all there",
                tile + 1,
                self.tiles
            )),
        }
    }
}

fn none() -> String {
    "its compressed frame is no JPEG 2000 codestream".to_owned()
}

/// The codestream of a frame: its bytes, or the content of the box `jp2c`. Of the other boxes only those count that change colours:
/// what the colours are, the data set says.
fn codestream(frame: &[u8]) -> Result<&[u8], String> {
    let Some(mut rest) = frame.strip_prefix(SIGNATURE) else {
        return Ok(frame);
    };
    while let Some((block, after)) = boxes::next(rest) {
        match &block.kind {
            b"jp2c" => return Ok(block.content),
            b"jp2h" => {
                if let Some(what) = recoloured(block.content) {
                    return Err(format!("its JPEG 2000 frame has {what}, which is not read"));
                }
            }
            _ => {}
        }
        rest = after;
    }
    Err(none())
}

/// The box of a JP2 header that makes other colours of the channels.
fn recoloured(mut header: &[u8]) -> Option<&'static str> {
    while let Some((block, after)) = boxes::next(header) {
        match &block.kind {
            b"pclr" => return Some("a palette of its own"),
            b"cdef" if !is_in_order(block.content) => return Some("its channels in another order"),
            _ => {}
        }
        header = after;
    }
    None
}

/// Whether each channel of a channel definition (T.800 I.5.3.6) that is a colour is the one of its own place.
fn is_in_order(definition: &[u8]) -> bool {
    let (channels, _) = definition.get(2..).unwrap_or_default().as_chunks::<6>();
    let number = |high, low| u16::from_be_bytes([high, low]);
    channels.iter().all(|&[c0, c1, t0, t1, a0, a1]| {
        let (channel, kind, association) = (number(c0, c1), number(t0, t1), number(a0, a1));
        kind != 0 || matches!(association, 0 | u16::MAX) || u32::from(association) == u32::from(channel) + 1
    })
}

/// What the image and tile size (T.800 A.5.1) of a codestream of so many bytes says, and the number of tiles.
fn size_of(segment: &[u8], bytes: usize) -> Result<(Codestream, usize), String> {
    let (fixed, components) = segment.split_first_chunk::<36>().ok_or_else(none)?;
    let mut longs = [0_u64; 8];
    // Behind the capabilities.
    for (long, four) in longs.iter_mut().zip(fixed[2..].as_chunks::<4>().0) {
        *long = u32::from_be_bytes(*four).into();
    }
    let [x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0] = longs;
    let count = usize::from(u16::from_be_bytes([fixed[34], fixed[35]]));
    let formats = components.as_chunks::<3>().0.get(..count).ok_or_else(none)?;
    let &[format, ..] = formats.first().ok_or_else(none)?;
    if formats.iter().any(|&each| each != [format, 1, 1]) {
        return Err("its JPEG 2000 channels differ in size or depth, which is not shown".to_owned());
    }
    if tile_x == 0 || tile_y == 0 || tile_x0 > x0 || tile_y0 > y0 || x0 > x || y0 > y {
        return Err(none());
    }
    let tiles = (x - tile_x0).div_ceil(tile_x) * (y - tile_y0).div_ceil(tile_y);
    if tiles > 65_535 {
        return Err(none());
    }
    let codestream = Codestream {
        process: 0,
        precision: (format & 0x7f) + 1,
        signed: format & 0x80 != 0,
        is_lossy: false,
        says_ycc: None,
        scan_components: 0,
        rows: (y - y0) as usize,
        columns: (x - x0) as usize,
        components: count,
        bytes,
    };
    Ok((codestream, tiles as usize))
}

/// Whether a segment chooses a wavelet that loses something (T.800 A.6.1, A.6.2).
fn loses(marker: u8, segment: &[u8], components: usize) -> bool {
    let wavelet = match marker {
        COD => segment.get(9),
        COC if components < 257 => segment.get(6),
        COC => segment.get(7),
        _ => return false,
    };
    wavelet.is_some_and(|&wavelet| wavelet != REVERSIBLE)
}

struct TilePart<'a> {
    tile: usize,
    /// Parts of its tile; 0 where this one does not say.
    count: usize,
    /// What follows the start of it.
    header: &'a [u8],
}

/// The tile-parts (T.800 A.4.2), up to the first bytes that are none. That a length goes beyond the end is the decoder's
/// to refuse.
fn tile_parts(mut rest: &[u8]) -> impl Iterator<Item = TilePart<'_>> {
    std::iter::from_fn(move || {
        let &[0xff, SOT, 0, 10, t0, t1, p0, p1, p2, p3, _, count, ..] = rest else {
            return None;
        };
        let length = u32::from_be_bytes([p0, p1, p2, p3]) as usize;
        // One of length 0 goes to the end. Each is read up to its own end: what is read twice may be read a million times.
        let is_whole = (12..=rest.len()).contains(&length);
        let (part, after) = if is_whole {
            rest.split_at(length)
        } else {
            (rest, &[][..])
        };
        rest = after;
        Some(TilePart {
            tile: u16::from_be_bytes([t0, t1]).into(),
            count: count.into(),
            header: part.get(12..).unwrap_or_default(),
        })
    })
}

//! Rectangles of pixels made black: in native pixels as they lie, in compressed ones after decoding them.

use std::borrow::Cow;

use super::Tag;
use super::burned_in::Region;
use super::value::{find, number, set};
use crate::imaging::tree::{Node, Syntax, Value};
use crate::imaging::unpacked::{Unpacked, unpack};

const IMAGE_TYPE: Tag = (0x0008, 0x0008);
const SAMPLES_PER_PIXEL: Tag = (0x0028, 0x0002);
const PHOTOMETRIC_INTERPRETATION: Tag = (0x0028, 0x0004);
const PLANAR_CONFIGURATION: Tag = (0x0028, 0x0006);
const ROWS: Tag = (0x0028, 0x0010);
const COLUMNS: Tag = (0x0028, 0x0011);
const BITS_ALLOCATED: Tag = (0x0028, 0x0100);
const BITS_STORED: Tag = (0x0028, 0x0101);
const HIGH_BIT: Tag = (0x0028, 0x0102);
const PIXEL_REPRESENTATION: Tag = (0x0028, 0x0103);
const RESCALE_SLOPE: Tag = (0x0028, 0x1053);
const PALETTES: [Tag; 3] = [(0x0028, 0x1201), (0x0028, 0x1202), (0x0028, 0x1203)];
const LOSSY_IMAGE_COMPRESSION: Tag = (0x0028, 0x2110);
const LOSSY_RATIO: Tag = (0x0028, 0x2112);
const LOSSY_METHOD: Tag = (0x0028, 0x2114);
const PRESENTATION_LUT_SHAPE: Tag = (0x2050, 0x0020);
/// Extended offset tables, and the length of the compressed stream: true of fragments only.
const OF_FRAGMENTS: [Tag; 3] = [(0x7fe0, 0x0001), (0x7fe0, 0x0002), (0x7fe0, 0x0003)];
const PIXEL_DATA: Tag = (0x7fe0, 0x0010);

/// Sizes and format of the samples.
#[allow(clippy::struct_excessive_bools)] // each is an attribute of its own
struct Layout {
    rows: usize,
    columns: usize,
    samples: usize,
    sample_bytes: usize,
    /// Colour planes one after the other.
    by_plane: bool,
    /// Two pixels share their chroma samples.
    halved: bool,
    /// Numbers have their high byte first.
    big_endian: bool,
    /// Bytes are swapped in pairs: 8-bit samples in big-endian words.
    swapped: bool,
}

/// Columns and rows of the picture.
pub(super) fn size(nodes: &[Node], syntax: &Syntax) -> Option<(u32, u32)> {
    let Layout { rows, columns, .. } = Layout::sizes(nodes, syntax).ok()?;
    Some((columns as u32, rows as u32))
}

/// Makes `regions` black in every frame of a file; `file` is the one that `nodes` were read from. Returns how the data
/// set is to be written now.
///
/// # Errors
/// One sentence, if the pixels cannot be decoded or are no whole bytes.
pub(super) fn mask(file: &[u8], nodes: &mut Vec<Node>, syntax: &Syntax, regions: &[Region]) -> Result<Syntax, String> {
    let pixels = nodes.iter().position(|node| node.tag == PIXEL_DATA);
    let pixels = pixels.ok_or("it has no integer pixels, and no others are masked")?;
    let written = if matches!(nodes[pixels].value, Value::Fragments(_)) {
        decoded(file, nodes, syntax, regions)?
    } else {
        native(nodes, pixels, syntax, regions)?;
        syntax.clone()
    };
    derive(nodes);
    Ok(written)
}

fn native(nodes: &mut [Node], pixels: usize, syntax: &Syntax, regions: &[Region]) -> Result<(), String> {
    let allocated = number(nodes, BITS_ALLOCATED, syntax).ok_or("it does not say how many bits its pixels have")?;
    if ![8, 16, 32].contains(&allocated) {
        return Err(format!("its pixels of {allocated} bits are not masked"));
    }
    let layout = Layout {
        sample_bytes: allocated / 8,
        by_plane: number(nodes, PLANAR_CONFIGURATION, syntax) == Some(1),
        halved: is_photometric(nodes, "YBR_FULL_422"),
        big_endian: syntax.big_endian,
        swapped: syntax.big_endian && allocated == 8 && nodes[pixels].vr == *b"OW",
        ..Layout::sizes(nodes, syntax)?
    };
    let mut bytes = nodes[pixels].bytes().map(<[u8]>::to_vec).unwrap_or_default();
    let black = black(nodes, syntax, &layout, &bytes);
    layout.fill(&mut bytes, regions, &black)?;
    nodes[pixels].value = Value::Bytes(Cow::Owned(bytes));
    Ok(())
}

fn decoded(file: &[u8], nodes: &mut Vec<Node>, syntax: &Syntax, regions: &[Region]) -> Result<Syntax, String> {
    let compressed = compressed_bytes(nodes);
    let Unpacked {
        mut bytes,
        sample_bytes,
        shift,
        is_ybr,
        is_halved,
        by_plane,
    } = unpack(file)?;
    let layout = Layout {
        sample_bytes,
        by_plane,
        halved: is_halved,
        big_endian: false,
        swapped: false,
        ..Layout::sizes(nodes, syntax)?
    };
    if layout.samples == 3 {
        let colours = match (is_ybr, is_halved) {
            (true, true) => "YBR_FULL_422",
            (true, false) => "YBR_FULL",
            (false, _) => "RGB",
        };
        set(nodes, Node::new(PHOTOMETRIC_INTERPRETATION, *b"CS", colours));
        let planar = u16::from(by_plane);
        set(nodes, Node::new(PLANAR_CONFIGURATION, *b"US", planar.to_le_bytes()));
    }
    let bits = (8 * sample_bytes) as u16;
    set(nodes, Node::new(BITS_ALLOCATED, *b"US", bits.to_le_bytes()));
    let stored = number(nodes, BITS_STORED, syntax).map_or(bits, |stored| (stored as u16).clamp(1, bits));
    set(nodes, Node::new(BITS_STORED, *b"US", stored.to_le_bytes()));
    let high = stored - 1 + u16::from(shift);
    set(nodes, Node::new(HIGH_BIT, *b"US", high.to_le_bytes()));
    let black = black(nodes, syntax, &layout, &bytes);
    layout.fill(&mut bytes, regions, &black)?;
    say_lossy(nodes, &syntax.uid, bytes.len() as f64 / compressed.max(1) as f64);
    nodes.retain(|node| !OF_FRAGMENTS.contains(&node.tag));
    let vr = if sample_bytes == 1 { *b"OB" } else { *b"OW" };
    set(nodes, Node::new(PIXEL_DATA, vr, bytes));
    Ok(Syntax::explicit_little_endian())
}

impl Layout {
    fn sizes(nodes: &[Node], syntax: &Syntax) -> Result<Self, String> {
        let size = |tag| number(nodes, tag, syntax).filter(|&size| size > 0);
        let (rows, columns) = size(ROWS)
            .zip(size(COLUMNS))
            .ok_or("it does not say how large its picture is")?;
        Ok(Self {
            rows,
            columns,
            samples: size(SAMPLES_PER_PIXEL).unwrap_or(1),
            sample_bytes: 1,
            by_plane: false,
            halved: false,
            big_endian: false,
            swapped: false,
        })
    }

    /// Bytes of a frame.
    fn frame(&self) -> usize {
        let samples = if self.halved { 2 } else { self.samples };
        self.rows * self.columns * samples * self.sample_bytes
    }

    /// Writes `black`, one value a sample, into the regions of every whole frame; what stands behind the last one is
    /// part of no picture, and zeroed.
    fn fill(&self, bytes: &mut [u8], regions: &[Region], black: &[u32]) -> Result<(), String> {
        let frame = self.frame();
        if bytes.len() < frame {
            return Err(format!(
                "its pixels are cut short: a frame has {frame} bytes, the file {}",
                bytes.len()
            ));
        }
        let frames = bytes.len() / frame;
        bytes[frames * frame..].fill(0);
        for first in (0..frames).map(|number| number * frame) {
            for region in regions {
                let Some(region) = region.within(self.columns as u32, self.rows as u32) else {
                    continue;
                };
                let (x, y) = (region.x as usize, region.y as usize);
                for row in y..y + region.height as usize {
                    for column in x..x + region.width as usize {
                        self.fill_pixel(bytes, first, row * self.columns + column, black);
                    }
                }
            }
        }
        Ok(())
    }

    fn fill_pixel(&self, bytes: &mut [u8], frame: usize, pixel: usize, black: &[u32]) {
        let pixels = self.rows * self.columns;
        if self.halved {
            let pair = frame + pixel / 2 * 4;
            for (offset, sample) in [(0, 0), (1, 0), (2, 1), (3, 2)] {
                self.write(bytes, pair + offset, black[sample]);
            }
            return;
        }
        for sample in 0..self.samples {
            let at = if self.by_plane {
                sample * pixels + pixel
            } else {
                pixel * self.samples + sample
            };
            self.write(
                bytes,
                frame + at * self.sample_bytes,
                black[sample.min(black.len() - 1)],
            );
        }
    }

    fn write(&self, bytes: &mut [u8], at: usize, value: u32) {
        let at = if self.swapped { at ^ 1 } else { at };
        let Some(slot) = bytes.get_mut(at..at + self.sample_bytes) else {
            return;
        };
        for (place, byte) in slot.iter_mut().enumerate() {
            let place = if self.big_endian {
                self.sample_bytes - 1 - place
            } else {
                place
            };
            *byte = value.checked_shr(8 * place as u32).unwrap_or(0) as u8;
        }
    }

    /// The sample at an index, as it stands in its bytes.
    fn read(&self, bytes: &[u8], index: usize) -> u32 {
        let sample = bytes.get(index * self.sample_bytes..).unwrap_or_default();
        let sample = &sample[..self.sample_bytes.min(sample.len())];
        let add = |sum: u32, &byte: &u8| sum << 8 | u32::from(byte);
        if self.big_endian {
            sample.iter().fold(0, add)
        } else {
            sample.iter().rev().fold(0, add)
        }
    }
}

/// What is black: in a grey picture the darkest sample that occurs, so that no window is widened by the mask.
fn black(nodes: &[Node], syntax: &Syntax, layout: &Layout, bytes: &[u8]) -> Vec<u32> {
    if layout.samples >= 3 {
        let is_ybr = find(nodes, PHOTOMETRIC_INTERPRETATION)
            .and_then(Node::text)
            .is_some_and(|colours| colours.starts_with("YBR"));
        let middle = 1_u32 << (8 * layout.sample_bytes - 1);
        return if is_ybr { vec![0, middle, middle] } else { vec![0; 3] };
    }
    if is_photometric(nodes, "PALETTE COLOR") {
        return vec![darkest_index(nodes, syntax)];
    }
    let bits = 8 * layout.sample_bytes as u32;
    let stored = number(nodes, BITS_STORED, syntax).map_or(bits, |stored| (stored as u32).clamp(1, bits));
    let is_signed = number(nodes, PIXEL_REPRESENTATION, syntax) == Some(1);
    // In offset binary, the order of numbers is that of their bits.
    let sign = if is_signed { 1_u32 << (stored - 1) } else { 0 };
    let mask = u32::MAX >> (32 - stored);
    let shift = number(nodes, HIGH_BIT, syntax).map_or(0, |high| (high as u32 + 1).saturating_sub(stored));
    let samples = (0..bytes.len() / layout.sample_bytes).map(|index| layout.read(bytes, index));
    let order = |sample: &u32| (sample.checked_shr(shift).unwrap_or(0) & mask) ^ sign;
    let darkest = if is_inverted(nodes) {
        samples.max_by_key(order)
    } else {
        samples.min_by_key(order)
    };
    vec![darkest.unwrap_or(0)]
}

/// Whether low stored values are shown bright.
fn is_inverted(nodes: &[Node]) -> bool {
    let inverse = find(nodes, PRESENTATION_LUT_SHAPE)
        .and_then(Node::text)
        .is_some_and(|shape| shape == "INVERSE");
    let slope = find(nodes, RESCALE_SLOPE).and_then(Node::text);
    let falls = slope
        .and_then(|slope| slope.parse::<f64>().ok())
        .is_some_and(|slope| slope < 0.0);
    (inverse || is_photometric(nodes, "MONOCHROME1")) != falls
}

/// The index of the darkest colour of a palette; the first where it is not read.
fn darkest_index(nodes: &[Node], syntax: &Syntax) -> u32 {
    let tables: Vec<&[u8]> = PALETTES
        .iter()
        .filter_map(|&tag| find(nodes, tag).and_then(Node::bytes))
        .collect();
    let entry = |index: usize| -> Option<u32> {
        let levels = tables.iter().map(|table| table.as_chunks::<2>().0.get(index));
        levels.map(|pair| pair.map(|&pair| u32::from(syntax.u16(pair)))).sum()
    };
    let entries = (0..65_536).map_while(|index| Some((index as u32, entry(index)?)));
    entries
        .min_by_key(|(_, brightness)| *brightness)
        .map_or(0, |(index, _)| index)
}

/// Compressed with loss once, a picture stays so (PS3.3 C.7.6.1.1.5).
fn say_lossy(nodes: &mut Vec<Node>, uid: &str, ratio: f64) {
    let method = match uid.strip_prefix("1.2.840.10008.1.2.4.") {
        Some("50" | "51") => "ISO_10918_1",
        Some("81") => "ISO_14495_1",
        Some("91") => "ISO_15444_1",
        Some("203") => "ISO_15444_15",
        Some("112") => "ISO_18181_1",
        _ => return,
    };
    let is_said = find(nodes, LOSSY_IMAGE_COMPRESSION).and_then(Node::text).as_deref() == Some("01");
    if is_said && find(nodes, LOSSY_METHOD).and_then(Node::text).is_some() {
        return;
    }
    set(nodes, Node::new(LOSSY_IMAGE_COMPRESSION, *b"CS", "01"));
    set(nodes, Node::new(LOSSY_RATIO, *b"DS", format!("{ratio:.2}")));
    set(nodes, Node::new(LOSSY_METHOD, *b"CS", method));
}

/// Pixels that were changed are derived (PS3.3 C.7.6.1.1.2).
fn derive(nodes: &mut Vec<Node>) {
    let Some(text) = find(nodes, IMAGE_TYPE).and_then(Node::text) else {
        return;
    };
    if let Some(rest) = text.strip_prefix("ORIGINAL") {
        set(nodes, Node::new(IMAGE_TYPE, *b"CS", format!("DERIVED{rest}")));
    }
}

fn compressed_bytes(nodes: &[Node]) -> usize {
    match find(nodes, PIXEL_DATA).map(|node| &node.value) {
        Some(Value::Fragments(fragments)) => fragments.iter().skip(1).map(|fragment| fragment.len()).sum(),
        _ => 0,
    }
}

fn is_photometric(nodes: &[Node], name: &str) -> bool {
    find(nodes, PHOTOMETRIC_INTERPRETATION).and_then(Node::text).as_deref() == Some(name)
}

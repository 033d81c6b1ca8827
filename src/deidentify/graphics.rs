//! Overlay planes without their texts (Clean Graphics, PS3.15 E.3.3; PS3.3 C.9.2).

use std::borrow::Cow;

use super::burned_in;
use super::options::Options;
use super::profile::Action;
use super::value::{find, number};
use crate::imaging::tree::{Node, Syntax, Value};

const ROWS: u16 = 0x0010;
const COLUMNS: u16 = 0x0011;
const FRAMES: u16 = 0x0015;
const DESCRIPTION: u16 = 0x0022;
const BIT_POSITION: u16 = 0x0102;
const LABEL: u16 = 0x1500;
const DATA: u16 = 0x3000;

/// Whether a tag is Overlay Data (60xx,3000).
pub(super) fn is_overlay_data((group, element): (u16, u16)) -> bool {
    group & 0xff00 == 0x6000 && element == DATA
}

/// What becomes of an element of an overlay plane that no row names: without its data, a plane is of no use.
pub(super) fn overlay_action((_, element): (u16, u16), options: &Options) -> Action {
    if options.clean_graphics && ![DESCRIPTION, LABEL].contains(&element) {
        Action::Keep
    } else {
        Action::Remove
    }
}

/// Whether an overlay lies in unused bits of the pixels, where removing the overlay's elements does not reach it.
pub(super) fn is_in_pixels(nodes: &[Node]) -> bool {
    let position = |node: &&Node| node.tag.0 & 0xff00 == 0x6000 && node.tag.1 == BIT_POSITION;
    let not_zero = |node: &Node| node.bytes().is_some_and(|bytes| bytes.iter().any(|&byte| byte != 0));
    nodes.iter().filter(position).any(not_zero)
}

/// Clears texts in overlay planes; returns the tags of those that changed.
pub(super) fn clean_overlays(nodes: &mut [Node], syntax: &Syntax) -> Vec<(u16, u16)> {
    let mut changed = Vec::new();
    for at in 0..nodes.len() {
        let tag = nodes[at].tag;
        if !is_overlay_data(tag) {
            continue;
        }
        let size = number(nodes, (tag.0, COLUMNS), syntax).zip(number(nodes, (tag.0, ROWS), syntax));
        let frames = find(nodes, (tag.0, FRAMES)).and_then(Node::text);
        let frames = frames.and_then(|frames| frames.parse().ok()).unwrap_or(1);
        let cleaned = nodes[at]
            .bytes()
            .map(|bytes| without_text(bytes, size.unwrap_or((0, 0)), frames, syntax.big_endian));
        if let Some(cleaned) = cleaned
            && nodes[at].bytes() != Some(&cleaned)
        {
            nodes[at].value = Value::Bytes(Cow::Owned(cleaned));
            changed.push(tag);
        }
    }
    changed
}

/// The bits of the frames of a plane with those of texts cleared, and those behind the last frame, which nobody draws; a
/// plane whose size is not known is cleared as a whole.
fn without_text(bytes: &[u8], (columns, rows): (usize, usize), frames: usize, big_endian: bool) -> Vec<u8> {
    let pixels = columns * rows;
    if pixels == 0 || pixels > 8 * bytes.len() {
        return vec![0; bytes.len()];
    }
    let mut bits = bytes.to_vec();
    if big_endian {
        bits.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
    }
    let frames = frames.min(8 * bits.len() / pixels);
    for at in frames * pixels..8 * bits.len() {
        bits[at / 8] &= !(1 << (at % 8));
    }
    for frame in 0..frames {
        let first = frame * pixels;
        let grey = |at: usize| if bits[at / 8] >> (at % 8) & 1 == 1 { 255 } else { 0 };
        let plane: Vec<u8> = (first..first + pixels).map(grey).collect();
        for detection in burned_in::detect(&plane, columns) {
            let region = detection.region;
            for y in region.y..region.y + region.height {
                for x in region.x..region.x + region.width {
                    let at = first + y as usize * columns + x as usize;
                    bits[at / 8] &= !(1 << (at % 8));
                }
            }
        }
    }
    if big_endian {
        bits.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.reverse());
    }
    bits
}

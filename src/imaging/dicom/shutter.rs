//! The shutter of a data set (PS3.3 C.7.6.11, C.7.6.15, for single frames C.7.6.16.2.16).

use super::dataset::{DataSet, Tag};
use super::look_ups::FrameAttributes;
use crate::imaging::overlay::OverlayPlane;
use crate::imaging::shutter::{Shutter, ShutterShape};

const SHUTTER_SHAPE: Tag = (0x0018, 0x1600);
/// Left and right vertical edge, upper and lower horizontal edge.
const EDGES: [Tag; 4] = [(0x0018, 0x1602), (0x0018, 0x1604), (0x0018, 0x1606), (0x0018, 0x1608)];
const CENTER: Tag = (0x0018, 0x1610);
const RADIUS: Tag = (0x0018, 0x1612);
const VERTICES: Tag = (0x0018, 0x1620);
const PRESENTATION_VALUE: Tag = (0x0018, 0x1622);
const OVERLAY_GROUP: Tag = (0x0018, 0x1623);
const PRESENTATION_CIELAB: Tag = (0x0018, 0x1624);
const FRAME_DISPLAY_SHUTTER_SEQUENCE: Tag = (0x0018, 0x9472);
/// Largest distance from the picture's corner that a coordinate may have: no picture has as many rows.
const FARTHEST: i32 = 1_000_000;
/// Most bytes of an element that are read.
const MOST_BYTES: usize = 1 << 16;
/// Most vertices: every row of the picture is cut with each edge, and collimators have few.
const MOST_VERTICES: usize = 1024;

/// The shutter of a frame; what is incomplete is left out with a warning.
pub(super) fn shutter(frame: &FrameAttributes, planes: &[OverlayPlane], warnings: &mut Vec<String>) -> Option<Shutter> {
    let group = match frame.holding(SHUTTER_SHAPE, FRAME_DISPLAY_SHUTTER_SEQUENCE) {
        Ok(group) => group,
        Err(cause) => {
            warnings.push(format!("The file's shutter is left out: {cause}."));
            return None;
        }
    };
    let names = group.text(SHUTTER_SHAPE)?;
    let mut seen = Vec::new();
    let mut shapes = Vec::new();
    for name in names.split('\\').map(str::trim).filter(|name| !name.is_empty()) {
        // A shape has one set of attributes: named again, it would cost as much and hide nothing more.
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        match shape(&group, name, planes) {
            Some(shape) => shapes.push(shape),
            None => warnings.push(format!("The file's shutter {name:.32} is unusable and left out.")),
        }
    }
    let cielab = group.words(PRESENTATION_CIELAB).first_chunk().copied();
    (!shapes.is_empty()).then(|| Shutter {
        shapes,
        value: group.words(PRESENTATION_VALUE).first().copied().unwrap_or(0),
        cielab,
    })
}

fn shape(group: &DataSet, name: &str, planes: &[OverlayPlane]) -> Option<ShutterShape> {
    let one = |tag| match integers(group, tag)?[..] {
        [value] => Some(value),
        _ => None,
    };
    match name {
        "RECTANGULAR" => {
            let [left, right, upper, lower] = EDGES.map(one);
            Some(ShutterShape::Rectangular {
                left: left?,
                right: right?,
                upper: upper?,
                lower: lower?,
            })
        }
        "CIRCULAR" => Some(ShutterShape::Circular {
            center: integers(group, CENTER)?.try_into().ok()?,
            radius: one(RADIUS).filter(|&radius| radius >= 0)?,
        }),
        "POLYGONAL" => {
            let values = integers(group, VERTICES)?;
            let (vertices, rest) = values.as_chunks::<2>();
            ((3..=MOST_VERTICES).contains(&vertices.len()) && rest.is_empty()).then(|| ShutterShape::Polygonal {
                vertices: vertices.to_vec(),
            })
        }
        "BITMAP" => {
            let overlay = group.words(OVERLAY_GROUP).first().copied()?;
            let is_there = planes.iter().any(|plane| plane.group == overlay);
            is_there.then_some(ShutterShape::Bitmap { group: overlay })
        }
        _ => None,
    }
}

/// The integer strings of an element, all of them within bounds; vertices are more than other values ever are.
fn integers(group: &DataSet, tag: Tag) -> Option<Vec<i32>> {
    let bytes = group.get(tag)?.bytes;
    let text = std::str::from_utf8(bytes).ok().filter(|_| bytes.len() <= MOST_BYTES)?;
    let parse = |part: &str| {
        let value: f64 = part.trim_matches([' ', '\0']).parse().ok()?;
        // IS has integers, but not every writer knows.
        (value.abs() <= f64::from(FARTHEST)).then(|| value.round() as i32)
    };
    text.split('\\').map(parse).collect()
}

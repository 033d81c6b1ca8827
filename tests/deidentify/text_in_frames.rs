//! What is claimed of the pixels: text is looked for in every frame, and nothing is called clean that was not.

use recovnet::deidentify::{Deidentified, Masking, Options, Region, deidentify};
use recovnet::imaging::tree::Node;

use crate::fixture::{Read, file, file_as, identified, put, settings, syntax, text, us};

const COLUMNS: usize = 200;
const ROWS: usize = 80;
const FRAME: usize = COLUMNS * ROWS;
const DARK: u8 = 20;

/// A frame without text, or with a row of eight letters H from (40, 20) to (178, 40).
fn frame(with_text: bool) -> Vec<u8> {
    let mut frame = vec![DARK; FRAME];
    for letter in 0..if with_text { 8 } else { 0 } {
        for (row, column) in (0..20).flat_map(|row| (0..12).map(move |column| (row, column))) {
            if !(3..=8).contains(&column) || (9..12).contains(&row) {
                frame[(20 + row) * COLUMNS + 40 + 18 * letter + column] = 255;
            }
        }
    }
    frame
}

fn elements(frames: usize, pixels: Vec<u8>) -> Vec<Node<'static>> {
    let mut nodes = identified(1);
    for node in [
        text((0x0028, 0x0008), b"IS", &frames.to_string()),
        us((0x0028, 0x0010), ROWS as u16),
        us((0x0028, 0x0011), COLUMNS as u16),
        us((0x0028, 0x0100), 8),
        us((0x0028, 0x0101), 8),
        us((0x0028, 0x0102), 7),
        Node::new((0x7fe0, 0x0010), *b"OB", pixels),
    ] {
        put(&mut nodes, node);
    }
    nodes
}

fn file_of(frames: usize, pixels: Vec<u8>) -> Vec<u8> {
    file(&elements(frames, pixels))
}

fn treated(bytes: &[u8], masking: Masking) -> Deidentified {
    let mut settings = settings(Options::default());
    settings.masking = masking;
    deidentify("made.dcm".as_ref(), bytes, &settings).unwrap()
}

/// Whether a file says that its pixels hold no text, in both places.
fn says_clean(made: &Deidentified) -> bool {
    let read = Read::of(&made.bytes);
    let codes = read.items((0x0012, 0x0064));
    let by_code = codes
        .iter()
        .any(|code| code.text((0x0008, 0x0100)).as_deref() == Some("113101"));
    let by_word = read.text((0x0028, 0x0301)).as_deref() == Some("NO");
    assert_eq!(by_code, by_word);
    by_code
}

#[test]
fn text_in_any_frame_is_found_and_masked() {
    let pixels = (0..24).flat_map(|number| frame(number == 20)).collect();
    let made = treated(&file_of(24, pixels), Masking::Auto);
    assert_eq!(made.masked.len(), 1, "{:?}", made.detections);
    assert_eq!(made.warnings, Vec::<String>::new());
    assert!(says_clean(&made));
    assert!(Read::of(&made.bytes).pixels().iter().all(|&sample| sample == DARK));
}

#[test]
fn a_frame_that_was_not_searched_is_said_and_nothing_behind_the_last_stays() {
    let mut pixels: Vec<u8> = [frame(true), frame(false)].concat();
    pixels.extend([200; FRAME / 2]);
    let made = treated(&file_of(3, pixels), Masking::Auto);
    assert_eq!(made.masked.len(), 1);
    assert!(!says_clean(&made));
    let said = "1 of its 3 frames were not searched for text.";
    assert!(
        made.warnings.iter().any(|warning| warning == said),
        "{:?}",
        made.warnings
    );
    let pixels = Read::of(&made.bytes).pixels();
    assert_eq!(pixels.len(), 2 * FRAME + FRAME / 2);
    assert!(pixels[..2 * FRAME].iter().all(|&sample| sample == DARK));
    assert!(pixels[2 * FRAME..].iter().all(|&sample| sample == 0));
}

#[test]
fn a_rectangle_outside_the_picture_masks_nothing_and_claims_nothing() {
    let bytes = file_of(1, frame(true));
    let outside = Region {
        x: COLUMNS as u32,
        y: 0,
        width: 50,
        height: 50,
    };
    let made = treated(&bytes, Masking::Regions(vec![outside]));
    assert_eq!(made.masked, []);
    assert!(!says_clean(&made));
    assert_eq!(Read::of(&made.bytes).text((0x0028, 0x0301)), None);
    let is_said = made
        .warnings
        .iter()
        .any(|warning| warning.contains("No rectangle lies in"));
    assert!(is_said, "{:?}", made.warnings);
    assert_eq!(Read::of(&made.bytes).pixels(), frame(true));
}

#[test]
fn text_outside_the_rectangles_is_said() {
    let bytes = file_of(1, frame(true));
    let region = |width| Region {
        x: 36,
        y: 16,
        width,
        height: 28,
    };
    let half = treated(&bytes, Masking::Regions(vec![region(70)]));
    assert_eq!(half.masked, [region(70)]);
    assert!(!says_clean(&half));
    let is_said = half
        .warnings
        .iter()
        .any(|warning| warning.contains("outside the rectangles"));
    assert!(is_said, "{:?}", half.warnings);
    let whole = treated(&bytes, Masking::Regions(vec![region(70), region(146)]));
    assert!(says_clean(&whole));
    assert_eq!(whole.warnings, Vec::<String>::new());
}

#[test]
fn frames_of_a_deflated_file_are_searched_as_they_are_without_that() {
    let nodes = elements(3, [frame(false), frame(true), frame(false)].concat());
    let plain = treated(&file(&nodes), Masking::Auto);
    let deflated = treated(&file_as(&nodes, &syntax("1.2.840.10008.1.2.1.99")), Masking::Auto);
    assert_eq!(plain.masked.len(), 1);
    assert_eq!((&deflated.masked, &deflated.warnings), (&plain.masked, &plain.warnings));
    assert!(says_clean(&deflated));
    let read = Read::of(&deflated.bytes);
    assert!(read.syntax.is_deflated());
    assert_eq!(read.pixels(), Read::of(&plain.bytes).pixels());
}

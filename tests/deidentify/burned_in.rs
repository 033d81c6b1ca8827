//! How well text in the pixels is found: on phantoms with drawn text, on phantoms without, and on real chest pictures.

use std::path::Path;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recovnet::deidentify::{Detection, Region, detect, search};
use recovnet::imaging::{self, phantom};

const FONTS: [&[u8]; 2] = [epaint_default_fonts::UBUNTU_LIGHT, epaint_default_fonts::HACK_REGULAR];
const LINES: [&str; 8] = [
    "MUSTERMANN, ERIKA",
    "ID 4711-0815",
    "12.08.1964 F",
    "Acc: 99881",
    "St. Mary Hospital",
    "2024-02-29 11:22",
    "DOE^JOHN",
    "PORTABLE AP 100 kV",
];

/// Draws a line; returns its box in pixels.
fn draw(
    grey: &mut [u8],
    width: usize,
    (x, y): (usize, usize),
    line: &str,
    (font, px): (&[u8], f32),
    white: bool,
) -> Region {
    let font = FontRef::try_from_slice(font).unwrap();
    let scaled = font.as_scaled(PxScale::from(px));
    let mut pen = point(x as f32, y as f32 + scaled.ascent());
    let mut bounds = (usize::MAX, usize::MAX, 0, 0);
    for character in line.chars() {
        let id = font.glyph_id(character);
        if let Some(outline) = font.outline_glyph(id.with_scale_and_position(PxScale::from(px), pen)) {
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                let (column, row) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                let height = (grey.len() / width) as i64;
                if column < 0 || row < 0 || column >= width as i64 || row >= height || coverage < 0.05 {
                    return;
                }
                let (column, row) = (column as usize, row as usize);
                let slot = &mut grey[row * width + column];
                let ink = if white { 255.0 } else { 0.0 };
                *slot = (f32::from(*slot) * (1.0 - coverage) + ink * coverage) as u8;
                bounds = (
                    bounds.0.min(column),
                    bounds.1.min(row),
                    bounds.2.max(column),
                    bounds.3.max(row),
                );
            });
        }
        pen.x += scaled.h_advance(id);
    }
    let (left, top, right, bottom) = bounds;
    Region {
        x: left as u32,
        y: top as u32,
        width: (right - left + 1) as u32,
        height: (bottom - top + 1) as u32,
    }
}

fn plain(side: u32, seed: u32) -> Vec<u8> {
    let samples = phantom::render_seeded(side, side, seed).unwrap();
    samples.into_iter().map(|sample| (sample >> 4) as u8).collect()
}

fn overlap(one: Region, two: Region) -> f64 {
    let span = |a: u32, b: u32, c: u32, d: u32| f64::from((a + b).min(c + d)) - f64::from(a.max(c));
    let width = span(one.x, one.width, two.x, two.width).max(0.0);
    width * span(one.y, one.height, two.y, two.height).max(0.0)
}

/// Share of a box that detections cover.
fn covered(text: Region, found: &[Detection]) -> f64 {
    let area = f64::from(text.width) * f64::from(text.height);
    found
        .iter()
        .map(|detection| overlap(text, detection.region))
        .sum::<f64>()
        / area
}

/// The 5th, 50th and 95th percentile of the grey levels in a box.
fn levels(grey: &[u8], width: usize, region: Region) -> [u8; 3] {
    let rows = region.y as usize..(region.y + region.height) as usize;
    let columns = region.x as usize..(region.x + region.width) as usize;
    let mut inside: Vec<u8> = rows
        .flat_map(|row| grey[row * width..][columns.clone()].to_vec())
        .collect();
    inside.sort_unstable();
    [5, 50, 95].map(|percent| inside[(inside.len() - 1) * percent / 100])
}

/// Recall and precision over lines in `pictures` phantoms of a size.
fn measure(side: u32, pictures: u32) -> (f64, f64) {
    let (mut lines, mut hit, mut detections, mut right) = (0, 0, 0, 0);
    for seed in 0..pictures {
        let mut random = ChaCha8Rng::seed_from_u64(u64::from(seed) + 1000 * u64::from(side));
        let mut grey = plain(side, seed);
        let mut boxes = Vec::new();
        for place in 0..random.random_range(1..5) {
            let px = random.random_range(12.0..40.0_f32) * side as f32 / 1024.0;
            let px = px.max(12.0);
            let line = LINES[random.random_range(0..LINES.len())];
            let font = FONTS[random.random_range(0..FONTS.len())];
            let y = random.random_range(0.0..0.2) * f64::from(side) / 4.0 + f64::from(place) * f64::from(side) / 4.5;
            let x = random.random_range(0.01..0.4) * f64::from(side);
            let mut drawn = grey.clone();
            let corner = (x as usize, y as usize);
            let text = draw(&mut drawn, side as usize, corner, line, (font, px), true);
            // White or black as the place is dark or bright, and only where the whole line can be read.
            let levels = levels(&grey, side as usize, text);
            let white = levels[1] < 140;
            let is_legible = if white { levels[2] <= 170 } else { levels[0] >= 85 };
            if is_legible {
                boxes.push(draw(&mut grey, side as usize, corner, line, (font, px), white));
            }
        }
        let found = detect(&grey, side as usize);
        lines += boxes.len();
        hit += boxes.iter().filter(|text| covered(**text, &found) > 0.8).count();
        detections += found.len();
        let is_text = |detection: &&Detection| boxes.iter().any(|text| overlap(*text, detection.region) > 0.0);
        right += found.iter().filter(is_text).count();
    }
    (
        hit as f64 / f64::from(lines as u32),
        right as f64 / f64::from(detections.max(1) as u32),
    )
}

#[test]
fn text_is_found_on_phantoms() {
    for side in [512, 1024, 2048] {
        let (recall, precision) = measure(side, 12);
        println!("{side} pixels: recall {recall:.3}, precision {precision:.3}");
        assert!(recall >= 0.9, "{side}: recall {recall}");
        assert!(precision >= 0.95, "{side}: precision {precision}");
    }
}

#[test]
fn a_phantom_without_text_has_none() {
    let alarms = |side, seed| detect(&plain(side, seed), side as usize).len();
    let sides = [64, 512, 1024, 2048];
    let total: usize = sides
        .iter()
        .flat_map(|&side| (0..3).map(move |seed| alarms(side, seed)))
        .sum();
    assert_eq!(total, 0);
    // A side marker alone names nobody.
    let mut grey = plain(1024, 1);
    draw(&mut grey, 1024, (60, 60), "L", (FONTS[1], 60.0), true);
    assert_eq!(detect(&grey, 1024), []);
    assert_eq!(detect(&[], 0), []);
    assert_eq!(detect(&[255; 9], 3), []);
}

#[test]
fn turned_text_is_found_as_well() {
    let side = 1024;
    let mut upright = vec![20; side * side];
    let text = draw(&mut upright, side, (200, 100), LINES[0], (FONTS[0], 28.0), true);
    let turned: Vec<u8> = (0..side * side)
        .map(|at| upright[at % side * side + at / side])
        .collect();
    let found = detect(&turned, side);
    let text = Region {
        x: text.y,
        y: text.x,
        width: text.height,
        height: text.width,
    };
    assert!(covered(text, &found) > 0.8, "{found:?}");
}

#[test]
fn real_chest_pictures_raise_few_alarms() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cxr/images");
    let files = imaging::candidates(&folder);
    if files.is_empty() {
        println!("skipped: no pictures at {}", folder.display());
        return;
    }
    let step = (files.len() / 60).max(1);
    let (mut pictures, mut alarmed) = (0, 0);
    for file in files.iter().step_by(step) {
        let Ok(radiograph) = imaging::open(file) else { continue };
        let found = search(&radiograph);
        pictures += 1;
        alarmed += usize::from(!found.is_empty());
        if !found.is_empty() {
            println!("{}: {found:?}", file.display());
        }
    }
    println!("{alarmed} of {pictures} pictures have what looks like text");
    // Some of these pictures do have texts: markers such as 'PORTABLE' and 'ERECT'.
    assert!(alarmed * 10 <= pictures, "{alarmed} of {pictures}");
}

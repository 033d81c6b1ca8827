//! Overlays on their pixels, at zooms from a third to sixteen.

use std::sync::Arc;

use eframe::egui::{Rect, pos2, vec2};
use recovnet::findings::{Findings, Lungs};
use recovnet::imaging::{VoiLutFunction, VoiTransform, Window};
use recovnet::viewer::overlays::{OverlayPixels, OverlaySettings};
use recovnet::viewer::render::{Frame, FrameView, SampleVoi, Texel};
use recovnet::viewer::turn::Turn;
use recovnet::viewer::viewport::{ImageTransform, PictureShape, Placement, Screen};

use crate::fixtures::{findings, picture, radiograph};
use crate::gpu::Stage;

const SIZE: [u32; 2] = [96, 80];
const SCREEN: [u32; 2] = [240, 200];
/// The lung: columns and rows, first inside to first outside.
const LUNG: [[u32; 2]; 2] = [[30, 62], [20, 51]];
const ZOOMS: [f64; 6] = [0.37, 1.0, 1.5, 3.3, 8.0, 16.0];

fn transform(zoom: f64) -> ImageTransform {
    let screen = Screen {
        rect: Rect::from_min_size(pos2(0.0, 0.0), vec2(SCREEN[0] as f32, SCREEN[1] as f32)),
        pixels_per_point: 1.0,
    };
    // A corner of the lung in the middle, so that it is in sight at every zoom.
    let center = [f64::from(LUNG[0][0]) + 0.3, f64::from(LUNG[1][0]) + 0.6];
    ImageTransform::new(
        Placement::At { zoom, center },
        PictureShape {
            size: SIZE,
            aspect: 1.0,
            turn: Turn::default(),
        },
        screen,
    )
}

/// A black picture with one rectangular lung, and a map that is 1 in the lung's left half.
fn overlay() -> (Frame, Findings) {
    let radiograph = radiograph(SIZE, vec![0; (SIZE[0] * SIZE[1]) as usize]);
    let mut findings = findings(&radiograph);
    let [[left, right], [top, bottom]] = LUNG;
    for (index, (pixel, value)) in findings
        .mask
        .pixels
        .iter_mut()
        .zip(&mut findings.activation.values)
        .enumerate()
    {
        let (x, y) = (index as u32 % SIZE[0], index as u32 / SIZE[0]);
        let inside = (left..right).contains(&x) && (top..bottom).contains(&y);
        *pixel = u8::from(inside);
        *value = if inside && x < u32::midpoint(left, right) {
            2.0
        } else {
            0.0
        };
    }
    findings.activation.max = 2.0;
    findings.lungs = Lungs::None;
    let voi = VoiTransform::Window(Window {
        center: 128.0,
        width: 255.0,
        function: VoiLutFunction::LinearExact,
    });
    let picture = picture(radiograph);
    let view = FrameView {
        transform: transform(1.0),
        size: SIZE,
        levels: picture.level_count(),
        texel: Texel::Integer,
        voi: SampleVoi::new(&voi, &picture.radiograph.modality_lut, 0.0),
        inverted: false,
        overlays: None,
        hurries: false,
        planes: false,
        shutter: None,
    };
    let overlay = Arc::new(OverlayPixels::new(Arc::new(findings.clone())));
    (
        Frame {
            picture: Some(picture),
            overlay: Some(overlay),
            table: None,
            view: Some(view),
        },
        findings,
    )
}

fn with(frame: &Frame, zoom: f64, overlays: OverlaySettings) -> Frame {
    let mut frame = frame.clone();
    if let Some(view) = &mut frame.view {
        view.transform = transform(zoom);
        view.overlays = Some(overlays);
    }
    frame
}

/// Physical distance from a point to the outline of the lung.
fn distance_to_outline(transform: &ImageTransform, px: [f64; 2]) -> f64 {
    let edges = [0, 1]
        .map(|axis| LUNG[axis].map(|at| transform.origin_px[axis] + f64::from(at) * transform.px_per_image[axis]));
    let outside = [0, 1].map(|axis| (edges[axis][0] - px[axis]).max(px[axis] - edges[axis][1]));
    let beyond = outside.map(|distance| distance.max(0.0));
    if beyond == [0.0, 0.0] {
        -outside[0].max(outside[1])
    } else {
        beyond[0].hypot(beyond[1])
    }
}

#[test]
fn the_contour_lies_within_a_pixel_of_the_mask() {
    let Some(mut stage) = Stage::new() else { return };
    let (frame, _) = overlay();
    for zoom in ZOOMS {
        let mask_only = OverlaySettings {
            map: false,
            ..OverlaySettings::default()
        };
        let drawn = stage.draw(&with(&frame, zoom, mask_only), SCREEN);
        let transform = transform(zoom);
        let mut contour = 0;
        for (x, y, pixel) in drawn.enumerate_pixels() {
            let px = [f64::from(x) + 0.5, f64::from(y) + 0.5];
            let distance = distance_to_outline(&transform, px);
            let brightness = pixel.0[..3].iter().copied().max().unwrap();
            // The fill is at most a quarter, the contour at least half of its colour.
            if brightness > 80 {
                contour += 1;
                assert!(
                    distance <= 1.0,
                    "zoom {zoom}: contour at {px:?}, {distance} px from the mask's outline"
                );
            } else {
                assert!(
                    distance >= 0.5,
                    "zoom {zoom}: no contour at {px:?}, {distance} px from the mask's outline"
                );
            }
        }
        assert!(contour > 0, "zoom {zoom}: there is no contour");
    }
}

#[test]
fn the_fill_covers_the_mask_and_nothing_else() {
    let Some(mut stage) = Stage::new() else { return };
    let (frame, _) = overlay();
    for zoom in ZOOMS {
        let mask_only = OverlaySettings {
            map: false,
            ..OverlaySettings::default()
        };
        let drawn = stage.draw(&with(&frame, zoom, mask_only), SCREEN);
        let transform = transform(zoom);
        for (x, y, pixel) in drawn.enumerate_pixels() {
            let px = [f64::from(x) + 0.5, f64::from(y) + 0.5];
            if distance_to_outline(&transform, px) > 1.0 {
                let image = transform
                    .image_from_ui(pos2(px[0] as f32, px[1] as f32))
                    .map(|at| at.floor() as i64);
                let inside = [0, 1]
                    .iter()
                    .all(|&axis| (i64::from(LUNG[axis][0])..i64::from(LUNG[axis][1])).contains(&image[axis]));
                let filled = pixel.0[..3] != [0, 0, 0];
                assert_eq!(filled, inside, "zoom {zoom}: fill at {px:?}, image {image:?}");
            }
        }
    }
}

#[test]
fn the_map_covers_its_pixels_and_nothing_else() {
    let Some(mut stage) = Stage::new() else { return };
    let (frame, findings) = overlay();
    for zoom in ZOOMS {
        let map_only = OverlaySettings {
            mask: false,
            ..OverlaySettings::default()
        };
        let drawn = stage.draw(&with(&frame, zoom, map_only), SCREEN);
        let transform = transform(zoom);
        for (x, y, pixel) in drawn.enumerate_pixels() {
            let image = transform
                .image_from_ui(pos2(x as f32 + 0.5, y as f32 + 0.5))
                .map(f64::floor);
            let in_picture = (0..2).all(|axis| image[axis] >= 0.0 && image[axis] < f64::from(SIZE[axis]));
            let index = (image[1] * f64::from(SIZE[0]) + image[0]) as usize;
            let value = if in_picture {
                findings.activation.values[index]
            } else {
                0.0
            };
            assert_eq!(
                pixel.0[..3] != [0, 0, 0],
                value > 0.0,
                "zoom {zoom}: map at {x} {y}, image {image:?}"
            );
        }
    }
}

#[test]
fn nothing_is_drawn_over_the_bare_picture() {
    let Some(mut stage) = Stage::new() else { return };
    let (frame, _) = overlay();
    let off = OverlaySettings {
        mask: false,
        map: false,
        ..OverlaySettings::default()
    };
    for settings in [None, Some(off)] {
        let mut frame = frame.clone();
        if let Some(view) = &mut frame.view {
            view.transform = transform(3.3);
            view.overlays = settings;
        }
        assert!(
            stage
                .draw(&frame, SCREEN)
                .pixels()
                .all(|pixel| pixel.0 == [0, 0, 0, 255])
        );
    }
}

#[test]
fn window_level_leaves_what_lies_on_the_picture_as_it_was_drawn() {
    let Some(mut stage) = Stage::new() else { return };
    let (frame, _) = overlay();
    let mut frame = with(&frame, 1.0, OverlaySettings::default());
    let drawn_at_once = Stage::new().map(|mut other| other.draw(&frame, SCREEN));
    // A frame that is prepared may never be drawn: its layer is there for the next.
    stage.prepare(&frame, SCREEN);
    let first = stage.draw(&frame, SCREEN);
    assert_eq!(Some(&first), drawn_at_once.as_ref());
    let layers = stage.uploads().layers;
    assert_eq!(layers, 1);
    if let Some(view) = &mut frame.view {
        // The black picture becomes grey.
        view.voi.center = -64.0;
    }
    let brighter = stage.draw(&frame, SCREEN);
    assert_eq!(stage.uploads().layers, layers, "another window redraws no layer");
    assert_ne!(first, brighter);
    stage.draw(&with(&frame, 1.5, OverlaySettings::default()), SCREEN);
    assert_eq!(stage.uploads().layers, layers + 1, "another zoom redraws it");
    let faint = OverlaySettings {
        opacity: 0.1,
        ..OverlaySettings::default()
    };
    stage.draw(&with(&frame, 1.5, faint), SCREEN);
    assert_eq!(stage.uploads().layers, layers + 2, "so do other settings");
    stage.draw(&with(&frame, 1.5, faint), [SCREEN[0] + 1, SCREEN[1]]);
    assert_eq!(stage.uploads().layers, layers + 3, "and another size of the window");
}

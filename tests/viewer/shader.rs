//! Window/level in the shader against `imaging::lut`: at most one level of 255 apart.

use std::sync::Arc;

use recovnet::imaging::{ModalityLut, Polarity, Radiograph, Samples, VoiLutFunction, VoiTable, VoiTransform, Window};
use recovnet::viewer::render::{Frame, FrameView, SampleVoi, Texel, bake};
use recovnet::viewer::turn::Turn;
use recovnet::viewer::viewport::ImageTransform;

use crate::fixtures::{picture, radiograph};
use crate::gpu::Stage;

const SIDE: u32 = 256;

/// Every sample that 16 bits hold, once.
fn every_sample() -> Radiograph {
    radiograph([SIDE; 2], (0..=u16::MAX).collect())
}

fn one_to_one() -> ImageTransform {
    ImageTransform {
        px_per_image: [1.0; 2],
        origin_px: [0.0; 2],
        turn: Turn::default(),
        size: [f64::from(SIDE); 2],
        pixels_per_point: 1.0,
    }
}

/// A picture pixel on pixel, without anything on it.
pub fn frame(radiograph: &Radiograph, voi: &VoiTransform) -> Frame {
    let picture = picture(radiograph.clone());
    let table = match (voi, &radiograph.modality_lut) {
        (VoiTransform::Window(_), ModalityLut::Rescale(_)) => None,
        _ => Some(bake(radiograph, voi)),
    };
    let view = FrameView {
        transform: one_to_one(),
        size: [radiograph.width, radiograph.height],
        levels: picture.level_count(),
        texel: Texel::of(&picture.levels),
        voi: SampleVoi::new(voi, &radiograph.modality_lut, picture.sample_offset),
        inverted: FrameView::inversion(radiograph.polarity, false),
        overlays: None,
        hurries: false,
        planes: false,
        shutter: None,
    };
    Frame {
        picture: Some(picture),
        overlay: None,
        table,
        view: Some(view),
    }
}

fn check(stage: &mut Stage, radiograph: &Radiograph, voi: &VoiTransform) {
    let drawn = stage.draw(&frame(radiograph, voi), [SIDE; 2]);
    let expected = radiograph.display(voi);
    let mut worst = (0, 0);
    for (index, (pixel, &reference)) in drawn.pixels().zip(&expected).enumerate() {
        assert_eq!(
            (pixel[0], pixel[0], 255),
            (pixel[1], pixel[2], pixel[3]),
            "sample {index} is not grey"
        );
        worst = worst.max((pixel[0].abs_diff(reference), index));
    }
    assert!(
        worst.0 <= 1,
        "sample {} is {} levels off with {voi:?}, {:?}",
        worst.1,
        worst.0,
        radiograph.modality_lut
    );
}

fn window(center: f64, width: f64, function: VoiLutFunction) -> VoiTransform {
    VoiTransform::Window(Window {
        center,
        width,
        function,
    })
}

#[test]
fn windows_of_every_function_match_the_reference() {
    let Some(mut stage) = Stage::new() else { return };
    let radiograph = every_sample();
    for center in [0.0, 127.5, 2048.0, 32_768.0, 65_535.0] {
        for (function, widths) in [
            (VoiLutFunction::Linear, &[1.0, 2.0, 256.0, 4096.0, 65_536.0][..]),
            (VoiLutFunction::LinearExact, &[0.5, 1.0, 300.7, 65_535.0]),
            (VoiLutFunction::Sigmoid, &[1.0, 100.0, 4096.0, 50_000.0]),
        ] {
            for &width in widths {
                check(&mut stage, &radiograph, &window(center, width, function));
            }
        }
    }
}

#[test]
fn modality_look_up_offset_and_polarity_match_the_reference() {
    let Some(mut stage) = Stage::new() else { return };
    for (slope, intercept) in [(1.0, -1024.0), (0.1, 3.5), (-1.0, 4095.0), (2.5, -70_000.0)] {
        for offset in [0, -32_768] {
            for polarity in [Polarity::Normal, Polarity::Inverse] {
                let mut radiograph = every_sample();
                radiograph.modality_lut = ModalityLut::linear(slope, intercept);
                radiograph.polarity = polarity;
                if let Samples::Grey(stored) = &mut radiograph.samples {
                    stored.offset = offset;
                }
                for function in [
                    VoiLutFunction::Linear,
                    VoiLutFunction::LinearExact,
                    VoiLutFunction::Sigmoid,
                ] {
                    check(&mut stage, &radiograph, &window(1000.0, 2000.0, function));
                    check(&mut stage, &radiograph, &window(-40.0, 400.5, function));
                }
                check(&mut stage, &radiograph, &window(100.0, 1.0, VoiLutFunction::Linear));
            }
        }
    }
}

#[test]
fn voi_tables_match_the_reference() {
    let Some(mut stage) = Stage::new() else { return };
    let table = |first: i32, bits: u8, entries: Vec<u16>| {
        VoiTransform::Table(VoiTable {
            first,
            bits,
            white: u16::MAX >> (16 - bits),
            entries: entries.into(),
        })
    };
    for polarity in [Polarity::Normal, Polarity::Inverse] {
        let mut radiograph = every_sample();
        radiograph.polarity = polarity;
        check(&mut stage, &radiograph, &table(0, 16, (0..=u16::MAX).rev().collect()));
        check(
            &mut stage,
            &radiograph,
            &table(1000, 8, (0..=255).chain((0..=255).rev()).collect()),
        );
        check(&mut stage, &radiograph, &table(-500, 12, vec![4095]));
        radiograph.modality_lut = ModalityLut::linear(0.25, -2000.0);
        check(&mut stage, &radiograph, &table(-1000, 10, (0..1024).collect()));
    }
}

#[test]
fn colour_pictures_are_drawn_as_they_are() {
    let Some(mut stage) = Stage::new() else { return };
    let mut radiograph = every_sample();
    let rgb: Vec<[u8; 3]> = (0..SIDE * SIDE)
        .map(|i| [i as u8, (i >> 8) as u8, (i >> 4) as u8])
        .collect();
    radiograph.samples = Samples::Colour(rgb.clone().into());
    let drawn = stage.draw(
        &frame(&radiograph, &window(0.0, 1.0, VoiLutFunction::Linear)),
        [SIDE; 2],
    );
    for (pixel, expected) in drawn.pixels().zip(&rgb) {
        assert_eq!(pixel.0[..3], expected[..]);
    }
}

#[test]
fn zoomed_out_the_mean_of_what_a_pixel_covers_is_shown() {
    let Some(mut stage) = Stage::new() else { return };
    // Stripes one pixel wide: drawing every fourth pixel would give one of the two, not their mean.
    let stripes = (0..512 * 512)
        .map(|i: u32| if i.is_multiple_of(2) { 0 } else { 200 })
        .collect();
    let radiograph = radiograph([512; 2], stripes);
    let voi = window(127.5, 255.0, VoiLutFunction::LinearExact);
    let mut frame = frame(&radiograph, &voi);
    if let Some(view) = &mut frame.view {
        view.transform.px_per_image = [0.25; 2];
    }
    let drawn = stage.draw(&frame, [128; 2]);
    assert!(
        drawn.pixels().all(|pixel| pixel[0].abs_diff(100) <= 1),
        "{:?}",
        drawn.get_pixel(64, 64)
    );
}

#[test]
fn window_level_uploads_nothing() {
    let Some(mut stage) = Stage::new() else { return };
    let radiograph = every_sample();
    let voi = window(1000.0, 2000.0, VoiLutFunction::Linear);
    let mut dragged = frame(&radiograph, &voi);
    stage.draw(&dragged, [SIDE; 2]);
    let before = stage.uploads();
    for step in 0..20 {
        let voi = window(1000.0 + 37.0 * f64::from(step), 2000.0, VoiLutFunction::Linear);
        if let Some(view) = &mut dragged.view {
            view.voi = SampleVoi::new(&voi, &radiograph.modality_lut, 0.0);
        }
        stage.draw(&dragged, [SIDE; 2]);
    }
    assert_eq!(stage.uploads(), before);
    dragged.picture = Some(Arc::new((**dragged.picture.as_ref().unwrap()).clone()));
    stage.draw(&dragged, [SIDE; 2]);
    assert_eq!(
        stage.uploads().pictures,
        before.pictures + 1,
        "another picture is uploaded"
    );
}

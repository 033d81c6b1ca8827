//! Every file with a golden, drawn pixel on pixel: the shader against `Radiograph::display`, which the goldens
//! themselves are compared with elsewhere. `RECOVNET_DICOM` names another folder with `files` and `golden`.

use recovnet::imaging::{self, Radiograph};
use recovnet::viewer::render::Frame;

use crate::dicom_goldens::{DEFAULT_FOLDER, folder, goldens};
use crate::gpu::Stage;
use crate::shader::frame;

/// Side of what is drawn at once.
const TILE: u32 = 1024;

/// Draws a tile with the picture's pixel (left, top) in its corner, and tells the greatest difference of a level
/// with its place.
fn worst_of_tile(
    stage: &mut Stage,
    frame: &mut Frame,
    [left, top]: [u32; 2],
    radiograph: &Radiograph,
    reference: &[u8],
) -> (u8, [u32; 2]) {
    if let Some(view) = &mut frame.view {
        view.transform.origin_px = [-f64::from(left), -f64::from(top)];
    }
    let size = [(radiograph.width - left).min(TILE), (radiograph.height - top).min(TILE)];
    let channels = reference.len() / radiograph.pixel_count();
    let drawn = stage.draw(frame, size);
    let mut worst = (0, [left, top]);
    for (x, y, pixel) in drawn.enumerate_pixels() {
        let at = ((top + y) as usize * radiograph.width as usize + (left + x) as usize) * channels;
        for (channel, level) in pixel.0[..3].iter().enumerate() {
            let difference = level.abs_diff(reference[at + channel % channels]);
            if difference > worst.0 {
                worst = (difference, [left + x, top + y]);
            }
        }
    }
    worst
}

fn worst_of_picture(stage: &mut Stage, radiograph: &Radiograph) -> (u8, [u32; 2]) {
    let voi = radiograph.default_voi();
    let reference = radiograph.display(&voi);
    let mut frame = frame(radiograph, &voi);
    let corners = |side: u32| (0..side).step_by(TILE as usize);
    let tiles = corners(radiograph.height).flat_map(|top| corners(radiograph.width).map(move |left| [left, top]));
    tiles
        .map(|corner| worst_of_tile(stage, &mut frame, corner, radiograph, &reference))
        .max()
        .unwrap()
}

#[test]
fn every_golden_is_drawn_as_the_reference_says() {
    let Some(folder) = folder() else { return };
    let Some(mut stage) = Stage::new() else { return };
    let (mut compared, mut pixels, mut exact, mut to_show) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for golden in goldens(&folder) {
        let file = golden["file"].as_str().unwrap();
        let has_to = golden["expected"] == "show";
        to_show += usize::from(has_to);
        let radiograph = match imaging::open(&folder.join("files").join(file)) {
            Ok(radiograph) => radiograph,
            Err(error) => {
                assert!(!has_to, "{error}");
                continue;
            }
        };
        let (difference, at) = worst_of_picture(&mut stage, &radiograph);
        if difference > 1 {
            let lut = format!("{:.200?}", radiograph.modality_lut);
            wrong.push(format!("{file}: {difference} levels at {at:?}, {lut:.200}"));
        }
        compared += usize::from(has_to);
        pixels += radiograph.pixel_count();
        exact += usize::from(difference == 0);
    }
    println!("{compared} files compared that have to be shown, {pixels} pixels with all others, {exact} files exact");
    assert!(wrong.is_empty(), "{} files wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(compared, to_show);
    if folder.as_os_str() == DEFAULT_FOLDER {
        assert_eq!(compared, 121, "files that the manifest wants shown");
    }
}

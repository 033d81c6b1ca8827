//! What a file draws on its picture: overlay planes on their pixels, shutters over theirs, and their keys.

use std::path::Path;
use std::sync::Arc;

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use eframe::egui::{Key, Modifiers};
use recovnet::imaging::{OverlayPlane, OverlayType, Polarity, Radiograph, Shutter, ShutterShape, VoiTransform};
use recovnet::viewer::overlays::file_graphics::FileGraphics;
use recovnet::viewer::picture::Picture;
use recovnet::viewer::render::Frame;
use recovnet::viewer::theme;
use recovnet::viewer::turn::Turn;
use recovnet::viewer::viewport::ImageTransform;
use recovnet::viewer::wording;

use crate::commands::turns;
use crate::fixture::Dicom;
use crate::fixtures::{picture, radiograph};
use crate::gpu::Stage;
use crate::panels::Window;
use crate::shader::frame;

const SIZE: [u32; 2] = [150, 131];
const WHITE: [u8; 4] = [255; 4];
const BLACK: [u8; 4] = [0, 0, 0, 255];
const SCREEN: [u32; 2] = [640, 560];

/// A plane with a frame of one pixel's width around it and a diagonal, partly outside the picture.
fn plane(origin: [i32; 2]) -> OverlayPlane {
    let (rows, columns) = (40_u32, 61_u32);
    let mut bits = vec![0_u8; (rows * columns).div_ceil(8) as usize];
    for row in 0..rows {
        for column in 0..columns {
            let at = row * columns + column;
            let edge = row == 0 || column == 0 || row == rows - 1 || column == columns - 1;
            bits[at as usize / 8] |= u8::from(edge || row == column) << (at % 8);
        }
    }
    OverlayPlane {
        group: 0x6000,
        kind: OverlayType::Graphics,
        subtype: None,
        label: None,
        description: None,
        origin,
        rows,
        columns,
        in_pixels: false,
        bits: bits.into(),
    }
}

/// A white picture with planes at these origins.
fn white(origins: &[[i32; 2]], shutter: Option<Shutter>) -> Radiograph {
    let mut radiograph = radiograph(SIZE, vec![u16::MAX; (SIZE[0] * SIZE[1]) as usize]);
    radiograph.overlay_planes = origins.iter().map(|&origin| plane(origin)).collect();
    radiograph.shutter = shutter;
    radiograph
}

fn rectangle(value: u16) -> Shutter {
    Shutter {
        shapes: vec![ShutterShape::Rectangular {
            left: 11,
            right: 140,
            upper: 21,
            lower: 120,
        }],
        value,
        cielab: None,
    }
}

fn transform(zoom: [f64; 2], turn: Turn) -> ImageTransform {
    ImageTransform {
        px_per_image: zoom,
        origin_px: [3.0, -2.0],
        turn,
        size: SIZE.map(f64::from),
        pixels_per_point: 1.0,
    }
}

fn drawn_frame(radiograph: &Radiograph, planes: bool, shutter: bool, transform: ImageTransform) -> Frame {
    let full = VoiTransform::Window(recovnet::imaging::Window::spanning(0.0, 65_535.0));
    let mut frame = frame(radiograph, &full);
    let graphics = frame.picture.as_ref().and_then(|picture| picture.graphics.as_ref());
    let colour = graphics.and_then(|graphics| graphics.shutter);
    if let Some(view) = &mut frame.view {
        view.planes = planes;
        view.shutter = colour.filter(|_| shutter);
        view.transform = transform;
    }
    frame
}

fn plane_colour() -> [u8; 4] {
    theme::OVERLAY_PLANE.to_array()
}

/// Column and row of the picture under a pixel of the screen; none where it lies on the border of two.
fn under(transform: &ImageTransform, x: u32, y: u32) -> Option<[u32; 2]> {
    let at = transform.image_from_px([x, y].map(|at| f64::from(at) + 0.5));
    let inside = (0..2).all(|axis| at[axis] >= 0.0 && at[axis] < f64::from(SIZE[axis]));
    let is_sure = at.iter().all(|at| (at - at.round()).abs() > 1e-3);
    (inside && is_sure).then(|| at.map(|at| at as u32))
}

/// Whether a plane sets a pixel, column and row from 0: from the planes themselves, not by what marks them.
fn is_set(radiograph: &Radiograph, [column, row]: [u32; 2]) -> bool {
    radiograph.overlay_planes.iter().any(|plane| {
        let row = i64::from(row) + 1 - i64::from(plane.origin[0]);
        let column = i64::from(column) + 1 - i64::from(plane.origin[1]);
        row >= 0 && column >= 0 && plane.is_set(row as u32, column as u32)
    })
}

#[test]
fn planes_are_drawn_on_their_pixels_and_on_no_others() {
    let Some(mut stage) = Stage::new() else { return };
    let radiograph = white(&[[5, 9], [-7, 120], [110, -20]], None);
    let zooms = [[1.0, 1.0], [1.5, 1.5], [3.3, 3.3], [4.0, 2.0], [8.0, 8.0], [16.0, 16.0]];
    let upright = zooms.map(|zoom| transform(zoom, Turn::default()));
    let turned = turns().into_iter().map(|turn| transform([2.0, 3.0], turn));
    for transform in upright.into_iter().chain(turned) {
        let image = stage.draw(&drawn_frame(&radiograph, true, true, transform), SCREEN);
        let mut count = 0;
        for (x, y, pixel) in image.enumerate_pixels() {
            let Some(at) = under(&transform, x, y) else { continue };
            let set = is_set(&radiograph, at);
            let expected = if set { plane_colour() } else { WHITE };
            assert_eq!(pixel.0, expected, "{transform:?}: screen {x} {y}, image {at:?}");
            count += u32::from(set);
        }
        assert!(count > 0, "{transform:?}: nothing of the planes is in sight");
        let off = stage.draw(&drawn_frame(&radiograph, false, true, transform), SCREEN);
        assert!(off.pixels().all(|pixel| pixel.0 != plane_colour()), "planes are off");
    }
}

#[test]
fn zoomed_out_no_line_of_a_plane_is_lost() {
    let Some(mut stage) = Stage::new() else { return };
    let radiograph = white(&[[5, 9], [-7, 120], [110, -20]], None);
    for zoom in [0.9, 0.5, 0.37, 0.25, 0.1] {
        let transform = transform([zoom; 2], Turn::default());
        let image = stage.draw(&drawn_frame(&radiograph, true, true, transform), SCREEN);
        for at in (0..SIZE[1]).flat_map(|row| (0..SIZE[0]).map(move |column| [column, row])) {
            let [x, y] = [0, 1].map(|axis| (f64::from(at[axis]) + 0.5) * zoom + transform.origin_px[axis]);
            // A fragment whose middle lies beside the picture is none of it.
            let last = [0, 1].map(|axis| f64::from(SIZE[axis]) * zoom + transform.origin_px[axis] - 0.5);
            if is_set(&radiograph, at) && y >= 0.0 && x.floor() < last[0] && y.floor() < last[1] {
                let pixel = image.get_pixel(x as u32, y as u32);
                assert_eq!(pixel.0, plane_colour(), "zoom {zoom}: image {at:?}");
            }
        }
        // And what is far from a line stays.
        let set = image.pixels().filter(|pixel| pixel.0 == plane_colour()).count() as f64;
        let all = f64::from(SIZE[0] * SIZE[1]) * zoom * zoom;
        assert!(zoom < 0.2 || set < all / 3.0, "zoom {zoom}: {set} of {all} are set");
    }
}

#[test]
fn what_a_shutter_hides_is_replaced_and_the_rest_stays() {
    let Some(mut stage) = Stage::new() else { return };
    for (value, level) in [(0, 0), (32_896, 128)] {
        let mut radiograph = white(&[], Some(rectangle(value)));
        // The replacement does not follow the polarity.
        radiograph.polarity = Polarity::Inverse;
        let zooms = [[0.5, 0.5], [1.0, 1.0], [3.3, 3.3], [8.0, 4.0]];
        let upright = zooms.map(|zoom| transform(zoom, Turn::default()));
        let turned = turns().into_iter().map(|turn| transform([2.0, 3.0], turn));
        for transform in upright.into_iter().chain(turned) {
            let image = stage.draw(&drawn_frame(&radiograph, true, true, transform), SCREEN);
            for (x, y, pixel) in image.enumerate_pixels() {
                let Some([column, row]) = under(&transform, x, y) else {
                    continue;
                };
                let shown = (10..140).contains(&column) && (20..120).contains(&row);
                let expected = if shown { BLACK } else { [level, level, level, 255] };
                assert_eq!(pixel.0, expected, "{transform:?}: image {column} {row}");
            }
        }
    }
    let radiograph = white(&[], Some(rectangle(0)));
    let upright = transform([1.0; 2], Turn::default());
    let image = stage.draw(&drawn_frame(&radiograph, true, false, upright), SCREEN);
    assert_eq!(image.get_pixel(4, 1).0, WHITE, "the shutter is off");
}

#[test]
fn planes_lie_over_a_shutter_and_its_bitmap_is_none() {
    let Some(mut stage) = Stage::new() else { return };
    let upright = transform([1.0; 2], Turn::default());
    let both = white(&[[1, 1]], Some(rectangle(0)));
    let image = stage.draw(&drawn_frame(&both, true, true, upright), SCREEN);
    // The plane's left edge lies in what is hidden.
    assert_eq!(image.get_pixel(3, 20).0, plane_colour());
    assert_eq!(image.get_pixel(4, 20).0, BLACK);
    let bitmap = Shutter {
        shapes: vec![ShutterShape::Bitmap { group: 0x6000 }],
        ..rectangle(0)
    };
    let bitmap = white(&[[1, 1]], Some(bitmap));
    let image = stage.draw(&drawn_frame(&bitmap, true, true, upright), SCREEN);
    assert_eq!(image.get_pixel(3, 20).0, BLACK);
    assert_eq!(image.get_pixel(4, 20).0, WHITE);
}

#[test]
fn pictures_without_graphics_carry_none() {
    let none = |radiograph: &Radiograph| FileGraphics::new(radiograph, 1).is_none();
    assert!(none(&white(&[], None)));
    assert!(none(&white(&[[500, 1], [1, -500]], None)), "a plane beside the picture");
    let whole = Shutter {
        shapes: vec![ShutterShape::Rectangular {
            left: 0,
            right: 1000,
            upper: 0,
            lower: 1000,
        }],
        ..rectangle(0)
    };
    assert!(none(&white(&[], Some(whole))), "a shutter that hides nothing");
    assert!(!none(&white(&[[1, 1]], None)) && !none(&white(&[], Some(rectangle(0)))));
    let picture: Arc<Picture> = picture(white(&[[1, 1]], None));
    let graphics = picture.graphics.as_ref().unwrap();
    assert_eq!(graphics.levels.len() as u32, picture.level_count());
    assert!(graphics.has_planes && graphics.shutter.is_none());
}

/// A DICOM file with a plane over its whole picture and a shutter.
fn write_dicom(path: &Path) {
    let stripes = (0..64 * 8)
        .map(|byte| if byte / 8 % 8 == 0 { 0xff } else { 0 })
        .collect();
    let words: Vec<u16> = (0..64 * 64).map(|at| at % 4096).collect();
    let dicom = Dicom::new()
        .number(tags::ROWS, 64)
        .number(tags::COLUMNS, 64)
        .text(tags::SHUTTER_SHAPE, VR::CS, "CIRCULAR")
        .text(tags::CENTER_OF_CIRCULAR_SHUTTER, VR::IS, "32\\32")
        .text(tags::RADIUS_OF_CIRCULAR_SHUTTER, VR::IS, "30")
        .number(Tag(0x6000, 0x0010), 64)
        .number(Tag(0x6000, 0x0011), 64)
        .text(Tag(0x6000, 0x0022), VR::LO, "Lines and tubes")
        .text(Tag(0x6000, 0x0040), VR::CS, "G")
        .with(
            Tag(0x6000, 0x0050),
            VR::SS,
            PrimitiveValue::I16([1, 1].into_iter().collect()),
        )
        .number(Tag(0x6000, 0x0100), 1)
        .number(Tag(0x6000, 0x0102), 0)
        .text(Tag(0x6000, 0x1500), VR::LO, "Tube")
        .with(Tag(0x6000, 0x3000), VR::OB, PrimitiveValue::U8(stripes))
        .words(tags::PIXEL_DATA, &words);
    std::fs::write(path, dicom.bytes()).unwrap();
}

/// A window that shows it, and the folder that it lies in.
fn window_of_a_dicom() -> Option<(Window, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("graphics.dcm");
    write_dicom(&path);
    let mut window = Window::open(vec![path], [1280.0, 720.0])?;
    window.until("the picture", |state| state.shown.is_some());
    Some((window, folder))
}

#[test]
fn planes_are_called_by_label_or_description() {
    let called = |label: Option<&str>, description: Option<&str>| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        OverlayPlane {
            label: text(label),
            description: text(description),
            ..plane([1, 1])
        }
    };
    let name = |label, description| called(label, description).name();
    assert_eq!(name(None, None), None);
    assert_eq!(name(Some("Tube"), Some("Lines")).as_deref(), Some("Tube"));
    assert_eq!(name(Some("  "), Some(" Lines ")).as_deref(), Some("Lines"));
    assert_eq!(
        name(Some(&"é".repeat(500)), None).map(|name| name.chars().count()),
        Some(64)
    );
    // A bitmap of a shutter is not drawn as a plane, and is not called so either.
    let bitmap = Shutter {
        shapes: vec![ShutterShape::Bitmap { group: 0x6000 }],
        ..rectangle(0)
    };
    let mut radiograph = white(&[[1, 1], [3, 3]], Some(bitmap));
    radiograph.overlay_planes = vec![called(Some("Edge"), None), called(Some("Tube"), None)];
    radiograph.overlay_planes[1].group = 0x6002;
    let names = FileGraphics::new(&radiograph, 1).unwrap().plane_names;
    assert_eq!(names, ["Tube"]);
    // Nor is one that lies beside the picture.
    radiograph.overlay_planes[1].origin = [500, 1];
    radiograph.overlay_planes[0].group = 0x6004;
    assert_eq!(FileGraphics::new(&radiograph, 1).unwrap().plane_names, ["Edge"]);
    assert_eq!(wording::overlay_planes(&names), "Overlay plane: Tube");
    assert_eq!(
        wording::overlay_planes(&["A", "B"].map(str::to_owned)),
        "Overlay planes: A, B"
    );
    // Row and column of the picture, the plane's own corner being beside it.
    let beside = plane([-1, 0]);
    assert!(beside.sets(0, 1) && !beside.sets(0, 2) && beside.sets(37, 5) && !beside.sets(38, 5));
}

#[test]
fn the_plane_under_the_cursor_is_named_while_it_is_drawn() {
    let Some((mut window, _folder)) = window_of_a_dicom() else {
        return;
    };
    let picture = &window.state().shown.as_ref().unwrap().picture;
    assert_eq!(picture.graphics.as_ref().unwrap().plane_names, ["Tube"]);
    // Every eighth row is set.
    let under = |window: &mut Window, row: f64| {
        let shown = window.state().shown.as_ref().unwrap();
        let at = shown.transform(window.state().screen).ui_from_image([32.5, row + 0.5]);
        window.harness.hover_at(at);
        window.harness.step();
        window.harness.step();
        window.value("Under the cursor").unwrap()
    };
    assert!(under(&mut window, 32.0).ends_with("   Tube"));
    assert!(!under(&mut window, 33.0).contains("Tube"));
    window.press(Modifiers::COMMAND, Key::H);
    assert!(!under(&mut window, 32.0).contains("Tube"), "identity is hidden");
    window.press(Modifiers::COMMAND, Key::H);
    assert!(under(&mut window, 32.0).ends_with("   Tube"));
    window.press(Modifiers::NONE, Key::G);
    assert!(!under(&mut window, 32.0).contains("Tube"), "planes are off");
}

#[test]
fn keys_show_and_hide_planes_and_shutter() {
    let Some((mut window, _folder)) = window_of_a_dicom() else {
        return;
    };
    // The plane's colour on the screen, and the black within the picture's corner.
    let seen = |window: &mut Window| {
        let screen = window.state().screen;
        let shown = window.state().shown.as_ref().unwrap();
        let corner = shown.transform(screen).ui_from_image([1.5, 61.5]);
        let image = window.harness.render().unwrap();
        let planes = image.pixels().any(|pixel| pixel.0 == plane_colour());
        let hidden = image.get_pixel(corner.x as u32, corner.y as u32).0[..3] == [0, 0, 0];
        (planes, hidden)
    };
    assert_eq!(seen(&mut window), (true, true), "both are on from the start");
    window.press(Modifiers::NONE, Key::G);
    assert_eq!(seen(&mut window), (false, true));
    window.press(Modifiers::SHIFT, Key::G);
    assert_eq!(seen(&mut window), (false, false));
    window.press(Modifiers::NONE, Key::G);
    window.press(Modifiers::SHIFT, Key::G);
    assert_eq!(seen(&mut window), (true, true));
    window.harness.key_down(Key::X);
    window.harness.step();
    window.harness.step();
    assert_eq!(seen(&mut window), (false, true), "the bare picture");
    window.harness.key_up(Key::X);
    window.harness.step();
    window.harness.step();
    assert_eq!(seen(&mut window), (true, true));
}

#[test]
fn keys_of_graphics_do_nothing_where_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::panels::write_png(folder.path(), "plain.png", 3);
    let Some(mut window) = Window::open(vec![path], [1280.0, 720.0]) else {
        return;
    };
    window.until("the picture", |state| state.shown.is_some());
    window.press(Modifiers::NONE, Key::G);
    window.press(Modifiers::SHIFT, Key::G);
    let settings = window.state().graphics;
    assert!(settings.planes && settings.shutter);
}

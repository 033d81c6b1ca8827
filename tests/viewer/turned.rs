//! Turned and mirrored pictures in the shader, letters at the edges, the fidelity badge and lengths.

use recovnet::imaging::{PixelSpacing, SpacingSource, VoiTransform, Window};
use recovnet::viewer::fidelity::{Fidelity, judge};
use recovnet::viewer::ruler::Line;
use recovnet::viewer::turn::{EdgeLetters, Turn};
use recovnet::viewer::viewport::{ImageTransform, PictureShape, Placement, Screen};

use eframe::egui::{Event, Key, Modifiers, PointerButton, Rect, pos2, vec2};

use crate::commands::turns;
use crate::fixtures::radiograph;
use crate::gpu::Stage;
use crate::panels::{Window as PanelWindow, write_png};
use crate::shader::frame;

const SIZE: [u32; 2] = [40, 24];

/// A screen that the turned picture fills at 1:1.
fn filled(turn: Turn) -> (ImageTransform, [u32; 2]) {
    let size = turn.exchanged(SIZE);
    let screen = Screen {
        rect: Rect::from_min_size(pos2(0.0, 0.0), vec2(size[0] as f32, size[1] as f32)),
        pixels_per_point: 1.0,
    };
    let shape = PictureShape {
        size: SIZE,
        aspect: 1.0,
        turn,
    };
    let placement = Placement::At {
        zoom: 1.0,
        center: SIZE.map(|side| f64::from(side) / 2.0),
    };
    (ImageTransform::new(placement, shape, screen), size)
}

#[test]
fn every_turn_is_drawn_pixel_for_pixel() {
    let Some(mut stage) = Stage::new() else { return };
    let values: Vec<u16> = (0..SIZE[0] * SIZE[1]).map(|at| (at * 7 % 256) as u16).collect();
    let picture = radiograph(SIZE, values.clone());
    let voi = VoiTransform::Window(Window::spanning(0.0, 255.0));
    for turn in turns() {
        let (transform, size) = filled(turn);
        let mut frame = frame(&picture, &voi);
        if let Some(view) = &mut frame.view {
            view.transform = transform;
        }
        let drawn = stage.draw(&frame, size);
        for (x, y, pixel) in drawn.enumerate_pixels() {
            let [column, row] = transform.image_from_px([f64::from(x) + 0.5, f64::from(y) + 0.5]);
            let stored = values[row as usize * SIZE[0] as usize + column as usize];
            assert_eq!(u16::from(pixel[0]), stored, "{turn:?} at {x}, {y}");
        }
    }
}

#[test]
fn letters_go_along_and_unknown_stays_unknown() {
    let mut picture = radiograph(SIZE, vec![0; 960]);
    assert_eq!(Turn::default().letters(&picture), EdgeLetters::default());
    picture.acquisition.patient_orientation = Some(["L".to_owned(), "F".to_owned()]);
    let letters = |turn: Turn| {
        let EdgeLetters {
            left,
            right,
            top,
            bottom,
        } = turn.letters(&picture);
        [left, top, right, bottom].concat()
    };
    let stored = Turn::default();
    assert_eq!(letters(stored), "RHLF");
    assert_eq!(letters(stored.flipped_across()), "LHRF");
    assert_eq!(letters(stored.flipped_down()), "RFLH");
    // A quarter clockwise brings what was on the left to the top.
    assert_eq!(letters(stored.right()), "FRHL");
    assert_eq!(letters(stored.left()), "HLFR");
    assert_eq!(letters(stored.flipped_across().right()), "FLHR");
}

#[test]
fn letters_lie_where_the_picture_says() {
    // A mark in the picture and its letter must move alike: the middle of an edge is where its letter stands.
    let mut picture = radiograph(SIZE, vec![0; 960]);
    picture.acquisition.patient_orientation = Some(["L".to_owned(), "F".to_owned()]);
    let [width, height] = SIZE.map(f64::from);
    for turn in turns() {
        let (transform, size) = filled(turn);
        let end_of_rows = transform.ui_from_image([width, height / 2.0]);
        let letters = turn.letters(&picture);
        let at_edges = [
            (letters.left, end_of_rows.x < 0.5),
            (letters.right, end_of_rows.x > size[0] as f32 - 0.5),
            (letters.top, end_of_rows.y < 0.5),
            (letters.bottom, end_of_rows.y > size[1] as f32 - 0.5),
        ];
        let there: Vec<_> = at_edges.iter().filter(|(_, is_there)| *is_there).collect();
        assert!(
            matches!(there[..], [(letter, _)] if letter == "L"),
            "{turn:?}: {there:?}"
        );
    }
}

#[test]
fn the_badge_has_the_worst_word_and_every_reason() {
    let mut picture = radiograph(SIZE, vec![0; 960]);
    picture.bits_stored = 8;
    let (mut transform, _) = filled(Turn::default());
    assert_eq!(judge(&picture, &transform, true).word, Fidelity::Exact);
    transform.px_per_image = [1.5; 2];
    assert_eq!(judge(&picture, &transform, true).word, Fidelity::Resampled);
    transform.px_per_image = [0.5; 2];
    let judgement = judge(&picture, &transform, true);
    assert_eq!(judgement.word, Fidelity::Downscaled);
    assert!(judgement.reasons[0].contains("4.0"), "{judgement:?}");
    picture.warnings.push("Something was assumed.".to_owned());
    assert_eq!(judge(&picture, &transform, true).word, Fidelity::Assumed);
    picture.acquisition.lossy = Some("The picture was compressed with loss, 12 to 1.".to_owned());
    picture.bits_stored = 12;
    let judgement = judge(&picture, &transform, true);
    assert_eq!((judgement.word, judgement.reasons.len()), (Fidelity::Lossy, 4));
    picture.acquisition.lossy = None;
    picture.warnings.clear();
    picture.pixel_aspect = 2.0;
    transform.px_per_image = [1.0, 2.0];
    assert_eq!(judge(&picture, &transform, true).word, Fidelity::Resampled);
}

#[test]
fn lengths_say_what_they_mean() {
    let line = Line {
        from: [0.0, 0.0],
        to: [30.0, 40.0],
    };
    let at_detector = PixelSpacing {
        row_mm: 0.1,
        column_mm: 0.1,
        source: SpacingSource::ImagerPixelSpacing,
    };
    assert_eq!(line.words(Some(at_detector), 1.0), "5.0 mm  At detector");
    assert_eq!(line.words(None, 1.0), "50.0 px");
    let magnified = PixelSpacing {
        source: SpacingSource::Magnified { factor: 1.1 },
        ..at_detector
    };
    assert_eq!(line.words(Some(magnified), 1.0), "5.0 mm  Magnified");
    let ruler = line.calibrated(200.0, 1.0).expect("a length");
    assert_eq!(line.words(Some(ruler), 1.0), "20.00 cm  Calibrated");
}

#[test]
fn a_ruler_measures_and_calibrates_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_png(folder.path(), "a.png", 3);
    let Some(mut window) = PanelWindow::open(vec![path], [1280.0, 800.0]) else {
        return;
    };
    window.until("the picture", |state| state.shown.is_some());
    window.press(Modifiers::NONE, Key::D);
    let center = window.state().screen.rect.center();
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    let (from, to) = (center - vec2(100.0, 0.0), center + vec2(100.0, 0.0));
    for event in [
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(center),
        Event::PointerMoved(to),
        button(to, false),
    ] {
        window.harness.event(event);
        window.harness.step();
    }
    window.until("the ruler", |state| {
        state.shown.as_ref().is_some_and(|shown| shown.view.rulers.len() == 1)
    });
    let shown = window.state().shown.as_ref().unwrap();
    assert_eq!(shown.spacing(), None);
    let line = shown.view.rulers[0];
    window.press(Modifiers::SHIFT, Key::D);
    window.until("the dialog", |state| state.dialog.is_some());
    window.harness.step();
    window.harness.event(Event::Text("100".to_owned()));
    window.harness.step();
    window.press(Modifiers::NONE, Key::Enter);
    window.until("the calibration", |state| {
        state.shown.as_ref().is_some_and(|shown| shown.calibration.is_some())
    });
    let shown = window.state().shown.as_ref().unwrap();
    assert_eq!(line.words(shown.spacing(), 1.0), "10.00 cm  Calibrated");
    window.keep_picture("ruler.png");
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::Delete);
    assert_eq!(window.state().shown.as_ref().unwrap().calibration, None);
    window.press(Modifiers::ALT, Key::R);
    assert!(window.state().shown.as_ref().unwrap().view.turn.exchanges_axes());
    window.press(Modifiers::NONE, Key::Delete);
    assert!(window.state().shown.as_ref().unwrap().view.rulers.is_empty());
}

//! The window as a person and a screen reader meet it, on a private display with a software renderer: opened on the
//! phantom, driven by mouse and keyboard, compared with the greyscale pipeline and with `predict`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accessibility;
mod desktop;
mod driver;
#[path = "../training/phantoms.rs"]
mod phantoms;
mod placement;
mod screen;
mod session;
mod training;

use desktop::await_some;
use placement::Placement;
use recovnet::imaging::{Samples, VoiLutFunction, Window};
use session::Session;

/// Levels of 255 that rounding in the shader may cost.
const ROUNDING: f64 = 1.0;
/// Pixels between two that are compared.
const STRIDE: usize = 5;

/// Whether this machine can show a window; where it must, it has to.
fn can_drive() -> bool {
    let missing = desktop::missing_programs();
    if missing.is_empty() {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the window cannot be driven without {}",
        missing.join(", ")
    );
    println!("skipped: the window cannot be driven without {}", missing.join(", "));
    false
}

#[test]
fn window_panel_says_what_predict_says() {
    if !can_drive() {
        return;
    }
    let mut session = Session::start();
    let prediction = session.prediction.clone();
    let number = |pointer: &str| match prediction.pointer(pointer).and_then(serde_json::Value::as_f64) {
        Some(value) => format!("{value:.3}"),
        None => "-".to_owned(),
    };
    let text = |pointer: &str| {
        prediction
            .pointer(pointer)
            .and_then(serde_json::Value::as_str)
            .unwrap()
            .to_owned()
    };
    let mut expected = vec![
        ("Score", number("/probability/covid19")),
        ("Decision", text("/decision")),
        ("Threshold", number("/threshold")),
        ("Margin", number("/margin")),
        ("In-lung activation", number("/in_lung_activation")),
        ("Lung area fraction", number("/lung_area_fraction")),
        ("Classifier", text("/classifier")),
        ("Weights", text("/weights_sha256")),
        ("Computed on", text("/device")),
    ];
    // Without any activation there is no ratio, and nothing to compare it with.
    if !prediction["in_lung_activation"].is_null() {
        expected.push(("In-lung chance", number("/in_lung_chance")));
    }
    for (name, value) in expected {
        assert_eq!(session.value(name), value, "{name}");
    }
    let names: Vec<String> = session
        .elements()
        .unwrap()
        .into_iter()
        .map(|element| element.name)
        .collect();
    assert!(
        names.iter().any(|name| name == "Research use only, not a diagnosis"),
        "{names:?}"
    );
}

#[test]
fn window_greys_are_those_of_the_look_up() {
    if !can_drive() {
        return;
    }
    let mut session = bare_session();
    let viewport = session.viewport();
    let size = (session.phantom.width, session.phantom.height);
    compare_greys(&mut session, &Placement::fit(size, viewport), "as opened");

    let before = await_some("a window", || shown_window(&mut session));
    let middle = (viewport.0 + viewport.2 / 2, viewport.1 + viewport.3 / 2);
    session.drag_until(middle, (9, -6), |session| {
        let now = shown_window(session)?;
        let moved = now.width > before.width * 1.05 && now.center < before.center * 0.95;
        if moved {
            Ok(())
        } else {
            Err(format!("{before:?} became {now:?}"))
        }
    });
    compare_greys(&mut session, &Placement::fit(size, viewport), "after the drag");

    session.press("ctrl+1");
    session.await_value("Zoom factor", "1:1");
    let placement = compare_greys(&mut session, &Placement::one_to_one(size, viewport), "at 1:1");

    let at = (middle.0 + 101, middle.1 - 57);
    session.point_at(at.0, at.1);
    let pixel = placement.picture_pixel(at.0, at.1);
    await_some("the pixel under the cursor", || is_under_cursor(&mut session, pixel));
    session.zoom_in();
    await_some("a larger picture with the same pixel under the cursor", || {
        let zoom = session.value_now("Zoom factor")?;
        let percent = zoom
            .split_whitespace()
            .next()
            .and_then(|number| number.parse::<f64>().ok());
        if percent.is_none_or(|percent| percent <= 100.0) {
            return Err(zoom);
        }
        is_under_cursor(&mut session, pixel)
    });
}

#[test]
fn window_mask_and_map_lie_on_their_pixels() {
    if !can_drive() {
        return;
    }
    let mut session = bare_session();
    let viewport = session.viewport();
    let size = (session.phantom.width, session.phantom.height);
    session.press("ctrl+1");
    session.await_value("Zoom factor", "1:1");
    let placement = Placement::one_to_one(size, viewport);
    let placement = compare_greys(&mut session, &placement, "bare at 1:1");
    let bare = session.shot();

    session.switch("o", "Show lung mask", true);
    await_some("the contour", || {
        placement.compare_contour(&bare, &session.shot(), &session.mask)
    });
    session.switch("o", "Show lung mask", false);
    await_some("the bare picture", || {
        placement.compare_unchanged(&bare, &session.shot())
    });

    session.switch("u", "Show activation map", true);
    await_some("the map", || {
        placement.compare_map(&bare, &session.shot(), &session.map)
    });
    session.switch("u", "Show activation map", false);
    await_some("the bare picture", || {
        placement.compare_unchanged(&bare, &session.shot())
    });
}

/// A session without overlays and without texts on the picture.
fn bare_session() -> Session {
    let mut session = Session::start();
    let (x, y, width, height) = session.viewport();
    session.point_at(x + width / 2, y + height / 2);
    session.switch("o", "Show lung mask", false);
    session.switch("u", "Show activation map", false);
    // All texts, scales only, none.
    session.press("space");
    session.press("space");
    session
}

/// The window that the status bar names.
fn shown_window(session: &mut Session) -> Result<Window, String> {
    let text = session.value_now("Window width and centre")?;
    let mut words = text.split_whitespace();
    let mut number = |name: &str| {
        let value = words.find(|word| *word == name).and_then(|_| words.next());
        value
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| format!("no {name} in '{text}'"))
    };
    Ok(Window {
        width: number("W")?,
        center: number("L")?,
        function: VoiLutFunction::Linear,
    })
}

/// Compares pixels on a grid over the picture with the greyscale pipeline; returns where the picture really lies.
fn compare_greys(session: &mut Session, placement: &Placement, when: &str) -> Placement {
    await_some(when, || {
        let window = shown_window(session)?;
        // The status bar rounds the window to whole values.
        let tolerance = ROUNDING + 255.0 / window.width;
        let phantom = &session.phantom;
        let Samples::Grey(stored) = &phantom.samples else {
            panic!("the phantom is grey")
        };
        let grey = |column: usize, row: usize| {
            let value = phantom
                .modality_lut
                .apply(stored.get(row * phantom.width as usize + column));
            255.0 * phantom.polarity.apply(window.apply(value))
        };
        placement.compare(&session.shot(), grey, STRIDE, tolerance)
    })
}

/// Whether the status bar names a pixel of the picture as the one under the cursor, give or take one.
fn is_under_cursor(session: &mut Session, (column, row): (u32, u32)) -> Result<(), String> {
    let text = session.value_now("Under the cursor")?;
    let mut words = text.split_whitespace();
    let mut next = |name: &str| {
        let value = words.find(|word| *word == name).and_then(|_| words.next());
        value
            .and_then(|value| value.parse::<u32>().ok())
            .ok_or_else(|| text.clone())
    };
    let (x, y) = (next("x")?, next("y")?);
    let same = x.abs_diff(column) <= 1 && y.abs_diff(row) <= 1;
    if same {
        Ok(())
    } else {
        Err(format!("'{text}', not {column}, {row}"))
    }
}

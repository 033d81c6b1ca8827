//! The command table, and the map between image and ui.

use std::collections::HashSet;

use eframe::egui::{Modifiers, Rect, pos2, vec2};
use proptest::prelude::*;
use recovnet::viewer::command::{ACTIONS, BARE_KEY};
use recovnet::viewer::turn::Turn;
use recovnet::viewer::viewport::{self, ImageTransform, PictureShape, Placement, Screen};

#[test]
fn no_two_actions_share_a_shortcut() {
    let mut seen = HashSet::new();
    for info in ACTIONS {
        for shortcut in info.shortcuts {
            assert!(seen.insert(*shortcut), "{} shares {shortcut:?}", info.text);
            let bare = shortcut.logical_key == BARE_KEY && shortcut.modifiers == Modifiers::NONE;
            assert!(!bare, "{} takes the key of the bare picture", info.text);
        }
    }
}

#[test]
fn every_action_stands_once_in_the_table_with_text_and_tooltip() {
    let mut seen = HashSet::new();
    for info in ACTIONS {
        assert!(seen.insert(info.action), "{} stands twice", info.text);
        assert!(!info.text.is_empty() && !info.tooltip.is_empty(), "{:?}", info.action);
    }
}

fn shape() -> impl Strategy<Value = PictureShape> {
    (1_u32..5000, 1_u32..5000, 0.5_f64..2.0, 0_usize..8).prop_map(|(width, height, aspect, turn)| PictureShape {
        size: [width, height],
        aspect,
        turn: turns()[turn],
    })
}

/// All eight ways to lay a picture.
pub fn turns() -> [Turn; 8] {
    let stored = Turn::default();
    let mirrored = stored.flipped_across();
    [stored, mirrored]
        .map(|turn| [turn, turn.right(), turn.right().right(), turn.left()])
        .concat()
        .try_into()
        .expect("eight")
}

fn screen() -> impl Strategy<Value = Screen> {
    (
        0.0_f32..300.0,
        0.0_f32..100.0,
        50.0_f32..3000.0,
        50.0_f32..2000.0,
        1_u8..4,
    )
        .prop_map(|(x, y, w, h, scale)| Screen {
            rect: Rect::from_min_size(pos2(x, y), vec2(w, h)),
            pixels_per_point: f32::from(scale) / 2.0 + 0.5,
        })
}

proptest! {
    #[test]
    fn image_to_ui_and_back_is_exact(shape in shape(), screen in screen(), zoom in 0.02_f64..64.0, at in (0.0_f64..1.0, 0.0_f64..1.0)) {
        let center = shape.size.map(|side| f64::from(side) / 2.0);
        let transform = ImageTransform::new(Placement::At { zoom, center }, shape, screen);
        let image = [at.0 * f64::from(shape.size[0]), at.1 * f64::from(shape.size[1])];
        let back = transform.image_from_ui(transform.ui_from_image(image));
        for axis in 0..2 {
            // A ui position is an f32: allow for its last digits, in image pixels.
            let digits = 1e-2 + 1e-3 * f64::from(shape.size[axis]);
            prop_assert!((back[axis] - image[axis]).abs() < digits, "{image:?} came back as {back:?}");
        }
        prop_assert_eq!(transform.origin_px, transform.origin_px.map(f64::round));
    }

    #[test]
    fn zooming_keeps_what_is_under_the_cursor(shape in shape(), screen in screen(), factor in 0.2_f64..5.0, at in (0.3_f32..0.7, 0.3_f32..0.7)) {
        let anchor = screen.rect.min + vec2(at.0 * screen.rect.width(), at.1 * screen.rect.height());
        let before = ImageTransform::new(Placement::Fit, shape, screen);
        let under = before.image_from_ui(anchor);
        let in_picture = (0..2).all(|axis| under[axis] >= 0.0 && under[axis] <= f64::from(shape.size[axis]));
        prop_assume!(in_picture);
        let placement = viewport::zoomed_about(Placement::Fit, shape, screen, factor, anchor);
        let Placement::At { zoom, center } = placement else { panic!("a zoom is not a fit") };
        let kept = (0..2).all(|axis| center[axis] > 0.0 && center[axis] < f64::from(shape.size[axis]));
        prop_assume!(kept);
        let after = ImageTransform::new(placement, shape, screen);
        let moved = after.ui_from_image(under) - anchor;
        // Both placements are rounded to whole physical pixels.
        prop_assert!(moved.length() <= 1.6 * (1.0 + zoom as f32 / before.px_per_image[0] as f32), "moved by {moved:?}");
    }

    #[test]
    fn fit_shows_all_of_the_picture(shape in shape(), screen in screen()) {
        let transform = ImageTransform::new(Placement::Fit, shape, screen);
        prop_assume!(transform.px_per_image[0] > viewport::ZOOM_RANGE.0);
        let far = transform.ui_from_image(shape.size.map(f64::from));
        let near = transform.ui_from_image([0.0, 0.0]);
        let room = screen.rect.expand(1.0);
        prop_assert!(room.contains(near) && room.contains(far), "{near:?} to {far:?} in {:?}", screen.rect);
    }
}

//! The look: every colour, text size and distance of the window. The only file that names colours.

use egui::{
    self, Color32, CornerRadius, FontFamily, FontId, Frame, Margin, Rgba, Shadow, Stroke, TextStyle, Theme, Vec2,
};

use crate::training::audit::Light;

/// Behind the picture: true black.
pub const VIEWPORT: Color32 = Color32::from_rgb(0x00, 0x00, 0x00);
/// Side zones and bars.
pub const PANEL: Color32 = Color32::from_rgb(0x14, 0x16, 0x19);
/// Blocks, buttons and fields on a panel.
pub const RAISED: Color32 = Color32::from_rgb(0x1C, 0x1F, 0x24);
/// A raised thing under the cursor.
pub const HOVERED: Color32 = Color32::from_rgb(0x26, 0x2B, 0x32);
/// Hairlines and outlines.
pub const LINE: Color32 = Color32::from_rgb(0x2A, 0x2F, 0x36);
/// Body text.
pub const TEXT: Color32 = Color32::from_rgb(0xE4, 0xE7, 0xEB);
/// Captions and secondary text; 6.6:1 on a panel.
pub const MUTED: Color32 = Color32::from_rgb(0x97, 0xA0, 0xAB);
/// Selection, focus, links.
pub const ACCENT: Color32 = Color32::from_rgb(0x5A, 0xA9, 0xFF);
/// Behind selected things.
pub const SELECTED: Color32 = Color32::from_rgb(0x1E, 0x35, 0x50);
/// Below the threshold, or in order.
pub const GOOD: Color32 = Color32::from_rgb(0x4C, 0xC3, 0x8A);
/// Worth a second look.
pub const CAUTION: Color32 = Color32::from_rgb(0xF0, 0xB4, 0x29);
/// At or above the threshold, or an error.
pub const ALARM: Color32 = Color32::from_rgb(0xF2, 0x55, 0x5A);
/// The patient's right lung.
pub const RIGHT_LUNG: Color32 = Color32::from_rgb(0x35, 0xD0, 0xBA);
/// The patient's left lung.
pub const LEFT_LUNG: Color32 = Color32::from_rgb(0xB4, 0x8C, 0xFF);
/// Lungs that could not be told apart, and further components.
pub const MERGED_LUNG: Color32 = ACCENT;
/// Overlay planes of a file: a hue that no picture and no finding has, and of a brightness between black and white.
pub const OVERLAY_PLANE: Color32 = Color32::from_rgb(0xFF, 0x5A, 0xC8);
/// Text and ticks on the picture.
pub const ON_PICTURE: Color32 = Color32::from_rgb(0xF0, 0xF2, 0xF4);
/// Halo of text on the picture: legible on black and on white.
pub const HALO: Color32 = Color32::from_rgba_premultiplied(0, 0, 0, 0xC8);
/// Curves of a chart in their order; each has its own dash as well.
pub const CURVES: [Color32; 7] = [ACCENT, CAUTION, GOOD, LEFT_LUNG, ALARM, RIGHT_LUNG, MUTED];
/// No colour.
pub const NOTHING: Color32 = Color32::TRANSPARENT;

/// One step of spacing, in ui points; distances are multiples of it.
pub const STEP: f32 = 4.0;
/// Corner radius of blocks and buttons, in ui points.
pub const RADIUS: u8 = 4;
/// Width of the image list, in ui points.
pub const IMAGE_LIST_WIDTH: f32 = 200.0;
/// Width of the studies panel until it is dragged, in ui points.
pub const STUDIES_WIDTH: f32 = 320.0;
/// Width of the findings panel, in ui points.
pub const FINDINGS_WIDTH: f32 = 316.0;
/// Width of the steps of the workspace 'Train', in ui points.
pub const STEPS_WIDTH: f32 = 372.0;
/// Height of the status bar, in ui points.
pub const STATUS_HEIGHT: f32 = 28.0;
/// Height of the menu bar, in ui points.
pub const MENU_HEIGHT: f32 = 32.0;

/// Alpha of the lung fill, in 0..=1.
pub const FILL_ALPHA: f32 = 0.18;
/// Opacity of a result that stays on the screen until the next one is there.
pub const OLD_RESULT: f32 = 0.4;
/// Alpha of the lung contour, in 0..=1.
pub const CONTOUR_ALPHA: f32 = 0.95;
/// Width of the lung contour, in ui points.
pub const CONTOUR_WIDTH: f32 = 1.5;

/// What a shortcut audit said; `None` where there is none.
pub fn light(light: Option<Light>) -> Color32 {
    match light {
        Some(Light::Green) => GOOD,
        Some(Light::Amber) => CAUTION,
        Some(Light::Red) => ALARM,
        None => MUTED,
    }
}

/// Body text, 13 points.
pub fn body() -> FontId {
    FontId::proportional(13.0)
}

/// Captions and corner texts, 11 points.
pub fn caption() -> FontId {
    FontId::proportional(11.0)
}

/// The score, 22 points; the font's figures are all of one width.
pub fn score() -> FontId {
    FontId::proportional(22.0)
}

/// A grey of the picture.
pub fn grey(level: u8) -> Color32 {
    Color32::from_gray(level)
}

/// A colour that stands behind others, such as the batches behind their mean.
pub fn faint(colour: Color32) -> Color32 {
    colour.gamma_multiply(0.35)
}

/// An entry of a colour map.
pub fn mapped([r, g, b]: [u8; 3]) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// Red, green, blue and alpha in 0..=1, as a shader wants them.
pub fn components(colour: Color32) -> [f32; 4] {
    colour.to_normalized_gamma_f32()
}

/// What the window is cleared to, as its surface wants it: [`PANEL`], which no panel fills again.
pub fn cleared(linear: bool) -> [f32; 4] {
    if linear {
        Rgba::from(PANEL).to_array()
    } else {
        components(PANEL)
    }
}

/// A hairline.
pub fn hairline() -> Stroke {
    Stroke::new(1.0, LINE)
}

/// Frame of a side panel. Nothing is filled: the window is cleared to [`PANEL`], and where the processor draws, every
/// pixel that is filled twice takes its time.
pub fn panel_frame() -> Frame {
    Frame::new().inner_margin(Margin::same(12))
}

/// Frame of a bar at the top or bottom; as [`panel_frame`], not filled.
pub fn bar_frame() -> Frame {
    Frame::new().inner_margin(Margin::symmetric(12, 0))
}

/// Frame of the middle zone where it is no picture; as [`panel_frame`], not filled.
pub fn zone_frame() -> Frame {
    Frame::new().inner_margin(Margin::symmetric(16, 12))
}

/// Frame of a block on a panel.
pub fn block_frame() -> Frame {
    Frame::new()
        .fill(RAISED)
        .corner_radius(CornerRadius::same(RADIUS))
        .inner_margin(Margin::symmetric(12, 8))
}

/// Frame of a dialog.
pub fn dialog_frame() -> Frame {
    Frame::new()
        .fill(PANEL)
        .stroke(hairline())
        .corner_radius(CornerRadius::same(RADIUS * 2))
        .inner_margin(Margin::same(20))
}

/// Installs colours, text sizes and distances in a context; dark whatever the system says, because a reading room is.
pub fn install(ctx: &egui::Context) {
    ctx.set_theme(Theme::Dark);
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
    ctx.all_styles_mut(|style| {
        style.text_styles = [
            (TextStyle::Small, caption()),
            (TextStyle::Body, body()),
            (TextStyle::Button, body()),
            (TextStyle::Monospace, FontId::new(12.0, FontFamily::Monospace)),
            (TextStyle::Heading, FontId::proportional(16.0)),
        ]
        .into();
        let spacing = &mut style.spacing;
        spacing.item_spacing = Vec2::new(2.0 * STEP, STEP);
        spacing.button_padding = Vec2::new(2.5 * STEP, 1.25 * STEP);
        spacing.interact_size = Vec2::new(28.0, 26.0);
        spacing.menu_margin = Margin::same(6);
        spacing.tooltip_width = 320.0;
        style.interaction.selectable_labels = false;
        style.interaction.tooltip_delay = 0.4;
        style.animation_time = 0.08;
        visuals(&mut style.visuals);
    });
}

fn visuals(visuals: &mut egui::Visuals) {
    visuals.dark_mode = true;
    visuals.override_text_color = None;
    visuals.weak_text_color = Some(MUTED);
    visuals.panel_fill = PANEL;
    visuals.window_fill = PANEL;
    visuals.window_stroke = hairline();
    visuals.window_corner_radius = CornerRadius::same(RADIUS * 2);
    visuals.menu_corner_radius = CornerRadius::same(RADIUS);
    visuals.window_shadow = Shadow {
        offset: [0, 8],
        blur: 24,
        spread: 0,
        color: HALO,
    };
    visuals.popup_shadow = Shadow {
        offset: [0, 4],
        blur: 12,
        spread: 0,
        color: HALO,
    };
    visuals.extreme_bg_color = VIEWPORT;
    visuals.faint_bg_color = RAISED;
    visuals.code_bg_color = RAISED;
    visuals.hyperlink_color = ACCENT;
    visuals.warn_fg_color = CAUTION;
    visuals.error_fg_color = ALARM;
    visuals.selection.bg_fill = SELECTED;
    visuals.selection.stroke = Stroke::new(1.0, ACCENT);
    visuals.slider_trailing_fill = true;
    let corner = CornerRadius::same(RADIUS);
    for widget in [
        &mut visuals.widgets.noninteractive,
        &mut visuals.widgets.inactive,
        &mut visuals.widgets.hovered,
        &mut visuals.widgets.active,
        &mut visuals.widgets.open,
    ] {
        widget.corner_radius = corner;
        widget.expansion = 0.0;
        widget.bg_stroke = hairline();
        widget.fg_stroke = Stroke::new(1.0, TEXT);
        widget.bg_fill = RAISED;
        widget.weak_bg_fill = RAISED;
    }
    visuals.widgets.noninteractive.bg_fill = PANEL;
    visuals.widgets.inactive.bg_fill = HOVERED;
    visuals.widgets.hovered.bg_fill = HOVERED;
    visuals.widgets.hovered.weak_bg_fill = HOVERED;
    visuals.widgets.hovered.bg_stroke = Stroke::new(1.0, MUTED);
    visuals.widgets.active.weak_bg_fill = SELECTED;
    visuals.widgets.active.bg_fill = SELECTED;
    visuals.widgets.active.bg_stroke = Stroke::new(1.0, ACCENT);
    visuals.widgets.open.weak_bg_fill = HOVERED;
}

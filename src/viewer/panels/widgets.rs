//! What several panels are built from: buttons of actions, values with names, bars with ticks, blocks.

use egui::{
    Align2, Button, Color32, CornerRadius, Grid, InnerResponse, Label, Painter, Pos2, Rect, Response, RichText, Role,
    ScrollArea, Sense, Shape, Stroke, StrokeKind, TextureHandle, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Sent;
use crate::viewer::state::ViewerState;
use crate::viewer::{theme, wording};

/// A button of the command table: text, tooltip with keys, enabled when it can be done.
pub fn action_button(ui: &mut Ui, state: &ViewerState, action: Action, commands: &mut Vec<Command>) -> Response {
    let info = action.info();
    let mut button = Button::new(info.text_in(state)).min_size(vec2(36.0, 0.0));
    if let Some(checked) = info.checked {
        button = button.selected(checked(state));
    }
    let response = ui.add_enabled(info.can(state), button);
    let response = with_tooltip(response, action);
    if response.clicked() {
        commands.push(Command::Do(action));
    }
    response
}

/// The action's sentence and keys, on hovering.
pub fn with_tooltip(response: Response, action: Action) -> Response {
    let info = action.info();
    let keys = info
        .shortcuts
        .first()
        .map(|shortcut| response.ctx.format_shortcut(shortcut));
    let text = match keys {
        Some(keys) => format!("{} ({keys})", info.tooltip),
        None => info.tooltip.to_owned(),
    };
    response.on_hover_text(text.clone()).on_disabled_hover_text(text)
}

/// Gives a shown value its name and plain text for assistive technology, and for tests of the window: name, value
/// and description of one node; numbers also as a number.
pub fn name_value(response: &Response, name: &str, value: &str) {
    let number = value.parse::<f64>().ok();
    response.widget_info(|| WidgetInfo {
        value: number,
        current_text_value: Some(value.to_owned()),
        ..WidgetInfo::labeled(if number.is_some() { Role::Meter } else { Role::Status }, true, name)
    });
    response.ctx.accesskit_node_builder(response.id, |node| {
        node.set_description(value.to_owned());
    });
}

/// What lies behind a row of a list: whether it is chosen, under the cursor, or has the keys.
pub fn row_background(ui: &Ui, rect: Rect, response: &Response, is_chosen: bool) {
    let fill = match (is_chosen, response.hovered()) {
        (true, _) => theme::SELECTED,
        (false, true) => theme::HOVERED,
        (false, false) => theme::NOTHING,
    };
    let corner = CornerRadius::same(theme::RADIUS);
    ui.painter().rect_filled(rect, corner, fill);
    if response.has_focus() {
        let outline = ui.visuals().selection.stroke;
        ui.painter().rect_stroke(rect, corner, outline, StrokeKind::Inside);
    }
}

/// A small picture, as large as a frame has room for, in its middle.
pub fn thumbnail(painter: &Painter, texture: &TextureHandle, frame: Rect) {
    let size = texture.size_vec2();
    let scale = (frame.width() / size.x).min(frame.height() / size.y);
    let rect = Rect::from_center_size(frame.center(), size * scale);
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    painter.image(texture.id(), rect, whole, theme::grey(u8::MAX));
}

/// A triangle that points up or down: a mark that no font has to draw.
pub fn triangle(painter: &Painter, center: Pos2, side: f32, up: bool, colour: Color32) {
    let (half, tip) = (side / 2.0, if up { -side / 2.0 } else { side / 2.0 });
    let points = vec![
        center + vec2(0.0, tip),
        center + vec2(half, -tip),
        center + vec2(-half, -tip),
    ];
    painter.add(Shape::convex_polygon(points, colour, Stroke::NONE));
}

/// A caption in secondary colour.
pub fn caption(ui: &mut Ui, text: impl Into<String>) -> Response {
    ui.add(Label::new(RichText::new(text).font(theme::caption()).color(theme::MUTED)).wrap())
}

/// A caption left, a named value right, on one line.
pub fn value_row(ui: &mut Ui, name: &str, shown: &str, plain: &str) {
    row(ui, name, name, None, shown, plain);
}

/// As [`value_row`], where the caption alone would not tell it from others of the window.
pub fn value_row_named(ui: &mut Ui, caption: &str, name: &str, shown: &str, plain: &str) {
    row(ui, caption, name, None, shown, plain);
}

/// As [`value_row`], with a square of colour before the caption.
pub fn coloured_row(ui: &mut Ui, colour: Color32, name: &str, shown: &str, plain: &str) {
    row(ui, name, name, Some(colour), shown, plain);
}

fn row(ui: &mut Ui, caption: &str, name: &str, colour: Option<Color32>, shown: &str, plain: &str) {
    let height = 18.0;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let mut left = rect.min.x;
    if let Some(colour) = colour {
        let square = Rect::from_center_size(pos2(left + 4.0, rect.center().y), Vec2::splat(8.0));
        ui.painter().rect_filled(square, CornerRadius::same(2), colour);
        left += 14.0;
    }
    let painter = ui.painter();
    let value = elided(ui, shown, theme::TEXT, rect.max.x - left);
    let is_whole = !value.elided;
    let value_left = rect.max.x - value.size().x;
    let name_space = (value_left - left - 2.0 * theme::STEP).max(0.0);
    let caption = elided(ui, caption, theme::MUTED, name_space);
    painter.galley(
        pos2(left, rect.center().y - caption.size().y / 2.0),
        caption,
        theme::MUTED,
    );
    painter.galley(
        pos2(value_left, rect.center().y - value.size().y / 2.0),
        value,
        theme::TEXT,
    );
    name_value(&response, name, plain);
    if !is_whole {
        response.on_hover_text(shown);
    }
}

/// A line of body text cut off with an ellipsis at a width.
pub fn elided(ui: &Ui, text: &str, colour: Color32, width: f32) -> std::sync::Arc<egui::Galley> {
    let mut job = egui::text::LayoutJob::simple_singleline(text.to_owned(), theme::body(), colour);
    job.wrap = egui::text::TextWrapping::truncate_at_width(width);
    ui.painter().layout_job(job)
}

/// A bar from 0 to 1 with a tick at a level to compare with.
pub fn tick_bar(ui: &mut Ui, share: f64, tick: Option<f64>, colour: Color32) -> Response {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 14.0), Sense::hover());
    let track = Rect::from_center_size(rect.center(), vec2(rect.width(), 6.0));
    let radius = CornerRadius::same(3);
    let painter = ui.painter();
    painter.rect_filled(track, radius, theme::LINE);
    let along = |share: f64| track.min.x + track.width() * share.clamp(0.0, 1.0) as f32;
    let filled = Rect::from_min_max(track.min, pos2(along(share), track.max.y));
    painter.rect_filled(filled, radius, colour);
    if let Some(tick) = tick {
        let x = along(tick).clamp(rect.min.x + 1.0, rect.max.x - 1.0);
        painter.rect_filled(
            Rect::from_center_size(pos2(x, rect.center().y), vec2(2.0, rect.height())),
            CornerRadius::ZERO,
            theme::TEXT,
        );
    }
    response
}

/// How far an errand is: a bar with its share, what is left, and its words.
pub fn progress_line(ui: &mut Ui, name: &str, sent: &Sent) {
    ui.allocate_ui(vec2(140.0, 20.0), |ui| {
        let bar = tick_bar(ui, sent.share().unwrap_or(0.02), None, theme::ACCENT);
        name_value(&bar, name, &format!("{} of {}", sent.done, sent.total));
    });
    let left = sent.left().map(|left| left.as_secs_f64());
    let left = left.map(|left| wording::time_left(left, left)).unwrap_or_default();
    ui.weak(format!(
        "{} of {}  {left}",
        wording::count(sent.done),
        wording::count(sent.total)
    ));
}

/// A titled block of the findings panel, with something at the right end of its title.
pub fn block<R>(
    ui: &mut Ui,
    title: &str,
    at_end: impl FnOnce(&mut Ui),
    contents: impl FnOnce(&mut Ui) -> R,
) -> InnerResponse<R> {
    theme::block_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = theme::STEP / 2.0;
        ui.horizontal(|ui| {
            ui.set_min_height(20.0);
            ui.label(RichText::new(title).font(theme::body()).color(theme::MUTED).strong());
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), at_end);
        });
        contents(ui)
    })
}

/// What a sign says by its shape as well as by its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// A disc: in order.
    Good,
    /// A triangle with '!': worth a second look.
    Caution,
    /// An octagon with '×': not in order.
    Alarm,
}

/// Draws a sign.
pub fn sign(ui: &mut Ui, sign: Sign) -> Response {
    let side = 20.0;
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    let painter = ui.painter();
    let (center, radius) = (rect.center(), side / 2.0);
    let (letter, below) = match sign {
        Sign::Good => {
            painter.circle_filled(center, radius, theme::GOOD);
            return response;
        }
        Sign::Caution => {
            polygon(painter, (center, radius), 3, -90.0, theme::CAUTION);
            ("!", 2.0)
        }
        Sign::Alarm => {
            polygon(painter, (center, radius), 8, 22.5, theme::ALARM);
            ("×", 0.0)
        }
    };
    painter.text(
        center + vec2(0.0, below),
        Align2::CENTER_CENTER,
        letter,
        theme::body(),
        theme::VIEWPORT,
    );
    response
}

/// A regular polygon; its first corner lies at the angle.
fn polygon(painter: &Painter, (center, radius): (Pos2, f32), corners: usize, first_deg: f32, colour: Color32) {
    let corner = |index: usize| {
        let angle = (first_deg + 360.0 * index as f32 / corners as f32).to_radians();
        center + radius * vec2(angle.cos(), angle.sin())
    };
    let points = (0..corners).map(corner).collect();
    painter.add(Shape::convex_polygon(points, colour, Stroke::NONE));
}

/// A table with heads in a titled block; it scrolls sideways where it is wide.
pub fn table(ui: &mut Ui, title: &str, id: &str, heads: &[&str], rows: impl FnOnce(&mut Ui)) {
    block(
        ui,
        title,
        |_| {},
        |ui| {
            ScrollArea::horizontal().id_salt(id).show(ui, |ui| {
                Grid::new(id).striped(true).spacing([18.0, 4.0]).show(ui, |ui| {
                    for name in heads {
                        ui.label(RichText::new(*name).color(theme::MUTED));
                    }
                    ui.end_row();
                    rows(ui);
                });
            });
        },
    );
}

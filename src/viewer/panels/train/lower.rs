//! Below the charts: the watch-list after every epoch, or the next batch as the network will see it.

use egui::{Label, Rect, RichText, ScrollArea, Sense, Slider, TextureHandle, Ui, Vec2, pos2, vec2};

use crate::viewer::command::{Action, Command};
use crate::viewer::errands::Pending;
use crate::viewer::panels::widgets::{action_button, name_value};
use crate::viewer::state::ViewerState;
use crate::viewer::train::watch::Tile;
use crate::viewer::train::{Lower, TrainCommand};
use crate::viewer::{theme, wording};

/// Height of the texts below a tile.
const CAPTIONS: f32 = 32.0;
/// Seconds in which tiles of another epoch than the chosen one are dimmed.
const DIMMING: f32 = 0.3;
/// Smallest side of a tile, in ui points.
const SMALLEST: f32 = 96.0;

/// Draws the chosen one of the two.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let mut lower = state.train.lower;
    ui.horizontal(|ui| {
        ui.selectable_value(&mut lower, Lower::Watch, "Watch-list")
            .on_hover_text("Fixed images, with mask and activation map after every epoch");
        ui.selectable_value(&mut lower, Lower::Batch, "Next batch")
            .on_hover_text("Images as the network will see them, augmented");
        if state.train.lower == Lower::Watch {
            scrub(ui, state, commands);
        }
    });
    if lower != state.train.lower {
        commands.push(Command::Train(TrainCommand::Lower(lower)));
    }
    match state.train.lower {
        Lower::Watch => watch(ui, state),
        Lower::Batch => batch(ui, state, commands),
    }
}

/// The slider over the epochs.
fn scrub(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    let watch = &state.train.session.watch;
    let (Some((first, _)), Some((last, _))) = (watch.first(), watch.last()) else {
        return;
    };
    if first == last {
        ui.weak(format!("Epoch {first}"));
        return;
    }
    ui.separator();
    let mut at = state.train.watch.at.unwrap_or(*last);
    ui.spacing_mut().slider_width = 260.0;
    let label = ui.weak("Epoch");
    let slider = ui.add(Slider::new(&mut at, *first..=*last)).labelled_by(label.id);
    if slider.changed() {
        // At its end the slider follows the run.
        let at = (at != *last).then_some(at);
        commands.push(Command::Train(TrainCommand::Watch(at)));
    }
    if state.train.watch.at.is_none() {
        ui.weak("latest");
    }
}

fn watch(ui: &mut Ui, state: &ViewerState) {
    let view = &state.train.watch;
    let Some(shown) = &view.shown else {
        ui.centered_and_justified(|ui| {
            ui.weak("The watch-list is drawn after the first epoch: mask, activation map and in-lung ratio of fixed images.")
        });
        return;
    };
    // What is read in a moment is not dimmed first: the tiles would flicker under the slider.
    let is_old = view.reading.running().is_some();
    let dimmed = ui
        .ctx()
        .animate_bool_with_time(ui.scope_id().with("another epoch"), is_old, DIMMING);
    let tiles: Vec<(&Tile, Option<&TextureHandle>)> = shown
        .tiles
        .iter()
        .zip(view.textures.iter().map(Option::as_ref))
        .collect();
    grid(ui, "watch tiles", tiles.len(), |ui, index, side| {
        let (tile, texture) = tiles[index];
        ui.set_opacity(1.0 - dimmed * (1.0 - theme::OLD_RESULT));
        watch_tile(ui, tile, texture, side, shown.epoch);
    });
}

/// Tiles in as many columns as fit, as large as the height allows.
fn grid(ui: &mut Ui, name: &str, count: usize, mut draw: impl FnMut(&mut Ui, usize, f32)) {
    let area = ui.available_size();
    let gap = ui.spacing().item_spacing.x;
    let side_of = |rows: usize| {
        let columns = count.div_ceil(rows).max(1);
        let by_width = (area.x - gap * (columns - 1) as f32) / columns as f32;
        let by_height = area.y / rows as f32 - CAPTIONS - gap;
        by_width.min(by_height)
    };
    let best = (1..=4)
        .map(|rows| (rows, side_of(rows)))
        .max_by(|a, b| a.1.total_cmp(&b.1));
    let (rows, side) = best.unwrap_or((1, SMALLEST));
    let side = side.max(SMALLEST).floor();
    let columns = (((area.x + gap) / (side + gap)) as usize).clamp(1, count.div_ceil(rows).max(1));
    ScrollArea::vertical().id_salt(name).auto_shrink(false).show(ui, |ui| {
        for first in (0..count).step_by(columns) {
            ui.horizontal_top(|ui| {
                for index in first..(first + columns).min(count) {
                    ui.push_id(index, |ui| draw(ui, index, side));
                }
            });
        }
    });
}

fn watch_tile(ui: &mut Ui, tile: &Tile, texture: Option<&TextureHandle>, side: f32, epoch: usize) {
    let watched = &tile.watched;
    ui.allocate_ui(vec2(side, side + CAPTIONS), |ui| {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 1.0;
            let response = picture(ui, texture, side);
            let class = if watched.covid19 { "COVID-19" } else { "control" };
            let mut words = vec![class.to_owned()];
            // Phase I has no activation map; its score is the overlap with the manual mask.
            let score = if watched.largest.is_some() { "score" } else { "Dice" };
            words.extend(watched.score.map(|value| format!("{score} {}", wording::number(value))));
            let lungs = watched.in_lung.map(|ratio| {
                let chance = watched
                    .chance
                    .map(|chance| format!(" (chance {})", wording::number(chance)));
                format!("in lung {}{}", wording::number(ratio), chance.unwrap_or_default())
            });
            let text = words.join(", ");
            let plain = format!("{text}; {}", lungs.clone().unwrap_or_default());
            name_value(&response, &format!("Watched image {}", watched.number + 1), &plain);
            let hover = match &tile.picture {
                Ok(_) => format!(
                    "{}, epoch {epoch}\n{text}\n{}",
                    watched.file,
                    lungs.clone().unwrap_or_default()
                ),
                Err(problem) => problem.clone(),
            };
            response.on_hover_text(hover);
            let small = |ui: &mut Ui, text: String, colour| {
                ui.add(Label::new(RichText::new(text).font(theme::caption()).color(colour)).truncate());
            };
            small(ui, text, theme::TEXT);
            if let Some(lungs) = lungs {
                small(ui, lungs, theme::MUTED);
            }
        });
    });
}

/// A square with a picture in it.
pub fn picture(ui: &mut Ui, texture: Option<&TextureHandle>, side: f32) -> egui::Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
    let painter = ui.painter();
    painter.rect_filled(rect, 0.0, theme::VIEWPORT);
    if let Some(texture) = texture {
        let size = texture.size_vec2();
        let scale = (rect.width() / size.x).min(rect.height() / size.y);
        let place = Rect::from_center_size(rect.center(), size * scale);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture.id(), place, whole, theme::grey(u8::MAX));
    }
    response
}

/// The next batch.
pub fn batch(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        action_button(ui, state, Action::PreviewBatch, commands);
        if state.train.preview.running().is_some() {
            ui.weak("Reading its images");
        } else if let Some((batch, _)) = &state.train.batch {
            let response = ui.weak(&batch.words);
            name_value(&response, "Batch", &batch.words);
        }
    });
    if let Pending::Failed(reason) = &state.train.preview {
        super::dataset::error(ui, "Batch problem", reason);
    }
    let Some((batch, textures)) = &state.train.batch else {
        ui.centered_and_justified(|ui| {
            ui.weak("Images appear here as the network will see them, augmented by the run's own random numbers.");
        });
        return;
    };
    grid(ui, "batch tiles", batch.tiles.len(), |ui, index, side| {
        let tile = &batch.tiles[index];
        ui.allocate_ui(vec2(side, side + CAPTIONS), |ui| {
            ui.vertical(|ui| {
                let response = picture(ui, textures.get(index), side);
                let class = if tile.covid19 { "COVID-19" } else { "control" };
                let how = if tile.transformed { "transformed" } else { "as it is" };
                let words = format!("{class}, {how}");
                name_value(&response, &format!("Image {} of the batch", index + 1), &words);
                response.on_hover_text(format!("{}\n{words}", tile.file));
                let text = RichText::new(class).font(theme::caption()).color(theme::MUTED);
                ui.add(Label::new(text).truncate());
            });
        });
    });
}

//! Keys and mouse, from the command table.

use egui::{Grid, Id, Modal, RichText, ScrollArea, Ui};

use crate::viewer::command::{ACTIONS, Action, BARE_KEY, Command, Menu};
use crate::viewer::theme;

const MOUSE: [(&str, &str); 7] = [
    ("Left drag", "The active tool"),
    ("Middle drag", "Move the picture"),
    ("Right drag", "Zoom"),
    ("Wheel", "Next and previous image"),
    ("Ctrl+wheel", "Zoom about the cursor"),
    ("Double click", "Fit"),
    ("Drop files", "Open them"),
];

/// Draws the dialog.
pub fn ui(ui: &Ui, commands: &mut Vec<Command>) {
    let modal = Modal::new(Id::unique("shortcuts"))
        .frame(theme::dialog_frame())
        .backdrop_color(theme::HALO)
        .show(ui.ctx(), |ui| {
            ui.set_width(660.0);
            ui.spacing_mut().interact_size.y = 16.0;
            ui.heading("Keyboard and mouse");
            ui.add_space(2.0 * theme::STEP);
            let height = (ui.ctx().content_rect().height() - 220.0).max(200.0);
            ScrollArea::vertical().max_height(height).show(ui, |ui| {
                ui.columns(2, |columns| {
                    let [left, right] = columns else { return };
                    group(left, "Mouse", MOUSE.iter().map(|&(keys, text)| (keys.to_owned(), text)));
                    for menu in Menu::ALL {
                        let ui = if matches!(menu, Menu::Image | Menu::View) {
                            &mut *right
                        } else {
                            &mut *left
                        };
                        let keys = of_menu(ui, menu);
                        group(ui, menu.title(), keys.into_iter());
                    }
                });
            });
            ui.add_space(3.0 * theme::STEP);
            if ui.button("Close").clicked() {
                commands.push(Command::Dialog(None));
            }
        });
    if modal.should_close() {
        commands.push(Command::Dialog(None));
    }
}

fn of_menu(ui: &Ui, menu: Menu) -> Vec<(String, &'static str)> {
    let keys = |shortcuts: &[egui::KeyboardShortcut]| {
        let keys: Vec<_> = shortcuts
            .iter()
            .take(2)
            .map(|shortcut| ui.ctx().format_shortcut(shortcut))
            .collect();
        keys.join(", ")
    };
    let of_table = ACTIONS
        .iter()
        .filter(|info| info.menu.0 == menu && !info.shortcuts.is_empty());
    // The ten windows are one line.
    let of_table = of_table.filter(|info| !matches!(info.action, Action::Preset(number) if number > 0));
    let mut lines: Vec<_> = of_table
        .map(|info| match info.action {
            Action::Preset(_) => ("0 … 9".to_owned(), "Automatic window, the file's own"),
            _ => (keys(info.shortcuts), info.text),
        })
        .collect();
    if menu == Menu::Prediction {
        lines.push((format!("Hold {}", BARE_KEY.name()), "Bare picture"));
    }
    lines
}

fn group(ui: &mut Ui, title: &str, lines: impl Iterator<Item = (String, &'static str)>) {
    ui.label(RichText::new(title).strong());
    Grid::new(title).num_columns(2).min_col_width(96.0).show(ui, |ui| {
        for (keys, text) in lines {
            ui.label(RichText::new(keys).color(theme::MUTED));
            ui.add(egui::Label::new(text).wrap());
            ui.end_row();
        }
    });
    ui.add_space(2.0 * theme::STEP);
}

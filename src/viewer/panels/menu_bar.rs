//! Menus from the command table, the active tool, the device.

use egui::{self, Align, Button, Layout, MenuBar, RichText, Ui};

use super::widgets::{action_button, name_value, with_tooltip};
use crate::viewer::analysis::EngineStatus;
use crate::viewer::command::{ACTIONS, Action, ActionInfo, Command, Menu};
use crate::viewer::state::{ViewerState, Workspace};
use crate::viewer::theme;
use crate::viewer::tools::Tool;

/// Draws the bar.
pub fn ui(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    MenuBar::new().ui(ui, |ui| {
        ui.set_min_height(theme::MENU_HEIGHT);
        for menu in Menu::ALL {
            ui.menu_button(menu.title(), |ui| items(ui, menu, state, commands));
        }
        ui.separator();
        for workspace in Workspace::ALL {
            action_button(ui, state, Action::Show(workspace), commands);
        }
        if state.shown.is_some() && state.workspace == Workspace::Read {
            ui.separator();
            toolbar(ui, state, commands);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| device(ui, state));
    });
}

fn items(ui: &mut Ui, menu: Menu, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.set_min_width(240.0);
    let mut group = None;
    for info in ACTIONS
        .iter()
        .filter(|info| info.menu.0 == menu && is_offered(info, state))
    {
        if group.is_some_and(|group| group != info.menu.1) {
            ui.separator();
        }
        group = Some(info.menu.1);
        item(ui, info, state, commands);
    }
}

/// Windows that the picture does not have are left out, not shown as dead lines.
fn is_offered(info: &ActionInfo, state: &ViewerState) -> bool {
    !matches!(info.action, Action::Preset(_)) || info.can(state)
}

fn item(ui: &mut Ui, info: &ActionInfo, state: &ViewerState, commands: &mut Vec<Command>) {
    let text = match (info.action, &state.shown) {
        (Action::Preset(number), Some(shown)) if number > 0 => {
            let preset = shown.picture.presets.get(usize::from(number));
            preset.map_or_else(|| info.text.to_owned(), |preset| format!("Window: {}", preset.name))
        }
        _ => info.text_in(state).to_owned(),
    };
    let mut button = Button::new(text);
    if let Some(shortcut) = info.shortcuts.first() {
        button = button.shortcut_text(ui.ctx().format_shortcut(shortcut));
    }
    if let Some(checked) = info.checked {
        button = button.selected(checked(state));
    }
    let response = with_tooltip(ui.add_enabled(info.can(state), button), info.action);
    if response.clicked() {
        commands.push(Command::Do(info.action));
        ui.close();
    }
}

fn toolbar(ui: &mut Ui, state: &ViewerState, commands: &mut Vec<Command>) {
    ui.spacing_mut().button_padding.x = 2.0 * theme::STEP;
    ui.spacing_mut().item_spacing.x = theme::STEP;
    for tool in [Tool::WindowLevel, Tool::Zoom, Tool::Pan, Tool::Ruler] {
        let action = Action::Use(tool);
        let text = match tool {
            Tool::WindowLevel => "Window/level",
            Tool::Zoom => "Zoom",
            Tool::Pan => "Pan",
            Tool::Ruler => "Ruler",
        };
        let response = with_tooltip(ui.add(Button::new(text).selected(state.tool == tool)), action);
        if response.clicked() {
            commands.push(Command::Do(action));
        }
    }
    ui.separator();
    for action in [Action::Fit, Action::OneToOne, Action::Invert, Action::Reset] {
        action_button(ui, state, action, commands);
    }
    if state.shown.as_ref().is_some_and(|shown| shown.findings.is_some()) {
        ui.separator();
        for action in [Action::ToggleMask, Action::ToggleMap] {
            action_button(ui, state, action, commands);
        }
    }
}

fn device(ui: &mut Ui, state: &ViewerState) {
    let (text, colour) = match &state.engine {
        EngineStatus::Loading => ("Loading the models".to_owned(), theme::MUTED),
        EngineStatus::Ready(loaded) => (loaded.device.clone(), theme::MUTED),
        EngineStatus::Failed(_) => ("No prediction: the models cannot be loaded".to_owned(), theme::CAUTION),
    };
    let response = ui.add(egui::Label::new(RichText::new(&text).color(colour)).truncate());
    name_value(&response, "Device", &text);
}

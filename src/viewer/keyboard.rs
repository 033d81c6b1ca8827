//! Keys and dropped files to commands, by the command table. Keys that a focused field wants are left to it.

use egui::{Context, Event, InputState, Key, KeyboardShortcut, Modifiers, Popup};

use super::command::{ACTIONS, BARE_KEY, Command};
use super::state::{ViewerState, Workspace};
use super::train::TrainCommand;

/// Reads the keyboard, and files that were dropped.
pub fn read(ctx: &Context, state: &ViewerState, commands: &mut Vec<Command>) {
    dropped(ctx, state, commands);
    if state.dialog.is_some() || Popup::is_any_open(ctx) {
        return;
    }
    let focus = if ctx.text_edit_focused() {
        Focus::Text
    } else if ctx.memory(|memory| memory.focused().is_some()) {
        Focus::Widget
    } else {
        Focus::Nothing
    };
    ctx.input_mut(|input| keys(input, focus, state, commands));
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Focus {
    Nothing,
    Widget,
    Text,
}

fn dropped(ctx: &Context, state: &ViewerState, commands: &mut Vec<Command>) {
    let (hovering, paths) = ctx.input(|input| {
        let paths: Vec<_> = input
            .raw
            .dropped_files
            .iter()
            .map(|file| file.path().to_owned())
            .collect();
        (!input.raw.hovered_files.is_empty(), paths)
    });
    if hovering != state.drop_hover {
        commands.push(Command::DropHover(hovering));
    }
    if state.workspace == Workspace::Train {
        let folders = paths.into_iter().map(TrainCommand::DataFolder);
        commands.extend(folders.map(Command::Train));
    } else if !paths.is_empty() {
        commands.push(Command::Open(paths));
    }
}

fn keys(input: &mut InputState, focus: Focus, state: &ViewerState, commands: &mut Vec<Command>) {
    let bare = input.key_down(BARE_KEY) && focus != Focus::Text && input.modifiers.is_none();
    if bare != state.bare {
        commands.push(Command::Bare(bare));
    }
    input.events.retain(|event| {
        let Event::Key {
            key,
            pressed: true,
            repeat,
            modifiers,
            ..
        } = event
        else {
            return true;
        };
        if belongs_to_focus(focus, *key, *modifiers) {
            return true;
        }
        let info = ACTIONS
            .iter()
            .find(|info| info.shortcuts.iter().any(|shortcut| hit(*shortcut, *key, *modifiers)));
        let Some(info) = info else { return true };
        if (!*repeat || info.repeats) && info.can(state) {
            commands.push(Command::Do(info.action));
        }
        false
    });
}

fn hit(shortcut: KeyboardShortcut, key: Key, modifiers: Modifiers) -> bool {
    shortcut.logical_key == key && modifiers.matches_exact(shortcut.modifiers)
}

/// A text field wants everything but function keys and Ctrl, and with Ctrl the keys that edit or move in text; any other focused widget wants the keys that move
/// in it, press it or leave it.
fn belongs_to_focus(focus: Focus, key: Key, modifiers: Modifiers) -> bool {
    let moves = matches!(
        key,
        Key::ArrowUp | Key::ArrowDown | Key::ArrowLeft | Key::ArrowRight | Key::Space | Key::Enter | Key::Escape
    );
    match focus {
        Focus::Nothing => false,
        Focus::Widget => moves && modifiers.is_none(),
        Focus::Text if modifiers.command => edits_text(key),
        Focus::Text => !matches!(key, Key::F1 | Key::F2 | Key::F3 | Key::F4 | Key::F5 | Key::F11),
    }
}

/// Ctrl+Delete takes a word away, Ctrl+Left goes by words, with Shift as well.
fn edits_text(key: Key) -> bool {
    matches!(
        key,
        Key::Delete
            | Key::Backspace
            | Key::ArrowLeft
            | Key::ArrowRight
            | Key::ArrowUp
            | Key::ArrowDown
            | Key::Home
            | Key::End
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_field_keeps_the_keys_that_edit_text() {
        let ctrl_shift = Modifiers::COMMAND | Modifiers::SHIFT;
        assert!(belongs_to_focus(Focus::Text, Key::Delete, ctrl_shift));
        assert!(belongs_to_focus(Focus::Text, Key::G, Modifiers::NONE));
        assert!(!belongs_to_focus(Focus::Text, Key::O, Modifiers::COMMAND));
        assert!(!belongs_to_focus(Focus::Text, Key::F1, Modifiers::NONE));
        assert!(!belongs_to_focus(Focus::Nothing, Key::Delete, ctrl_shift));
    }
}

//! The table of actions: text, tooltip, shortcut and when each can be done, grouped by menu.

use egui::{Key, KeyboardShortcut, Modifiers};

use super::conditions::{
    always, can_analyse, has_next, has_next_frame, has_preset, has_previous, has_previous_frame, is_analysing,
    with_findings, with_grey, with_list, with_picture,
};
use super::{Action, ActionInfo, Direction, Menu, WINDOW_GROUP, WindowStep};
use crate::viewer::state::{Annotations, IdentityDisplay, Workspace};
use crate::viewer::tools::Tool;
use crate::viewer::viewport::Placement;

pub(super) const fn key(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

pub(super) const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

pub(super) const fn shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::SHIFT, key)
}

pub(super) const fn alt(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::ALT, key)
}

const CTRL_SHIFT: Modifiers = Modifiers {
    shift: true,
    ..Modifiers::COMMAND
};

pub(super) const fn ctrl_shift(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(CTRL_SHIFT, key)
}

/// What the lines of the tables have in common.
pub(super) const PLAIN: ActionInfo = ActionInfo {
    action: Action::About,
    menu: (Menu::Help, 0),
    text: "",
    text_now: None,
    tooltip: "",
    shortcuts: &[],
    repeats: false,
    enabled: always,
    checked: None,
};

macro_rules! preset {
    ($number:literal, $key:ident, $text:literal) => {
        ActionInfo {
            action: Action::Preset($number),
            menu: (Menu::Image, 3),
            text: $text,
            tooltip: "Show the picture with this window",
            shortcuts: &[key(Key::$key)],
            enabled: has_preset::<$number>,
            checked: Some(|state| {
                state
                    .shown
                    .as_ref()
                    .is_some_and(|shown| shown.view.preset == Some($number))
            }),
            ..PLAIN
        }
    };
}

/// Actions on pictures and on the window, in the order of the menus.
pub(super) const ACTIONS: &[ActionInfo] = &[
    ActionInfo {
        action: Action::OpenFiles,
        menu: (Menu::File, 0),
        text: "Open files…",
        tooltip: "Choose DICOM, PNG, JPEG, TIFF, BMP or WebP files",
        shortcuts: &[ctrl(Key::O)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::OpenFolder,
        menu: (Menu::File, 0),
        text: "Open folder…",
        tooltip: "Choose a folder and step through its pictures",
        shortcuts: &[ctrl_shift(Key::O)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::OpenPath,
        menu: (Menu::File, 0),
        text: "Open path…",
        tooltip: "Type or paste the path of a file or folder",
        shortcuts: &[ctrl(Key::L)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::OpenSample,
        menu: (Menu::File, 0),
        text: "Open sample",
        tooltip: "Show the synthetic chest phantom: computed, not a patient",
        shortcuts: &[ctrl(Key::E)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::CloseAll,
        menu: (Menu::File, 1),
        text: "Close all",
        tooltip: "Empty the list",
        shortcuts: &[ctrl(Key::W)],
        enabled: with_list,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Quit,
        menu: (Menu::File, 1),
        text: "Quit",
        tooltip: "Close the window",
        shortcuts: &[ctrl(Key::Q)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::PreviousImage,
        menu: (Menu::Image, 0),
        text: "Previous image",
        tooltip: "Show the picture before this one",
        shortcuts: &[key(Key::ArrowUp), key(Key::ArrowLeft), key(Key::PageUp)],
        repeats: true,
        enabled: has_previous,
        ..PLAIN
    },
    ActionInfo {
        action: Action::NextImage,
        menu: (Menu::Image, 0),
        text: "Next image",
        tooltip: "Show the picture after this one",
        shortcuts: &[key(Key::ArrowDown), key(Key::ArrowRight), key(Key::PageDown)],
        repeats: true,
        enabled: has_next,
        ..PLAIN
    },
    ActionInfo {
        action: Action::FirstImage,
        menu: (Menu::Image, 0),
        text: "First image",
        tooltip: "Show the first picture of the list",
        shortcuts: &[key(Key::Home)],
        enabled: has_previous,
        ..PLAIN
    },
    ActionInfo {
        action: Action::LastImage,
        menu: (Menu::Image, 0),
        text: "Last image",
        tooltip: "Show the last picture of the list",
        shortcuts: &[key(Key::End)],
        enabled: has_next,
        ..PLAIN
    },
    ActionInfo {
        action: Action::PreviousFrame,
        menu: (Menu::Image, 1),
        text: "Previous frame",
        tooltip: "Show the frame before this one of the same file",
        shortcuts: &[key(Key::Comma)],
        repeats: true,
        enabled: has_previous_frame,
        ..PLAIN
    },
    ActionInfo {
        action: Action::NextFrame,
        menu: (Menu::Image, 1),
        text: "Next frame",
        tooltip: "Show the frame after this one of the same file",
        shortcuts: &[key(Key::Period)],
        repeats: true,
        enabled: has_next_frame,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Invert,
        menu: (Menu::Image, 2),
        text: "Invert",
        tooltip: "Exchange black and white",
        shortcuts: &[key(Key::I)],
        enabled: with_picture,
        checked: Some(|state| state.shown.as_ref().is_some_and(|shown| shown.view.inverted)),
        ..PLAIN
    },
    ActionInfo {
        action: Action::Reset,
        menu: (Menu::Image, 2),
        text: "Reset",
        tooltip: "Window, zoom and position as the picture was opened",
        shortcuts: &[key(Key::Escape)],
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Window(WindowStep::Wider),
        menu: (Menu::Image, 4),
        text: "Wider window",
        tooltip: "Less contrast",
        shortcuts: &[shift(Key::ArrowRight)],
        repeats: true,
        enabled: with_grey,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Window(WindowStep::Narrower),
        menu: (Menu::Image, 4),
        text: "Narrower window",
        tooltip: "More contrast",
        shortcuts: &[shift(Key::ArrowLeft)],
        repeats: true,
        enabled: with_grey,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Window(WindowStep::Brighter),
        menu: (Menu::Image, 4),
        text: "Brighter",
        tooltip: "Move the window's centre so that the picture gets brighter",
        shortcuts: &[shift(Key::ArrowUp)],
        repeats: true,
        enabled: with_grey,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Window(WindowStep::Darker),
        menu: (Menu::Image, 4),
        text: "Darker",
        tooltip: "Move the window's centre so that the picture gets darker",
        shortcuts: &[shift(Key::ArrowDown)],
        repeats: true,
        enabled: with_grey,
        ..PLAIN
    },
    preset!(0, Num0, "Automatic window"),
    preset!(1, Num1, "Window 1"),
    preset!(2, Num2, "Window 2"),
    preset!(3, Num3, "Window 3"),
    preset!(4, Num4, "Window 4"),
    preset!(5, Num5, "Window 5"),
    preset!(6, Num6, "Window 6"),
    preset!(7, Num7, "Window 7"),
    preset!(8, Num8, "Window 8"),
    preset!(9, Num9, "Window 9"),
    ActionInfo {
        action: Action::Fit,
        menu: (Menu::View, 0),
        text: "Fit",
        tooltip: "Show the whole picture; double click does the same",
        shortcuts: &[ctrl(Key::Enter), key(Key::Equals)],
        enabled: with_picture,
        checked: Some(|state| {
            state
                .shown
                .as_ref()
                .is_some_and(|shown| shown.view.placement == Placement::Fit)
        }),
        ..PLAIN
    },
    ActionInfo {
        action: Action::OneToOne,
        menu: (Menu::View, 0),
        text: "1:1",
        tooltip: "One pixel of the picture on one pixel of the screen",
        shortcuts: &[ctrl(Key::Num1)],
        enabled: with_picture,
        checked: Some(|state| {
            state.shown.as_ref().is_some_and(
                |shown| matches!(shown.view.placement, Placement::At { zoom, .. } if (zoom - 1.0).abs() < 1e-9),
            )
        }),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ZoomIn,
        menu: (Menu::View, 0),
        text: "Zoom in",
        tooltip: "Larger; the wheel with Ctrl does it about the cursor",
        shortcuts: &[
            ctrl(Key::Plus),
            ctrl(Key::Equals),
            ctrl_shift(Key::Plus),
            ctrl_shift(Key::Equals),
        ],
        repeats: true,
        enabled: with_picture,
        ..PLAIN
    },
    ActionInfo {
        action: Action::ZoomOut,
        menu: (Menu::View, 0),
        text: "Zoom out",
        tooltip: "Smaller; the wheel with Ctrl does it about the cursor",
        shortcuts: &[ctrl(Key::Minus)],
        repeats: true,
        enabled: with_picture,
        ..PLAIN
    },
    pan(Direction::Left, "Move left", &[alt(Key::ArrowLeft)]),
    pan(Direction::Right, "Move right", &[alt(Key::ArrowRight)]),
    pan(Direction::Up, "Move up", &[alt(Key::ArrowUp)]),
    pan(Direction::Down, "Move down", &[alt(Key::ArrowDown)]),
    tool(Tool::WindowLevel, "Window/level tool", &[key(Key::W)]),
    tool(Tool::Zoom, "Zoom tool", &[key(Key::Z)]),
    tool(Tool::Pan, "Pan tool", &[key(Key::T)]),
    tool(Tool::Ruler, "Ruler", &[key(Key::D)]),
    ActionInfo {
        action: Action::ToggleImageList,
        menu: (Menu::View, 3),
        text: "Image list",
        tooltip: "Show or fold the list of pictures",
        shortcuts: &[key(Key::J)],
        checked: Some(|state| state.layout.image_list),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleFindings,
        menu: (Menu::View, 3),
        text: "Findings",
        tooltip: "Show or fold the findings",
        shortcuts: &[key(Key::F)],
        checked: Some(|state| state.layout.findings),
        ..PLAIN
    },
    ActionInfo {
        action: Action::CycleAnnotations,
        menu: (Menu::View, 3),
        text: "Texts on the picture",
        tooltip: "All, scales only, none",
        shortcuts: &[key(Key::Space)],
        checked: Some(|state| state.layout.annotations != Annotations::None),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleIdentity,
        menu: (Menu::View, 3),
        text: "Patient identity",
        tooltip: "Show the patient's name and number on the picture, or hide them",
        shortcuts: &[ctrl(Key::H)],
        checked: Some(|state| state.layout.identity == IdentityDisplay::Shown),
        ..PLAIN
    },
    workspace(
        Workspace::Read,
        "Read pictures, with what the networks found",
        &[key(Key::F2)],
    ),
    workspace(
        Workspace::Train,
        "Check a data set, choose a network, train it",
        &[key(Key::F3)],
    ),
    workspace(
        Workspace::Results,
        "What trained networks can do, and which of them the viewer uses",
        &[key(Key::F4)],
    ),
    ActionInfo {
        action: Action::ToggleFullScreen,
        menu: (Menu::View, WINDOW_GROUP),
        text: "Full screen",
        tooltip: "Use the whole screen",
        shortcuts: &[key(Key::F11)],
        checked: Some(|state| state.full_screen),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleMask,
        menu: (Menu::Prediction, 0),
        text: "Lung mask",
        tooltip: "Show the lungs that were found; hold X for the bare picture",
        shortcuts: &[key(Key::O)],
        enabled: with_findings,
        checked: Some(|state| state.overlays.mask),
        ..PLAIN
    },
    ActionInfo {
        action: Action::ToggleMap,
        menu: (Menu::Prediction, 0),
        text: "Activation map",
        tooltip: "Show where the network responded; hold X for the bare picture",
        shortcuts: &[key(Key::U)],
        enabled: with_findings,
        checked: Some(|state| state.overlays.map),
        ..PLAIN
    },
    ActionInfo {
        action: Action::Analyse,
        menu: (Menu::Prediction, 1),
        text: "Predict again",
        tooltip: "Run the networks on this picture once more",
        shortcuts: &[key(Key::F5)],
        enabled: can_analyse,
        ..PLAIN
    },
    ActionInfo {
        action: Action::CancelAnalysis,
        menu: (Menu::Prediction, 1),
        text: "Cancel prediction",
        tooltip: "Stop after the stage under way",
        shortcuts: &[ctrl(Key::Period)],
        enabled: is_analysing,
        ..PLAIN
    },
    ActionInfo {
        action: Action::Shortcuts,
        menu: (Menu::Help, 0),
        text: "Keys and mouse",
        tooltip: "What every key and mouse button does",
        shortcuts: &[key(Key::F1)],
        ..PLAIN
    },
    ActionInfo {
        action: Action::About,
        menu: (Menu::Help, 0),
        text: "About",
        tooltip: "What this program is, and what it is not for",
        ..PLAIN
    },
];

const fn workspace(workspace: Workspace, tooltip: &'static str, shortcuts: &'static [KeyboardShortcut]) -> ActionInfo {
    ActionInfo {
        action: Action::Show(workspace),
        menu: (Menu::View, WINDOW_GROUP),
        text: workspace.title(),
        tooltip,
        shortcuts,
        checked: Some(match workspace {
            Workspace::Read => |state| state.workspace == Workspace::Read,
            Workspace::Train => |state| state.workspace == Workspace::Train,
            Workspace::Results => |state| state.workspace == Workspace::Results,
        }),
        ..PLAIN
    }
}

const fn pan(direction: Direction, text: &'static str, shortcuts: &'static [KeyboardShortcut]) -> ActionInfo {
    ActionInfo {
        action: Action::Pan(direction),
        menu: (Menu::View, 1),
        text,
        tooltip: "Move the picture; a middle drag does the same",
        shortcuts,
        repeats: true,
        enabled: with_picture,
        ..PLAIN
    }
}

const fn tool(tool: Tool, text: &'static str, shortcuts: &'static [KeyboardShortcut]) -> ActionInfo {
    ActionInfo {
        action: Action::Use(tool),
        menu: (Menu::View, 2),
        text,
        tooltip: match tool {
            Tool::WindowLevel => "A left drag changes contrast (across) and brightness (up and down)",
            Tool::Zoom => "A left drag zooms",
            Tool::Pan => "A left drag moves the picture",
            Tool::Ruler => "A left drag measures a length; its word says what it means",
        },
        shortcuts,
        checked: Some(match tool {
            Tool::WindowLevel => |state| state.tool == Tool::WindowLevel,
            Tool::Zoom => |state| state.tool == Tool::Zoom,
            Tool::Pan => |state| state.tool == Tool::Pan,
            Tool::Ruler => |state| state.tool == Tool::Ruler,
        }),
        ..PLAIN
    }
}

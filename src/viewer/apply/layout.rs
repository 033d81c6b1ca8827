//! What is folded, hidden or open.

use egui::ViewportCommand;

use super::Services;
use crate::viewer::command::Action;
use crate::viewer::state::{Annotations, Dialog, IdentityDisplay, ViewerState};

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    let layout = &mut state.layout;
    match action {
        Action::Use(tool) => state.tool = tool,
        Action::ToggleImageList => layout.image_list = !layout.image_list,
        Action::ToggleFindings => layout.findings = !layout.findings,
        Action::ToggleIdentity => {
            layout.identity = match layout.identity {
                IdentityDisplay::Shown => IdentityDisplay::Hidden,
                IdentityDisplay::Hidden => IdentityDisplay::Shown,
            }
        }
        Action::CycleAnnotations => {
            layout.annotations = match layout.annotations {
                Annotations::All => Annotations::Scales,
                Annotations::Scales => Annotations::None,
                Annotations::None => Annotations::All,
            };
        }
        Action::ToggleFullScreen => {
            state.full_screen = !state.full_screen;
            services
                .ctx
                .send_viewport_cmd(ViewportCommand::Fullscreen(state.full_screen));
        }
        Action::Shortcuts => state.dialog = Some(Dialog::Shortcuts),
        Action::About => state.dialog = Some(Dialog::About),
        Action::Quit => services.ctx.send_viewport_cmd(ViewportCommand::Close),
        _ => {}
    }
}

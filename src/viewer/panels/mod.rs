//! The zones of the window, one file each. They read the state and push commands; none changes anything itself.

pub mod about;
pub mod calibrate;
pub mod card;
pub mod chart;
pub mod corner_text;
pub mod deidentify;
pub mod empty;
pub mod fidelity_badge;
pub mod findings;
pub mod image_list;
pub mod menu_bar;
pub mod model_choice;
pub mod notice;
pub mod open_path;
pub mod results;
pub mod shortcuts;
pub mod status_bar;
pub mod studies;
pub mod tags;
pub mod train;
pub mod viewport;
pub mod widgets;

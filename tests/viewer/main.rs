//! The window without a display: the shader against the CPU reference, overlays on their pixels, panels and keys
//! driven with findings made by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod alignment;
mod beside_a_run;
mod commands;
mod finished_runs;
mod fixtures;
mod gpu;
mod panels;
mod results;
mod runs;
mod shader;
mod stepping;
mod training;

//! The window without a display: the shader against the CPU reference, overlays on their pixels, panels and keys
//! driven with findings made by hand.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../imaging/fixture.rs"]
#[allow(dead_code, reason = "shared with the tests of imaging")]
mod fixture;

mod alignment;
mod beside_a_run;
mod commands;
mod deidentify;
#[path = "../support/dicom_goldens.rs"]
mod dicom_goldens;
#[path = "../support/elements.rs"]
mod elements;
mod finished_runs;
mod fixtures;
mod golden_shader;
mod gpu;
mod graphics;
mod panels;
mod results;
mod runs;
#[path = "../support/segmenter.rs"]
mod segmenter;
mod shader;
mod stepping;
mod studies;
#[path = "../support/studies.rs"]
mod study_files;
mod tags;
mod training;
mod turned;

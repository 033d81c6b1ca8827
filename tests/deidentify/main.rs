//! De-identification: the rules on files made by code, masks, batches, and every open DICOM file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod batches;
mod burned_in;
mod fixture;
mod masks;
mod oddities;
mod open_files;
mod rules;
mod survival;
mod text_in_frames;

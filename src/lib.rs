//! ReCovNet Viewer: opens a chest X-ray, segments the lungs, scores it with the ReCovNet COVID-19 detector and
//! shows where the network responded. Research use only, not a diagnosis.
//!
//! Modules in reading order; data flows downwards:
//!
//! ```text
//! file -> imaging::Radiograph -> preprocess -> nn (segmenter, recovnet, gradcam)
//!      -> inference -> findings::Findings -> viewer (screen) and report (files)
//! training: labelled files -> the same imaging and preprocess -> nn -> weights
//! ```

pub mod atomic_file;
pub mod deidentify;
pub mod findings;
mod heap;
pub mod imaging;
pub mod inference;
pub mod library;
pub mod markup;
pub mod nn;
pub mod preprocess;
pub mod report;
pub mod training;
pub mod viewer;

pub mod cli;

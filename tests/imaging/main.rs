//! Files to radiographs: rasters, DICOM, look-ups, the phantom, folders, and input that is broken on purpose.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bombs;
mod codestreams;
mod dicom;
mod dicom_golden;
#[path = "../support/dicom_goldens.rs"]
mod dicom_goldens;
mod file_system;
mod fixture;
mod folder;
mod headerless;
mod hostile;
mod jpeg;
mod jpeg_streams;
mod lut;
mod memory;
mod mutants;
mod named_cases;
mod opener;
mod overlays;
mod packed_jpeg;
mod phantom;
mod pixel_formats;
mod png;
mod raster;
mod raster_variants;
mod tags;

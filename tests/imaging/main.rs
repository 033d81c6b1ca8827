//! Files to radiographs: rasters, DICOM, look-ups, the phantom, folders, and input that is broken on purpose.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod dicom;
mod dicom_golden;
mod fixture;
mod folder;
mod headerless;
mod hostile;
mod lut;
mod phantom;
mod raster;

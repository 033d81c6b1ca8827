//! Files to radiographs: rasters, DICOM, look-ups, the phantom, folders, and input that is broken on purpose.

mod dicom_golden;
mod folder;
mod phantom;
mod raster;

//! What a file is and where it belongs, without decoding it: DICOM headers, sizes of pictures. Knows no pixels.

use std::ffi::OsStr;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{ImageFormat, ImageReader};

use super::dicom::header as dicom_header;
use super::{Error, Kind, folder, guarded, headerless, kind_of, open_regular, unknown};

pub use dicom_header::{Header, Series, Study};

/// What a file is, by its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// A DICOM instance.
    Dicom(Box<Header>),
    /// A picture that says nothing of a patient; columns and rows in pixels.
    Picture(u32, u32),
    /// A DICOMDIR: it lists others.
    Directory,
    /// No picture, and not called like one.
    Other,
}

/// Reads what stands before the pixels of a file.
///
/// # Errors
/// If the file cannot be read, is broken before its pixels, or is called like a picture and is none.
pub fn read(path: &Path) -> Result<Head, Error> {
    let named = folder::is_named_like_picture(path);
    let (file, length, head) = match open_regular(path) {
        Ok(opened) => opened,
        // Empty files, pipes and devices are nobody's picture unless their name says so.
        Err(Error::Undecodable { .. }) if !named => return Ok(Head::Other),
        Err(error) => return Err(error),
    };
    guarded(path, || match kind_of(path, length, &head) {
        Some(Kind::Dicom) => dicom_header::read(file).map(|kind| match kind {
            dicom_header::Kind::Instance(header) => Head::Dicom(header),
            dicom_header::Kind::Directory => Head::Directory,
        }),
        Some(Kind::Raster(format)) => size(file, format),
        Some(Kind::Headerless) => Ok(Head::Picture(headerless::SIDE, headerless::SIDE)),
        None if named => Err(unknown(&head)),
        None => Ok(Head::Other),
    })
}

fn size(file: File, format: ImageFormat) -> Result<Head, String> {
    let reader = ImageReader::with_format(BufReader::new(file), format);
    let (width, height) = reader
        .into_dimensions()
        .map_err(|error| format!("its size cannot be read: {error}"))?;
    Ok(Head::Picture(width, height))
}

/// Whether a file is called as a DICOMDIR must be (PS3.10 8.6), in capitals or not.
pub fn is_named_like_directory(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str);
    name.is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
}

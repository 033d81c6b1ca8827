//! Files to [`Radiograph`]s. Knows nothing of networks, tensors or windows on a screen; no file can panic it.

mod auto_window;
mod colour;
mod dicom;
pub mod dicomdir;
mod folder;
pub mod header;
mod headerless;
pub mod lut;
pub mod overlay;
pub mod phantom;
pub mod radiograph;
mod raster;
pub mod shutter;
pub mod spacing;
pub mod tags;
mod tiff;

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

pub use dicom::tree;
pub use dicom::unpacked;
pub use folder::{Walked, candidates, siblings, walked};
pub use lut::{ModalityLut, ModalityTable, Polarity, Rescale, VoiLut, VoiLutFunction, VoiTable, VoiTransform, Window};
pub use overlay::{OverlayPlane, OverlayType};
pub use radiograph::{Acquisition, Identity, Original, Radiograph, Samples, Scope, StoredValues, WideValues};
pub use shutter::{Shutter, ShutterShape};
pub use spacing::{PixelSpacing, SpacingSource};

/// Why a file gives no picture. Every message names the cause; the caller adds what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The file is no picture this program knows, or a broken one.
    #[error("{path}: {reason}")]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// One sentence with the cause.
        reason: String,
    },
}

/// Bytes at the start of a file that tell its kind: a DICOM preamble, its mark and the first element.
const HEAD_BYTES: u64 = 256;
/// Most pixels that a picture, or a frame of one, may have.
const MAX_PIXELS: usize = 200_000_000;
/// Largest file that is opened.
const MAX_FILE_BYTES: u64 = 1 << 30;

const EMPTY: &str = "the file is empty";

/// What a file is, by its first bytes. Its name has a say only where there are none to tell it by.
enum Kind {
    Dicom,
    Raster(image::ImageFormat),
    Headerless,
}

/// What a file of a name, a length in bytes and first bytes is.
fn kind_of(name: &Path, length: u64, head: &[u8]) -> Option<Kind> {
    if headerless::is_named_so(name, length) && headerless::begins_so(head) {
        return Some(Kind::Headerless);
    }
    sniff(head)
}

/// `DICM` is looked for before anything else: a TIFF header may sit in the preamble before it.
fn sniff(head: &[u8]) -> Option<Kind> {
    if head.get(128..132) == Some(b"DICM") {
        return Some(Kind::Dicom);
    }
    raster::sniff(head)
        .map(Kind::Raster)
        .or_else(|| dicom::looks_like_dataset(head).then_some(Kind::Dicom))
}

/// Reads the first frame of a DICOM, PNG, JPEG, TIFF, BMP or WebP file, or a headerless picture of the JSRT database:
/// an `.IMG` file of 8,388,608 bytes.
///
/// # Errors
/// If the file cannot be read, or holds no picture that can be shown exactly as it is meant.
pub fn open(path: &Path) -> Result<Radiograph, Error> {
    open_frame(path, 1)
}

/// Reads one frame, counted from 1.
///
/// # Errors
/// As [`open`], and if there is no such frame.
pub fn open_frame(path: &Path, frame: u32) -> Result<Radiograph, Error> {
    let (file, length, head) = open_regular(path)?;
    guarded(path, || match kind_of(path, length, &head) {
        Some(Kind::Raster(_) | Kind::Headerless) if frame != 1 => Err(format!("there is no frame {frame}, only one")),
        Some(Kind::Headerless) => read_all(file).and_then(|bytes| headerless::read(path, &bytes)),
        Some(Kind::Raster(format)) => raster::read(path, file, format),
        Some(Kind::Dicom) => read_all(file).and_then(|bytes| dicom::read(path, &bytes, frame)),
        None => Err(unknown(&head)),
    })
}

/// Reads the first frame of a file whose bytes are in memory; `name` is what messages call it.
///
/// # Errors
/// As [`open`].
pub fn decode(name: &Path, bytes: &[u8]) -> Result<Radiograph, Error> {
    decode_frame(name, bytes, 1)
}

/// As [`decode`], for one frame, counted from 1.
///
/// # Errors
/// As [`open_frame`].
pub fn decode_frame(name: &Path, bytes: &[u8], frame: u32) -> Result<Radiograph, Error> {
    let head = &bytes[..bytes.len().min(HEAD_BYTES as usize)];
    guarded(name, || match kind_of(name, bytes.len() as u64, head) {
        _ if bytes.is_empty() => Err(EMPTY.to_owned()),
        Some(Kind::Raster(_) | Kind::Headerless) if frame != 1 => Err(format!("there is no frame {frame}, only one")),
        Some(Kind::Headerless) => headerless::read(name, bytes),
        Some(Kind::Raster(format)) => raster::read(name, Cursor::new(bytes), format),
        Some(Kind::Dicom) => dicom::read(name, bytes, frame),
        None => Err(unknown(head)),
    })
}

/// Runs a decoder of other people: they are trusted with bytes, not with the process.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T, String>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err("its data are broken in a way that no decoder copes with".to_owned()))
        .map_err(|reason| Error::Undecodable {
            path: path.to_owned(),
            reason: one_line(&reason),
        })
}

/// Why a file of no known kind gives no picture.
fn unknown(head: &[u8]) -> String {
    let reason = if is_enveloped(head) {
        "the file is encrypted"
    } else {
        "this is no DICOM, PNG, JPEG, TIFF, BMP or WebP file"
    };
    reason.to_owned()
}

/// The bytes of a file: fewer than it had if it shrinks meanwhile, and no more if it grows.
fn read_all(file: File) -> Result<Vec<u8>, String> {
    let length = file.metadata().map_or(0, |metadata| metadata.len()).min(MAX_FILE_BYTES);
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length as usize)
        .map_err(|_| format!("there is no memory for its {length} bytes"))?;
    let read = file.take(length).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| format!("cannot be read: {error}"))
}

/// Whether a file is a CMS envelope (RFC 5652), as secure DICOM media are (PS3.15 annex D): a DER sequence
/// that names enveloped data.
fn is_enveloped(head: &[u8]) -> bool {
    const ENVELOPED_DATA: [u8; 11] = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3];
    let named = head
        .windows(ENVELOPED_DATA.len())
        .take(16)
        .any(|bytes| bytes == ENVELOPED_DATA);
    head.first() == Some(&0x30) && named
}

/// A decoder's words without line breaks, and not endless.
fn one_line(reason: &str) -> String {
    let plain = reason.replace(char::is_control, " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(300).collect()
}

/// Opens a file that is neither a folder, a pipe nor a device, empty or too large, and tells its length and its first bytes.
fn open_regular(path: &Path) -> Result<(File, u64, Vec<u8>), Error> {
    let unreadable = |cause| Error::Read {
        path: path.to_owned(),
        cause,
    };
    let refused = |reason: &str| Error::Undecodable {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    // Asked before it is opened, because opening a pipe waits for its writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(refused("this is a folder, not a file"));
    }
    if !metadata.is_file() {
        return Err(refused("this is a pipe or a device, not a file"));
    }
    if metadata.len() == 0 {
        return Err(refused(EMPTY));
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(refused("the file is larger than 1 GiB, more than this program opens"));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut head = Vec::new();
    file.by_ref()
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    Ok((file, metadata.len(), head))
}

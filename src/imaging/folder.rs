//! Which files of a folder look like pictures, in the order people expect. Decodes nothing.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::{HEAD_BYTES, headerless, kind_of};

/// Most files taken from one folder.
const MAX_FILES: usize = 100_000;
/// Most levels of folders in folders.
const MAX_DEPTH: usize = 64;
/// Name endings, in lower case, of files that are offered whatever their first bytes are, so that a broken
/// picture is reported and not passed over.
const EXTENSIONS: [&str; 10] = [
    "dcm", "dicom", "dic", "png", "jpg", "jpeg", "tif", "tiff", "bmp", "webp",
];

/// Files below `folder` that look like pictures by their name or their first bytes, in natural order
/// (`2.png` before `10.png`), at most 100,000. Hidden files, pipes, devices and loops of links are passed over.
pub fn candidates(folder: &Path) -> Vec<PathBuf> {
    walk(folder, MAX_DEPTH).files
}

/// What a walk over a folder found, and what it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walked {
    /// As [`candidates`].
    pub files: Vec<PathBuf>,
    /// Files and folders that cannot be read.
    pub unread: usize,
    /// There are more files than are taken.
    pub is_cut: bool,
}

/// As [`candidates`], for who has to account for every file.
pub fn walked(folder: &Path) -> Walked {
    walk(folder, MAX_DEPTH)
}

/// As [`candidates`], for the files beside `file`; folders in its folder are passed over.
pub fn siblings(file: &Path) -> Vec<PathBuf> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => walk(folder, 1).files,
        _ => walk(Path::new("."), 1).files,
    }
}

fn walk(folder: &Path, depth: usize) -> Walked {
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut walked = Walked::default();
    let entries = WalkDir::new(folder).follow_links(true).max_depth(depth).into_iter();
    for entry in entries.filter_entry(visible) {
        let looks = match entry {
            Ok(entry) if !entry.file_type().is_file() => continue,
            Ok(entry) => looks_like_picture(entry.path()).map(|looks| looks.then(|| entry.into_path())),
            // A loop of links hides nothing that is not found elsewhere.
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => Err(error.into()),
        };
        match looks {
            Ok(None) => {}
            Ok(Some(_)) if walked.files.len() == MAX_FILES => {
                walked.is_cut = true;
                break;
            }
            Ok(Some(path)) => walked.files.push(path),
            Err(_) => walked.unread += 1,
        }
    }
    walked.files.sort_by(|a, b| natural_order(a, b));
    walked
}

/// Whether a file's ending is one that pictures have.
pub(super) fn is_named_like_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_lowercase().as_str()))
}

fn looks_like_picture(path: &Path) -> io::Result<bool> {
    if is_named_like_picture(path) {
        return Ok(true);
    }
    let file = File::open(path)?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if headerless::is_named_so(path, length) {
        return Ok(true);
    }
    let mut head = Vec::new();
    file.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(kind_of(path, length, &head).is_some())
}

/// Paths part by part; runs of digits compare as numbers.
fn natural_order(a: &Path, b: &Path) -> Ordering {
    let parts = |path: &Path| -> Vec<String> {
        path.components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect()
    };
    let (left, right) = (parts(a), parts(b));
    for (x, y) in left.iter().zip(&right) {
        let order = natural_text_order(x.as_bytes(), y.as_bytes());
        if order != Ordering::Equal {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

fn natural_text_order(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (m, n) = (take_number(&mut a), take_number(&mut b));
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// Cuts the digits off the front and returns them without leading zeros.
fn take_number<'a>(text: &mut &'a [u8]) -> &'a [u8] {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    *text = rest;
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros..]
}

//! Which files of a folder look like pictures, in the order people expect. Decodes nothing.

use std::cmp::Ordering;
use std::fs::File;
use std::io::Read;
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
    walk(folder, MAX_DEPTH)
}

/// As [`candidates`], for the files beside `file`; folders in its folder are passed over.
pub fn siblings(file: &Path) -> Vec<PathBuf> {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => walk(folder, 1),
        _ => walk(Path::new("."), 1),
    }
}

fn walk(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    let mut files: Vec<PathBuf> = WalkDir::new(folder)
        .follow_links(true)
        .max_depth(depth)
        .into_iter()
        .filter_entry(visible)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file() && looks_like_picture(entry.path()))
        .map(walkdir::DirEntry::into_path)
        .take(MAX_FILES)
        .collect();
    files.sort_by(|a, b| natural_order(a, b));
    files
}

fn looks_like_picture(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|extension| extension.to_str())
        .map(str::to_lowercase);
    if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
        return true;
    }
    let Ok(file) = File::open(path) else {
        return false;
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if headerless::is_named_so(path, length) {
        return true;
    }
    let mut head = Vec::new();
    let read = file.take(HEAD_BYTES).read_to_end(&mut head);
    read.is_ok() && kind_of(path, length, &head).is_some()
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

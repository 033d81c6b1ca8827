//! What stands under a name and is no plain file, or does not stay one: none of it is waited for.
#![cfg(unix)]

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use image::{ImageFormat, Luma};
use recovnet::imaging::{self, phantom};

use crate::fixture::Dicom;
use crate::opener::{Opener, folder_for_everybody};

#[test]
fn what_is_no_plain_file_is_refused_by_name() {
    let folder = folder_for_everybody();
    let path = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(path("pipe.dcm")).status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "mkfifo is part of every Unix"
    );
    std::fs::create_dir(path("folder.dcm")).expect("writable");
    let _socket = UnixListener::bind(path("socket.dcm")).expect("a socket");
    symlink("loop_b.dcm", path("loop_a.dcm")).expect("links work");
    symlink("loop_a.dcm", path("loop_b.dcm")).expect("links work");
    symlink("/nonexistent/x", path("dangling.dcm")).expect("links work");
    symlink("/dev/zero", path("zero.dcm")).expect("links work");
    std::fs::write(path("empty.dcm"), b"").expect("writable");
    let mut opener = Opener::start();
    let mut refused = |path: &Path, cause: &str| {
        let answer = opener.open(path).expect("it is answered");
        let sentence = answer.result.expect_err("this is no picture");
        assert!(sentence.starts_with(&*path.to_string_lossy()), "{sentence}");
        assert!(sentence.contains(cause), "{sentence}");
    };
    refused(&path("pipe.dcm"), "pipe or a device");
    refused(&path("socket.dcm"), "pipe or a device");
    refused(Path::new("/dev/zero"), "pipe or a device");
    refused(&path("zero.dcm"), "pipe or a device");
    refused(&path("folder.dcm"), "folder");
    refused(&path("loop_a.dcm"), "cannot be read");
    refused(&path("dangling.dcm"), "cannot be read");
    refused(&path("missing.dcm"), "cannot be read");
    refused(&path("empty.dcm"), "empty");
}

#[test]
fn what_may_not_be_read_is_refused_by_name() {
    let folder = folder_for_everybody();
    let path = folder.path().join("secret.dcm");
    std::fs::write(&path, Dicom::new().bytes()).expect("writable");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("ours");
    let mut opener = Opener::start();
    if !opener.ordinary {
        println!("skipped: this user may read everything, and no other can run this program");
        return;
    }
    let answer = opener.open(&path).expect("it is answered");
    let sentence = answer.result.expect_err("it may not be read");
    assert!(sentence.contains("secret.dcm: cannot be read"), "{sentence}");
    let inside = folder.path().join("closed");
    std::fs::create_dir(&inside).expect("writable");
    std::fs::write(inside.join("a.dcm"), Dicom::new().bytes()).expect("writable");
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o000)).expect("ours");
    let answer = opener.open(&inside.join("a.dcm")).expect("it is answered");
    std::fs::set_permissions(&inside, std::fs::Permissions::from_mode(0o755)).expect("ours");
    assert!(
        answer
            .result
            .is_err_and(|sentence| sentence.contains("a.dcm: cannot be read"))
    );
}

#[test]
fn odd_names_open() {
    let folder = folder_for_everybody();
    let long = "L".repeat(240) + ".dcm";
    let names: [&[u8]; 4] = [
        b"bad_utf8_\xff\xfe.dcm",
        "näme ünïcode 名 ' \" $(x) .dcm".as_bytes(),
        long.as_bytes(),
        b"-rf",
    ];
    let mut opener = Opener::start();
    for name in names {
        let path = folder.path().join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(&path, Dicom::new().bytes()).expect("writable");
        let answer = opener.open(&path).expect("it is answered");
        assert_eq!(answer.result.ok(), Some(24), "{}", path.display());
    }
    let found = imaging::candidates(folder.path());
    assert_eq!(found.len(), names.len(), "{found:?}");
}

/// A writer that replaces a file's bytes while it is read makes it shorter for a moment, or longer.
#[test]
fn files_that_change_while_they_are_read_end_in_a_picture_or_a_sentence() {
    let folder = folder_for_everybody();
    let picture = image::ImageBuffer::from_fn(600, 500, |x, y| Luma([(x * 90 + y) as u16]));
    let encoded = |format: ImageFormat| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encoded");
        bytes.into_inner()
    };
    let files = [
        ("a.dcm", phantom::dicom_bytes(600, 500).expect("made")),
        ("a.png", encoded(ImageFormat::Png)),
        ("a.tif", encoded(ImageFormat::Tiff)),
    ];
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).expect("writable");
        let done = AtomicBool::new(false);
        let (mut shown, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let lengths = [bytes.len(), bytes.len() / 3, 0, bytes.len() - 1, 2 * bytes.len()];
                for length in lengths.into_iter().cycle().take_while(|_| !done.load(Relaxed)) {
                    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("writable");
                    file.set_len(length as u64).expect("writable");
                    std::fs::write(&path, &bytes).expect("writable");
                }
            });
            for _ in 0..200 {
                match imaging::open(&path) {
                    Ok(radiograph) => {
                        assert_eq!((radiograph.width, radiograph.height), (600, 500));
                        shown += 1;
                    }
                    Err(error) => {
                        assert!(!error.to_string().contains("no decoder copes"), "{error}");
                        refused += 1;
                    }
                }
            }
            done.store(true, Relaxed);
        });
        println!("{name}: {shown} shown, {refused} refused");
    }
}

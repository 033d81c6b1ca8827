//! Which files of a folder are offered, and in which order.

use std::fs;

use recovnet::imaging;
use tempfile::TempDir;

#[test]
fn pictures_come_in_natural_order() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM");
    fs::create_dir(folder.path().join("b")).expect("writable");
    for name in [
        "10.png",
        "2.png",
        "b/1.jpg",
        "c.DCM",
        "1.png",
        "notes.txt",
        ".hidden.png",
        "a007.bmp",
        "a12.bmp",
    ] {
        fs::write(folder.path().join(name), b"x").expect("writable");
    }
    fs::write(folder.path().join("IM000001"), dicom).expect("writable");
    let found: Vec<String> = imaging::candidates(folder.path())
        .iter()
        .map(|path| {
            path.strip_prefix(folder.path())
                .expect("below it")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        found,
        [
            "1.png", "2.png", "10.png", "a007.bmp", "a12.bmp", "b/1.jpg", "c.DCM", "IM000001"
        ]
    );
}

#[test]
fn a_folder_without_pictures_offers_none() {
    let folder = TempDir::new().expect("a temporary folder");
    assert!(imaging::candidates(folder.path()).is_empty());
    assert!(imaging::candidates(&folder.path().join("missing")).is_empty());
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end() {
    let folder = TempDir::new().expect("a temporary folder");
    std::os::unix::fs::symlink(".", folder.path().join("self")).expect("links work");
    std::os::unix::fs::symlink("loop_b.dcm", folder.path().join("loop_a.dcm")).expect("links work");
    std::os::unix::fs::symlink("loop_a.dcm", folder.path().join("loop_b.dcm")).expect("links work");
    fs::write(folder.path().join("1.png"), b"x").expect("writable");
    assert_eq!(imaging::candidates(folder.path()), [folder.path().join("1.png")]);
}

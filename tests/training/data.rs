//! Manifest, split and loading.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use recovnet::nn::InputSpec;
use recovnet::training::manifest::{Class, Manifest, Row};
use recovnet::training::phase::{Classification, Phase, Segmentation};
use recovnet::training::sample;
use recovnet::training::split::Part;

use crate::phantoms;

fn manifest(table: &str) -> Result<Manifest, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("manifest.csv"), table).expect("a table is written");
    Manifest::read(folder.path()).map_err(|e| e.to_string())
}

#[test]
fn groups_come_from_group_then_patient_then_file() {
    let table = "file,label,patient,group\na.png,covid,p1,g1\nb.png,normal,p2,\nc.png,viral,,\n";
    let rows = manifest(table).expect("a manifest").rows;
    let groups: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
    assert_eq!(groups, ["g1", "p2", "c.png"]);
    let classes: Vec<Class> = rows.iter().map(|row| row.class).collect();
    assert_eq!(classes, [Class::Covid19, Class::Control, Class::Control]);
}

#[test]
fn two_columns_are_enough() {
    let rows = manifest("label,file\nnormal,x/a.png\n").expect("a manifest").rows;
    assert_eq!((rows[0].file.as_str(), rows[0].mask.is_none()), ("x/a.png", true));
}

#[test]
fn missing_columns_and_cells_are_named() {
    assert!(
        manifest("file,finding\na,b\n")
            .expect_err("no label")
            .contains("no column 'label'")
    );
    assert!(
        manifest("label\nb\n")
            .expect_err("no file")
            .contains("no column 'file'")
    );
    let error = manifest("file,label\na.png,normal\nb.png,\n").expect_err("no label");
    assert!(
        error.contains("line 3") && error.contains("b.png has no label"),
        "{error}"
    );
    let error = manifest("file,label\na.png,normal,extra\n").expect_err("ragged");
    assert!(error.contains("cannot be read"), "{error}");
    let error = Manifest::read(Path::new("/nowhere"))
        .expect_err("no folder")
        .to_string();
    assert!(error.contains("manifest.csv"), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = phantoms::folder(4);
    std::fs::remove_file(folder.path().join("mask2.png")).expect("it was there");
    let manifest = Manifest::read(folder.path()).expect("a manifest");
    let error = manifest
        .check_files(&manifest.rows)
        .expect_err("a mask is missing")
        .to_string();
    assert!(error.contains("mask2.png"), "{error}");
}

/// These parts are fixed for good: weights that were trained once rely on them.
#[test]
fn parts_never_change() {
    let expected = [
        ("nih-00008947", Part::Train),
        ("kermany-p1312", Part::Test),
        ("a", Part::Test),
        ("b", Part::Validation),
        ("c", Part::Test),
        ("d", Part::Train),
        ("patient-1", Part::Test),
        ("patient-2", Part::Train),
        ("patient-3", Part::Validation),
    ];
    for (group, part) in expected {
        assert_eq!(Part::of(group), part, "{group}");
    }
}

proptest! {
    #[test]
    fn parts_have_their_shares(prefix in "[a-z]{1,8}") {
        let mut counts: BTreeMap<Part, usize> = BTreeMap::new();
        for i in 0..4000 {
            *counts.entry(Part::of(&format!("{prefix}-{i}"))).or_default() += 1;
        }
        prop_assert!((2620..=2980).contains(&counts[&Part::Train]), "{counts:?}");
        prop_assert!((290..=510).contains(&counts[&Part::Validation]), "{counts:?}");
    }
}

fn groups(rows: &[&Row], part: Part) -> BTreeSet<String> {
    rows.iter()
        .filter(|row| Part::of(&row.group) == part)
        .map(|row| row.group.clone())
        .collect()
}

#[test]
fn the_real_folder_splits_by_group_and_phase() {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cxr");
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} must be there in CI",
            folder.display()
        );
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let manifest = Manifest::read(&folder).expect("a manifest");
    manifest.check_files(&manifest.rows).expect("every file is there");
    let second: Vec<&Row> = manifest.rows.iter().filter(|row| Classification::takes(row)).collect();
    assert!(second.len() < manifest.rows.len() && second.iter().all(|row| !row.is_lateral()));
    let parts = [Part::Train, Part::Validation, Part::Test].map(|part| groups(&second, part));
    for (i, one) in parts.iter().enumerate() {
        assert!(!one.is_empty());
        for other in &parts[i + 1..] {
            assert!(one.is_disjoint(other), "a group lies in two parts");
        }
    }
    let first: Vec<&Row> = manifest.rows.iter().filter(|row| Segmentation::takes(row)).collect();
    assert!(!first.is_empty());
    assert!(
        first
            .iter()
            .all(|row| row.has_manual_lung_field() && row.class == Class::Control)
    );
}

#[test]
fn masks_and_pictures_load_alike() {
    let folder = phantoms::folder(6);
    let manifest = Manifest::read(folder.path()).expect("a manifest");
    let rows: Vec<&Row> = manifest.rows.iter().collect();
    let spec = InputSpec {
        width: 48,
        height: 32,
        ..InputSpec::default()
    };
    let mut seen = 0;
    let samples = sample::load(&rows, &spec, true, &AtomicBool::new(false), &mut |done| seen = done);
    let samples = samples.expect("all load");
    assert_eq!((samples.len(), seen), (6, 6));
    for sample in &samples {
        let grey = sample.grey();
        assert_eq!((grey.len(), sample.mask.len()), (48 * 32, 48 * 32));
        let mean = |inside: u8| {
            let picked: Vec<f32> = grey
                .iter()
                .zip(&sample.mask)
                .filter(|(_, m)| **m == inside)
                .map(|(g, _)| *g)
                .collect();
            picked.iter().sum::<f32>() / picked.len() as f32
        };
        assert!(mean(1) + 0.2 < mean(0), "lungs are darker than the body");
    }
}

#[test]
fn bad_masks_are_named() {
    let folder = phantoms::folder(2);
    let path = folder.path().join("mask0.png");
    let error = sample::read_mask(&path, 10, 10).expect_err("another size").to_string();
    assert!(
        error.contains("mask0.png") && error.contains("72x64") && error.contains("10x10"),
        "{error}"
    );
    std::fs::write(&path, b"no picture").expect("it is written");
    let error = sample::read_mask(&path, 72, 64).expect_err("no picture").to_string();
    assert!(error.contains("mask0.png"), "{error}");
    let dim = folder.path().join("dim.png");
    image::GrayImage::from_raw(2, 1, vec![0, 1])
        .expect("two pixels")
        .save(&dim)
        .expect("written");
    assert_eq!(sample::read_mask(&dim, 2, 1).expect("a mask of 0 and 1"), [0, 1]);
    let deep = folder.path().join("deep.png");
    let values = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![0_u16, 1]).expect("two pixels");
    values.save(&deep).expect("a 16-bit mask");
    assert_eq!(
        sample::read_mask(&deep, 2, 1).expect("a 16-bit mask of 0 and 1"),
        [0, 1]
    );
}

#[test]
fn loading_stops_when_asked() {
    let folder = phantoms::folder(2);
    let manifest = Manifest::read(folder.path()).expect("a manifest");
    let rows: Vec<&Row> = manifest.rows.iter().collect();
    let spec = InputSpec::default();
    let outcome = sample::load(&rows, &spec, false, &AtomicBool::new(true), &mut |_| {});
    assert!(matches!(outcome, Err(sample::Error::Cancelled)));
}

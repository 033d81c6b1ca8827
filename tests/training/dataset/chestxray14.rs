//! ChestX-ray14.

use std::fmt::Write as _;

use recovnet::training::dataset::{Category, DatasetKind, Options};
use recovnet::training::manifest::Row;
use recovnet::training::split::{Part, SplitRule};

use super::{Fixture, count, row};

/// Three images a patient; every fourth patient is in the test list.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let mut table =
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position\n".to_owned();
    let (mut train, mut test) = (String::new(), String::new());
    for patient in 1..=12 {
        for follow_up in 0..3 {
            let name = format!("{patient:08}_{follow_up:03}.png");
            let folder = if patient < 7 {
                "images_001/images"
            } else {
                "images_002/images"
            };
            fixture.picture(&format!("{folder}/{name}"), patient * 3 + follow_up);
            let finding = if follow_up == 0 {
                "No Finding"
            } else {
                "Cardiomegaly|Emphysema"
            };
            writeln!(table, "{name},{finding},{follow_up},{patient},058Y,M,PA").unwrap();
            let list = if patient % 4 == 0 { &mut test } else { &mut train };
            writeln!(list, "{name}").unwrap();
        }
    }
    table += "00000013_000.png,No Finding,0,13,058Y,M,PA\n";
    fixture.text("Data_Entry_2017_v2020.csv", &table);
    fixture.text("train_val_list.txt", &train);
    fixture.text("test_list.txt", &test);
    fixture
}

#[test]
fn the_predefined_split_is_kept() {
    let fixture = fixture();
    let manifest = fixture.open();
    assert_eq!(manifest.kinds, [DatasetKind::ChestXray14]);
    assert_eq!(
        count(&manifest.rows, |row| row.category),
        [(Category::ChestXray14, 36)].into()
    );
    assert!(manifest.notes[0].starts_with("1 images that"), "{:?}", manifest.notes);
    assert!(
        manifest
            .rows
            .iter()
            .all(|row| (row.part() == Part::Test) == (row.predefined == Some(Part::Test)))
    );
    // A tenth of 27 training images, by patient.
    let parts = count(&manifest.rows, Row::part);
    assert_eq!(
        parts,
        [(Part::Train, 24), (Part::Validation, 3), (Part::Test, 9)].into()
    );
    assert!(manifest.split.leakage.is_none());
    let one = row(&manifest, "images_001/images/00000002_001.png");
    assert_eq!(
        (one.group.as_str(), one.label.as_str()),
        ("nih-00000002", "other-thoracic")
    );
    assert_eq!(
        (one.source.as_deref(), one.note.as_deref()),
        (Some("nih"), Some("Cardiomegaly|Emphysema"))
    );
    assert_eq!(row(&manifest, "images_002/images/00000009_000.png").label, "normal");
}

#[test]
fn without_lists_patients_stay_together() {
    let fixture = fixture();
    std::fs::remove_file(fixture.path().join("train_val_list.txt")).unwrap();
    assert!(fixture.refusal(&Options::default()).contains("both lists are needed"));
    std::fs::remove_file(fixture.path().join("test_list.txt")).unwrap();
    let manifest = fixture.open();
    assert!(
        manifest
            .notes
            .iter()
            .any(|note| note.contains("paper's ratio by patient"))
    );
    assert!(manifest.split.leakage.is_none());
    // 77 % of 36 images in whole patients of 3.
    assert_eq!(count(&manifest.rows, Row::part)[&Part::Test], 9);
    let predefined = Options {
        split_rule: Some(SplitRule::Predefined),
        ..Options::default()
    };
    let error = fixture.refusal(&predefined);
    assert!(
        error.contains("00000001_000.png") && error.contains("35 more"),
        "{error}"
    );
}

#[test]
fn an_image_in_both_lists_is_an_error() {
    let fixture = fixture();
    fixture.text("test_list.txt", "00000001_000.png\n");
    let error = fixture.refusal(&Options::default());
    assert!(
        error.contains("test_list.txt") && error.contains("both lists"),
        "{error}"
    );
}

//! Children of Guangzhou.

use recovnet::training::dataset::{Category, DatasetKind, patient_of};
use recovnet::training::manifest::{Manifest, Row};
use recovnet::training::split::{Part, SplitRule};

use super::{Fixture, count, row};

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    for i in 1..=10 {
        fixture.picture(&format!("chest_xray/train/NORMAL/IM-{i:04}-0001.jpeg"), i);
        fixture.picture(
            &format!("chest_xray/train/PNEUMONIA/person{i}_bacteria_{i}.jpeg"),
            20 + i,
        );
        fixture.picture(
            &format!("chest_xray/train/PNEUMONIA/person{}_virus_{i}.jpeg", 100 + i),
            40 + i,
        );
    }
    fixture.picture("chest_xray/val/NORMAL/NORMAL2-IM-1427-0001.jpeg", 61);
    fixture.picture("chest_xray/val/PNEUMONIA/person1946_bacteria_4874.jpeg", 62);
    fixture.picture("chest_xray/test/NORMAL/IM-0001-0002.jpeg", 63);
    fixture.picture("chest_xray/test/PNEUMONIA/person3_virus_15.jpeg", 64);
    fixture.text("chest_xray/__MACOSX/train/NORMAL/._IM-0001-0001.jpeg", "");
    fixture.text("chest_xray/train/.DS_Store", "");
    fixture
}

#[test]
fn names_tell_bacteria_from_virus_and_patients() {
    let manifest = fixture().open();
    assert_eq!(manifest.kinds, [DatasetKind::Kermany]);
    let expected = [(Category::Bacterial, 11), (Category::Viral, 11), (Category::Other, 12)];
    assert_eq!(count(&manifest.rows, |row| row.category), expected.into());
    let one = row(&manifest, "chest_xray/train/PNEUMONIA/person104_virus_4.jpeg");
    assert_eq!((one.label.as_str(), one.group.as_str()), ("viral", "kermany-p104"));
    assert_eq!(one.note.as_deref(), Some("paediatric"));
}

#[test]
fn the_predefined_split_tells_its_leakage() {
    let manifest = fixture().open();
    assert_eq!(manifest.split.rule, SplitRule::Predefined);
    let parts = count(&manifest.rows, Row::part);
    assert_eq!(
        (parts[&Part::Test], parts[&Part::Train] + parts[&Part::Validation]),
        (2, 32)
    );
    // Patients IM0001 and p3 are in both.
    assert_eq!(
        (manifest.split.leakage.groups, manifest.split.leakage.test_images),
        (2, 2)
    );
    assert!(
        manifest
            .notes
            .iter()
            .any(|note| note.starts_with("2 patients or groups are both"))
    );
}

#[test]
fn patients_have_the_names_of_the_manifests() {
    for (name, patient) in [
        ("person1312_bacteria_3319.jpeg", Some("kermany-p1312")),
        ("IM-0272-0001.jpeg", Some("kermany-IM0272")),
        ("NORMAL2-IM-1427-0001.jpeg", Some("kermany-NORMAL2-IM1427")),
        ("VIRUS-1008087-0001.jpeg", Some("kermany-1008087")),
        ("00008947_003.png", Some("nih-00008947")),
        ("MCUCXR_0253_1.png", Some("mc-0253")),
        ("CHNCXR_0096_0.png", Some("sz-0096")),
        ("JPCNN093.IMG", Some("jsrt-JPCNN093")),
        (
            "sub-S03044_ses-E06025_run-1_bp-chest_vp-ap_dx.png",
            Some("bimcv-sub-S03044"),
        ),
        ("covid_12.png", None),
        ("person.png", None),
        ("personal_notes.png", None),
        ("0008947_003.png", None),
        ("", None),
    ] {
        assert_eq!(patient_of(name).as_deref(), patient, "{name}");
    }
}

/// The shared manifest took its patients from the same names.
#[test]
fn patients_agree_with_the_real_manifest() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/cxr");
    if !folder.is_dir() {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} must be there in CI",
            folder.display()
        );
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let patients: Vec<String> = {
        let mut reader = csv::Reader::from_path(folder.join("manifest.csv")).expect("a table");
        let column = |name: &str, reader: &mut csv::Reader<std::fs::File>| {
            reader
                .headers()
                .expect("a header")
                .iter()
                .position(|column| column == name)
                .expect("a column")
        };
        let original = column("original_file", &mut reader);
        reader
            .records()
            .map(|record| record.expect("a row")[original].to_owned())
            .collect()
    };
    let manifest = Manifest::read(&folder).expect("a manifest");
    let mut compared = 0;
    for (row, original) in manifest.rows.iter().zip(&patients) {
        if let ("kermany" | "nih" | "montgomery" | "shenzhen", Some(patient)) =
            (row.source.as_deref().unwrap_or_default(), patient_of(original))
        {
            assert_eq!(row.patient.as_deref(), Some(patient.as_str()), "{original}");
            compared += 1;
        }
    }
    assert!(compared > 2000, "{compared} names told a patient");
}

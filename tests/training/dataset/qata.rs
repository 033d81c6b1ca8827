//! QaTa-COV19.

use recovnet::training::Error;
use recovnet::training::dataset::{Category, DatasetKind, Options, QataVersion};
use recovnet::training::manifest::{Class, INFECTED_REGION};
use recovnet::training::phase::{self, Classification, Phase, Segmentation};
use recovnet::training::split::{Part, SplitRule};

use super::{Fixture, count, indiana, row};

const ROOT: &str = "QaTa-COV19";

/// The download with so many images a folder; five early images, one a copy of a COVID-19 image and one of another
/// early image.
pub fn fixture(number: u32) -> Fixture {
    let fixture = Fixture::new();
    for i in 1..=number {
        fixture.picture(&format!("{ROOT}/QaTa-COV19-v1/Images/covid_{i}.png"), i);
        fixture.mask(
            &format!("{ROOT}/QaTa-COV19-v1/Ground-truths/mask_covid_{i}.png"),
            (12, 10),
            2..4,
        );
        let set = if i % 4 == 0 { "Test Set" } else { "Train Set" };
        fixture.picture(&format!("{ROOT}/QaTa-COV19-v2/{set}/Images/covid_{i}.png"), 1000 + i);
        fixture.mask(
            &format!("{ROOT}/QaTa-COV19-v2/{set}/Ground-truths/mask_covid_{i}.png"),
            (12, 10),
            2..4,
        );
        let control = format!("{ROOT}/Control_Group/Control_Group_II");
        // Two images a patient, every other patient in the test folder.
        let (patient, follow_up) = (i.div_ceil(2), (i - 1) % 2);
        let set = if patient % 2 == 0 { "Test" } else { "Train" };
        fixture.picture(
            &format!("{control}/CHESTXRAY-14/{set}/{patient:08}_{follow_up:03}.png"),
            2000 + i,
        );
        fixture.picture(
            &format!(
                "{control}/Pediatric_Bacterial_Pneumonia/person{}_bacteria_{i}.jpeg",
                i / 2
            ),
            3000 + i,
        );
        fixture.picture(
            &format!("{control}/Pediatric_Viral_Pneumonia/person{}_virus_{i}.jpeg", 500 + i),
            4000 + i,
        );
        fixture.picture(
            &format!("{ROOT}/Control_Group/Control_Group_I/normal {i}.png"),
            5000 + i,
        );
    }
    let early = format!("{ROOT}/Early-QaTa-COV19");
    fixture.picture(&format!("{early}/No_COVID-19_Pneumonia_Cases/copy.png"), 1);
    fixture.picture(&format!("{early}/No_COVID-19_Pneumonia_Cases/early_1.png"), 50);
    fixture.picture(&format!("{early}/No_COVID-19_Pneumonia_Cases/early_2.png"), 51);
    fixture.picture(&format!("{early}/Limited_COVID-19_Pneumonia_Cases/early_3.png"), 52);
    fixture.picture(&format!("{early}/Limited_COVID-19_Pneumonia_Cases/early_4.png"), 51);
    fixture
}

#[test]
fn the_papers_task_is_found_and_nothing_else() {
    let files = fixture(8);
    let manifest = files.open();
    assert_eq!(manifest.kinds, [DatasetKind::Qata]);
    let expected = [
        (Category::Covid19, 8 + 3),
        (Category::Bacterial, 8),
        (Category::Viral, 8),
        (Category::ChestXray14, 8),
    ];
    assert_eq!(count(&manifest.rows, |row| row.category), expected.into());
    assert!(
        manifest
            .rows
            .iter()
            .all(|row| (row.class == Class::Covid19) == (row.category == Category::Covid19))
    );
    let notes = manifest.notes.join("\n");
    for word in [
        "v1 is taken",
        "2 of 5 early images",
        "Control_Group_I is left out",
        "lateral views",
    ] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    assert_eq!(
        count(&manifest.rows, |row| row.source.clone())[&Some("qata-early".to_owned())],
        3
    );
    manifest.check_files(&manifest.rows).expect("all are there");
}

#[test]
fn patients_come_from_names_where_names_tell() {
    let manifest = fixture(8).open();
    let control = "QaTa-COV19/Control_Group/Control_Group_II";
    let nih = row(&manifest, &format!("{control}/CHESTXRAY-14/Train/00000003_000.png"));
    assert_eq!(
        (nih.group.as_str(), nih.part()),
        ("nih-00000003", nih.predefined.unwrap())
    );
    let bacterial = row(
        &manifest,
        &format!("{control}/Pediatric_Bacterial_Pneumonia/person1_bacteria_3.jpeg"),
    );
    assert_eq!(bacterial.patient.as_deref(), Some("kermany-p1"));
    let covid = row(&manifest, "QaTa-COV19/QaTa-COV19-v1/Images/covid_3.png");
    assert_eq!(
        (covid.patient.as_deref(), covid.group.as_str()),
        (None, covid.file.as_str())
    );
}

#[test]
fn one_version_is_taken_and_never_both() {
    let fixture = fixture(8);
    let version = |version| {
        let options = Options {
            qata_version: version,
            ..Options::default()
        };
        fixture.open_with(&options)
    };
    let (both, first, second) = (
        version(None),
        version(Some(QataVersion::V1)),
        version(Some(QataVersion::V2)),
    );
    let of = |name: &str, manifest: &recovnet::training::manifest::Manifest| {
        manifest.rows.iter().filter(|row| row.file.contains(name)).count()
    };
    assert_eq!((of("-v1/", &both), of("-v2/", &both)), (8, 0));
    assert_eq!((of("-v1/", &first), of("-v2/", &first)), (8, 0));
    assert_eq!((of("-v1/", &second), of("-v2/", &second)), (0, 8));
    let predefined = row(&second, "QaTa-COV19/QaTa-COV19-v2/Test Set/Images/covid_4.png");
    assert_eq!(predefined.predefined, Some(Part::Test));
    std::fs::remove_dir_all(fixture.path().join("QaTa-COV19/QaTa-COV19-v1")).unwrap();
    assert_eq!(of("-v2/", &fixture.open()), 8);
    let options = Options {
        qata_version: Some(QataVersion::V1),
        ..Options::default()
    };
    assert!(fixture.refusal(&options).contains("QaTa-COV19-v1 was asked for"));
}

#[test]
fn control_group_1_comes_if_asked_for() {
    let fixture = fixture(4);
    let options = Options {
        control_group_1: true,
        ..Options::default()
    };
    let manifest = fixture.open_with(&options);
    assert_eq!(count(&manifest.rows, |row| row.category)[&Category::ControlGroup1], 4);
    std::fs::remove_dir_all(fixture.path().join("QaTa-COV19/Control_Group/Control_Group_I")).unwrap();
    assert!(fixture.refusal(&options).contains("Control_Group_I was asked for"));
}

#[test]
fn phase_1_refuses_masks_of_infected_regions() {
    let manifest = fixture(4).open();
    let covid = row(&manifest, "QaTa-COV19/QaTa-COV19-v1/Images/covid_1.png");
    let mask = covid.mask.as_ref().expect("a mask");
    assert_eq!(mask.style, INFECTED_REGION);
    assert!(mask.path.ends_with("Ground-truths/mask_covid_1.png"));
    assert!(manifest.rows.iter().all(|row| !Segmentation::takes(row)));
    let error = phase::check_rows::<Segmentation>(&manifest, &[]).expect_err("refused");
    assert!(matches!(error, Error::TooFew { .. }));
    let error = error.to_string();
    assert!(
        error.contains("infected regions, not lungs") && error.contains("Montgomery"),
        "{error}"
    );
}

#[test]
fn indianas_laterals_belong_to_the_task() {
    let (qata, indiana) = (fixture(20), indiana::fixture(20));
    let options = Options {
        beside: vec![indiana.path().to_owned()],
        ..Options::default()
    };
    let manifest = qata.open_with(&options);
    assert_eq!(manifest.kinds, [DatasetKind::Qata, DatasetKind::Indiana]);
    let laterals: Vec<_> = manifest.rows.iter().filter(|row| row.is_lateral()).collect();
    assert_eq!(laterals.len(), 20);
    assert!(
        laterals
            .iter()
            .all(|row| Classification::takes(row) && row.file.starts_with("Indiana/"))
    );
    assert!(
        manifest.rows.iter().all(|row| row.category != Category::Other),
        "no frontal view of Indiana"
    );
    let notes = manifest.notes.join("\n");
    assert!(
        notes.contains("20 lateral views are taken") && !notes.contains("download lacks"),
        "{notes}"
    );
    assert_eq!(manifest.split.rule, SplitRule::Paper);
    let rows = manifest.rows.clone();
    phase::check_rows::<Classification>(&manifest, &rows).expect("enough of everything");
}

#[test]
fn the_same_images_twice_are_refused() {
    let (qata, nih) = (fixture(4), Fixture::new());
    nih.text(
        "Data_Entry_2017.csv",
        "Image Index,Finding Labels\n00000001_000.png,No Finding\n",
    );
    nih.picture("images/00000001_000.png", 7);
    let options = Options {
        beside: vec![nih.path().to_owned()],
        ..Options::default()
    };
    let error = qata.refusal(&options);
    assert!(
        error.contains("00000001_000.png") && error.contains("name one of the two"),
        "{error}"
    );
    let options = Options {
        beside: vec![qata.path().to_owned()],
        ..Options::default()
    };
    assert!(qata.refusal(&options).contains("QaTa-COV19 is named twice"));
}

//! What is read again and what is not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use recovnet::library::Library;

use crate::study_files::{set_age, write_settled};
use crate::{Case, four, index, instance};

#[test]
fn a_folder_is_read_once_and_then_only_what_changed() {
    let case = Case::with_studies();
    let first = case.index();
    assert_eq!((first.files, first.read, first.unchanged, first.gone), (5, 5, 0, 0));
    assert_eq!(four(&case.counts()), [2, 3, 4, 5]);
    let again = case.index();
    assert_eq!((again.read, again.unchanged), (0, 5));
    // Another study; the same size, another time.
    case.put("b/1.dcm", instance(1, 9, 1, 1));
    set_age(&case.path("b/1.dcm"), Duration::from_mins(1));
    std::fs::remove_file(case.path("c/1.dcm")).unwrap();
    case.put("d/1.dcm", instance(3, 4, 1, 1));
    let changed = case.index();
    assert_eq!((changed.read, changed.unchanged, changed.gone), (2, 3, 1));
    assert_eq!(four(&case.counts()), [2, 3, 4, 5]);
    let catalogue = case.library().catalogue(None).unwrap();
    let names: Vec<&str> = catalogue.patients.iter().map(|patient| patient.name.as_str()).collect();
    assert_eq!(
        names,
        ["Doe, Patient1", "Doe, Patient3"],
        "nobody is left of the file that is gone"
    );
    let uids: Vec<&str> = catalogue.patients[0]
        .studies
        .iter()
        .map(|study| study.uid.as_str())
        .collect();
    assert_eq!(uids, ["2.25.10009", "2.25.10001"], "latest first");
}

#[test]
fn a_file_written_just_now_is_read_again_next_time() {
    let case = Case::with_studies();
    set_age(&case.path("a/1.dcm"), Duration::ZERO);
    case.index();
    assert_eq!(case.index().read, 1, "it may still be written");
}

#[test]
fn the_catalogue_is_in_order_and_names_files() {
    let case = Case::with_studies();
    case.index();
    let root = case.source().canonicalize().unwrap();
    let catalogue = case.library().catalogue(Some(&root)).unwrap();
    let study = &catalogue.patients[0].studies[1];
    assert_eq!(study.description.as_deref(), Some("Chest"));
    assert_eq!(study.series.len(), 2);
    let files: Vec<PathBuf> = study.series[0]
        .instances
        .iter()
        .map(|instance| instance.path.clone())
        .collect();
    assert_eq!(files, [root.join("a/1.dcm"), root.join("a/2.dcm")]);
    assert_eq!(study.series[0].instances[1].number, Some(2));
    assert_eq!(study.series[0].instances[1].size, Some((3, 4)));
}

#[test]
fn people_become_one_patient_only_if_number_name_and_birth_date_agree() {
    let case = Case::new();
    case.put("1", instance(1, 1, 1, 1));
    case.put("2", instance(1, 2, 1, 1).text(tags::PATIENT_NAME, VR::PN, "Roe^Other"));
    case.put(
        "3",
        instance(1, 3, 1, 1).text(tags::PATIENT_BIRTH_DATE, VR::DA, "19800101"),
    );
    case.put("4", instance(1, 4, 1, 1));
    case.index();
    assert_eq!(four(&case.counts()), [3, 4, 4, 4]);
}

#[test]
fn a_cancelled_look_keeps_what_it_read_and_takes_nothing_out() {
    let case = Case::new();
    for number in 0..2000 {
        case.put(&format!("{number}.dcm"), instance(1, 1, 1, number));
    }
    let gone = case.path("0.dcm");
    let mut library = case.library();
    index(&mut library, &case.source());
    std::fs::remove_file(&gone).unwrap();
    for number in 1..2000 {
        set_age(&case.path(&format!("{number}.dcm")), Duration::from_mins(1));
    }
    let cancel = AtomicBool::new(false);
    let most = AtomicUsize::new(0);
    let summary = library
        .index(&case.source(), &cancel, &|progress| {
            most.fetch_max(progress.total, Ordering::Relaxed);
            if progress.done == 300 {
                cancel.store(true, Ordering::Relaxed);
            }
        })
        .unwrap();
    assert!(summary.cancelled);
    assert_eq!(most.into_inner(), 1999, "progress says how many there are to read");
    assert!((256..1999).contains(&summary.read), "{} were read", summary.read);
    assert_eq!(four(&case.counts()), [1, 1, 1, 2000], "nothing was taken out");
    let is_complete = |library: &Library| library.roots().unwrap()[0].complete;
    assert!(!is_complete(&library));
    let rest = index(&mut library, &case.source());
    assert_eq!((rest.read + summary.read, rest.gone), (1999, 1));
    assert!(is_complete(&library));
}

#[test]
fn two_roots_share_files_and_one_can_be_forgotten() {
    let case = Case::with_studies();
    let mut library = case.library();
    index(&mut library, &case.source());
    let inner = index(&mut library, &case.path("a"));
    assert_eq!(
        (inner.files, inner.read),
        (3, 0),
        "what one root holds, the other knows"
    );
    let roots = library.roots().unwrap();
    assert_eq!(roots.len(), 2);
    assert!(roots[0].path.ends_with("a"), "the last opened comes first");
    library.forget(&case.source().canonicalize().unwrap()).unwrap();
    assert_eq!(library.catalogue(None).unwrap().patients.len(), 1);
    assert_eq!(four(&library.counts(None).unwrap()), [1, 1, 2, 3]);
    library.forget(&case.path("a").canonicalize().unwrap()).unwrap();
    assert_eq!(four(&library.counts(None).unwrap()), [0, 0, 0, 0]);
}

/// A change of a folder.
#[derive(Debug, Clone)]
enum Change {
    Write(u8, usize, usize),
    Remove(u8),
    Picture(u8),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0_u8..8, 1_usize..4, 1_usize..4).prop_map(|(file, patient, study)| Change::Write(file, patient, study)),
        (0_u8..8).prop_map(Change::Remove),
        (0_u8..8).prop_map(Change::Picture),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_index_kept_through_changes_is_one_made_anew(rounds in proptest::collection::vec(proptest::collection::vec(change(), 1..6), 1..5)) {
        let kept = Case::new();
        std::fs::create_dir_all(kept.source()).unwrap();
        let mut age = 100_000;
        for round in rounds {
            for change in round {
                // Every write has a time of its own, as on a real disk.
                age -= 1;
                let name = |file: u8| kept.path(&format!("{}/{file}", file % 3));
                match change {
                    Change::Write(file, patient, study) => write_settled(&name(file), &instance(patient, study, 1, usize::from(file)).bytes()),
                    Change::Picture(file) => {
                        let mut png = std::io::Cursor::new(Vec::new());
                        image::GrayImage::new(3, 2).write_to(&mut png, image::ImageFormat::Png).unwrap();
                        write_settled(&name(file), png.get_ref());
                    }
                    Change::Remove(file) => drop(std::fs::remove_file(name(file))),
                }
                if let Change::Write(file, ..) | Change::Picture(file) = change {
                    set_age(&name(file), Duration::from_secs(age));
                }
            }
            kept.index();
        }
        let fresh = tempfile::tempdir().unwrap();
        let mut library = Library::open(&fresh.path().join("fresh.sqlite")).unwrap();
        index(&mut library, &kept.source());
        prop_assert_eq!(summary(&kept.library()), summary(&library));
        prop_assert_eq!(kept.library().counts(None).unwrap(), library.counts(None).unwrap());
    }
}

/// Files by patient and study, without numbers of the index.
fn summary(library: &Library) -> BTreeMap<(String, String, String), Vec<PathBuf>> {
    let mut files = BTreeMap::new();
    for patient in library.catalogue(None).unwrap().patients {
        for study in patient.studies {
            for series in study.series {
                let key = (patient.name.clone(), study.uid.clone(), series.uid.clone());
                let list: &mut Vec<PathBuf> = files.entry(key).or_default();
                list.extend(series.instances.into_iter().map(|instance| instance.path));
                list.sort();
            }
        }
    }
    files
}

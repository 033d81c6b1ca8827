//! What is wrong with a data folder is said with file, cause and what to do.

use std::sync::atomic::AtomicBool;

use recovnet::imaging::phantom;
use recovnet::nn::InputSpec;
use recovnet::training::dataset::{self, DatasetKind, Options};
use recovnet::training::manifest::{Manifest, Row};
use recovnet::training::phase::{self, Classification};
use recovnet::training::sample;

use super::{Fixture, montgomery, qata};

fn load(manifest: &Manifest, with_masks: bool) -> Result<Vec<sample::Sample>, String> {
    let rows: Vec<&Row> = manifest.rows.iter().collect();
    let spec = InputSpec {
        width: 16,
        height: 16,
        ..InputSpec::default()
    };
    sample::load(&rows, &spec, with_masks, &AtomicBool::new(false), &mut |_| {}).map_err(|error| error.to_string())
}

#[test]
fn an_empty_folder_says_what_belongs_there() {
    let fixture = Fixture::new();
    let error = fixture.refusal(&Options::default());
    for word in ["manifest.csv", "QaTa-COV19", "Indiana", "cannot be read"] {
        assert!(error.contains(word), "{error}");
    }
    fixture.text("a/b/c/notes.txt", "nothing");
    assert!(fixture.refusal(&Options::default()).contains("no known data set"));
    let file = fixture.path().join("a/b/c/notes.txt");
    let error = dataset::open(&file, &Options::default())
        .expect_err("a file")
        .to_string();
    assert!(error.contains("this is a file"), "{error}");
    let nowhere = dataset::open(&fixture.path().join("no"), &Options::default()).expect_err("nothing");
    assert!(nowhere.to_string().contains("manifest.csv"), "{nowhere}");
}

#[test]
fn a_layout_without_images_is_said() {
    let fixture = Fixture::new();
    std::fs::create_dir_all(fixture.path().join("All247images")).unwrap();
    let error = fixture.refusal(&Options::default());
    assert!(error.contains("JSRT is here, but without any image"), "{error}");
}

#[test]
fn several_data_sets_in_one_folder_are_named() {
    let fixture = montgomery::fixture(2);
    std::fs::create_dir_all(fixture.path().join("All247images")).unwrap();
    let error = fixture.refusal(&Options::default());
    assert!(
        error.contains("Montgomery, JSRT") && error.contains("by itself"),
        "{error}"
    );
}

#[test]
fn folders_of_a_download_that_are_missing_are_named() {
    let fixture = qata::fixture(2);
    let root = fixture.path().join("QaTa-COV19");
    std::fs::remove_dir_all(root.join("Control_Group/Control_Group_II/Pediatric_Viral_Pneumonia")).unwrap();
    let notes = fixture.open().notes.join("\n");
    assert!(notes.contains("Pediatric_Viral_Pneumonia is not there"), "{notes}");
    std::fs::remove_dir_all(root.join("Early-QaTa-COV19/Limited_COVID-19_Pneumonia_Cases")).unwrap();
    let error = fixture.refusal(&Options::default());
    assert!(
        error.contains("Limited_COVID-19_Pneumonia_Cases") && error.contains("unpack"),
        "{error}"
    );
}

#[test]
fn a_wrong_column_is_named_with_the_nearest() {
    let fixture = Fixture::new();
    let refused = |table: &str, word: &str| {
        fixture.text("manifest.csv", table);
        let error = fixture.refusal(&Options::default());
        assert!(
            error.contains("manifest.csv") && error.contains(word),
            "{word}: {error}"
        );
    };
    refused(
        "file,lable\na.png,covid\n",
        "'lable': is that meant? then call it 'label'",
    );
    refused("File,label\na.png,covid\n", "'File': is that meant?");
    refused("file,finding,x\na.png,covid,\n", "it has file, finding, x; add it");
    refused("file;label\na.png;covid\n", "parted by ';'; save it with commas");
    refused("", "no column 'file'");
    refused(
        "file,label,part\na.png,covid,training\n",
        "'training'; there are train, val and test",
    );
}

#[test]
fn one_class_only_is_refused_with_a_way_out() {
    let fixture = qata::fixture(40);
    std::fs::remove_dir_all(fixture.path().join("QaTa-COV19/Control_Group/Control_Group_II")).unwrap();
    let manifest = fixture.open();
    assert!(
        manifest
            .notes
            .iter()
            .any(|note| note.contains("Control_Group_II is not there"))
    );
    let error = phase::check_rows::<Classification>(&manifest, &manifest.rows).expect_err("one class");
    let error = error.to_string();
    assert!(error.contains("class Control") && error.contains("--data"), "{error}");
}

#[test]
fn a_mask_of_another_shape_is_refused_and_of_another_scale_is_not() {
    let fixture = montgomery::fixture(1);
    let name = "MontgomerySet/ManualMask/leftMask/MCUCXR_0001_1.png";
    fixture.mask(name, (24, 20), 14..20);
    let samples = load(&fixture.open(), true).expect("twice the scale");
    let other = montgomery::fixture(1);
    assert_eq!(samples, load(&other.open(), true).expect("the same scale"));
    fixture.mask(name, (20, 24), 14..20);
    let error = load(&fixture.open(), true).expect_err("turned");
    assert!(
        error.contains("20x24") && error.contains("12x10") && error.contains(name),
        "{error}"
    );
    fixture.text(name, "no picture");
    let error = load(&fixture.open(), true).expect_err("no picture");
    assert!(error.contains(name) && error.contains("replace it"), "{error}");
}

#[test]
fn names_with_spaces_and_umlauts_load() {
    let fixture = Fixture::new();
    fixture.picture("Bilder für Ärzte/Thorax Übersicht 1.png", 1);
    fixture.picture("Bilder für Ärzte/肺 2.png", 2);
    let dicom = phantom::dicom_bytes(20, 20).expect("a phantom");
    std::fs::write(fixture.file("Bilder für Ärzte/Röntgen, a.p.dcm"), dicom).unwrap();
    fixture.text(
        "manifest.csv",
        "file,label\nBilder für Ärzte/Thorax Übersicht 1.png,covid\nBilder für Ärzte/肺 2.png,normal\n\
         \"Bilder für Ärzte/Röntgen, a.p.dcm\",normal\n",
    );
    let manifest = fixture.open();
    assert_eq!(
        (manifest.kinds.as_slice(), manifest.rows.len()),
        (&[DatasetKind::Manifest][..], 3)
    );
    manifest.check_files(&manifest.rows).expect("they are there");
    assert_eq!(load(&manifest, false).expect("they load").len(), 3);
    let qata = qata::fixture(2);
    let moved = qata.path().join("Küche und Bad");
    std::fs::create_dir(&moved).unwrap();
    std::fs::rename(qata.path().join("QaTa-COV19"), moved.join("QaTa-COV19")).unwrap();
    assert!(load(&qata.open(), false).is_ok());
}

#[test]
fn a_file_that_goes_after_it_was_listed_is_named() {
    let fixture = montgomery::fixture(2);
    let manifest = fixture.open();
    std::fs::remove_file(&manifest.rows[1].path).unwrap();
    let error = manifest
        .check_files(&manifest.rows)
        .expect_err("it is gone")
        .to_string();
    assert!(
        error.contains("MCUCXR_0002_0.png") && error.contains("put it back"),
        "{error}"
    );
    let error = load(&manifest, true).expect_err("it is gone");
    assert!(error.contains("MCUCXR_0002_0.png"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_is_enough_and_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt;

    fn below(folder: &std::path::Path) -> Vec<(std::path::PathBuf, std::time::SystemTime)> {
        let mut list = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            list.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
            if entry.path().is_dir() {
                list.extend(below(&entry.path()));
            }
        }
        list
    }

    let (fixture, kept) = (qata::fixture(4), Fixture::new());
    let before = below(fixture.path());
    let set = |mode| std::fs::set_permissions(fixture.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    let options = Options {
        split_file: Some(kept.path().join("split.json")),
        ..Options::default()
    };
    let manifest = fixture.open_with(&options);
    assert!(load(&manifest, false).is_ok());
    set(0o755);
    assert_eq!(below(fixture.path()), before);
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_and_a_link_to_nowhere_are_named() {
    use std::os::unix::ffi::OsStrExt;

    let fixture = montgomery::fixture(1);
    let folder = fixture.path().join("MontgomerySet/CXR_png");
    std::os::unix::fs::symlink("nowhere.png", folder.join("MCUCXR_0009_0.png")).unwrap();
    assert!(fixture.refusal(&Options::default()).contains("MCUCXR_0009_0.png"));
    std::fs::remove_file(folder.join("MCUCXR_0009_0.png")).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"MCUCXR_\xff.png");
    std::fs::copy(folder.join("MCUCXR_0001_1.png"), folder.join(name)).unwrap();
    assert!(fixture.refusal(&Options::default()).contains("no valid text"));
}

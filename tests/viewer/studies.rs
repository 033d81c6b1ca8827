//! The studies panel: what is listed after a restart, filtered, sorted, opened, looked through again.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use recovnet::library::Library;
use recovnet::viewer::command::{Action, Command};
use recovnet::viewer::studies::StudiesCommand;
use recovnet::viewer::studies::rows::{Column, Row};

use crate::panels::Window;
use crate::study_files::instance_of;

const SIZE: [f32; 2] = [1280.0, 720.0];

/// Files of two patients and their index.
struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let case = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir_all(case.files()).unwrap();
        case.put("1", "Roe^Jane", "DX", "20240105", "2.25.10.1");
        case.put("2", "Roe^Jane", "DX", "20240105", "2.25.10.1");
        case.put("3", "Doe^John", "CR", "20240309", "2.25.20.1");
        case
    }

    fn put(&self, name: &str, patient: &str, modality: &str, date: &str, series: &str) {
        let dicom = instance_of([patient; 2], series.strip_suffix(".1").unwrap(), series)
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("{series}.{name}"))
            .text(tags::MODALITY, VR::CS, modality)
            .text(tags::STUDY_DATE, VR::DA, date)
            .text(tags::STUDY_DESCRIPTION, VR::LO, "Chest PA")
            .text(tags::INSTANCE_NUMBER, VR::IS, name);
        std::fs::write(self.files().join(name), dicom.bytes()).unwrap();
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("studies")
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("studies.sqlite")
    }

    fn indexed() -> Self {
        let case = Self::new();
        let mut library = Library::open(&case.database()).unwrap();
        library.index(&case.files(), &AtomicBool::new(false), &|_| {}).unwrap();
        case
    }

    /// A window without pictures on this index.
    fn window(&self) -> Option<Window> {
        let mut window = Window::open_with(Vec::new(), Some(self.database()), SIZE)?;
        window.until("the index", |state| state.studies.loading.done().is_some());
        Some(window)
    }
}

fn patients(window: &Window) -> Vec<String> {
    let studies = &window.state().studies;
    let rows = studies.rows.iter().filter(|row| matches!(row, Row::Patient(_)));
    rows.map(|row| row.patient(studies.catalogue()).unwrap().name.clone())
        .collect()
}

fn send(window: &mut Window, command: StudiesCommand) {
    window.harness.state_mut().send(Command::Studies(command));
    window.harness.step();
    window.harness.step();
}

#[test]
fn a_new_window_lists_the_last_index_without_its_files() {
    let case = Case::indexed();
    std::fs::rename(case.files(), case.folder.path().join("away")).unwrap();
    let Some(mut window) = case.window() else { return };
    assert!(window.state().studies.shown);
    assert_eq!(patients(&window), ["Doe, John", "Roe, Jane"]);
    assert_eq!(window.value("In the index").as_deref(), Some("2 studies, 3 images"));
    window.harness.get_by_label("Patient Roe, Jane");
    window.harness.get_by_label("Study 2024-03-09  Chest PA");
    window.harness.check_accessibility();
    window.keep_picture("studies-restart.png");
}

#[test]
fn a_series_is_put_into_the_image_list_and_its_first_picture_is_shown() {
    let case = Case::indexed();
    let Some(mut window) = case.window() else { return };
    window.harness.get_by_label("Series DX").click();
    window.until("the picture", |state| state.shown.is_some());
    let names = |window: &Window| -> Vec<String> {
        let entries = &window.state().list.entries;
        entries.iter().map(|entry| entry.key.label()).collect()
    };
    assert_eq!(names(&window), ["1", "2"]);
    assert_eq!(window.state().list.current, Some(0));
    // Its instances: the second one is a step within the series.
    let series = window.state().studies.opened.unwrap();
    let second = window.state().studies.series(series).unwrap().instances[1].id;
    send(
        &mut window,
        StudiesCommand::Open {
            series,
            instance: Some(second),
        },
    );
    window.until("the second picture", |state| {
        state.shown.as_ref().is_some_and(|shown| shown.key.label() == "2")
    });
    window.until("thumbnails", |state| state.studies.thumbnails.len() == 2);
    assert!(window.state().studies.thumbnails.values().all(Option::is_some));
    window.keep_picture("studies-series.png");
}

#[test]
fn words_narrow_the_list_down_and_a_key_leads_to_their_field() {
    let case = Case::indexed();
    let Some(mut window) = case.window() else { return };
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::F);
    window.harness.step();
    window.harness.get_by_label("Find a study").type_text("jane dx");
    window.until("the filter", |state| state.studies.filter == "jane dx");
    assert_eq!(patients(&window), ["Roe, Jane"]);
    send(&mut window, StudiesCommand::Filter("2024-03-09".to_owned()));
    assert_eq!(patients(&window), ["Doe, John"]);
    send(&mut window, StudiesCommand::Filter("nobody".to_owned()));
    assert_eq!(patients(&window), Vec::<String>::new());
    window.harness.get_by_label("No study holds these words.");
}

#[test]
fn heads_sort_and_rows_fold() {
    let case = Case::indexed();
    let Some(mut window) = case.window() else { return };
    window.harness.get_by_label("Sort studies by images").click();
    window.harness.step();
    window.harness.step();
    assert_eq!(window.state().studies.sort, (Column::Images, true));
    assert_eq!(patients(&window), ["Roe, Jane", "Doe, John"]);
    window.harness.get_by_label("Sort studies by date").click();
    window.harness.step();
    window.harness.step();
    assert_eq!(patients(&window), ["Doe, John", "Roe, Jane"]);
    let all = window.state().studies.rows.len();
    assert_eq!(all, 6, "two patients, each with a study and a series");
    window.harness.get_by_label("Patient Roe, Jane").click();
    window.harness.step();
    window.harness.step();
    assert_eq!(window.state().studies.rows.len(), all - 2);
}

#[test]
fn hidden_identity_is_hidden_here_as_well() {
    let case = Case::indexed();
    let Some(mut window) = case.window() else { return };
    window.press(Modifiers::COMMAND, Key::H);
    assert!(window.harness.query_by_label("Patient Roe, Jane").is_none());
    assert_eq!(window.harness.query_all_by_label("Patient Patient").count(), 2);
}

#[test]
fn a_folder_is_looked_through_again_by_key() {
    let case = Case::indexed();
    let Some(mut window) = case.window() else { return };
    case.put("4", "Poe^New", "DX", "20250101", "2.25.30.1");
    window.press(Modifiers::COMMAND, Key::R);
    window.until("the new patient", |state| state.studies.catalogue().patients.len() == 3);
    assert_eq!(patients(&window), ["Doe, John", "Poe, New", "Roe, Jane"]);
    assert!(window.state().notice.is_none(), "{:?}", window.state().notice);
}

#[test]
fn an_empty_index_invites_and_a_folder_can_be_forgotten() {
    let case = Case::new();
    let Some(mut window) = case.window() else { return };
    assert!(!window.state().studies.shown, "there is nothing to show");
    window.press(Modifiers::NONE, Key::S);
    assert!(window.state().studies.shown);
    window.keep_picture("studies-empty.png");
    send(&mut window, StudiesCommand::Index(case.files()));
    window.until("the index", |state| state.studies.catalogue().patients.len() == 2);
    window.harness.state_mut().send(Command::Do(Action::ForgetStudies));
    window.until("nothing", |state| state.studies.catalogue().patients.is_empty());
    assert!(Path::new(&case.files()).join("1").is_file(), "the files stay");
}

#[test]
fn what_cannot_be_looked_through_is_said() {
    let case = Case::new();
    let Some(mut window) = case.window() else { return };
    send(&mut window, StudiesCommand::Index(case.folder.path().join("missing")));
    window.until("the notice", |state| state.notice.is_some());
    let notice = window.state().notice.clone().unwrap();
    assert!(notice.contains("cannot be looked through"), "{notice}");
}

#[test]
fn ten_thousand_studies_are_drawn_by_the_rows_in_sight() {
    let case = Case::new();
    drop(Library::open(&case.database()).unwrap());
    let connection = rusqlite::Connection::open(case.database()).unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
            INSERT INTO patients (id, patient_id, name, birth_date) SELECT i, i, 'Patient ' || i, '' FROM n;
            INSERT INTO studies (id, patient, uid, folder, date) SELECT id, id, 's' || id, x'', '20240101' FROM patients;
            INSERT INTO series (id, study, uid, folder, modality) SELECT id, id, 'e' || id, x'', 'DX' FROM studies;
            INSERT INTO files (path, size, modified, state, series) SELECT CAST('/f/' || id AS BLOB), 1, 1, 0, id FROM series;
            INSERT INTO roots (path, opened, complete) VALUES (CAST('/f' AS BLOB), 1, 1);",
        )
        .unwrap();
    let Some(mut window) = case.window() else { return };
    assert_eq!(window.state().studies.rows.len(), 30_000);
    let in_sight = window.state().studies.rows_in_sight.clone();
    assert!((5..40).contains(&in_sight.len()), "{in_sight:?}");
    let begin = std::time::Instant::now();
    send(&mut window, StudiesCommand::Filter("patient 9999".to_owned()));
    assert_eq!(window.state().studies.rows.len(), 3);
    println!("filtered and drawn in {:?}", begin.elapsed());
}

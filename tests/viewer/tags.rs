//! The tag viewer: it follows the chosen picture, searches, marks, compares, and stays quick with very many lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use recovnet::imaging::tags::{self, UsedBy};
use recovnet::viewer::command::{Action, Command};
use recovnet::viewer::state::ViewerState;
use recovnet::viewer::tags::{Filter, Table, TagsCommand, visible};

use crate::elements::{element, with_meta};
use crate::panels::Window;

const SIZE: [f32; 2] = [1280.0, 800.0];

/// A radiograph of 64 x 64 pixels of a patient.
fn radiograph(folder: &Path, name: &str, patient: &str) -> PathBuf {
    let number = |value: u16| value.to_le_bytes();
    let body = [
        element((0x0008, 0x0060), *b"CS", b"DX"),
        element((0x0008, 0x0070), *b"LO", b"ACME"),
        element((0x0010, 0x0010), *b"PN", patient.as_bytes()),
        element((0x0028, 0x0002), *b"US", &number(1)),
        element((0x0028, 0x0004), *b"CS", b"MONOCHROME2"),
        element((0x0028, 0x0010), *b"US", &number(64)),
        element((0x0028, 0x0011), *b"US", &number(64)),
        element((0x0028, 0x0100), *b"US", &number(16)),
        element((0x0028, 0x0101), *b"US", &number(12)),
        element((0x0028, 0x0102), *b"US", &number(11)),
        element((0x0028, 0x0103), *b"US", &number(0)),
        element((0x0028, 0x1050), *b"DS", b"2000"),
        element((0x0028, 0x1051), *b"DS", b"4000"),
        element((0x7fe0, 0x0010), *b"OW", &[7; 64 * 64 * 2]),
    ];
    let path = folder.join(name);
    std::fs::write(&path, with_meta(&body.concat())).unwrap();
    path
}

/// A report without a picture.
fn report(folder: &Path) -> PathBuf {
    let body = [
        element((0x0008, 0x0016), *b"UI", b"1.2.840.10008.5.1.4.1.1.88.11"),
        element((0x0008, 0x0060), *b"CS", b"SR"),
        element((0x0010, 0x0010), *b"PN", b"DOE^JANE"),
    ];
    let path = folder.join("report.dcm");
    std::fs::write(&path, with_meta(&body.concat())).unwrap();
    path
}

/// A window with a radiograph each of two patients, when the first is shown.
fn with_two_patients(folder: &Path) -> Option<Window> {
    let paths = vec![
        radiograph(folder, "a.dcm", "DOE^JANE"),
        radiograph(folder, "b.dcm", "ROE^RICHARD"),
    ];
    let mut window = Window::open(paths, SIZE)?;
    window.until("a picture", |state| state.shown.is_some());
    Some(window)
}

fn is_listed(state: &ViewerState) -> bool {
    state.tags.table.done().is_some()
}

#[test]
fn the_tag_viewer_follows_the_picture_and_marks_what_was_used() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = with_two_patients(folder.path()) else {
        return;
    };
    window.press(Modifiers::COMMAND, Key::T);
    window.until("marked tags", |state| is_listed(state) && !state.tags.uses.is_empty());
    assert_eq!(window.value("Tag lines").as_deref(), Some("15 lines"));
    let name = window
        .harness
        .query_by_label("(0010,0010) Patient Name: DOE^JANE, used");
    assert!(
        name.is_some(),
        "the patient's name is listed, and marked: it stands in the corner"
    );
    assert!(
        window
            .harness
            .query_by_label("(0008,0070) Manufacturer: ACME")
            .is_some()
    );
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("tags of the other", |state| {
        let table = state.tags.table.done();
        table.is_some_and(|table| table.left.file.ends_with("b.dcm")) && !state.tags.uses.is_empty()
    });
    assert!(
        window
            .harness
            .query_by_label("(0010,0010) Patient Name: ROE^RICHARD, used")
            .is_some()
    );
    window.press(Modifiers::COMMAND, Key::T);
    assert!(!window.state().tags.open && window.state().tags.table.done().is_none());
}

#[test]
fn search_and_comparison_choose_lines() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = with_two_patients(folder.path()) else {
        return;
    };
    window.press(Modifiers::ALT, Key::T);
    window.until("tags", is_listed);
    let send = |window: &mut Window, command| {
        window.harness.state_mut().send(Command::Tags(command));
        window.harness.step();
        window.harness.step();
    };
    for (search, lines) in [
        ("0028,1050", 1),
        ("windowcenter", 1),
        ("Window", 2),
        ("acme", 1),
        ("no such thing", 0),
    ] {
        send(&mut window, TagsCommand::Search(search.to_owned()));
        assert_eq!(window.state().tags.rows.len(), lines, "{search}");
    }
    send(&mut window, TagsCommand::Search(String::new()));
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("two files side by side", |state| {
        state.tags.table.done().is_some_and(|table| table.right.is_some())
    });
    let said = window.value("Tag lines").unwrap();
    assert!(said.contains("1 differ: b.dcm beside a.dcm"), "{said}");
    send(&mut window, TagsCommand::OnlyDifferences(true));
    assert_eq!(window.state().tags.rows.len(), 1);
    let line = window
        .harness
        .query_by_label_contains("(0010,0010) Patient Name: ROE^RICHARD, differs");
    assert!(line.is_some());
    window.keep_picture("tags-compared.png");
}

#[test]
fn a_file_without_a_picture_offers_its_tags() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = Window::open(vec![report(folder.path())], SIZE) else {
        return;
    };
    window.until("an error", |state| state.picture_error().is_some());
    assert!(window.value("Error").unwrap().contains("no picture"));
    window.harness.get_by_label("Show tags").click();
    window.until("tags", is_listed);
    assert!(
        window
            .harness
            .query_by_label("(0010,0010) Patient Name: DOE^JANE")
            .is_some()
    );
}

#[test]
fn what_has_no_tags_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.png");
    image::GrayImage::new(64, 64).save(&path).unwrap();
    let Some(mut window) = Window::open(vec![path], SIZE) else {
        return;
    };
    window.until("a picture", |state| state.shown.is_some());
    window.harness.state_mut().send(Command::Do(Action::ToggleTags));
    window.until("a sentence", |state| {
        matches!(&state.tags.table, recovnet::viewer::errands::Pending::Failed(_))
    });
    assert!(window.value("Tag viewer").unwrap().contains("no DICOM file"));
}

#[test]
fn a_hundred_thousand_elements_are_listed_and_scrolled() {
    let folder = tempfile::tempdir().unwrap();
    let mut body = Vec::new();
    for group in 0..400_u16 {
        body.extend(element((0x0009 + 2 * group, 0x0010), *b"LO", b"ACME"));
        for number in 0..250_u16 {
            body.extend(element(
                (0x0009 + 2 * group, 0x1000 + number),
                *b"LO",
                format!("value {number}").as_bytes(),
            ));
        }
    }
    let path = folder.path().join("long.dcm");
    std::fs::write(&path, with_meta(&body)).unwrap();
    let began = Instant::now();
    let table = Table::new(tags::read(&path, None).unwrap(), None);
    let read = began.elapsed();
    assert_eq!(table.compared.pairs.len(), 1 + 400 * 251);
    let filter = Filter {
        search: "value 249".to_owned(),
        ..Filter::default()
    };
    let began = Instant::now();
    let found = visible(&table, &BTreeMap::default(), &filter, &BTreeSet::default());
    println!(
        "100,401 elements: read and paired in {read:?}, searched in {:?}",
        began.elapsed()
    );
    assert_eq!(found.len(), 400);
    let Some(mut window) = Window::open(vec![path], SIZE) else {
        return;
    };
    window.until("an error", |state| state.picture_error().is_some());
    window.press(Modifiers::COMMAND, Key::T);
    window.until("tags", is_listed);
    let began = Instant::now();
    window.harness.step();
    // Only lines in sight are drawn: a frame of all would take many seconds.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let last = window.harness.query_by_label_contains("value 249");
    assert!(last.is_none(), "lines out of sight are not drawn");
}

#[test]
fn marks_name_who_used_a_tag() {
    let folder = tempfile::tempdir().unwrap();
    let path = radiograph(folder.path(), "a.dcm", "DOE^JANE");
    let tree = tags::read(&path, None).unwrap();
    let uses = tags::uses(&tree, &recovnet::imaging::open(&path).unwrap());
    let by = |keyword: &str| {
        let index = tree
            .nodes
            .iter()
            .position(|node| node.keyword == Some(keyword))
            .unwrap();
        uses.get(&index).map(|used| used.by)
    };
    assert_eq!(by("WindowCenter"), Some(UsedBy::Both));
    assert_eq!(by("PatientName"), Some(UsedBy::Display));
    assert_eq!(by("Manufacturer"), None);
}

//! The panel 'De-identify': choices, rectangles on the picture, preview, batch.

use std::fs;
use std::path::{Path, PathBuf};

use eframe::egui::{Event, Key, Modifiers, PointerButton, Pos2, vec2};
use egui_kittest::kittest::Queryable;
use recovnet::imaging::phantom;
use recovnet::imaging::tree::{DicomFile, Node, Value, file_bytes};
use recovnet::viewer::command::{Action, Command};
use recovnet::viewer::deidentify::{DeidentifyCommand, Form, TextInPixels, file_count, problem};
use recovnet::viewer::errands::Pending;
use recovnet::viewer::state::ViewerState;

use crate::panels::Window;

const SIZE: [f32; 2] = [1280.0, 900.0];
const SIDE: usize = 400;

/// The phantom with a row of block letters at its top.
fn with_letters(folder: &Path) -> PathBuf {
    let bytes = phantom::dicom_bytes(SIDE as u32, SIDE as u32).unwrap();
    let file = DicomFile::read(&bytes).unwrap();
    let mut nodes = file.elements().unwrap();
    let pixels = nodes.iter_mut().find(|node| node.tag == (0x7fe0, 0x0010)).unwrap();
    let mut samples = pixels.bytes().unwrap().to_vec();
    for letter in 0..8 {
        for (row, column) in (0..20).flat_map(|row| (0..12).map(move |column| (row, column))) {
            // An H.
            if !(3..=8).contains(&column) || (9..12).contains(&row) {
                let at = 2 * ((20 + row) * SIDE + 40 + 18 * letter + column);
                samples[at..at + 2].copy_from_slice(&4095_u16.to_le_bytes());
            }
        }
    }
    pixels.value = Value::Bytes(samples.into());
    let meta = [Node::new((2, 0x10), *b"UI", file.syntax().uid)];
    let path = folder.join("letters.dcm");
    fs::write(&path, file_bytes(&meta, &nodes, &file.syntax()).unwrap()).unwrap();
    path
}

fn open(folder: &Path) -> Option<Window> {
    open_all(vec![with_letters(folder)])
}

fn open_all(paths: Vec<PathBuf>) -> Option<Window> {
    let mut window = Window::open(paths, SIZE)?;
    window.until("the picture", |state| state.shown.is_some());
    window.press(
        Modifiers {
            shift: true,
            ..Modifiers::COMMAND
        },
        Key::I,
    );
    assert!(window.state().deidentify.open);
    Some(window)
}

fn form(window: &mut Window, change: impl FnOnce(&mut Form)) {
    let mut form = window.state().deidentify.form.clone();
    change(&mut form);
    let command = Command::Deidentify(DeidentifyCommand::Form(Box::new(form)));
    window.harness.state_mut().send(command);
    window.harness.step();
    window.harness.step();
}

#[test]
fn the_preview_says_what_changes_and_proposes_rectangles() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = open(folder.path()) else { return };
    window
        .harness
        .state_mut()
        .send(Command::Do(Action::PreviewDeidentification));
    window.until("the preview", |state| state.deidentify.preview.done().is_some());
    let preview = window.state().deidentify.preview.done().unwrap();
    let name = preview
        .changes
        .iter()
        .find(|change| change.path == "(0010,0010)")
        .unwrap();
    assert_eq!(name.old.as_deref(), Some("PHANTOM^CHEST"));
    assert!(name.new.as_deref().unwrap().starts_with("RV-"));
    let marked = &window.state().deidentify.marked;
    assert_eq!(marked.len(), 1, "{marked:?}");
    assert!(marked[0].on && marked[0].confidence.is_some());
    let region = marked[0].region;
    assert!(
        region.x <= 40 && region.y <= 20 && region.x + region.width >= 178,
        "{region:?}"
    );
    assert!(window.value("Changes").unwrap().parse::<usize>().unwrap() > 5);
    window.keep_picture("deidentify-preview.png");
    // Nothing was written.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_is_found_is_looked_for_on_every_picture_that_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let letters = with_letters(folder.path());
    let again = folder.path().join("again.dcm");
    fs::copy(&letters, &again).unwrap();
    let Some(mut window) = open_all(vec![letters, again]) else {
        return;
    };
    assert!(window.state().deidentify.preview.running().is_none(), "nobody asked");
    form(&mut window, |form| form.text = TextInPixels::Found);
    let is_marked = |state: &ViewerState, index: usize| {
        let panel = &state.deidentify;
        let marked = panel.preview.done().is_some() && panel.is_marked(&state.list.entries[index].key);
        marked && panel.regions().len() == 1
    };
    window.until("the first rectangle", |state| is_marked(state, 0));
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the second rectangle", |state| is_marked(state, 1));
}

#[test]
fn options_are_check_boxes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = open(folder.path()) else { return };
    window.harness.get_by_label("Institution").click();
    window.harness.step();
    window.harness.step();
    window.harness.step();
    assert!(window.state().deidentify.form.options.retain_institution_identity);
}

#[test]
fn a_drawn_rectangle_is_masked_in_the_file_that_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = open(folder.path()) else { return };
    window.harness.state_mut().send(Command::Do(Action::AddMask));
    window.harness.step();
    let screen = window.state().screen;
    let transform = window.state().shown.as_ref().unwrap().transform(screen);
    let corners = [[100.0, 120.0], [160.0, 150.0]].map(|corner| transform.ui_from_image(corner));
    drag(&mut window, corners);
    let marked = window.state().deidentify.marked.clone();
    assert_eq!(marked.len(), 1);
    let region = marked[0].region;
    assert!(region.x.abs_diff(100) <= 2 && region.y.abs_diff(120) <= 2, "{region:?}");
    assert!(
        region.width.abs_diff(60) <= 4 && region.height.abs_diff(30) <= 4,
        "{region:?}"
    );
    assert_eq!(window.state().deidentify.form.text, TextInPixels::Rectangles);
    let out = folder.path().join("out");
    let report = folder.path().join("report.json");
    form(&mut window, |form| {
        form.out = out.display().to_string();
        form.report_file = report.display().to_string();
    });
    window
        .harness
        .state_mut()
        .send(Command::Do(Action::StartDeidentification));
    window.until("the batch", |state| matches!(state.deidentify.batch, Pending::Done(_)));
    assert_eq!(
        window.value("De-identified").as_deref(),
        Some("1 written, 0 written before, 0 failed")
    );
    window.keep_picture("deidentify-done.png");
    let files = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    let file = files
        .into_iter()
        .find(|path| path.extension().is_some_and(|ending| ending == "dcm"))
        .unwrap();
    let written = recovnet::imaging::open(&file).unwrap();
    let grey = written.grey().unwrap();
    let at = |x: u32, y: u32| grey.get((y * written.width + x) as usize);
    let darkest = i32::from(*grey.values.iter().min().unwrap()) + grey.offset;
    assert_eq!(at(region.x + 5, region.y + 5), darkest);
    assert_eq!(
        written
            .identity
            .patient_name
            .as_deref()
            .map(|name| name.starts_with("RV-")),
        Some(true)
    );
    assert!(report.is_file());
}

#[test]
fn what_is_missing_is_said_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = open(folder.path()) else { return };
    assert!(!Action::StartDeidentification.info().can(window.state()));
    form(&mut window, |form| {
        form.out = "somewhere".to_owned();
        form.resume = true;
    });
    assert!(!Action::StartDeidentification.info().can(window.state()));
    form(&mut window, |form| form.resume = false);
    assert!(Action::StartDeidentification.info().can(window.state()));
    form(&mut window, |form| form.text = TextInPixels::Rectangles);
    assert!(!Action::StartDeidentification.info().can(window.state()));
}

#[test]
fn rectangles_of_another_picture_are_not_applied_to_this_one_alone() {
    let folder = tempfile::tempdir().unwrap();
    let first = with_letters(folder.path());
    let second = folder.path().join("second.dcm");
    fs::copy(&first, &second).unwrap();
    let Some(mut window) = open_all(vec![first, second]) else {
        return;
    };
    let draw = DeidentifyCommand::Draw([[100.0, 120.0], [160.0, 150.0]]);
    for command in [draw, DeidentifyCommand::Drawn] {
        window.harness.state_mut().send(Command::Deidentify(command));
    }
    window.until("the rectangle", |state| {
        state.deidentify.form.text == TextInPixels::Rectangles
    });
    form(&mut window, |form| form.out = "somewhere".to_owned());
    assert_eq!(window.state().deidentify.form.text, TextInPixels::Rectangles);
    assert_eq!(problem(window.state()), None);
    window.harness.state_mut().send(Command::Select(1));
    window.until("the second picture", |state| {
        state
            .list
            .current_entry()
            .is_some_and(|entry| entry.key.label().starts_with("second"))
    });
    assert_eq!(
        problem(window.state()),
        Some("The rectangles are those of another picture.")
    );
    assert!(!Action::StartDeidentification.info().can(window.state()));
    // In the whole list they are wanted, and it is said whose they are.
    form(&mut window, |form| form.whole_list = true);
    assert_eq!(problem(window.state()), None);
    assert_eq!(file_count(window.state()), 2);
    let said = "Those of letters.dcm go into every file of the list.";
    assert!(window.harness.query_by_label(said).is_some());
}

#[test]
fn a_rectangle_that_was_put_out_stays_so_when_it_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = open(folder.path()) else { return };
    let preview = Command::Do(Action::PreviewDeidentification);
    window.harness.state_mut().send(preview.clone());
    window.until("the preview", |state| state.deidentify.preview.done().is_some());
    let mark = Command::Deidentify(DeidentifyCommand::Mark(0, false));
    for command in [mark, preview] {
        window.harness.state_mut().send(command);
    }
    window.harness.step();
    window.until("the next preview", |state| state.deidentify.preview.done().is_some());
    let marked = &window.state().deidentify.marked;
    assert_eq!(marked.len(), 1, "{marked:?}");
    assert!(!marked[0].on);
}

fn drag(window: &mut Window, [from, to]: [Pos2; 2]) {
    let button = |pos, pressed| Event::PointerButton {
        pos,
        button: PointerButton::Primary,
        pressed,
        modifiers: Modifiers::NONE,
    };
    let between = from + (to - from) * 0.5 + vec2(1.0, 0.0);
    for event in [
        Event::PointerMoved(from),
        button(from, true),
        Event::PointerMoved(between),
        Event::PointerMoved(to),
        button(to, false),
    ] {
        window.harness.event(event);
        window.harness.step();
    }
    window.harness.step();
    window.harness.step();
}

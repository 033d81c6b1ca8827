//! Stepping through a folder: neighbours, broken files, results that come too late.

use std::sync::Arc;

use eframe::egui::{Key, Modifiers};
use recovnet::inference::engine::{Event, RequestId};
use recovnet::viewer::analysis::Analysis;
use recovnet::viewer::state::ViewerState;

use crate::fixtures::findings;
use crate::panels::{Window, write_png};

fn shows(state: &ViewerState, name: &str) -> bool {
    state.shown.as_ref().is_some_and(|shown| shown.key.label() == name)
}

/// A folder with three pictures and a file that is none, opened at the first.
fn folder() -> Option<(Window, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in ["1.png", "2.png", "10.png"].into_iter().enumerate() {
        write_png(folder.path(), name, seed as u8);
    }
    std::fs::write(folder.path().join("3.png"), b"not a picture").unwrap();
    let mut window = Window::open(vec![folder.path().join("1.png")], [960.0, 600.0])?;
    window.until("the list", |state| {
        state.list.entries.len() == 4 && shows(state, "1.png")
    });
    Some((window, folder))
}

#[test]
fn arrow_keys_step_through_the_folder_of_a_file() {
    let Some((mut window, _folder)) = folder() else { return };
    let names: Vec<_> = window
        .state()
        .list
        .entries
        .iter()
        .map(|entry| entry.key.label())
        .collect();
    assert_eq!(names, ["1.png", "2.png", "3.png", "10.png"]);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the next picture", |state| shows(state, "2.png"));
    window.press(Modifiers::NONE, Key::End);
    window.until("the last picture", |state| shows(state, "10.png"));
    window.press(Modifiers::NONE, Key::ArrowRight);
    assert_eq!(window.state().list.current, Some(3), "after the last comes nothing");
    window.press(Modifiers::NONE, Key::Home);
    window.until("the first picture", |state| shows(state, "1.png"));
}

#[test]
fn a_broken_file_is_said_and_the_next_one_opens() {
    let Some((mut window, _folder)) = folder() else { return };
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the error", |state| state.picture_error().is_some());
    let error = window.value("Error").unwrap();
    assert!(error.contains("3.png"), "{error}");
    assert!(window.state().shown.is_none(), "no other picture stands in its place");
    window.keep_picture("broken.png");
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the next picture", |state| shows(state, "10.png"));
}

#[test]
fn a_late_result_is_not_shown_with_another_picture() {
    let Some((mut window, _folder)) = folder() else { return };
    let late = Arc::new(findings(&window.script.borrow().submitted[0]));
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the next picture", |state| shows(state, "2.png"));
    assert_eq!(
        window.script.borrow().cancelled,
        [RequestId(1)],
        "the earlier request is cancelled"
    );
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::Done(RequestId(1), late));
    window.harness.run_steps(4);
    assert_eq!(window.value("Score"), None);
    assert!(window.state().shown.as_ref().unwrap().findings.is_none());
    window.finish();
    assert_eq!(window.value("Score").as_deref(), Some("0.834"));
}

#[test]
fn a_result_of_other_pixels_is_refused() {
    let Some((mut window, _folder)) = folder() else { return };
    let mut foreign = findings(&window.script.borrow().submitted[0]);
    foreign.content_hash = [1; 32];
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::Done(RequestId(1), Arc::new(foreign)));
    window.until("the refusal", |state| matches!(state.analysis, Analysis::Failed(_)));
    assert_eq!(window.value("Score"), None);
}

#[test]
fn window_and_zoom_come_back_with_their_picture() {
    let Some((mut window, _folder)) = folder() else { return };
    window.press(Modifiers::NONE, Key::Num0);
    window.press(Modifiers::COMMAND, Key::Num1);
    let left = window.state().shown.as_ref().unwrap().view.clone();
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.until("the next picture", |state| shows(state, "2.png"));
    assert_ne!(window.state().shown.as_ref().unwrap().view, left);
    window.press(Modifiers::NONE, Key::ArrowUp);
    window.until("the first picture", |state| shows(state, "1.png"));
    assert_eq!(window.state().shown.as_ref().unwrap().view, left);
}

#[test]
fn a_folder_without_pictures_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut window) = Window::open(vec![folder.path().to_owned()], [960.0, 600.0]) else {
        return;
    };
    window.until("the notice", |state| state.notice.is_some());
    let notice = window.value("Notice").unwrap();
    assert!(notice.contains("no picture in this folder"), "{notice}");
}

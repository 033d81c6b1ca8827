//! The whole window with a scripted engine: values by their names, keys, messages.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use recovnet::imaging::Radiograph;
use recovnet::inference::engine::{Event, Loaded, RequestId};
use recovnet::inference::models::ClassifierName;
use recovnet::inference::pipeline::Stage;
use recovnet::viewer::ViewerApp;
use recovnet::viewer::analysis::{Analyser, Analysis};
use recovnet::viewer::apply::{Kept, ModelSource};
use recovnet::viewer::state::{IdentityDisplay, ViewerState};
use recovnet::viewer::theme;

use crate::fixtures::findings;
use crate::gpu;
use crate::runs::{RunScript, ScriptedLauncher};

/// What the window asked the engine, and what the engine is to answer.
#[derive(Default)]
pub struct Script {
    pub submitted: Vec<Arc<Radiograph>>,
    pub cancelled: Vec<RequestId>,
    pub switched: Vec<ClassifierName>,
    pub events: VecDeque<Event>,
}

struct Scripted(Rc<RefCell<Script>>);

impl Analyser for Scripted {
    fn submit(&mut self, image: Arc<Radiograph>) -> RequestId {
        let mut script = self.0.borrow_mut();
        script.submitted.push(image);
        RequestId(script.submitted.len() as u64)
    }

    fn cancel(&mut self, id: RequestId) {
        self.0.borrow_mut().cancelled.push(id);
    }

    fn try_recv(&mut self) -> Option<Event> {
        self.0.borrow_mut().events.pop_front()
    }

    fn switch(&mut self, classifier: ClassifierName) {
        self.0.borrow_mut().switched.push(classifier);
    }
}

/// The window under test.
pub struct Window {
    pub harness: Harness<'static, ViewerApp>,
    pub script: Rc<RefCell<Script>>,
    pub run: Rc<RefCell<RunScript>>,
    /// Where reports of checked data are kept.
    pub reports: tempfile::TempDir,
}

impl Window {
    /// Opens paths in a window of this size; needs a graphics adapter.
    pub fn open(paths: Vec<PathBuf>, size: [f32; 2]) -> Option<Self> {
        Self::open_with(paths, None, size)
    }

    /// The same with an index of studies that is kept in a file.
    pub fn open_with(paths: Vec<PathBuf>, library: Option<PathBuf>, size: [f32; 2]) -> Option<Self> {
        gpu::device()?;
        let script = Rc::new(RefCell::new(Script::default()));
        let engine = Scripted(Rc::clone(&script));
        let run = Rc::new(RefCell::new(RunScript::default()));
        let launcher = ScriptedLauncher(Rc::clone(&run));
        let reports = tempfile::tempdir().unwrap();
        let reports_folder = reports.path().to_owned();
        let harness = Harness::builder()
            .with_size(vec2(size[0], size[1]))
            .wgpu()
            .build_eframe(move |creation| {
                ViewerApp::new(
                    creation,
                    |_| Box::new(engine),
                    Box::new(launcher),
                    ModelSource::default(),
                    Kept {
                        reports: Some(reports_folder),
                        calibrations: None,
                        library,
                    },
                    paths,
                )
                .unwrap()
            });
        Some(Self {
            harness,
            script,
            run,
            reports,
        })
    }

    pub fn state(&self) -> &ViewerState {
        self.harness.state().state()
    }

    /// Draws frames until something is so.
    pub fn until(&mut self, what: &str, so: impl Fn(&ViewerState) -> bool) {
        for _ in 0..2000 {
            self.harness.step();
            if so(self.state()) {
                self.harness.step();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("{what}: not within ten seconds");
    }

    pub fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.step();
        self.harness.step();
    }

    /// The text of a named value.
    pub fn value(&self, name: &str) -> Option<String> {
        self.harness.query_by_label(name).and_then(|node| node.value())
    }

    /// Lets the engine finish the latest request.
    pub fn finish(&mut self) {
        let done = {
            let script = self.script.borrow();
            let image = script.submitted.last().unwrap();
            Event::Done(RequestId(script.submitted.len() as u64), Arc::new(findings(image)))
        };
        self.script.borrow_mut().events.push_back(done);
        self.until("overlays", |state| {
            state.shown.as_ref().is_some_and(|shown| shown.overlay.is_some())
        });
    }

    /// A picture of the window, for whoever wants to look at it.
    pub fn keep_picture(&mut self, name: &str) {
        if let Some(folder) = std::env::var_os("RECOVNET_TEST_PICTURES") {
            let mut picture = self.harness.render().unwrap();
            let panel = theme::PANEL.to_array();
            // As the window, which is cleared to it.
            for pixel in picture.pixels_mut() {
                let left = 255 - u16::from(pixel[3]);
                pixel.0 = std::array::from_fn(|at| pixel[at].saturating_add((u16::from(panel[at]) * left / 255) as u8));
            }
            picture.save(Path::new(&folder).join(name)).unwrap();
        }
    }
}

/// Writes a grey PNG; different for every seed.
pub fn write_png(folder: &Path, name: &str, seed: u8) -> PathBuf {
    let path = folder.join(name);
    image::GrayImage::from_fn(160, 200, |x, y| image::Luma([(x + y) as u8 / 2 + seed]))
        .save(&path)
        .unwrap();
    path
}

fn loaded() -> Event {
    let made = findings(&crate::fixtures::radiograph([10, 10], vec![0; 100]));
    Event::Loaded(Box::new(Loaded {
        device: "CPU, 2 threads".to_owned(),
        classifier: made.classifier,
        segmenter: made.segmenter,
        card: serde_json::json!({
            "name": "recovnet-v1",
            "version": "2026.11.1",
            "metrics": { "roc_auc": 0.93, "roc_auc_interval": [0.9, 0.96] },
            "known_limits": ["Few sources"],
            "shortcut_audit": { "light": "red", "reasons": ["The network does not need the lungs."] },
        }),
    }))
}

const SIZE: [f32; 2] = [1280.0, 720.0];

fn one_picture() -> Option<(Window, tempfile::TempDir)> {
    let folder = tempfile::tempdir().unwrap();
    let path = write_png(folder.path(), "a.png", 1);
    let mut window = Window::open(vec![path], SIZE)?;
    window.script.borrow_mut().events.push_back(loaded());
    window.until("the picture", |state| state.shown.is_some());
    Some((window, folder))
}

#[test]
fn findings_are_shown_under_their_names() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    assert_eq!(window.value("Score"), None, "there is no score before it was computed");
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::Progress(RequestId(1), Stage::Segment));
    window.harness.step();
    window.harness.step();
    assert_eq!(window.value("Progress").as_deref(), Some("Finding the lungs"));
    window.keep_picture("computing.png");
    window.finish();
    for (name, value) in [
        ("Score", "0.834"),
        ("Threshold", "0.410"),
        ("Margin", "1.613"),
        ("Decision", "covid19"),
        ("In-lung activation", "0.625"),
        ("In-lung chance", "0.481"),
        ("Lung area fraction", "0.481"),
        ("Right / left", "1.000"),
        ("Device", "CPU, 2 threads"),
        ("Classifier", "recovnet-v1"),
        ("Shortcut audit", "red"),
    ] {
        assert_eq!(window.value(name).as_deref(), Some(value), "{name}");
    }
    window.harness.get_by_label("Research use only, not a diagnosis");
    window.harness.check_accessibility();
    window.keep_picture("findings.png");
}

#[test]
fn keys_toggle_what_they_say() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    let none = Modifiers::NONE;
    window.press(none, Key::O);
    assert!(
        window.state().overlays.mask,
        "without findings there is no mask to hide"
    );
    window.finish();
    window.press(none, Key::O);
    assert!(!window.state().overlays.mask);
    window.press(none, Key::U);
    assert!(!window.state().overlays.map);
    window.press(none, Key::I);
    assert!(window.state().shown.as_ref().unwrap().view.inverted);
    window.press(none, Key::Num0);
    assert_eq!(window.state().shown.as_ref().unwrap().view.preset, Some(0));
    window.press(Modifiers::SHIFT, Key::ArrowRight);
    assert_eq!(window.state().shown.as_ref().unwrap().view.preset, None);
    window.press(none, Key::Escape);
    let view = &window.state().shown.as_ref().unwrap().view;
    assert_eq!((view.preset, view.inverted), (Some(1), false));
    window.press(none, Key::F);
    assert_eq!(window.value("Score"), None, "the findings are folded");
    window.press(Modifiers::COMMAND, Key::H);
    assert_eq!(window.state().layout.identity, IdentityDisplay::Hidden);
}

#[test]
fn holding_a_key_shows_the_bare_picture() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    window.finish();
    assert!(window.state().visible_overlay().is_some());
    window.harness.key_down(Key::X);
    window.harness.step();
    window.harness.step();
    assert!(window.state().visible_overlay().is_none());
    window.harness.key_up(Key::X);
    window.harness.step();
    window.harness.step();
    assert!(window.state().visible_overlay().is_some());
}

#[test]
fn a_prediction_can_be_cancelled_and_asked_for_again() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    window.press(Modifiers::COMMAND, Key::Period);
    assert_eq!(window.script.borrow().cancelled, [RequestId(1)]);
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::Cancelled(RequestId(1)));
    window.until("the cancellation", |state| {
        matches!(state.analysis, Analysis::Cancelled)
    });
    window.harness.get_by_label("Predict again").click();
    window.until("the second request", |state| {
        state.analysis.running() == Some(RequestId(2))
    });
    window.finish();
    assert_eq!(window.value("Score").as_deref(), Some("0.834"));
}

#[test]
fn missing_models_are_said_and_the_picture_stays() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    let reason = "no weights were found in ./weights";
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::LoadFailed(reason.to_owned()));
    window
        .script
        .borrow_mut()
        .events
        .push_back(Event::Failed(RequestId(1), reason.to_owned()));
    window.until("the message", |state| matches!(state.analysis, Analysis::Failed(_)));
    assert_eq!(window.value("Reason").as_deref(), Some(reason));
    assert!(window.state().shown.is_some());
    window.keep_picture("no-models.png");
}

#[test]
fn the_empty_window_offers_three_ways_to_begin() {
    let Some(mut window) = Window::open(Vec::new(), SIZE) else {
        return;
    };
    window.harness.step();
    for name in ["Open files…", "Open folder…", "Open sample"] {
        window.harness.get_by_label(name);
    }
    window.harness.check_accessibility();
    window.keep_picture("empty.png");
    window.harness.get_by_label("Open sample").click();
    window.until("the sample", |state| state.shown.is_some());
    window.finish();
    window.keep_picture("sample.png");
}

#[test]
fn dialogs_open_by_key_and_close_by_escape() {
    let Some((mut window, _folder)) = one_picture() else {
        return;
    };
    for (modifiers, key, title) in [
        (Modifiers::COMMAND, Key::L, "Open a path"),
        (Modifiers::NONE, Key::F1, "Keyboard and mouse"),
    ] {
        window.press(modifiers, key);
        window.harness.get_by_label(title);
        window.harness.check_accessibility();
        window.keep_picture(&format!("{title}.png"));
        window.press(Modifiers::NONE, Key::Escape);
        assert_eq!(window.state().dialog, None, "{title}");
    }
}

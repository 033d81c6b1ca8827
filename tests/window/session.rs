//! The program's window on the phantom, beside what the command line says of the same file.

use std::path::{Path, PathBuf};

use recovnet::imaging::{self, Radiograph};
use serde_json::Value;

use crate::accessibility::{Element, Reader};
use crate::desktop::{Desktop, Running, await_some};
use crate::screen::{Screen, Screenshot};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_recovnet");
/// Pixels of the display; the window is a little smaller.
const DISPLAY: (u32, u32) = (1600, 1000);
/// AT-SPI's number of the state 'checked'.
const CHECKED: u32 = 4;
/// AT-SPI's number of the role 'image'.
const IMAGE: u32 = 27;
/// Steps after which a drag only waits.
const MOST_STEPS: i32 = 20;

/// A running window with its picture predicted. Fields are dropped in this order: the program first.
pub struct Session {
    program: Running,
    reader: Reader,
    screen: Screen,
    desktop: Desktop,
    /// The one line of `predict --json`.
    pub prediction: Value,
    /// 255 in the lungs, as `predict --mask-dir` writes it.
    pub mask: image::GrayImage,
    /// 65535 x map / maximum, as `predict --map-dir` writes it.
    pub map: image::ImageBuffer<image::Luma<u16>, Vec<u16>>,
    /// The file as the program reads it.
    pub phantom: Radiograph,
}

impl Session {
    /// Writes and predicts the phantom, opens the window on it and waits for its findings.
    pub fn start() -> Self {
        let desktop = Desktop::start(DISPLAY.0, DISPLAY.1);
        let phantom = desktop.folder().join("phantom.png");
        let lines = desktop.folder().join("prediction.json");
        finish(&desktop, &[Path::new("phantom"), &phantom]);
        let (masks, maps) = (desktop.folder().join("masks"), desktop.folder().join("maps"));
        let weights = weights();
        let predict: [&Path; 10] = [
            "predict".as_ref(),
            &phantom,
            "--weights".as_ref(),
            &weights,
            "--json".as_ref(),
            &lines,
            "--mask-dir".as_ref(),
            &masks,
            "--map-dir".as_ref(),
            &maps,
        ];
        finish(&desktop, &predict);
        let line = std::fs::read_to_string(&lines).expect("predict wrote its line");
        let mut command = desktop.command(PROGRAM);
        let program = Running::start("the program", command.arg(&phantom).arg("--weights").arg(&weights));
        let mut session = Self {
            program,
            reader: Reader::new(desktop.accessibility()),
            screen: Screen::connect(desktop.display_name()),
            prediction: serde_json::from_str(&line).expect("predict writes JSON"),
            mask: picture(&masks.join("phantom.png.mask.png")).into_luma8(),
            map: picture(&maps.join("phantom.png.map.png")).into_luma16(),
            phantom: imaging::open(&phantom).expect("the phantom opens"),
            desktop,
        };
        session.value("Decision");
        await_some("the keyboard's focus", || session.screen.focus_program());
        session
    }

    /// Every element that assistive technology gets to know now.
    pub fn elements(&mut self) -> Result<Vec<Element>, String> {
        if let Some(end) = self.program.ended() {
            panic!("{end}");
        }
        self.reader.elements()
    }

    /// The text that the window gives a value, by its name; waits until there is one.
    pub fn value(&mut self, name: &str) -> String {
        await_some(name, || self.value_now(name))
    }

    /// As [`Session::value`], without waiting.
    pub fn value_now(&mut self, name: &str) -> Result<String, String> {
        let elements = self.elements()?;
        let found = elements
            .iter()
            .find(|element| element.name == name && !element.description.is_empty());
        let names = || {
            elements
                .iter()
                .map(|element| element.name.as_str())
                .collect::<Vec<_>>()
                .join(" | ")
        };
        found
            .map(|element| element.description.clone())
            .ok_or_else(|| format!("no {name} among: {}", names()))
    }

    /// Whether a check box is on.
    pub fn is_checked(&mut self, name: &str) -> Result<bool, String> {
        let elements = self.elements()?;
        let found = elements
            .iter()
            .find(|element| element.name == name)
            .ok_or_else(|| format!("no {name}"))?;
        Ok(found.states >> CHECKED & 1 == 1)
    }

    /// x, y, width, height of the viewport, in pixels of the display.
    pub fn viewport(&mut self) -> (i32, i32, i32, i32) {
        await_some("the viewport", || {
            let elements = self.elements()?;
            let found = elements
                .iter()
                .find(|element| element.role == IMAGE && element.name == "phantom.png");
            found
                .map(|element| element.extents)
                .ok_or_else(|| format!("{elements:?}"))
        })
    }

    pub fn shot(&self) -> Screenshot {
        self.screen.shot()
    }

    /// Presses keys, such as `ctrl+1`.
    pub fn press(&self, keys: &str) {
        self.desktop.input(&["key", "--clearmodifiers", keys]);
    }

    /// Presses the key of a check box that is on or off and waits until it is the other.
    pub fn switch(&mut self, key: &str, name: &str, on: bool) {
        let before = await_some(name, || self.is_checked(name));
        assert_eq!(before, !on, "{name} before it is switched");
        self.press(key);
        await_some(name, || {
            if self.is_checked(name)? == on {
                Ok(())
            } else {
                Err("not switched".to_owned())
            }
        });
    }

    pub fn point_at(&self, x: i32, y: i32) {
        self.desktop.input(&["mousemove", &x.to_string(), &y.to_string()]);
    }

    /// Drags with the left button, a step at a time, until something has come of it; waits for that.
    pub fn drag_until(
        &mut self,
        from: (i32, i32),
        step: (i32, i32),
        mut done: impl FnMut(&mut Self) -> Result<(), String>,
    ) {
        self.point_at(from.0, from.1);
        self.desktop.input(&["mousedown", "1"]);
        let mut steps = 0;
        await_some("what the drag is for", || {
            // The program reads the mouse once a frame: further steps follow while nothing has changed.
            steps = (steps + 1).min(MOST_STEPS);
            self.point_at(from.0 + step.0 * steps, from.1 + step.1 * steps);
            done(self)
        });
        self.desktop.input(&["mouseup", "1"]);
    }

    /// Turns the wheel by one notch with the control key held.
    pub fn zoom_in(&self) {
        self.desktop.input(&["keydown", "ctrl", "click", "4", "keyup", "ctrl"]);
    }
}

impl Drop for Session {
    /// Leaves a picture of what went wrong.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let name = std::thread::current().name().unwrap_or("window").to_owned();
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name + ".png");
            self.shot().save(&path);
            println!("the display at that moment: {}", path.display());
        }
    }
}

/// The weights that come with the program, or those that `RECOVNET_WEIGHTS` names.
fn weights() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    std::env::var_os("RECOVNET_WEIGHTS").map_or_else(own, PathBuf::from)
}

fn finish(desktop: &Desktop, arguments: &[&Path]) {
    let output = desktop
        .command(PROGRAM)
        .args(arguments)
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn picture(path: &Path) -> image::DynamicImage {
    image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

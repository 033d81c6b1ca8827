//! The program's window on the phantom, beside what the command line says of the same file.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};

use recovnet::imaging::{self, Radiograph};
use serde_json::Value;

use crate::desktop::{Desktop, await_some};
use crate::driver::{Driver, PROGRAM};

/// Pixels of the display; the window is a little smaller.
const DISPLAY: (u32, u32) = (1600, 1000);
/// AT-SPI's number of the role 'image'.
const IMAGE: u32 = 27;
/// Steps after which a drag only waits.
const MOST_STEPS: i32 = 20;

/// A running window with its picture predicted.
pub struct Session {
    driver: Driver,
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
        let driver = Driver::open(desktop, &[&phantom, "--weights".as_ref(), &weights]);
        let mut session = Self {
            driver,
            prediction: serde_json::from_str(&line).expect("predict writes JSON"),
            mask: picture(&masks.join("phantom.png.mask.png")).into_luma8(),
            map: picture(&maps.join("phantom.png.map.png")).into_luma16(),
            phantom: imaging::open(&phantom).expect("the phantom opens"),
        };
        session.value("Decision");
        session.focus();
        session
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

impl Deref for Session {
    type Target = Driver;

    fn deref(&self) -> &Driver {
        &self.driver
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Driver {
        &mut self.driver
    }
}

/// The weights that come with the program, or those that `RECOVNET_WEIGHTS` names.
pub fn weights() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    std::env::var_os("RECOVNET_WEIGHTS").map_or_else(own, PathBuf::from)
}

/// Runs the program to its end.
pub fn finish(desktop: &Desktop, arguments: &[&Path]) {
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

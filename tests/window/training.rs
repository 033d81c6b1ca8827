//! The workspace Train, driven from the window as a person would: data are typed and looked at, settings opened.

use std::path::Path;

use crate::can_drive;
use crate::desktop::{Desktop, await_some};
use crate::driver::Driver;
use crate::phantoms;
use crate::session::weights;

/// Pixels of the display: as large as the window opens.
const DISPLAY: (u32, u32) = (1440, 900);
/// Synthetic chests.
const CHESTS: u32 = 24;

/// Keeps a picture of the window for whoever wants to look at it.
fn keep_picture(driver: &Driver, name: &str) {
    if let Some(folder) = std::env::var_os("RECOVNET_TEST_PICTURES") {
        driver.shot().save(&Path::new(&folder).join(name));
    }
}

#[test]
fn window_looks_at_data_and_shows_settings() {
    if !can_drive() {
        return;
    }
    let chests = phantoms::folder(CHESTS);
    let desktop = Desktop::start(DISPLAY.0, DISPLAY.1);
    let mut driver = Driver::open(desktop, &["--weights".as_ref(), &weights()]);
    await_some("the window", || driver.elements().map(|elements| !elements.is_empty()));
    driver.focus();
    driver.press("F3");
    driver.type_into("Data folder", &chests.path().display().to_string());
    driver.await_value("Recognised as", "manifest.csv");
    driver.await_value("Labelled images", &CHESTS.to_string());
    keep_picture(&driver, "window-train-data.png");
    driver.click("2  Model");
    driver.click("Settings");
    keep_picture(&driver, "window-train-model.png");
}

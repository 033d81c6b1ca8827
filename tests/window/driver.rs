//! A running window and the hands and eyes on it: keys, clicks by name, values by name, screenshots.

use std::path::Path;

use crate::accessibility::{ENTRY, Element, Reader};
use crate::desktop::{Desktop, Running, await_some};
use crate::screen::{Screen, Screenshot};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_recovnet");
/// AT-SPI's number of the state 'checked'.
const CHECKED: u32 = 4;
/// AT-SPI's number of the state 'enabled'.
const ENABLED: u32 = 8;
/// AT-SPI's number of the state 'focused'.
const FOCUSED: u32 = 12;

/// A running window. Fields are dropped in this order: the program first.
pub struct Driver {
    program: Running,
    reader: Reader,
    screen: Screen,
    pub desktop: Desktop,
}

impl Driver {
    /// Opens the window with some arguments.
    pub fn open(desktop: Desktop, arguments: &[&Path]) -> Self {
        let mut command = desktop.command(PROGRAM);
        let program = Running::start("the program", command.args(arguments));
        Self {
            program,
            reader: Reader::new(desktop.accessibility()),
            screen: Screen::connect(desktop.display_name()),
            desktop,
        }
    }

    /// Gives the window the keyboard, once it is there.
    pub fn focus(&mut self) {
        await_some("the keyboard's focus", || self.screen.focus_program());
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

    /// As [`Driver::value`], without waiting.
    pub fn value_now(&mut self, name: &str) -> Result<String, String> {
        let elements = self.elements()?;
        let found = elements
            .iter()
            .find(|element| element.name == name && !element.description.is_empty());
        found
            .map(|element| element.description.clone())
            .ok_or_else(|| format!("no {name} among: {}", names(&elements)))
    }

    /// Waits until a value is as expected.
    pub fn await_value(&mut self, name: &str, expected: &str) {
        await_some(name, || {
            let now = self.value_now(name)?;
            if now == expected {
                Ok(())
            } else {
                Err(format!("{now}, not {expected}"))
            }
        });
    }

    /// Whether a check box is on.
    pub fn is_checked(&mut self, name: &str) -> Result<bool, String> {
        Ok(self.named(name)?.states >> CHECKED & 1 == 1)
    }

    fn named(&mut self, name: &str) -> Result<Element, String> {
        let elements = self.elements()?;
        let found = elements.iter().find(|element| element.name == name);
        found
            .cloned()
            .ok_or_else(|| format!("no {name} among: {}", names(&elements)))
    }

    /// Clicks into the middle of an element, once it is there and can be used.
    pub fn click(&mut self, name: &str) {
        self.click_found(name, |driver| driver.named(name));
    }

    fn click_found(&mut self, what: &str, find: impl Fn(&mut Self) -> Result<Element, String>) {
        let (x, y, width, height) = await_some(what, || {
            let element = find(self)?;
            if element.states >> ENABLED & 1 == 0 || element.extents.2 == 0 {
                return Err(format!("{element:?} cannot be clicked"));
            }
            Ok(element.extents)
        });
        self.point_at(x + width / 2, y + height / 2);
        self.desktop.input(&["click", "1"]);
    }

    /// The field of a name; what is written beside it may have the same.
    fn field(&mut self, name: &str) -> Result<Element, String> {
        let elements = self.elements()?;
        let is_field = |element: &&Element| element.role == ENTRY && element.name == name;
        let found = elements.iter().find(is_field);
        found
            .cloned()
            .ok_or_else(|| format!("no field {name} among: {}", names(&elements)))
    }

    /// Clicks into a field, replaces its text and leaves it.
    pub fn type_into(&mut self, name: &str, text: &str) {
        self.click_found(name, |driver| driver.field(name));
        self.await_field(name, "the keyboard", |field| field.states >> FOCUSED & 1 == 1);
        self.press("ctrl+a");
        self.desktop.input(&["type", "--delay", "4", text]);
        self.await_field(name, text, |field| field.text == text);
        self.press("Tab");
        self.await_field(name, "to lose the keyboard", |field| field.states >> FOCUSED & 1 == 0);
    }

    fn await_field(&mut self, name: &str, what: &str, is_so: impl Fn(&Element) -> bool) {
        await_some(name, || {
            let field = self.field(name)?;
            if is_so(&field) {
                Ok(())
            } else {
                Err(format!("{field:?} is to have {what}"))
            }
        });
    }

    pub fn shot(&self) -> Screenshot {
        self.screen.shot()
    }

    /// Presses keys, such as `ctrl+1`.
    pub fn press(&self, keys: &str) {
        self.desktop.input(&["key", "--clearmodifiers", keys]);
    }

    pub fn point_at(&self, x: i32, y: i32) {
        self.desktop.input(&["mousemove", &x.to_string(), &y.to_string()]);
    }
}

fn names(elements: &[Element]) -> String {
    let names: Vec<&str> = elements.iter().map(|element| element.name.as_str()).collect();
    names.join(" | ")
}

impl Drop for Driver {
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

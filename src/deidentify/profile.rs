//! Table E.1-1 of PS3.15 (edition 2026c) as data: what the Basic Profile does to an attribute, and what each option
//! does instead.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::options::{Dates, Options};

/// The edition of the standard that the table is from.
pub const EDITION: &str = "2026c";

const TABLE: &str = include_str!("../../assets/deidentify/table-e.1-1.tsv");
/// Columns of options in the table.
const COLUMNS: usize = 9;

/// What becomes of an attribute (PS3.15 table E.1-1a).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// D: a dummy value takes its place.
    Replace,
    /// Z: its value is emptied.
    Empty,
    /// X: it is removed.
    Remove,
    /// K: it is kept; what is inside a sequence is treated by its own rows.
    Keep,
    /// C: what may tell an identity is taken out of its value.
    Clean,
    /// U: a new UID takes its place, the same one in every file.
    NewUid,
}

/// The column 'Basic Profile', as it stands there: the action depends on the attribute's Type where there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basic {
    /// D.
    D,
    /// Z.
    Z,
    /// X.
    X,
    /// U.
    U,
    /// Z/D.
    ZD,
    /// X/Z.
    XZ,
    /// X/D.
    XD,
    /// X/Z/D.
    XZD,
    /// X/Z/U*.
    XZU,
}

impl Basic {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "D" => Self::D,
            "Z" => Self::Z,
            "X" => Self::X,
            "U" => Self::U,
            "Z/D" => Self::ZD,
            "X/Z" => Self::XZ,
            "X/D" => Self::XD,
            "X/Z/D" => Self::XZD,
            "X/Z/U*" => Self::XZU,
            _ => return None,
        })
    }

    /// One action. No attribute with a choice is of Type 1 in a classic single-frame image, where the milder ones do;
    /// elsewhere a dummy conforms whatever the Type is, and an empty value is as good as none for Type 3.
    pub fn action(self, classic_image: bool) -> Action {
        match self {
            Self::Z | Self::XZ => Action::Empty,
            Self::X => Action::Remove,
            Self::U | Self::XZU => Action::NewUid,
            Self::ZD if classic_image => Action::Empty,
            Self::XD | Self::XZD if classic_image => Action::Remove,
            Self::D | Self::ZD | Self::XD | Self::XZD => Action::Replace,
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// VR; `--` for the row of curves, which have several.
    pub vr: [u8; 2],
    /// The column 'Basic Profile'.
    pub basic: Basic,
    /// `K`, `C` or `.` in each column of options, in the file's order.
    pub options: [u8; COLUMNS],
    /// Attribute name.
    pub name: &'static str,
}

impl Row {
    /// What becomes of the attribute with these options.
    pub fn action(&self, options: &Options, classic_image: bool) -> Action {
        let cell = |mark| {
            let chosen = columns(options).into_iter();
            chosen.zip(self.options).any(|(chosen, cell)| chosen && cell == mark)
        };
        if cell(b'K') {
            Action::Keep
        } else if cell(b'C') {
            Action::Clean
        } else {
            self.basic.action(classic_image)
        }
    }

    /// Whether the attribute has a cell in the columns of dates: it is a date or a time.
    pub fn is_temporal(&self) -> bool {
        self.options[4] != b'.'
    }
}

fn columns(options: &Options) -> [bool; COLUMNS] {
    [
        options.retain_uids,
        options.retain_device_identity,
        options.retain_institution_identity,
        options.retain_patient_characteristics,
        options.dates == Dates::Keep,
        options.dates == Dates::Shift,
        options.clean_descriptors,
        options.clean_structured_content,
        options.clean_graphics,
    ]
}

static ROWS: LazyLock<HashMap<(u16, u16), Row>> = LazyLock::new(|| TABLE.lines().filter_map(parse).collect());

/// The row of a tag of an even group, if the table has one; repeating groups (50xx, 60xx) are found by their first.
pub fn row((group, element): (u16, u16)) -> Option<&'static Row> {
    let tag = match group & 0xff00 {
        0x5000 => (0x5000, 0),
        0x6000 => (0x6000, element),
        _ => (group, element),
    };
    ROWS.get(&tag)
}

/// Every row with its tag, in no order; `x` of repeating groups is 0.
pub fn rows() -> impl Iterator<Item = (&'static (u16, u16), &'static Row)> {
    ROWS.iter()
}

fn parse(line: &'static str) -> Option<((u16, u16), Row)> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = line.split('\t');
    let (group, element) = fields.next()?.split_once(',')?;
    let number = |digits: &str| u16::from_str_radix(&digits.replace('x', "0"), 16).ok();
    let tag = (number(group)?, number(element)?);
    let row = Row {
        vr: *fields.next()?.as_bytes().first_chunk()?,
        basic: Basic::parse(fields.next()?)?,
        options: fields.next()?.as_bytes().try_into().ok()?,
        name: fields.next()?,
    };
    Some((tag, row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let lines = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((lines, ROWS.len()), (655, 655));
        for (tag, row) in rows() {
            assert!(
                row.options.iter().all(|cell| b"KC.".contains(cell)),
                "{tag:04x?} {row:?}"
            );
            // Both columns of dates belong together.
            assert_eq!(row.options[4] == b'.', row.options[5] == b'.', "{tag:04x?}");
        }
    }

    #[test]
    fn options_go_before_the_basic_profile() {
        let institution = row((0x0008, 0x0080)).unwrap();
        let basic = Options::default();
        assert_eq!(institution.action(&basic, true), Action::Remove);
        assert_eq!(institution.action(&basic, false), Action::Replace);
        let retain = Options {
            retain_institution_identity: true,
            ..basic
        };
        assert_eq!(institution.action(&retain, true), Action::Keep);
        let shift = Options {
            dates: Dates::Shift,
            ..Options::default()
        };
        assert_eq!(row((0x0008, 0x0020)).unwrap().action(&shift, true), Action::Clean);
        assert_eq!(row((0x6004, 0x3000)).unwrap().name, "Overlay Data");
        assert!(row((0x6004, 0x0010)).is_none());
        assert_eq!(row((0x5006, 0x3000)).unwrap().name, "Curve Data");
    }
}

//! What an image is in the paper: the groups of its Table 1, and the collections of lung masks of its phase I. They
//! decide about counts, ratio of the split and laterals.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A group of images that the paper counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// COVID-19, early cases included.
    #[serde(rename = "covid-19")]
    Covid19,
    /// Bacterial pneumonia of children.
    Bacterial,
    /// Viral pneumonia of children.
    Viral,
    /// ChestX-ray14: 14 thoracic diseases and healthy.
    #[serde(rename = "chestx-ray14")]
    ChestXray14,
    /// Lateral views of the Indiana University collection.
    IndianaLateral,
    /// Control group I of QaTa-COV19, which the paper's task leaves out.
    ControlGroup1,
    /// Montgomery County, with lung masks.
    Montgomery,
    /// JSRT, with the lung masks of SCR.
    Jsrt,
    /// Shenzhen, with lung masks.
    Shenzhen,
    /// Everything else.
    Other,
}

impl Category {
    /// All of them, in the order in which tables show them.
    pub const ALL: [Self; 10] = [
        Self::Covid19,
        Self::ChestXray14,
        Self::Bacterial,
        Self::IndianaLateral,
        Self::Viral,
        Self::ControlGroup1,
        Self::Montgomery,
        Self::Jsrt,
        Self::Shenzhen,
        Self::Other,
    ];

    /// Its name in files: `covid-19`, `chestx-ray14` …
    pub fn name(self) -> &'static str {
        match self {
            Self::Covid19 => "covid-19",
            Self::Bacterial => "bacterial",
            Self::Viral => "viral",
            Self::ChestXray14 => "chestx-ray14",
            Self::IndianaLateral => "indiana-lateral",
            Self::ControlGroup1 => "control-group1",
            Self::Montgomery => "montgomery",
            Self::Jsrt => "jsrt",
            Self::Shenzhen => "shenzhen",
            Self::Other => "other",
        }
    }

    /// What a reader sees.
    pub fn title(self) -> &'static str {
        match self {
            Self::Covid19 => "COVID-19",
            Self::Bacterial => "Bacterial pneumonia",
            Self::Viral => "Viral pneumonia",
            Self::ChestXray14 => "ChestX-ray14",
            Self::IndianaLateral => "Chest X-rays (Indiana University), lateral",
            Self::ControlGroup1 => "Control group I",
            Self::Montgomery => "Montgomery",
            Self::Jsrt => "JSRT",
            Self::Shenzhen => "Shenzhen",
            Self::Other => "Other",
        }
    }

    /// Whether laterals of it are trained on and evaluated. The paper's control group has Indiana's laterals and no
    /// other (section 2.1); everywhere else laterals are left out.
    pub fn takes_laterals(self) -> bool {
        self == Self::IndianaLateral
    }

    /// What an image of a manifest is that does not name its category: by its label, else by its source.
    pub fn of(label: &str, source: Option<&str>) -> Self {
        match (label, source) {
            ("covid", _) => Self::Covid19,
            ("bacterial", _) => Self::Bacterial,
            ("viral", _) => Self::Viral,
            (_, Some("nih")) => Self::ChestXray14,
            (_, Some("montgomery")) => Self::Montgomery,
            (_, Some("jsrt")) => Self::Jsrt,
            (_, Some("shenzhen")) => Self::Shenzhen,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Category {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|category| category.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let names: Vec<&str> = Self::ALL.iter().map(|category| category.name()).collect();
                format!("there is no category '{name}'; it is one of {}", names.join(", "))
            })
    }
}

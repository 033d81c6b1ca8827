//! The settings that are a choice of ways: what an epoch is drawn from, how classes are weighed, when images are
//! transformed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::training::dataset::Category;

/// What an epoch is drawn from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// Every image once.
    #[default]
    AsIs,
    /// Both classes equally often: all images of the smaller one, and as many of the other, which is used up before
    /// any of it comes again.
    ByClass,
    /// As [`Sampling::ByClass`], and within a class every source equally often, so that a large source says less.
    ByClassAndSource,
}

/// Weights of the classes in the loss: it is the mean over a batch's images of weight times loss, as in Keras.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum ClassWeights {
    /// 1 and 1.
    #[default]
    Equal,
    /// Each class as if it had half of the images that an epoch is drawn from.
    Balanced,
    /// As given.
    Given {
        /// Of neuron 0.
        control: f64,
        /// Of neuron 1.
        covid19: f64,
    },
}

impl ClassWeights {
    /// The weights of control and COVID-19 for so many images of each.
    pub fn of(self, [control, covid19]: [usize; 2]) -> [f64; 2] {
        let all = (control + covid19) as f64;
        match self {
            Self::Equal => [1.0; 2],
            Self::Balanced => [control, covid19].map(|count| all / (2.0 * count.max(1) as f64)),
            Self::Given { control, covid19 } => [control, covid19],
        }
    }
}

/// When images are transformed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Augmenting {
    /// Never.
    Off,
    /// Anew at every use.
    #[default]
    EachEpoch,
    /// Once, before training: every category is brought to a number of images by transformed copies beside the
    /// originals, and all epochs use the same ones (the paper's way, Table 1).
    Offline {
        /// Images of a category in an epoch; of more originals than that, so many are drawn.
        targets: BTreeMap<Category, usize>,
        /// Images of all other categories together; as they are if `None`.
        others: Option<usize>,
    },
}

impl Augmenting {
    /// The paper's 1000 images of phase I (section 3.1).
    pub const PAPER_LUNGS: Self = Self::Offline {
        targets: BTreeMap::new(),
        others: Some(1000),
    };

    /// The paper's Table 1: ChestX-ray14 stays as it is.
    pub fn table_1() -> Self {
        Self::Offline {
            targets: BTreeMap::from([
                (Category::Covid19, 10_000),
                (Category::Bacterial, 5000),
                (Category::Viral, 5000),
                (Category::IndianaLateral, 5000),
            ]),
            others: None,
        }
    }
}

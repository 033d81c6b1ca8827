//! The shortcut audit: whether a classifier needs the lungs at all (why to ask: 'AI for radiographic COVID-19 detection
//! selects shortcuts over signal', Nature Machine Intelligence 3, 2021). Its figures on whole images, on lungs only,
//! with the lungs removed and on the border only; how well its features tell the source; how much of its activation
//! lies in the lungs; and a traffic light over all of it.

mod features;
mod judge;
pub mod measure;
mod regions;
pub mod saved;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use features::{Sample, SourcePrediction, predict_source};
pub use regions::{Region, cover};

use super::evaluation::{ClassMetrics, Measured, Subject};

/// Entry of the model card that holds what an audit said of its weights.
pub const CARD_KEY: &str = "shortcut_audit";

/// The audit's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Light {
    /// Nothing speaks against it.
    Green,
    /// Its features tell the source.
    Amber,
    /// It does not need the lungs.
    Red,
}

impl Light {
    /// Name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    /// What a model card says of its weights; `None` where no audit was kept in it.
    pub fn of_card(card: &Value) -> Option<Self> {
        let light = card.get(CARD_KEY)?.get("light")?;
        serde_json::from_value(light.clone()).ok()
    }
}

/// The reasons for the light of a model card, a sentence each.
pub fn reasons_of_card(card: &Value) -> Vec<String> {
    let reasons = card.get(CARD_KEY).and_then(|audit| audit.get("reasons"));
    reasons
        .and_then(|reasons| serde_json::from_value(reasons.clone()).ok())
        .unwrap_or_default()
}

/// What is known about one image after the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Patient, or what else must not be split.
    pub group: String,
    /// Where the image comes from; empty if the manifest does not say.
    pub source: String,
    /// Whether the label is COVID-19.
    pub is_covid19: bool,
    /// Probability of COVID-19 on each region, in the order of [`Region::ALL`]; `None` where the segmenter found no
    /// lung to cut along.
    pub scores: [Option<f64>; 4],
    /// The encoder's last feature map on the whole image, averaged over its places.
    pub features: Vec<f32>,
    /// In-lung activation ratio.
    pub in_lung: Option<f64>,
    /// Its chance level.
    pub chance: Option<f64>,
}

/// Distribution of the in-lung activation ratio, with the chance level's beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InLungDistribution {
    /// Images with a ratio.
    pub images: usize,
    /// Images whose map or mask is empty.
    pub empty: usize,
    /// Median ratio.
    pub median: Measured,
    /// Median chance level of the same images.
    pub chance_median: Option<f64>,
    /// Share of the images whose ratio is above their own chance level.
    pub above_chance: Measured,
    /// Images by ratio, in equally wide bins from 0 to 1.
    pub histogram: Vec<usize>,
    /// Images by chance level, in the same bins.
    pub chance_histogram: Vec<usize>,
}

/// Everything that an audit says: what `audit.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// The light.
    pub light: Light,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// What was audited, on what.
    #[serde(flatten)]
    pub subject: Subject,
    /// Images in which the segmenter found no lung: they are in the figures of whole images only.
    pub without_lungs: usize,
    /// Figures on each region, by its name.
    pub regions: BTreeMap<String, ClassMetrics>,
    /// Figures on whole images by source.
    pub by_source: BTreeMap<String, ClassMetrics>,
    /// How well the features tell the source; `None` where there are not two sources with enough groups.
    pub source: Option<SourcePrediction>,
    /// In-lung activation.
    pub in_lung: InLungDistribution,
    /// Files that could not be used.
    pub failures: Vec<super::evaluation::Failed>,
}

//! From a run to the list of models that the viewer offers. Nothing gets there silently: without an audit not at all,
//! against a red light only with a reason that the card keeps, and never with a threshold of other weights.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::inference::models;
use crate::nn::card::Task;
use crate::nn::{ModelCard, weights};
use crate::training::audit::{self, Audit, Light};
use crate::training::evaluation::{Calibration, ScoreTable, calibration, saved};

use super::own_split::split_warning;
use super::registry::Registry;
use super::{Error, folder};

/// Entry of the card that holds what the promotion said.
pub const CARD_KEY: &str = "promotion";
/// Characters of a reason that say something.
const SHORTEST_REASON: usize = 10;

/// A threshold and the weights it was chosen for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdChoice {
    /// On the probability of COVID-19, in 0..=1.
    pub threshold: f64,
    /// How it was chosen, in words.
    pub rule: String,
    /// Version of the weights it was chosen for.
    pub version: String,
    /// Their SHA-256.
    pub weights_sha256: String,
}

/// A rule that chooses a threshold on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThresholdRule {
    /// Largest sensitivity + specificity.
    Youden,
    /// Largest F2-score.
    F2,
}

impl ThresholdChoice {
    /// The rule's threshold on an evaluation of the validation part that lies in a folder.
    ///
    /// # Errors
    /// If the folder holds none, it is of another part, or one class is missing.
    pub fn of_evaluation(folder: &Path, rule: ThresholdRule) -> Result<Self, Error> {
        let fail = |reason: String| Error::File {
            path: folder.to_owned(),
            reason,
        };
        let report = saved::read_report(folder).map_err(|e| fail(e.to_string()))?;
        if report.subject.split != "val" {
            return Err(fail(format!(
                "a threshold is chosen on the validation part, not on split '{}'",
                report.subject.split
            )));
        }
        if let Some(warning) = split_warning(&report.origin) {
            return Err(fail(format!(
                "{warning} A threshold is chosen on the run's own validation part"
            )));
        }
        let records = saved::read_records(folder).map_err(|e| fail(e.to_string()))?;
        let (scores, truth): (Vec<f64>, Vec<bool>) = records.iter().map(|r| (r.score, r.is_covid19)).unzip();
        let table = ScoreTable::new(&scores, &truth);
        let (threshold, name) = match rule {
            ThresholdRule::Youden => (table.youden_threshold(), "largest Youden index"),
            ThresholdRule::F2 => (table.f_threshold(2.0), "largest F2-score"),
        };
        Ok(Self {
            threshold: threshold.ok_or_else(|| fail("one class is missing: no threshold can be chosen".to_owned()))?,
            rule: format!("{name} on the validation part"),
            version: report.subject.classifier_version,
            weights_sha256: report.subject.weights_sha256,
        })
    }
}

/// What is to be promoted, and what the user says to it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A threshold instead of the card's.
    pub threshold: Option<ThresholdChoice>,
    /// Why, where the audit is red.
    pub reason: Option<String>,
}

/// A model that was promoted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promoted {
    /// Where its weights lie now.
    pub weights: PathBuf,
    /// Its card.
    pub card: ModelCard,
    /// Version that it replaces, kept to roll back to.
    pub replaces: Option<String>,
    /// The audit's light; `None` for a segmenter.
    pub light: Option<Light>,
}

impl Promoted {
    /// Weights of the same name that are searched before the list and so stay in use; `given` is searched first.
    pub fn hidden_by(&self, given: Option<&Path>) -> Option<PathBuf> {
        let name = format!("{}.safetensors", self.card.name);
        let mut places = models::weights_folders(given)
            .into_iter()
            .map(|folder| folder.join(&name));
        places.find(|path| path.is_file()).filter(|path| *path != self.weights)
    }
}

/// Whether a run could be promoted as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// It can be.
    Ready,
    /// Its best weights were not audited: no audit, or one of other weights.
    NoAudit(String),
    /// The audit is red: a reason is needed.
    NeedsReason(Vec<String>),
}

/// How a run stands before promotion, for a window that asks beforehand.
///
/// # Errors
/// If the run has no best weights with a card.
pub fn standing(run: &Path) -> Result<Standing, Error> {
    let card = folder::card(run)?;
    if card.task == Task::Segmenter {
        return Ok(Standing::Ready);
    }
    Ok(match audit_of(run, &card) {
        Err(reason) => Standing::NoAudit(reason),
        Ok(audit) if audit.light == Light::Red => Standing::NeedsReason(audit.reasons),
        Ok(_) => Standing::Ready,
    })
}

/// Copies a run's best weights with their card (threshold, calibration, audit) into the model list. What is there
/// under the same name stays as a version to roll back to.
///
/// # Errors
/// If the weights are not the card's, were not audited, the light is red and no reason is given, the threshold is of
/// other weights, no calibration can be had, or the list cannot be written.
pub fn promote(run: &Path, request: &Request, registry: &Registry) -> Result<Promoted, Error> {
    let source = folder::best_weights(run);
    let refuse = |reason: String| Error::NotPromoted {
        path: run.to_owned(),
        reason,
    };
    let mut card = folder::card(run)?;
    weights::verify(&source, &card.sha256)?;
    let mut light = None;
    if card.task != Task::Segmenter {
        let command = format!("'recovnet audit --run {} --data FOLDER' makes one", run.display());
        let audit = audit_of(run, &card).map_err(|reason| refuse(format!("{reason}; {command}")))?;
        let reason = check_reason(&audit, request.reason.as_deref()).map_err(refuse)?;
        light = Some(audit.light);
        let calibration = calibration_of(run, &card).map_err(refuse)?;
        put(&mut card, calibration::CARD_KEY, calibration);
        put(&mut card, audit::CARD_KEY, audit.for_card());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        put(
            &mut card,
            CARD_KEY,
            json!({"reason": reason, "light": audit.light, "seconds_since_1970": now}),
        );
    }
    if let Some(choice) = &request.threshold {
        check_threshold(choice, &card).map_err(refuse)?;
        card.threshold = choice.threshold;
        put(&mut card, "threshold_rule", choice.rule.clone());
    }
    let (weights, card, replaces) = registry.install(&source, card)?;
    Ok(Promoted {
        weights,
        card,
        replaces,
        light,
    })
}

fn put(card: &mut ModelCard, key: &str, value: impl Serialize) {
    let value = serde_json::to_value(value).expect("a card's entries are plain data");
    card.details.insert(key.to_owned(), value);
}

/// The run's audit, if it is of the card's weights; else why there is none.
fn audit_of(run: &Path, card: &ModelCard) -> Result<Audit, String> {
    let audit = match audit::saved::read(&folder::audit_folder(run)) {
        Ok(Some(audit)) => audit,
        Ok(None) => return Err("the run has no shortcut audit".to_owned()),
        Err(error) => return Err(format!("the run's shortcut audit cannot be used: {error}")),
    };
    if audit.subject.weights_sha256.eq_ignore_ascii_case(&card.sha256) {
        Ok(audit)
    } else {
        Err("the run's shortcut audit is of other weights".to_owned())
    }
}

/// Whether a text is long enough to be a reason for promoting against a red light.
pub fn says_why(reason: &str) -> bool {
    reason.trim().chars().count() >= SHORTEST_REASON
}

/// The reason that the card keeps; needed where the light is red.
fn check_reason(audit: &Audit, reason: Option<&str>) -> Result<Option<String>, String> {
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty());
    if audit.light == Light::Red && !reason.is_some_and(says_why) {
        return Err(format!(
            "the shortcut audit is red: {} Give the reason for promoting it all the same with --reason \"…\" (at \
             least {SHORTEST_REASON} characters); the card keeps it",
            audit.reasons.join(" ")
        ));
    }
    Ok(reason.map(str::to_owned))
}

fn check_threshold(choice: &ThresholdChoice, card: &ModelCard) -> Result<(), String> {
    if !choice.weights_sha256.eq_ignore_ascii_case(&card.sha256) || choice.version != card.version {
        return Err(format!(
            "the threshold {} was chosen for version {} ({}), and these weights are version {} ({}); choose one for \
             these",
            choice.threshold,
            choice.version,
            short(&choice.weights_sha256),
            card.version,
            short(&card.sha256)
        ));
    }
    if !(0.0..=1.0).contains(&choice.threshold) {
        return Err(format!("the threshold {} is not between 0 and 1", choice.threshold));
    }
    Ok(())
}

fn short(sha256: &str) -> &str {
    sha256.get(..8).unwrap_or(sha256)
}

/// The card's calibration, or one fitted on the run's evaluation of the validation part.
fn calibration_of(run: &Path, card: &ModelCard) -> Result<Calibration, String> {
    if let Some(found) = Calibration::of_card(card) {
        return Ok(found);
    }
    let way_out = format!(
        "'recovnet evaluate --run {} --data FOLDER --split val' lets it be fitted",
        run.display()
    );
    let folder = folder::evaluation_folder(run, "val");
    let read = saved::read_report(&folder).and_then(|report| Ok((report, saved::read_records(&folder)?)));
    let (report, records) = read.map_err(|_| format!("its card has no temperature calibration; {way_out}"))?;
    if !report.subject.weights_sha256.eq_ignore_ascii_case(&card.sha256) {
        return Err(format!(
            "its evaluation of the validation part is of other weights; {way_out}"
        ));
    }
    let (margins, truth): (Vec<f64>, Vec<bool>) = records.iter().map(|r| (r.margin, r.is_covid19)).unzip();
    Calibration::fit(&margins, &truth, "val", &card.sha256)
        .ok_or_else(|| "the validation part holds one class only: no temperature can be fitted".to_owned())
}

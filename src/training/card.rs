//! The model card that a run writes beside its weights: data, settings, threshold, validation metrics, limits.
//! Metrics on the test part are for `evaluate`, once.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::nn::ModelCard;
use crate::nn::card::Task;

use super::checkpoint::Best;
use super::evaluation::{Calibration, calibration};
use super::initial::Learned;
use super::manifest::{Class, Row};
use super::metrics::{Confusion, mean, roc_auc, youden_threshold};
use super::phase::Tally;
use super::recipe::{Config, Recipe};
use super::split::{Leakage, Part, SPLIT_KEY};

/// Probability from which a pixel is lung.
const LUNG_THRESHOLD: f64 = 0.5;
/// Largest margin that a probability is taken for.
const LARGEST_MARGIN: f64 = 36.0;

/// What the card calls the epoch of a run's best weights.
pub const BEST_EPOCH: &str = "best_epoch";
/// What the card calls the trainings of the weights that a run began with.
pub const LEARNED_BEFORE: &str = "learned_before";
/// What the card calls a source that the data do not name.
pub const UNKNOWN_SOURCE: &str = "unknown";

/// What a run used of its data folder, and what its initial weights have learned from, in words for the card.
pub fn describe_data(rows: &[&Row], before: &[Learned]) -> Value {
    let parts = [Part::Train, Part::Validation, Part::Test].map(|part| {
        let rows: Vec<&&Row> = rows.iter().filter(|row| row.part() == part).collect();
        let groups: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.group.as_str()).collect();
        let mut sources: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
        for row in &rows {
            sources
                .entry(row.source.as_deref().unwrap_or(UNKNOWN_SOURCE))
                .or_default()[row.class as usize] += 1;
        }
        let covid = rows.iter().filter(|row| row.class == Class::Covid19).count();
        let by_source: Map<String, Value> = sources
            .into_iter()
            .map(|(source, [control, covid])| (source.to_owned(), json!({"control": control, "covid19": covid})))
            .collect();
        let counts = json!({
            "images": rows.len(),
            "groups": groups.len(),
            "control": rows.len() - covid,
            "covid19": covid,
            "by_source": by_source,
        });
        (part.name().to_owned(), counts)
    });
    let mut licences: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *licences
            .entry(row.licence.as_deref().unwrap_or("not stated"))
            .or_default() += 1;
    }
    json!({
        "parts": Map::from_iter(parts),
        "images_by_licence": licences,
        "groups_in_test_and_other_parts": Leakage::of(rows.iter().copied()),
        LEARNED_BEFORE: before,
    })
}

/// The card of a run's best weights. `data` comes from [`describe_data`], `tally` from the validation part.
pub fn card(config: &Config, data: &Value, best: Best, tally: &Tally, sha256: String) -> ModelCard {
    let segments = config.task == Task::Segmenter;
    let threshold = if segments {
        LUNG_THRESHOLD
    } else {
        youden_threshold(&tally.scores, &tally.truth).unwrap_or(0.5)
    };
    let details = json!({
        "intended_use": "Research use only, not a diagnosis.",
        SPLIT_KEY: config.split,
        "seed": config.seed,
        "code_version": concat!(env!("CARGO_PKG_VERSION"), ", commit ", env!("RECOVNET_COMMIT")),
        BEST_EPOCH: best.epoch,
        "threshold_rule": if segments { "fixed" } else { "largest Youden index on the validation part" },
        "validation": validation(config.task, threshold, tally),
        calibration::CARD_KEY: if segments { None } else { temperature(tally, &sha256) },
        "training": config,
        "training_note": training_note(config),
        "data": data,
        "limits": limits(config.task),
    });
    ModelCard {
        name: config.model_name(),
        version: version(SystemTime::now()),
        task: config.task,
        backbone: config.encoder,
        graph: config.graph,
        input: config.input(best.size),
        threshold,
        sha256,
        details: match details {
            Value::Object(details) => details,
            _ => Map::new(),
        },
    }
}

fn validation(task: Task, threshold: f64, tally: &Tally) -> Value {
    if task == Task::Segmenter {
        return json!({
            "images": tally.images,
            "mean_dice_on_network_input": mean(tally.dice.iter().copied()),
        });
    }
    let counts = Confusion::at(threshold, &tally.scores, &tally.truth);
    json!({
        "images": tally.images,
        "roc_auc": roc_auc(&tally.scores, &tally.truth),
        "confusion": counts,
        "sensitivity": counts.sensitivity(),
        "specificity": counts.specificity(),
    })
}

/// The temperature of the validation part.
fn temperature(tally: &Tally, sha256: &str) -> Option<Calibration> {
    // A probability of 0 or 1 stands for a margin beyond what a number of 64 bits tells apart.
    let margin = |&score: &f64| (score / (1.0 - score)).ln().clamp(-LARGEST_MARGIN, LARGEST_MARGIN);
    let margins: Vec<f64> = tally.scores.iter().map(margin).collect();
    Calibration::fit(&margins, &tally.truth, Part::Validation.name(), sha256)
}

fn training_note(config: &Config) -> &'static str {
    match config.recipe {
        Recipe::Paper => "The paper's settings: Keras's Adam and batch-norm momentum (0.99 in Keras's terms).",
        Recipe::Scratch if config.init.is_some() => {
            "Begins with the weights that training.init names, with the scratch recipe's rates and schedule; batch-norm \
             momentum 0.1 in every layer, the decoder's too, because Keras's 0.99 never settles in so few steps."
        }
        Recipe::Scratch => {
            "From random initial weights, with rates and schedule of its own; batch-norm momentum 0.1 in every layer, \
             the decoder's too, because Keras's 0.99 never settles in so few steps."
        }
    }
}

fn limits(task: Task) -> Vec<&'static str> {
    let mut limits = vec![
        "Not validated for clinical use.",
        "Frontal chest radiographs only; laterals were left out.",
        "Where a source holds one class only, the network can tell the source instead of the disease; the figures \
         inside a source with both classes say more.",
    ];
    match task {
        Task::Segmenter => limits[2] = "Learned from lung-field masks of images without COVID-19.",
        Task::Recovnet | Task::Baseline => {
            limits.push("The probability is not calibrated to any prevalence.");
        }
    }
    limits
}

/// Version of weights made at this time: the day, as `2026.11.23`.
fn version(now: SystemTime) -> String {
    let days = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() / 86_400) as i64;
    let (year, month, day) = civil(days);
    format!("{year}.{month}.{day}")
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar: eras of 400 years that begin
/// in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_780), (2026, 11, 23));
        assert_eq!(civil(-1), (1969, 12, 31));
    }
}

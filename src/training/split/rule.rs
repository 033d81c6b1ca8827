//! The rules by which images are parted, and what a split comes to: its name, and how many patients are on both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::choose::choose;
use super::{Error, Part, SPLIT_SEED, SPLIT_VERSION};
use crate::training::dataset::{Category, paper_table};
use crate::training::manifest::Row;

/// Share of a training part's images that is kept for validation, where the rule does not say.
const VALIDATION_SHARE: f64 = 0.1;

/// How images are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitRule {
    /// By the hash of the group, 70 / 10 / 20 ([`Part::of`]): the same for every data set.
    Hash,
    /// As the data set comes; validation is taken from its training part.
    Predefined,
    /// The paper's ratio in every group of its Table 1, ChestX-ray14 as it comes; no patient on both sides.
    Paper,
    /// As [`SplitRule::Paper`], image by image as the paper did it: patients are on both sides.
    PaperRandom,
    /// By another rule, after which groups that share a picture were put into one part
    /// ([`keep_together`](super::keep_together)). A file keeps it, because it depends on what a check found.
    Together,
}

impl SplitRule {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Hash,
        Self::Predefined,
        Self::Paper,
        Self::PaperRandom,
        Self::Together,
    ];

    /// `hash`, `predefined`, `paper`, `paper-random` or `together`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hash => "hash",
            Self::Predefined => "predefined",
            Self::Paper => "paper",
            Self::PaperRandom => "paper-random",
            Self::Together => "together",
        }
    }
}

impl fmt::Display for SplitRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SplitRule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|rule| rule.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|rule| rule.name()).collect();
            format!("there is no rule '{name}'; it is one of {}", names.join(", "))
        })
    }
}

/// Patients (or what else must not be split) with images in the test part and outside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leakage {
    /// Number of such groups.
    pub groups: usize,
    /// Their images in the test part.
    pub test_images: usize,
}

impl Leakage {
    /// Counts it.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let mut groups: BTreeMap<&str, (bool, usize)> = BTreeMap::new();
        for row in rows {
            let (learned, tested) = groups.entry(&row.group).or_default();
            match row.part() {
                Part::Test => *tested += 1,
                Part::Train | Part::Validation => *learned = true,
            }
        }
        let leaked = groups.values().filter(|(learned, tested)| *learned && *tested > 0);
        leaked.fold(Self::default(), |sum, (_, tested)| Self {
            groups: sum.groups + 1,
            test_images: sum.test_images + tested,
        })
    }

    /// Whether no group is on both sides.
    pub fn is_none(self) -> bool {
        self.groups == 0
    }
}

/// How a data set is parted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Its name, by which weights are known to have seen the same test images: equal parts have equal names.
    pub id: String,
    /// Its rule.
    pub rule: SplitRule,
    /// The rule's seed.
    pub seed: u64,
    /// Patients on both sides.
    pub leakage: Leakage,
}

impl Default for Split {
    fn default() -> Self {
        Self {
            id: SPLIT_VERSION.to_owned(),
            rule: SplitRule::Hash,
            seed: SPLIT_SEED,
            leakage: Leakage::default(),
        }
    }
}

impl Split {
    /// Parts rows by a rule. The seed has no say in [`SplitRule::Hash`].
    ///
    /// # Errors
    /// If the rule is [`SplitRule::Predefined`] and a row has no predefined part, or [`SplitRule::Together`].
    pub fn assign(rows: &mut [Row], rule: SplitRule, seed: u64) -> Result<Self, Error> {
        match rule {
            SplitRule::Hash => {
                for row in rows.iter_mut() {
                    row.assigned = None;
                }
            }
            SplitRule::Predefined => {
                if let Some(row) = rows.iter().find(|row| row.predefined.is_none()) {
                    return Err(Error::NotPredefined {
                        file: row.path.clone(),
                        count: rows.iter().filter(|row| row.predefined.is_none()).count(),
                    });
                }
                for row in rows.iter_mut() {
                    row.assigned = row.predefined;
                }
                keep_validation(rows, seed);
            }
            SplitRule::Paper => {
                by_ratio(rows, seed, |row| &row.group);
                keep_validation(rows, seed);
            }
            SplitRule::PaperRandom => {
                by_ratio(rows, seed, |row| &row.file);
                keep_validation(rows, seed);
            }
            SplitRule::Together => return Err(Error::Together),
        }
        Ok(Self::of(rows, rule, seed))
    }

    /// Describes the parts that rows have.
    pub(super) fn of(rows: &[Row], rule: SplitRule, seed: u64) -> Self {
        let is_hash = rows.iter().all(|row| row.part() == Part::of(&row.group));
        Self {
            id: if is_hash {
                SPLIT_VERSION.to_owned()
            } else {
                format!("{rule}-seed-{seed}-{}", digest(rows))
            },
            rule,
            seed,
            leakage: Leakage::of(rows),
        }
    }
}

/// The first twelve hexadecimal digits of SHA-256 over files and parts in the files' order.
fn digest(rows: &[Row]) -> String {
    let mut lines: Vec<(&str, &str)> = rows.iter().map(|row| (row.file.as_str(), row.part().name())).collect();
    lines.sort_unstable();
    let mut sha = Sha256::new();
    for (file, part) in lines {
        sha.update(format!("{file}\t{part}\n"));
    }
    let digits = format!("{:x}", sha.finalize());
    digits[..12].to_owned()
}

/// Training and test part by the paper's ratio in every category. ChestX-ray14 stays as it comes; `unit` is what is
/// not split, and one that a category has placed is where it is for the next.
fn by_ratio(rows: &mut [Row], seed: u64, unit: impl Fn(&Row) -> &str) {
    let mut placed: BTreeMap<String, Part> = BTreeMap::new();
    for row in rows.iter_mut() {
        row.assigned = row.predefined.filter(|_| row.category == Category::ChestXray14);
        if let Some(part) = row.assigned {
            placed.insert(unit(row).to_owned(), part);
        }
    }
    for category in Category::ALL {
        let of_category = |row: &&Row| row.category == category && row.assigned.is_none();
        let (mut sizes, mut before, mut all) = (BTreeMap::<&str, usize>::new(), 0, 0);
        for row in rows.iter().filter(of_category) {
            all += 1;
            match placed.get(unit(row)) {
                Some(Part::Test) => {}
                Some(Part::Train | Part::Validation) => before += 1,
                None => *sizes.entry(unit(row)).or_default() += 1,
            }
        }
        let target = (all as f64 * paper_table::train_share(category)).round() as usize;
        let groups: Vec<(&str, usize)> = sizes.into_iter().collect();
        let picked = choose(&groups, target.saturating_sub(before), &format!("{seed}:{category}"));
        let part = |picked| if picked { Part::Train } else { Part::Test };
        placed.extend(
            groups
                .iter()
                .zip(picked)
                .map(|((name, _), picked)| ((*name).to_owned(), part(picked))),
        );
    }
    for row in rows.iter_mut().filter(|row| row.assigned.is_none()) {
        row.assigned = placed.get(unit(row)).copied();
    }
}

/// Moves a share of every category's training images to the validation part, by group; nothing if there is one.
fn keep_validation(rows: &mut [Row], seed: u64) {
    if rows.iter().any(|row| row.assigned == Some(Part::Validation)) {
        return;
    }
    let mut decided: BTreeMap<String, bool> = BTreeMap::new();
    for category in Category::ALL {
        let (mut sizes, mut before, mut all) = (BTreeMap::<&str, usize>::new(), 0, 0);
        let training = |row: &&Row| row.category == category && row.assigned == Some(Part::Train);
        for row in rows.iter().filter(training) {
            all += 1;
            match decided.get(&row.group) {
                Some(kept) => before += usize::from(*kept),
                None => *sizes.entry(&row.group).or_default() += 1,
            }
        }
        let target = ((all as f64 * VALIDATION_SHARE).round() as usize).max(usize::from(all > 1));
        let groups: Vec<(&str, usize)> = sizes.into_iter().collect();
        let picked = choose(
            &groups,
            target.saturating_sub(before),
            &format!("{seed}:validation:{category}"),
        );
        decided.extend(
            groups
                .iter()
                .zip(picked)
                .map(|((name, _), picked)| ((*name).to_owned(), picked)),
        );
    }
    let kept: BTreeSet<String> = decided
        .into_iter()
        .filter(|(_, kept)| *kept)
        .map(|(group, _)| group)
        .collect();
    let training = |row: &&mut Row| row.assigned == Some(Part::Train) && kept.contains(&row.group);
    for row in rows.iter_mut().filter(training) {
        row.assigned = Some(Part::Validation);
    }
}

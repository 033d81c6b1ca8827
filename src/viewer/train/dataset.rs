//! Step 1 as data: folders, how they are parted, and what they hold by their layouts alone.

use std::path::{Path, PathBuf};

use egui::TextureHandle;

use super::checked::Checked;
use crate::training::Task;
use crate::training::check::gate::OnLeakage;
use crate::training::dataset::paper_table::Comparison;
use crate::training::dataset::{self, Category, DatasetKind, Options, QataVersion};
use crate::training::manifest::Manifest;
use crate::training::recipe::{Augmenting, Config};
use crate::training::request::Request;
use crate::training::split::SplitRule;
use crate::viewer::errands::Pending;

/// A data folder.
#[derive(Debug, Default)]
pub struct Folder {
    /// Its path as it is typed.
    pub text: String,
    /// What it was recognised as.
    pub kind: Pending<DatasetKind>,
}

/// What all folders hold together, before anything is decoded.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Their kinds.
    pub kinds: Vec<DatasetKind>,
    /// Labelled images.
    pub images: usize,
    /// How they are parted, in words.
    pub split: String,
    /// Patients or groups that are in more than one part.
    pub leaking_groups: usize,
    /// Images beside the paper's: for phase I, and for phase II.
    pub tables: [Comparison; 2],
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Overview {
    /// Counts what a run's settings make of the training part, in the table of the run's phase.
    pub fn augment(&mut self, config: &Config) {
        let phase = usize::from(config.task != Task::Segmenter);
        augment(&mut self.tables[phase], &config.augmenting);
    }
}

fn augment(table: &mut Comparison, augmenting: &Augmenting) {
    let (targets, others) = match augmenting {
        Augmenting::Offline { targets, others } => (Some(targets), *others),
        Augmenting::Off | Augmenting::EachEpoch => (None, None),
    };
    let (mut brought, mut rest) = (0, 0);
    for group in &mut table.groups {
        let images = group.found.train - group.validation;
        let category = Category::ALL.into_iter().find(|of| of.title() == group.title);
        let target = targets
            .zip(category)
            .and_then(|(targets, category)| targets.get(&category));
        if let Some(target) = target {
            // Nothing comes of a group without images.
            let count = if images > 0 { *target } else { 0 };
            group.augmented = Some(count);
            brought += count;
        } else {
            // Groups without a target of their own stay as they are, or share one.
            group.augmented = others.is_none().then_some(images);
            rest += images;
        }
    }
    table.total.augmented = Some(brought + others.filter(|_| rest > 0).unwrap_or(rest));
}

/// How the data are taken and parted; texts as they are typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parting {
    /// Rule; `None` for what the data set is made for.
    pub rule: Option<SplitRule>,
    /// Seed; empty for the product's.
    pub seed: String,
    /// File that keeps the split; empty for none.
    pub file: String,
    /// Take QaTa-COV19's control group I as well.
    pub control_group_1: bool,
    /// COVID-19 images of QaTa-COV19; `None` for those that are there.
    pub qata: Option<QataVersion>,
}

impl Parting {
    /// What is wrong with the seed, if anything.
    pub fn seed_problem(&self) -> Option<&'static str> {
        let seed = self.seed.trim();
        let valid = seed.is_empty() || seed.parse::<u64>().is_ok();
        (!valid).then_some("a whole number from 0, or nothing")
    }

    /// How a run's data were taken and parted.
    fn of(options: &Options) -> Self {
        let file = options.split_file.as_ref();
        Self {
            rule: options.split_rule,
            seed: options.split_seed.map(|seed| seed.to_string()).unwrap_or_default(),
            file: file.map(|file| file.display().to_string()).unwrap_or_default(),
            control_group_1: options.control_group_1,
            qata: options.qata_version,
        }
    }

    fn options(&self, beside: Vec<PathBuf>) -> Options {
        let file = self.file.trim();
        Options {
            beside,
            control_group_1: self.control_group_1,
            qata_version: self.qata,
            split_rule: self.rule,
            split_seed: self.seed.trim().parse().ok(),
            split_file: (!file.is_empty()).then(|| PathBuf::from(file)),
        }
    }
}

/// The data of the first step.
pub struct DataState {
    /// Where they lie; at least one, which may be empty.
    pub folders: Vec<Folder>,
    /// How they are taken and parted.
    pub parting: Parting,
    /// What they hold.
    pub overview: Pending<Overview>,
    /// The check of every image.
    pub check: Pending<Checked>,
    /// Pictures of its report.
    pub pictures: CheckPictures,
    /// Where its report is to lie, as it is typed.
    pub report_file: String,
    /// Writing it; a sentence when done.
    pub saving: Pending<String>,
    /// What a run does where something is in two parts; `None` does not look.
    pub on_leakage: Option<OnLeakage>,
}

/// Pictures of a check's report on the screen.
#[derive(Default)]
pub struct CheckPictures {
    /// Both of every pair of copies.
    pub copies: Vec<[Option<TextureHandle>; 2]>,
    /// The odd ones.
    pub odd: Vec<Option<TextureHandle>>,
}

impl Default for DataState {
    fn default() -> Self {
        Self {
            folders: vec![Folder::default()],
            parting: Parting::default(),
            overview: Pending::default(),
            check: Pending::default(),
            pictures: CheckPictures::default(),
            report_file: "data-check.html".to_owned(),
            saving: Pending::default(),
            on_leakage: Some(OnLeakage::Refuse),
        }
    }
}

impl DataState {
    /// Names the data of a run, taken and parted as it did; nothing is known of them yet.
    pub fn repeat(&mut self, request: &Request) {
        let folders = std::iter::once(&request.data).chain(&request.dataset.beside);
        let named = folders.map(|folder| Folder {
            text: folder.display().to_string(),
            kind: Pending::Nothing,
        });
        self.folders = named.collect();
        self.parting = Parting::of(&request.dataset);
        self.on_leakage = request.config.on_leakage;
    }

    /// Folders that are named.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let texts = self.folders.iter().map(|folder| folder.text.trim());
        texts.filter(|text| !text.is_empty())
    }

    /// The first folder, and what to take beside it; `None` while no folder is named.
    pub fn source(&self) -> Option<(PathBuf, Options)> {
        let mut folders = self.named().map(PathBuf::from);
        let first = folders.next()?;
        Some((first, self.parting.options(folders.collect())))
    }

    /// What keeps the data from being used, in a sentence.
    pub fn problem(&self) -> Option<String> {
        if self.named().next().is_none() {
            return Some("Name a data folder in step 1.".to_owned());
        }
        if let Some(problem) = self.parting.seed_problem() {
            return Some(format!("Seed of the split: {problem}."));
        }
        let leaks = self.check.done().filter(|checked| !checked.report.leakage().is_none());
        if leaks.is_some() && self.on_leakage == Some(OnLeakage::Refuse) {
            let text = "Data: something is in more than one part; see the report and choose what a run does then.";
            return Some(text.to_owned());
        }
        match &self.overview {
            Pending::Failed(reason) => Some(format!("Data: {reason}")),
            _ => None,
        }
    }
}

/// Opens the data without leaving anything behind: a split file is written when a run begins.
///
/// # Errors
/// In a sentence.
pub fn look(folder: &Path, options: &Options) -> Result<Manifest, String> {
    dataset::open(folder, &options.clone().without_new_split_file()).map_err(|e| e.to_string())
}

/// Reads what folders hold, by their layouts and tables.
///
/// # Errors
/// In a sentence.
pub fn overview(folder: &Path, options: &Options) -> Result<Overview, String> {
    let manifest = look(folder, options)?;
    let split = &manifest.split;
    Ok(Overview {
        kinds: manifest.kinds.clone(),
        images: manifest.rows.len(),
        split: format!("{} (rule {}, seed {})", split.id, split.rule, split.seed),
        leaking_groups: split.leakage.groups,
        tables: [
            Comparison::of_lung_masks(&manifest.rows),
            Comparison::of_table_1(&manifest.rows),
        ],
        notes: manifest.notes.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::dataset::paper_table::{Compared, Counts};

    fn group(title: &str, train: usize, validation: usize) -> Compared {
        Compared {
            title: title.to_owned(),
            paper: None,
            found: Counts { train, test: 5 },
            validation,
            augmented: Some(1),
        }
    }

    #[test]
    fn the_table_says_what_the_recipe_makes_of_the_training_part() {
        let groups = vec![
            group(Category::Covid19.title(), 100, 10),
            group(Category::Bacterial.title(), 0, 0),
            group(Category::Other.title(), 50, 5),
        ];
        let mut table = Comparison {
            phase: 2,
            groups,
            total: group("Total", 150, 15),
        };
        let mut counts = |augmenting: &Augmenting| -> Vec<Option<usize>> {
            augment(&mut table, augmenting);
            let all = table.groups.iter().chain([&table.total]);
            all.map(|group| group.augmented).collect()
        };
        assert_eq!(counts(&Augmenting::EachEpoch), [Some(90), Some(0), Some(45), Some(135)]);
        assert_eq!(
            counts(&Augmenting::table_1()),
            [Some(10_000), Some(0), Some(45), Some(10_045)]
        );
        assert_eq!(counts(&Augmenting::PAPER_LUNGS), [None, None, None, Some(1000)]);
    }
}

//! Which data a command works on and how they are parted: options that all commands on labelled data share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::nn::ModelCard;
use crate::training::dataset::{self, DatasetKind, Options, QataVersion};
use crate::training::evaluation::{Origin, names_of_folders};
use crate::training::manifest::Manifest;
use crate::training::runs;
use crate::training::split::SplitRule;

/// The data folders and their split.
#[derive(Debug, Clone, Args)]
pub struct DatasetArgs {
    /// Folder with manifest.csv, or a data set as it is downloaded (QaTa-COV19, Montgomery, JSRT, Shenzhen,
    /// ChestX-ray14, Kermany, Indiana); repeat it for what belongs together
    #[arg(long, value_name = "FOLDER", required = true)]
    data: Vec<PathBuf>,
    /// File that keeps the split: read if it is there, else written
    #[arg(long, value_name = "FILE")]
    split_file: Option<PathBuf>,
    /// How the data are parted: hash, predefined, paper or paper-random [default: as the data set is]; together comes
    /// from check-data --together, as a file
    #[arg(long, value_name = "RULE")]
    split_rule: Option<SplitRule>,
    /// Seed of the split [default: the product's]
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
    /// Take QaTa-COV19's control group I as well, which the paper's task leaves out
    #[arg(long)]
    control_group_1: bool,
    /// Which COVID-19 images of QaTa-COV19: v1 or v2 [default: the one that is there, v1 of both]
    #[arg(long, value_name = "VERSION")]
    qata_version: Option<QataVersion>,
}

impl DatasetArgs {
    /// One folder, with everything else as it is by default.
    pub fn of_folder(folder: &Path) -> Self {
        Self {
            data: vec![folder.to_owned()],
            split_file: None,
            split_rule: None,
            split_seed: None,
            control_group_1: false,
            qata_version: None,
        }
    }

    /// The first data folder.
    pub fn folder(&self) -> &Path {
        &self.data[0]
    }

    /// The folders as they were named.
    pub fn display(&self) -> String {
        names_of_folders(&self.data)
    }

    /// What to take beside the first folder, and how to part it.
    pub fn options(&self) -> Options {
        Options {
            beside: self.data[1..].to_vec(),
            control_group_1: self.control_group_1,
            qata_version: self.qata_version,
            split_rule: self.split_rule,
            split_seed: self.split_seed,
            split_file: self.split_file.clone(),
        }
    }

    /// Opens the data without leaving anything behind: a split file that is not there yet is written when a run begins.
    /// Says on standard error what they are.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn open(&self) -> Result<Manifest, dataset::Error> {
        open(self.folder(), &self.options().without_new_split_file())
    }

    /// As [`DatasetArgs::open`], and writes the split file that is named if it is not there yet.
    ///
    /// # Errors
    /// If they cannot be used, or the split not be written.
    pub fn open_and_keep_split(&self) -> Result<Manifest, dataset::Error> {
        open(self.folder(), &self.options())
    }

    /// The data that a network is measured on, with their folders as reports name them. A run's own data are parted as
    /// the run parted them, unless the user parts them.
    ///
    /// # Errors
    /// If they cannot be used, or the split not be written.
    pub fn open_for(&self, run: Option<&Path>) -> Result<(Manifest, String), dataset::Error> {
        let Some(own) = run.and_then(|run| self.own_options(run)) else {
            return Ok((self.open_and_keep_split()?, self.display()));
        };
        let manifest = open(self.folder(), &own)?;
        let split = &manifest.split.id;
        eprintln!("note: these are the run's own data; they are parted as the run parted them (split {split})");
        let unnamed = own.beside.iter().skip(self.data.len() - 1);
        Ok((manifest, names_of_folders(self.data.iter().chain(unnamed))))
    }

    /// Options that part a run's own data as it parted them; `None` where these are others, or the user wants something
    /// else of them.
    fn own_options(&self, run: &Path) -> Option<Options> {
        if self.split_file.is_some() || self.split_rule.is_some() || self.split_seed.is_some() {
            return None;
        }
        let own = runs::own_options(run, self.folder(), &self.data[1..])?;
        let is_larger = self.control_group_1 && !own.control_group_1;
        let is_another = self.qata_version.is_some() && self.qata_version != own.qata_version;
        (!is_larger && !is_another).then_some(own)
    }

    /// Whether every folder has a table of its own.
    pub fn is_plain(&self) -> bool {
        let is_table = |folder: &PathBuf| dataset::recognise(folder).is_ok_and(|kind| kind == DatasetKind::Manifest);
        self.data.iter().all(is_table)
    }
}

/// Opens data, and says on standard error what they are unless they are plain tables.
fn open(folder: &Path, options: &Options) -> Result<Manifest, dataset::Error> {
    let manifest = dataset::open(folder, options)?;
    let is_plain = manifest.kinds.iter().all(|kind| *kind == DatasetKind::Manifest);
    if is_plain && manifest.notes.is_empty() {
        return Ok(manifest);
    }
    let kinds: Vec<&str> = manifest.kinds.iter().map(|kind| kind.title()).collect();
    let split = &manifest.split;
    eprintln!(
        "data: {}, {} images; split {} (rule {}, seed {})",
        kinds.join(" and "),
        manifest.rows.len(),
        split.id,
        split.rule,
        split.seed
    );
    for note in &manifest.notes {
        eprintln!("note: {note}");
    }
    Ok(manifest)
}

/// Says on standard error if images are parted otherwise than those that a network learned from.
pub fn warn_of_other_split(split_id: &str, card: &ModelCard) {
    if let Some(warning) = runs::split_warning(&Origin::of(split_id, card)) {
        eprintln!("warning: {warning}");
    }
}

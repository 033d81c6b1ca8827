//! Which data a command works on and how they are parted: options that `train` and `evaluate` share.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::training::dataset::{self, DatasetKind, Options, QataVersion};
use crate::training::manifest::Manifest;
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
    /// How the data are parted: hash, predefined, paper or paper-random [default: as the data set is]
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
    /// The first data folder.
    pub fn folder(&self) -> &Path {
        &self.data[0]
    }

    /// The folders as they were named.
    pub fn display(&self) -> String {
        let folders: Vec<String> = self.data.iter().map(|folder| folder.display().to_string()).collect();
        folders.join(", ")
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

    /// Opens the data, and says on standard error what they are unless they are plain tables.
    ///
    /// # Errors
    /// If they cannot be used.
    pub fn open(&self) -> Result<Manifest, dataset::Error> {
        let manifest = dataset::open(self.folder(), &self.options())?;
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

    /// Whether every folder has a table of its own.
    pub fn is_plain(&self) -> bool {
        let is_table = |folder: &PathBuf| dataset::recognise(folder).is_ok_and(|kind| kind == DatasetKind::Manifest);
        self.data.iter().all(is_table)
    }
}

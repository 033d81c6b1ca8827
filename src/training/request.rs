//! A run as it is asked for: everything that makes it, in one file that the window writes, the command line reads, and
//! a run folder keeps, so that the run can be gone on with or made again.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::checkpoint::REQUEST;
use super::dataset;
use super::process::Process;
use super::recipe::Config;
use super::watch::WatchList;
use super::{Error, Task};

/// Most numbers that are tried for the folder of a run that is made once more.
const MOST_REPEATS: usize = 10_000;

/// Whether a run of a task may begin with the weights of a network that was trained for another: each goes on from its
/// own kind, and `ReCovNet` begins with a segmenter's encoder.
pub fn may_begin_with(task: Task, found: Task) -> bool {
    found == task || (task, found) == (Task::Recovnet, Task::Segmenter)
}

/// What a run does when the program that controls it is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnHangup {
    /// Write a checkpoint and stop: nothing computes that nobody knows of.
    #[default]
    Stop,
    /// Go on to the end.
    Continue,
}

/// A run to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is computed.
    pub config: Config,
    /// Data folder.
    pub data: PathBuf,
    /// What to take of the data, and how to part them.
    #[serde(default)]
    pub dataset: dataset::Options,
    /// Where the run is kept.
    pub run: PathBuf,
    /// Initial weights.
    #[serde(default)]
    pub init: Option<PathBuf>,
    /// Weights of the segmenter that says where the lungs are: for a region of the picture, and for the watch-list.
    #[serde(default)]
    pub segmenter: Option<PathBuf>,
    /// Whether to go on with the run that lies in the folder.
    #[serde(default)]
    pub resume: bool,
    /// What computes: `auto`, `cpu` or `cuda:N`.
    #[serde(default = "auto")]
    pub device: String,
    /// Threads that compute on the CPU; one a core if `None`.
    #[serde(default)]
    pub threads: Option<usize>,
    /// How far the process stands back behind others, 0 to 19; more is slower.
    #[serde(default)]
    pub nice: u8,
    /// Seconds between two checkpoints inside an epoch.
    #[serde(default = "a_minute")]
    pub checkpoint_seconds: f64,
    /// Epochs from one network that is kept for itself to the next; none is if `None`.
    #[serde(default)]
    pub keep_every: Option<usize>,
    /// Most memory that the run may have, in MiB.
    #[serde(default)]
    pub memory_mib: Option<f64>,
    /// Whether decoded inputs are kept on disk, so that they are not decoded again.
    #[serde(default = "yes")]
    pub cache: bool,
    /// Where they are kept; the user's cache folder if `None`.
    #[serde(default)]
    pub cache_folder: Option<PathBuf>,
    /// Images that are looked at after every epoch.
    #[serde(default)]
    pub watch: WatchList,
    /// What becomes of it when the program that controls it is gone.
    #[serde(default)]
    pub on_hangup: OnHangup,
}

fn auto() -> String {
    "auto".to_owned()
}

fn yes() -> bool {
    true
}

fn a_minute() -> f64 {
    60.0
}

impl Request {
    /// A run with these settings and everything else as it is by default.
    pub fn new(config: Config, data: &Path, run: &Path) -> Self {
        Self {
            config,
            data: data.to_owned(),
            dataset: dataset::Options::default(),
            run: run.to_owned(),
            init: None,
            segmenter: None,
            resume: false,
            device: auto(),
            threads: None,
            nice: 0,
            checkpoint_seconds: a_minute(),
            keep_every: None,
            memory_mib: None,
            cache: true,
            cache_folder: None,
            watch: WatchList::default(),
            on_hangup: OnHangup::default(),
        }
    }

    /// Reads a file that holds one.
    ///
    /// # Errors
    /// If it cannot be read or holds none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let fail = |reason: String| Error::Run {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| fail(format!("cannot be read: {e}")))?;
        serde_json::from_str(&text).map_err(|e| fail(format!("this describes no run: {e}")))
    }

    /// The request of the run that lies in a folder, to go on with it.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_run(folder: &Path) -> Result<Self, Error> {
        let kept = Self::read(&folder.join(REQUEST))?;
        Ok(Self {
            // A folder that was moved is the run all the same.
            run: folder.to_owned(),
            resume: true,
            ..kept
        })
    }

    /// The request of the run that lies in a folder, to make it once more in a new folder beside it.
    ///
    /// # Errors
    /// If there is none, or all names beside it are taken.
    pub fn again(folder: &Path) -> Result<Self, Error> {
        let kept = Self::of_run(folder)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let free = (2..MOST_REPEATS)
            .map(|number| folder.with_file_name(format!("{name}-{number}")))
            .find(|beside| !beside.exists());
        let run = free.ok_or_else(|| Error::Run {
            path: folder.to_owned(),
            reason: "there is no free name beside this folder for another run".to_owned(),
        })?;
        Ok(Self {
            run,
            resume: false,
            ..kept
        })
    }

    /// The same run with every path made absolute, so that another process in another folder finds the files.
    ///
    /// # Errors
    /// If this process has no current folder.
    pub fn absolute(mut self) -> io::Result<Self> {
        let paths = [&mut self.data, &mut self.run]
            .into_iter()
            .chain(&mut self.cache_folder);
        let more = self.dataset.beside.iter_mut().chain(&mut self.dataset.split_file);
        for path in paths.chain(more).chain(&mut self.init).chain(&mut self.segmenter) {
            *path = std::path::absolute(&path)?;
        }
        Ok(self)
    }

    /// Makes the run in a process of its own: `program` is this program. `wake` is called on another thread when there is
    /// something to read.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start(&self, program: &Path, wake: impl Fn(bool) + Send + 'static) -> io::Result<Process> {
        self.start_with(program, &[], wake)
    }

    /// As [`Request::start`], for a process that only measures some steps and ends with
    /// [`TrainingEvent::Estimated`](super::event::TrainingEvent::Estimated).
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn start_estimate(&self, program: &Path, wake: impl Fn(bool) + Send + 'static) -> io::Result<Process> {
        self.start_with(program, &["--estimate"], wake)
    }

    fn start_with(&self, program: &Path, more: &[&str], wake: impl Fn(bool) + Send + 'static) -> io::Result<Process> {
        let mut file = tempfile::Builder::new()
            .prefix("recovnet-run-")
            .suffix(".json")
            .tempfile()?;
        serde_json::to_writer_pretty(&mut file, &self.clone().absolute()?)?;
        let mut arguments: Vec<OsString> = vec!["train-from".into(), file.path().into()];
        arguments.extend(["--events", "-", "--control", "-"].map(OsString::from));
        arguments.extend(more.iter().map(OsString::from));
        Ok(Process::start(program, &arguments, wake)?.holding(file.into_temp_path()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::BackboneKind;
    use crate::training::recipe::Recipe;

    #[test]
    fn a_run_is_made_again_beside_itself() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let run = root.path().join("run");
        for folder in [&run, &root.path().join("run-2")] {
            std::fs::create_dir(folder).expect("a folder");
        }
        let config = Recipe::Scratch.config(Task::Baseline, BackboneKind::ResNet50);
        let asked = Request {
            resume: true,
            threads: Some(3),
            ..Request::new(config, Path::new("data"), Path::new("elsewhere"))
        };
        let text = serde_json::to_string(&asked).expect("JSON");
        std::fs::write(run.join(REQUEST), text).expect("written");
        let expected = Request {
            run: root.path().join("run-3"),
            resume: false,
            ..asked
        };
        assert_eq!(Request::again(&run).expect("a request"), expected);
        assert!(Request::again(root.path()).is_err(), "no run lies there");
    }
}

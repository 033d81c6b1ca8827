//! What is to be trained, as it is being filled in: a configuration that is always valid, and beside it the typed
//! texts that are not.

use std::collections::BTreeMap;
use std::path::Path;

use super::settings::{SETTINGS, Setting, setting};
use crate::training::recipe::{Config, Limit, Recipe, limits};
use crate::training::request::Request;
use crate::training::runs::best_weights;
use crate::training::{BackboneKind, Region, Task};
use crate::viewer::wording;

/// Images that are watched if nobody says otherwise.
const WATCHED: usize = 8;
/// Images that are watched at most: each is drawn after every epoch.
const MOST_WATCHED: usize = 64;
/// Threads offered at most.
const MOST_THREADS: usize = 1024;

/// Where a run begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Initial {
    /// Random weights.
    #[default]
    Random,
    /// The best weights of a run.
    Run,
    /// A weights file.
    File,
}

impl Initial {
    /// In the order of the panel.
    pub const ALL: [Self; 3] = [Self::Random, Self::Run, Self::File];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Random => "None: random weights",
            Self::Run => "The best weights of a run",
            Self::File => "A weights file",
        }
    }
}

/// How a run shares the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Priority {
    /// Behind everything else, so that reading stays quick.
    #[default]
    Low,
    /// As every program.
    Normal,
}

impl Priority {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Low => "Low: reading goes first",
            Self::Normal => "Normal",
        }
    }
}

/// Texts of the form that are no part of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// Folder that the run is kept in.
    RunFolder,
    /// Run or file of the initial weights.
    Initial,
    /// Weights of a segmenter.
    Segmenter,
    /// Number of watched images.
    Watched,
    /// Where it is computed.
    Device,
    /// Threads it computes with.
    Threads,
    /// Epochs from one kept network to the next.
    KeepEvery,
}

/// What is to be trained.
#[derive(Debug, Clone)]
pub struct Form {
    /// Every setting that is valid.
    pub config: Config,
    /// Typed texts of settings that are not valid, with what is wrong.
    pub wrong: BTreeMap<&'static str, (String, String)>,
    /// Typed texts of settings that are valid, with the value as the form would write it: a field must not change
    /// under the cursor.
    typed: BTreeMap<&'static str, (String, String)>,
    /// Settings are unfolded.
    pub unfolded: bool,
    /// Where it begins.
    pub initial: Initial,
    /// Its run or file.
    pub initial_path: String,
    /// Weights of the segmenter that finds the lungs.
    pub segmenter: String,
    /// Images that are looked at after every epoch, as it is typed.
    pub watch: String,
    /// Folder that the run is kept in.
    pub run_folder: String,
    /// Go on with the run in the folder.
    pub resume: bool,
    /// Where it is computed: `auto`, `cpu`, `cuda:N`.
    pub device: String,
    /// Threads it computes with; empty for the program's own choice.
    pub threads: String,
    /// Epochs from one network that is kept for itself to the next; empty for none.
    pub keep_every: String,
    /// How it shares the machine.
    pub priority: Priority,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            config: Recipe::Scratch.config(Task::Segmenter, BackboneKind::DenseNet121),
            wrong: BTreeMap::new(),
            typed: BTreeMap::new(),
            unfolded: false,
            initial: Initial::Random,
            initial_path: String::new(),
            segmenter: String::new(),
            watch: WATCHED.to_string(),
            run_folder: String::new(),
            resume: false,
            device: "auto".to_owned(),
            threads: String::new(),
            keep_every: String::new(),
            priority: Priority::Low,
        }
    }
}

impl Form {
    /// Another network or recipe: its settings, all of them; the seed stays.
    pub fn choose(&mut self, task: Task, encoder: BackboneKind, recipe: Recipe) {
        let seed = self.config.seed;
        self.config = Config {
            seed,
            graph: self.config.graph,
            ..recipe.config(task, encoder)
        };
        self.wrong.clear();
        self.typed.clear();
        if task == Task::Recovnet && self.initial == Initial::Random {
            self.initial = Initial::Run;
        }
    }

    /// Takes over everything that a run was asked for, to make it once more in the request's folder. What the form has
    /// no field for (time between checkpoints, memory, cache, images watched by name) is as in a new run.
    pub fn repeat(&mut self, request: &Request) {
        let path = |path: &Path| path.display().to_string();
        let init = request.init.as_deref();
        let run = init
            .and_then(Path::parent)
            .filter(|run| init == Some(best_weights(run).as_path()));
        let (initial, initial_path) = match (init, run) {
            (Some(_), Some(run)) => (Initial::Run, path(run)),
            (Some(file), None) => (Initial::File, path(file)),
            (None, _) => (Initial::Random, String::new()),
        };
        *self = Self {
            config: request.config.clone(),
            initial,
            initial_path,
            segmenter: request.segmenter.as_deref().map(path).unwrap_or_default(),
            watch: request.watch.chosen.to_string(),
            run_folder: path(&request.run),
            device: request.device.clone(),
            threads: request.threads.map(|number| number.to_string()).unwrap_or_default(),
            keep_every: request.keep_every.map(|every| every.to_string()).unwrap_or_default(),
            priority: if request.nice > 0 {
                Priority::Low
            } else {
                Priority::Normal
            },
            unfolded: self.unfolded,
            ..Self::default()
        };
    }

    /// Types a setting's text: valid, it is the setting from now on; otherwise it stands in its field with what is
    /// wrong.
    pub fn edit(&mut self, name: &str, text: &str) {
        let Some(setting) = setting(name) else { return };
        match setting.set(&mut self.config, text) {
            Ok(()) => {
                self.wrong.remove(setting.name);
                let value = setting.get(&self.config).unwrap_or_default();
                self.typed.insert(setting.name, (text.to_owned(), value));
            }
            Err(problem) => {
                self.wrong.insert(setting.name, (text.to_owned(), problem));
            }
        }
    }

    /// The text in a setting's field, and what is wrong with it.
    pub fn shown(&self, setting: &Setting) -> (String, Option<&str>) {
        if let Some((text, problem)) = self.wrong.get(setting.name) {
            return (text.clone(), Some(problem));
        }
        let value = setting.get(&self.config).unwrap_or_default();
        match self.typed.get(setting.name) {
            Some((text, same)) if *same == value => (text.clone(), None),
            _ => (value, None),
        }
    }

    /// The recipe's own value of a setting, if the form has another.
    pub fn recipe_value(&self, setting: &Setting) -> Option<String> {
        let config = self.config.recipe.config(self.config.task, self.config.encoder);
        let own = setting.get(&self.config)?;
        // What the recipe does not have at all is another because of the setting that brought it.
        setting.get(&config).filter(|value| *value != own)
    }

    /// Number of settings that are not the recipe's.
    pub fn changed(&self) -> usize {
        let changed = |setting: &&Setting| self.recipe_value(setting).is_some();
        SETTINGS.iter().filter(changed).count()
    }

    /// Changes a text that is no setting.
    pub fn type_text(&mut self, field: Text, text: String) {
        match field {
            Text::RunFolder => self.run_folder = text,
            Text::Initial => self.initial_path = text,
            Text::Segmenter => self.segmenter = text,
            Text::Watched => self.watch = text,
            Text::Device => self.device = text,
            Text::Threads => self.threads = text,
            Text::KeepEvery => self.keep_every = text,
        }
    }

    /// What is wrong with the threads, if anything.
    pub fn threads_problem(&self) -> Option<String> {
        let text = self.threads.trim();
        let valid = text.is_empty()
            || text
                .parse()
                .is_ok_and(|number: usize| (1..=MOST_THREADS).contains(&number));
        (!valid).then(|| format!("a whole number between 1 and {MOST_THREADS}, or nothing"))
    }

    /// Epochs from one network that is kept for itself to the next.
    pub fn kept_every(&self) -> Option<usize> {
        let every = self.keep_every.trim().parse().ok();
        every.filter(|every| limits::KEEP_EVERY.check_count(*every).is_ok())
    }

    /// What is wrong with it, if anything.
    pub fn keep_every_problem(&self) -> Option<String> {
        let valid = self.keep_every.trim().is_empty() || self.kept_every().is_some();
        let Limit { low, high, .. } = limits::KEEP_EVERY;
        (!valid).then(|| format!("a whole number between {low} and {high}, or nothing"))
    }

    /// Images that are looked at after every epoch.
    pub fn watched(&self) -> usize {
        self.watch.trim().parse().unwrap_or(0)
    }

    /// What is wrong with their number, if anything.
    pub fn watch_problem(&self) -> Option<String> {
        let valid = self
            .watch
            .trim()
            .parse()
            .is_ok_and(|number: usize| number <= MOST_WATCHED);
        (!valid).then(|| format!("a whole number between 0 and {MOST_WATCHED}"))
    }

    /// What is wrong with the device, if anything.
    pub fn device_problem(&self) -> Option<&'static str> {
        let device = self.device.trim();
        let gpu = device
            .strip_prefix("cuda:")
            .and_then(|number| number.parse::<u16>().ok());
        let valid = matches!(device, "auto" | "cpu") || gpu.is_some();
        (!valid).then_some("auto, cpu or cuda:N")
    }

    /// What is missing where the network is given a part of the picture only, in a sentence.
    pub fn segmenter_problem(&self) -> Option<&'static str> {
        let needs_one = self.config.region != Region::Full && self.segmenter.trim().is_empty();
        needs_one.then_some(
            "This part of the picture needs the lungs: name the weights file of a segmenter in step 2, under \
             'Segmenter that finds the lungs'.",
        )
    }

    /// What keeps the run from being started, in a sentence.
    pub fn problem(&self) -> Option<String> {
        if let Some((name, (_, problem))) = self.wrong.first_key_value() {
            return Some(format!("{name}: {problem}."));
        }
        if let Some(problem) = self.threads_problem() {
            return Some(format!("Threads: {problem}."));
        }
        if let Some(problem) = self.keep_every_problem() {
            return Some(format!("Keep every: {problem}."));
        }
        if let Some(problem) = self.device_problem() {
            return Some(format!("Device: {problem}."));
        }
        if let Some(problem) = self.watch_problem() {
            return Some(format!("Watched images: {problem}."));
        }
        if self.run_folder.trim().is_empty() {
            return Some("Name a folder for the run.".to_owned());
        }
        // A run that is gone on with has its settings already.
        if self.resume {
            return None;
        }
        if let Err(setting) = self.config.check() {
            return Some(wording::sentence(&setting.to_string()));
        }
        if let Some(problem) = self.segmenter_problem() {
            return Some(problem.to_owned());
        }
        let needs_path = self.initial != Initial::Random;
        if needs_path && self.initial_path.trim().is_empty() {
            return Some("Name the initial weights.".to_owned());
        }
        if self.config.task == Task::Recovnet && self.initial == Initial::Random {
            return Some("ReCovNet begins with a trained segmenter: name its run or weights.".to_owned());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::recipe::BestBy;

    #[test]
    fn a_wrong_value_stays_in_its_field_and_out_of_the_configuration() {
        let mut form = Form {
            run_folder: "run".to_owned(),
            ..Form::default()
        };
        let before = form.config.clone();
        form.edit("Batch", "one");
        assert_eq!(form.config, before);
        assert_eq!(
            form.problem().as_deref(),
            Some("Batch: a whole number from 2 to 4096 is needed.")
        );
        form.edit("Batch", "1");
        assert_eq!(
            form.problem().as_deref(),
            Some("Batch: a whole number from 2 to 4096 is needed.")
        );
        form.edit("Batch", "8");
        assert_eq!((form.config.batch, form.problem()), (8, None));
        assert_eq!(form.changed(), 1);
    }

    #[test]
    fn a_field_does_not_change_under_the_cursor() {
        let mut form = Form::default();
        let rate = setting("Learning rate").expect("there is one");
        for text in ["0", "0.0", "0.00", "0.0005", "0.00050", "0.000505"] {
            form.edit("Learning rate", text);
            assert_eq!(form.shown(rate).0, text);
        }
        assert!((form.config.rate - 0.000_505).abs() < 1e-12);
        form.choose(Task::Segmenter, BackboneKind::DenseNet121, Recipe::Scratch);
        assert_eq!(form.shown(rate).0, "0.001", "the recipe's own");
    }

    #[test]
    fn a_repeated_run_begins_where_the_run_did() {
        let config = Recipe::Paper.config(Task::Recovnet, BackboneKind::ResNet50);
        let mut request = Request::new(config, Path::new("data"), Path::new("run-2"));
        let mut form = Form {
            resume: true,
            ..Form::default()
        };
        for (init, initial, path) in [
            (Some("one/best.safetensors"), Initial::Run, "one"),
            (Some("encoder.safetensors"), Initial::File, "encoder.safetensors"),
            (None, Initial::Random, ""),
        ] {
            request.init = init.map(Into::into);
            form.repeat(&request);
            assert_eq!((form.initial, form.initial_path.as_str()), (initial, path));
            assert_eq!((&form.config, form.run_folder.as_str()), (&request.config, "run-2"));
            assert!(!form.resume);
        }
    }

    #[test]
    fn networks_are_kept_every_few_epochs_or_not_at_all() {
        let mut form = Form {
            run_folder: "run".to_owned(),
            ..Form::default()
        };
        for (text, every) in [("", None), (" 5 ", Some(5)), ("10000", Some(10_000))] {
            form.type_text(Text::KeepEvery, text.to_owned());
            assert_eq!((form.kept_every(), form.problem()), (every, None), "{text}");
        }
        for text in ["0", "10001", "-1", "2.5", "all"] {
            form.type_text(Text::KeepEvery, text.to_owned());
            assert_eq!(form.kept_every(), None, "{text}");
            let problem = form.problem().expect("it cannot be");
            assert_eq!(problem, "Keep every: a whole number between 1 and 10000, or nothing.");
        }
        let mut request = Request::new(form.config.clone(), Path::new("data"), Path::new("run"));
        request.keep_every = Some(3);
        form.repeat(&request);
        assert_eq!(form.kept_every(), Some(3));
    }

    #[test]
    fn another_task_is_judged_by_its_own_metric() {
        let mut form = Form::default();
        form.edit("Best epoch by", "iou");
        assert_eq!((form.config.best_by, form.changed()), (Some(BestBy::Iou), 1));
        form.choose(Task::Baseline, BackboneKind::DenseNet121, Recipe::Scratch);
        assert_eq!(form.config.best_metric(), BestBy::RocAuc);
        form.edit("Best epoch by", "iou");
        assert!(
            form.problem()
                .is_some_and(|problem| problem.starts_with("Best epoch by"))
        );
    }

    #[test]
    fn recovnet_needs_a_segmenter() {
        let mut form = Form {
            run_folder: "run".to_owned(),
            ..Form::default()
        };
        form.choose(Task::Recovnet, BackboneKind::ResNet50, Recipe::Paper);
        assert_eq!(form.problem().as_deref(), Some("Name the initial weights."));
        form.initial = Initial::Random;
        assert!(form.problem().is_some_and(|problem| problem.contains("segmenter")));
    }
}

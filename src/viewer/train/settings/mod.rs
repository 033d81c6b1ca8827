//! Settings that can be changed: name, meaning, checked range, and how each is read from and written to a run's
//! configuration. The panel draws the table and knows none of them by itself.

mod table;
mod words;

use crate::training::recipe::{Config, Limit};

pub use table::SETTINGS;
pub use words::{number_words, word};

/// How a setting is changed. A number or count whose place is `None` has no meaning for the configuration.
#[derive(Clone, Copy)]
pub enum Kind {
    /// A number in a range, and where it stands.
    Number(Limit, fn(&mut Config) -> Option<&mut f64>),
    /// A whole number in a range, and where it stands.
    Count(Limit, fn(&mut Config) -> Option<&mut usize>),
    /// One of some words.
    Choice {
        /// The words for a configuration.
        words: fn(&Config) -> Vec<&'static str>,
        /// The word that is chosen; `None` where it has no meaning.
        get: fn(&Config) -> Option<String>,
        /// Chooses a word.
        set: fn(&mut Config, &str) -> Result<(), String>,
    },
    /// Something else that is typed.
    Text {
        /// What it may be, in words.
        range: &'static str,
        /// As it is typed; `None` where it has no meaning.
        get: fn(&Config) -> Option<String>,
        /// Takes what was typed, or says what is wrong with it.
        set: fn(&mut Config, &str) -> Result<(), String>,
    },
}

/// Where a setting stands in the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// How long, in what portions.
    Course,
    /// What the optimiser does.
    Optimiser,
    /// What is minimised.
    Loss,
    /// What the network sees.
    Input,
}

impl Group {
    /// In the order of the panel.
    pub const ALL: [Self; 4] = [Self::Course, Self::Optimiser, Self::Loss, Self::Input];

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Self::Course => "Course",
            Self::Optimiser => "Optimiser",
            Self::Loss => "Loss",
            Self::Input => "Input and sampling",
        }
    }
}

/// A line of the table.
pub struct Setting {
    /// Its name, which is also what it is called in the panel.
    pub name: &'static str,
    /// One sentence on what it does.
    pub tooltip: &'static str,
    /// Where it stands.
    pub group: Group,
    /// How it is changed.
    pub kind: Kind,
}

impl Setting {
    /// Its value as it is typed; `None` where it has no meaning for this configuration.
    pub fn get(&self, config: &Config) -> Option<String> {
        match self.kind {
            Kind::Number(_, place) => place(&mut config.clone()).map(|value| number_words(*value)),
            Kind::Count(_, place) => place(&mut config.clone()).map(|value| value.to_string()),
            Kind::Choice { get, .. } | Kind::Text { get, .. } => get(config),
        }
    }

    /// Puts a typed value into the configuration, which stays as it was if the value cannot be.
    ///
    /// # Errors
    /// What is needed instead.
    pub fn set(&self, config: &mut Config, text: &str) -> Result<(), String> {
        let text = text.trim();
        match self.kind {
            Kind::Number(limit, place) => {
                let value = words::number(text, limit)?;
                if let Some(place) = place(config) {
                    *place = value;
                }
                Ok(())
            }
            Kind::Count(limit, place) => {
                let value = words::count(text, limit)?;
                if let Some(place) = place(config) {
                    *place = value;
                }
                Ok(())
            }
            Kind::Choice { set, .. } | Kind::Text { set, .. } => set(config, text),
        }
    }

    /// The values it may have in a configuration, in words.
    pub fn range(&self, config: &Config) -> String {
        match self.kind {
            Kind::Number(limit, _) => format!("{} to {}", number_words(limit.low), number_words(limit.high)),
            Kind::Count(limit, _) => format!("{} to {}", limit.low, limit.high),
            Kind::Choice { words, .. } => words(config).join(", "),
            Kind::Text { range, .. } => range.to_owned(),
        }
    }
}

/// The line of a name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::recipe::{Decay, Recipe};
    use crate::training::{BackboneKind, Task};

    fn configurations() -> Vec<Config> {
        let mut all = Vec::new();
        for recipe in [Recipe::Paper, Recipe::Scratch] {
            for task in [Task::Segmenter, Task::Recovnet, Task::Baseline] {
                for decay in [Decay::Constant, Decay::COSINE, Decay::STEP, Decay::PLATEAU] {
                    let config = recipe.config(task, BackboneKind::DenseNet121);
                    all.push(Config { decay, ..config });
                }
            }
        }
        all
    }

    #[test]
    fn every_setting_takes_back_what_it_shows() {
        for config in configurations() {
            for setting in SETTINGS {
                let Some(text) = setting.get(&config) else { continue };
                let mut copy = config.clone();
                setting
                    .set(&mut copy, &text)
                    .unwrap_or_else(|e| panic!("{}: '{text}': {e}", setting.name));
                assert_eq!(copy, config, "{}", setting.name);
            }
        }
    }

    #[test]
    fn every_choice_can_be_chosen_and_is_shown_then() {
        for config in configurations() {
            for setting in SETTINGS {
                let Kind::Choice { words, .. } = setting.kind else {
                    continue;
                };
                if setting.get(&config).is_none() {
                    continue;
                }
                for word in words(&config) {
                    let mut copy = config.clone();
                    setting
                        .set(&mut copy, word)
                        .unwrap_or_else(|e| panic!("{}: {word}: {e}", setting.name));
                    assert_eq!(setting.get(&copy).as_deref(), Some(word), "{}", setting.name);
                }
            }
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_is_needed() {
        for config in configurations() {
            for setting in SETTINGS {
                if setting.get(&config).is_none() {
                    continue;
                }
                for nonsense in ["many", "-1", "1e400"] {
                    let mut copy = config.clone();
                    let problem = setting.set(&mut copy, nonsense);
                    assert!(
                        problem.is_err_and(|problem| problem.len() > 8),
                        "{} takes {nonsense}",
                        setting.name
                    );
                    assert_eq!(copy, config, "{}", setting.name);
                }
            }
        }
    }
}

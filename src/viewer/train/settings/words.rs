//! Typed texts of settings to values and back.

#![allow(clippy::unnecessary_wraps)] // one form for all entries of the table: some have no value now

use std::collections::BTreeMap;

use crate::training::dataset::Category;
use crate::training::recipe::{Augmenting, BestBy, ClassWeights, Config, Decay, Limit, Sampling, Stage, limits};
use crate::training::{Region, Task};

/// Margin around the lungs' box when it is chosen.
const MARGIN: f64 = 0.1;
/// Word for all categories without a number of their own.
const OTHERS: &str = "others";
/// Word for what never happens.
const NEVER: &str = "never";

/// A number in a range.
pub fn number(text: &str, limit: Limit) -> Result<f64, String> {
    let value = text.parse().unwrap_or(f64::NAN);
    limit.check(value).map_err(|setting| setting.allowed)?;
    Ok(value)
}

/// A whole number in a range.
pub fn count(text: &str, limit: Limit) -> Result<usize, String> {
    Ok(number(text, limit)? as usize)
}

/// The shortest form of a number that is read back as the same.
pub fn number_words(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        format!("{value:e}")
    } else {
        format!("{value}")
    }
}

/// A word of an enum as files have it.
pub fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// An enum by its word in files.
pub fn of_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, String> {
    let value = serde_json::Value::String(word.to_owned());
    serde_json::from_value(value).map_err(|_| format!("'{word}' is none of the choices"))
}

/// Whether a network is a classifier.
pub fn classifies(config: &Config) -> bool {
    config.task != Task::Segmenter
}

/// `128x24, 224x6`.
pub fn schedule(config: &Config) -> Option<String> {
    let words = config
        .schedule
        .iter()
        .map(|stage| format!("{}x{}", stage.size, stage.epochs));
    Some(words.collect::<Vec<_>>().join(", "))
}

/// Reads [`schedule`] back.
pub fn set_schedule(config: &mut Config, text: &str) -> Result<(), String> {
    let smallest = config.encoder.smallest_side();
    let stage = |part: &str| {
        let (size, epochs) = part
            .trim()
            .split_once(['x', 'X', '×'])
            .ok_or("SIZExEPOCHS is needed, such as 128x24, 224x6")?;
        let size = count(size, limits::SIZE).map_err(|problem| format!("size: {problem}"))?;
        if size < smallest {
            return Err(format!("size: this encoder needs at least {smallest} pixels"));
        }
        let epochs = count(epochs, limits::EPOCHS).map_err(|problem| format!("epochs: {problem}"))?;
        Ok(Stage { epochs, size })
    };
    config.schedule = text.split(',').map(stage).collect::<Result<_, String>>()?;
    Ok(())
}

/// The metrics that may decide which epoch is the best.
pub fn best_by_choices(config: &Config) -> Vec<&'static str> {
    BestBy::of(config.task).into_iter().map(BestBy::name).collect()
}

/// The metric that decides which epoch is the best.
pub fn best_by(config: &Config) -> Option<String> {
    Some(config.best_metric().name().to_owned())
}

/// Reads [`best_by`] back.
pub fn set_best_by(config: &mut Config, name: &str) -> Result<(), String> {
    let metric = BestBy::named(name).filter(|metric| metric.is_of(config.task));
    config.choose_best_by(metric.ok_or_else(|| format!("'{name}' is none of the choices"))?);
    Ok(())
}

/// A number of epochs, or `never`.
pub fn patience(config: &Config) -> Option<String> {
    Some(
        config
            .patience
            .map_or_else(|| NEVER.to_owned(), |epochs| epochs.to_string()),
    )
}

/// Reads [`patience`] back.
pub fn set_patience(config: &mut Config, text: &str) -> Result<(), String> {
    config.patience = match text {
        "" | NEVER => None,
        text => Some(count(text, limits::PATIENCE).map_err(|problem| format!("{problem}, or never"))?),
    };
    Ok(())
}

/// Stands for no epsilon of its own.
const ITS_FORMS: &str = "its form's";
/// Stands for no clipping.
const NO_CLIP: &str = "none";

/// A number in range; nothing, or the word for it, is `None`.
fn number_or(nothing: &str, text: &str, limit: Limit) -> Result<Option<f64>, String> {
    if text.is_empty() || text == nothing {
        return Ok(None);
    }
    let number = number(text, limit).map_err(|problem| format!("{problem}, or nothing"))?;
    Ok(Some(number))
}

/// Adam's epsilon, or that of its form.
pub fn epsilon(config: &Config) -> Option<String> {
    Some(config.epsilon.map_or_else(|| ITS_FORMS.to_owned(), number_words))
}

/// Reads [`epsilon`] back.
pub fn set_epsilon(config: &mut Config, text: &str) -> Result<(), String> {
    config.epsilon = number_or(ITS_FORMS, text, limits::EPSILON)?;
    Ok(())
}

/// Norm to which gradients are shortened.
pub fn clip(config: &Config) -> Option<String> {
    Some(config.clip.map_or_else(|| NO_CLIP.to_owned(), number_words))
}

/// Reads [`clip`] back.
pub fn set_clip(config: &mut Config, text: &str) -> Result<(), String> {
    config.clip = number_or(NO_CLIP, text, limits::CLIP)?;
    Ok(())
}

/// A whole number from 0.
pub fn set_seed(config: &mut Config, text: &str) -> Result<(), String> {
    config.seed = text.parse().map_err(|_| "a whole number from 0 is needed".to_owned())?;
    Ok(())
}

/// Name of how the rate changes.
pub fn decay(config: &Config) -> Option<String> {
    let name = match config.decay {
        Decay::Constant => "constant",
        Decay::Cosine { .. } => "cosine",
        Decay::Step { .. } => "step",
        Decay::Plateau { .. } => "plateau",
    };
    Some(name.to_owned())
}

/// Chooses how the rate changes; what it has stays if it is the same.
pub fn set_decay(config: &mut Config, name: &str) -> Result<(), String> {
    if decay(config).as_deref() != Some(name) {
        config.decay = match name {
            "constant" => Decay::Constant,
            "cosine" => Decay::COSINE,
            "step" => Decay::STEP,
            "plateau" => Decay::PLATEAU,
            _ => return Err(format!("'{name}' is none of the choices")),
        };
    }
    Ok(())
}

/// Weights of the classes: `equal`, `balanced`, or two numbers.
pub fn class_weights(config: &Config) -> Option<String> {
    classifies(config).then(|| match config.class_weights {
        ClassWeights::Equal => "equal".to_owned(),
        ClassWeights::Balanced => "balanced".to_owned(),
        ClassWeights::Given { control, covid19 } => format!("{}, {}", number_words(control), number_words(covid19)),
    })
}

/// Reads [`class_weights`] back.
pub fn set_class_weights(config: &mut Config, text: &str) -> Result<(), String> {
    config.class_weights = match text {
        "equal" => ClassWeights::Equal,
        "balanced" => ClassWeights::Balanced,
        text => {
            let (control, covid19) = text
                .split_once(',')
                .ok_or("equal, balanced, or two weights (control, COVID-19) such as 1, 2.5 are needed")?;
            let weights = [control, covid19].map(|text| number(text.trim(), limits::WEIGHT));
            let [control, covid19] = weights;
            let (control, covid19) = (control?, covid19?);
            if control.min(covid19) == 0.0 {
                return Err("both classes need a weight above 0".to_owned());
            }
            ClassWeights::Given { control, covid19 }
        }
    };
    Ok(())
}

/// What an epoch is drawn from.
pub fn sampling(config: &Config) -> Option<String> {
    classifies(config).then(|| word(&config.sampling))
}

/// Reads [`sampling`] back.
pub fn set_sampling(config: &mut Config, text: &str) -> Result<(), String> {
    config.sampling = of_word::<Sampling>(text)?;
    Ok(())
}

/// When images are transformed.
pub fn augmenting(config: &Config) -> Option<String> {
    let name = match config.augmenting {
        Augmenting::Off => "off",
        Augmenting::EachEpoch => "each-epoch",
        Augmenting::Offline { .. } => "offline",
    };
    Some(name.to_owned())
}

/// Chooses when images are transformed; what it has stays if it is the same.
pub fn set_augmenting(config: &mut Config, name: &str) -> Result<(), String> {
    if augmenting(config).as_deref() != Some(name) {
        config.augmenting = match name {
            "off" => Augmenting::Off,
            "each-epoch" => Augmenting::EachEpoch,
            "offline" if classifies(config) => Augmenting::table_1(),
            "offline" => Augmenting::PAPER_LUNGS,
            _ => return Err(format!("'{name}' is none of the choices")),
        };
    }
    Ok(())
}

/// Numbers of images of offline augmentation: `covid-19=10000, others=1000`.
pub fn targets(config: &Config) -> Option<String> {
    let Augmenting::Offline { targets, others } = &config.augmenting else {
        return None;
    };
    let of_category = targets.iter().map(|(category, images)| format!("{category}={images}"));
    let of_others = others.iter().map(|images| format!("{OTHERS}={images}"));
    Some(of_category.chain(of_others).collect::<Vec<_>>().join(", "))
}

/// Reads [`targets`] back.
pub fn set_targets(config: &mut Config, text: &str) -> Result<(), String> {
    let (mut targets, mut others) = (BTreeMap::new(), None);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, images) = part
            .split_once('=')
            .ok_or("NAME=NUMBER is needed, such as covid-19=10000")?;
        let images = count(images.trim(), limits::TARGET)?;
        match name.trim() {
            OTHERS => others = Some(images),
            name => {
                let category: Category = name.parse().map_err(|problem| format!("{problem}, or {OTHERS}"))?;
                targets.insert(category, images);
            }
        }
    }
    config.augmenting = Augmenting::Offline { targets, others };
    Ok(())
}

/// Which part of the picture a classifier is given.
pub fn region(config: &Config) -> Option<String> {
    let name = match config.region {
        Region::Full => "full",
        Region::LungCrop { .. } => "lung-crop",
        Region::LungMask => "lung-mask",
    };
    classifies(config).then(|| name.to_owned())
}

/// Chooses the part of the picture; its margin stays if it is the same.
pub fn set_region(config: &mut Config, name: &str) -> Result<(), String> {
    if region(config).as_deref() != Some(name) {
        config.region = match name {
            "full" => Region::Full,
            "lung-crop" => Region::LungCrop { margin: MARGIN },
            "lung-mask" => Region::LungMask,
            _ => return Err(format!("'{name}' is none of the choices")),
        };
    }
    Ok(())
}

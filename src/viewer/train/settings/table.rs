//! The table of settings, in the order of the panel.

use super::words::{self, classifies, of_word, word};
use super::{Group, Kind, Setting};
use crate::training::Region;
use crate::training::recipe::{Decay, limits};

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "Schedule",
        tooltip: "Image sizes and epochs in their order, as SIZExEPOCHS: 128x24, 224x6. The last size is the network's input.",
        group: Group::Course,
        kind: Kind::Text {
            range: "SIZExEPOCHS; sides from 32, 1 to 10000 epochs",
            get: words::schedule,
            set: words::set_schedule,
        },
    },
    Setting {
        name: "Batch",
        tooltip: "Images that the network sees at once; batch normalisation takes its statistics from them.",
        group: Group::Course,
        kind: Kind::Count(limits::BATCH, |config| Some(&mut config.batch)),
    },
    Setting {
        name: "Accumulation",
        tooltip: "Batches whose gradients are averaged for one step: the effective batch is their product.",
        group: Group::Course,
        kind: Kind::Count(limits::ACCUMULATION, |config| Some(&mut config.accumulation)),
    },
    Setting {
        name: "Best epoch by",
        tooltip: "Metric of the validation part that says which epoch's weights are kept as the best, and when early stopping and plateaus of the rate find that nothing became better. Of the loss less is better.",
        group: Group::Course,
        kind: Kind::Choice {
            words: words::best_by_choices,
            get: words::best_by,
            set: words::set_best_by,
        },
    },
    Setting {
        name: "Early stopping",
        tooltip: "Epochs without a better score after which the run ends.",
        group: Group::Course,
        kind: Kind::Text {
            range: "a number of epochs, or never",
            get: words::patience,
            set: words::set_patience,
        },
    },
    Setting {
        name: "Seed",
        tooltip: "Initial weights, order and augmentation follow from it; the split does not.",
        group: Group::Course,
        kind: Kind::Text {
            range: "a whole number from 0",
            get: |config| Some(config.seed.to_string()),
            set: words::set_seed,
        },
    },
    Setting {
        name: "Learning rate",
        tooltip: "The highest rate of the run.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::RATE, |config| Some(&mut config.rate)),
    },
    Setting {
        name: "Rate over time",
        tooltip: "Constant (the paper), cosine with warm-up, falling in steps, or falling when the score stands still.",
        group: Group::Optimiser,
        kind: Kind::Choice {
            words: |_| vec!["constant", "cosine", "step", "plateau"],
            get: words::decay,
            set: words::set_decay,
        },
    },
    Setting {
        name: "Warm-up",
        tooltip: "Share of a stage's steps in which the rate rises.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::WARM_UP, |config| match &mut config.decay {
            Decay::Cosine { warm_up, .. } => Some(warm_up),
            _ => None,
        }),
    },
    Setting {
        name: "Last rate",
        tooltip: "Last rate of a stage over its highest.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::RATE_SHARE, |config| match &mut config.decay {
            Decay::Cosine { last, .. } => Some(last),
            _ => None,
        }),
    },
    Setting {
        name: "Later stages",
        tooltip: "Highest rate of the stages after the first, over that of the first.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::RATE_SHARE, |config| match &mut config.decay {
            Decay::Cosine { later_stages, .. } => Some(later_stages),
            _ => None,
        }),
    },
    Setting {
        name: "Epochs at one rate",
        tooltip: "Epochs after which the rate falls.",
        group: Group::Optimiser,
        kind: Kind::Count(limits::EVERY, |config| match &mut config.decay {
            Decay::Step { every, .. } => Some(every),
            _ => None,
        }),
    },
    Setting {
        name: "Epochs of patience",
        tooltip: "Epochs without a better score after which the rate falls.",
        group: Group::Optimiser,
        kind: Kind::Count(limits::PATIENCE, |config| match &mut config.decay {
            Decay::Plateau { patience, .. } => Some(patience),
            _ => None,
        }),
    },
    Setting {
        name: "Factor of the rate",
        tooltip: "What the rate is multiplied with when it falls.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::FACTOR, |config| match &mut config.decay {
            Decay::Step { factor, .. } | Decay::Plateau { factor, .. } => Some(factor),
            _ => None,
        }),
    },
    Setting {
        name: "Lowest rate",
        tooltip: "The rate does not fall below this.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::LEAST_RATE, |config| match &mut config.decay {
            Decay::Plateau { least, .. } => Some(least),
            _ => None,
        }),
    },
    Setting {
        name: "Adam",
        tooltip: "torch corrects the second moment before epsilon, keras (the paper) after it.",
        group: Group::Optimiser,
        kind: Kind::Choice {
            words: |_| vec!["torch", "keras"],
            get: |config| Some(word(&config.adam)),
            set: |config, text| {
                config.adam = of_word(text)?;
                Ok(())
            },
        },
    },
    Setting {
        name: "Beta 1",
        tooltip: "Decay of Adam's first moment.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::BETA, |config| Some(&mut config.beta1)),
    },
    Setting {
        name: "Beta 2",
        tooltip: "Decay of Adam's second moment.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::BETA, |config| Some(&mut config.beta2)),
    },
    Setting {
        name: "Epsilon",
        tooltip: "Adam's epsilon instead of its form's.",
        group: Group::Optimiser,
        kind: Kind::Text {
            range: "1e-16 to 1, or nothing",
            get: words::epsilon,
            set: words::set_epsilon,
        },
    },
    Setting {
        name: "Gradient norm",
        tooltip: "Gradients of a larger norm than this are shortened to it.",
        group: Group::Optimiser,
        kind: Kind::Text {
            range: "1e-6 to 1e6, or nothing",
            get: words::clip,
            set: words::set_clip,
        },
    },
    Setting {
        name: "Batch-norm momentum",
        tooltip: "Share of a batch's statistics that enters the running ones at each step.",
        group: Group::Optimiser,
        kind: Kind::Number(limits::BN_MOMENTUM, |config| Some(&mut config.bn_momentum)),
    },
    Setting {
        name: "Precision",
        tooltip: "What the network computes with; bf16 needs a CUDA device.",
        group: Group::Optimiser,
        kind: Kind::Choice {
            words: |_| vec!["f32", "bf16"],
            get: |config| Some(word(&config.precision)),
            set: |config, text| {
                config.precision = of_word(text)?;
                Ok(())
            },
        },
    },
    Setting {
        name: "Focal weight",
        tooltip: "Weight of the focal loss beside the Dice loss.",
        group: Group::Loss,
        kind: Kind::Number(limits::WEIGHT, |config| {
            (!classifies(config)).then_some(&mut config.losses.hybrid.focal_weight)
        }),
    },
    Setting {
        name: "Dice weight",
        tooltip: "Weight of the Dice loss beside the focal loss.",
        group: Group::Loss,
        kind: Kind::Number(limits::WEIGHT, |config| {
            (!classifies(config)).then_some(&mut config.losses.hybrid.dice_weight)
        }),
    },
    Setting {
        name: "Focal alpha",
        tooltip: "Weight of lung pixels in the focal loss.",
        group: Group::Loss,
        kind: Kind::Number(limits::FOCAL_ALPHA, |config| {
            (!classifies(config)).then_some(&mut config.losses.hybrid.focal_alpha)
        }),
    },
    Setting {
        name: "Focal gamma",
        tooltip: "Exponent of the focal loss.",
        group: Group::Loss,
        kind: Kind::Number(limits::FOCAL_GAMMA, |config| {
            let gamma = if classifies(config) {
                &mut config.losses.entropy.focal_gamma
            } else {
                &mut config.losses.hybrid.focal_gamma
            };
            Some(gamma)
        }),
    },
    Setting {
        name: "Dice smoothing",
        tooltip: "Added to numerator and denominator of the Dice coefficient.",
        group: Group::Loss,
        kind: Kind::Number(limits::DICE_SMOOTH, |config| {
            (!classifies(config)).then_some(&mut config.losses.hybrid.dice_smooth)
        }),
    },
    Setting {
        name: "Label smoothing",
        tooltip: "Share of the target that is spread over both classes.",
        group: Group::Loss,
        kind: Kind::Number(limits::LABEL_SMOOTHING, |config| {
            classifies(config).then_some(&mut config.losses.entropy.label_smoothing)
        }),
    },
    Setting {
        name: "Class weights",
        tooltip: "Weights of control and COVID-19 in the loss.",
        group: Group::Loss,
        kind: Kind::Text {
            range: "equal, balanced, or two weights such as 1, 2.5",
            get: words::class_weights,
            set: words::set_class_weights,
        },
    },
    Setting {
        name: "Sampling",
        tooltip: "What an epoch is drawn from: every image once, both classes equally, or both classes and within them every source.",
        group: Group::Input,
        kind: Kind::Choice {
            words: |_| vec!["as-is", "by-class", "by-class-and-source"],
            get: words::sampling,
            set: words::set_sampling,
        },
    },
    Setting {
        name: "Augmentation",
        tooltip: "Never, anew at every use, or once to fixed numbers of images (the paper).",
        group: Group::Input,
        kind: Kind::Choice {
            words: |_| vec!["off", "each-epoch", "offline"],
            get: words::augmenting,
            set: words::set_augmenting,
        },
    },
    Setting {
        name: "Augmented to",
        tooltip: "Images of each group after augmentation; others are all groups without a number.",
        group: Group::Input,
        kind: Kind::Text {
            range: "NAME=NUMBER, such as covid-19=10000, others=1000",
            get: words::targets,
            set: words::set_targets,
        },
    },
    Setting {
        name: "Largest shift",
        tooltip: "As a share of the side; the paper's is 0.1.",
        group: Group::Input,
        kind: Kind::Number(limits::SHIFT, |config| Some(&mut config.augmentation.shift)),
    },
    Setting {
        name: "Largest rotation",
        tooltip: "In degrees; the paper's is 10.",
        group: Group::Input,
        kind: Kind::Number(limits::ROTATION, |config| Some(&mut config.augmentation.rotation_deg)),
    },
    Setting {
        name: "Aspect",
        tooltip: "How pictures become square: stretched, padded or cropped.",
        group: Group::Input,
        kind: Kind::Choice {
            words: |_| vec!["stretch", "pad", "crop"],
            get: |config| Some(word(&config.aspect)),
            set: |config, text| {
                config.aspect = of_word(text)?;
                Ok(())
            },
        },
    },
    Setting {
        name: "Part of the picture",
        tooltip: "All of it, the box around the lungs, or black outside the lungs; the latter two need a segmenter.",
        group: Group::Input,
        kind: Kind::Choice {
            words: |_| vec!["full", "lung-crop", "lung-mask"],
            get: words::region,
            set: words::set_region,
        },
    },
    Setting {
        name: "Margin",
        tooltip: "Added at every side of the lungs' box, as a share of it.",
        group: Group::Input,
        kind: Kind::Number(limits::MARGIN, |config| match &mut config.region {
            Region::LungCrop { margin } => Some(margin),
            _ => None,
        }),
    },
    Setting {
        name: "Graph",
        tooltip: "torch, or keras for weights that were imported from Keras.",
        group: Group::Input,
        kind: Kind::Choice {
            words: |_| vec!["torch", "keras"],
            get: |config| Some(word(&config.graph)),
            set: |config, text| {
                config.graph = of_word(text)?;
                Ok(())
            },
        },
    },
];

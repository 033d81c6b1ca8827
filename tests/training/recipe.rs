//! What a run's settings may be, and what they make of epochs, rates and losses.

use std::collections::BTreeMap;

use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Region};
use recovnet::training::dataset::Category;
use recovnet::training::event::EpochRecord;
use recovnet::training::loss::{CrossEntropy, Hybrid};
use recovnet::training::manifest::{Class, Row};
use recovnet::training::pool::{Member, Order, Pool};
use recovnet::training::recipe::{Augmenting, BestBy, ClassWeights, Config, Decay, Recipe, Sampling, Stage};

fn config(task: Task) -> Config {
    Recipe::Scratch.config(task, BackboneKind::DenseNet121)
}

/// A setting that is wrong.
type Change = fn(&mut Config);

#[test]
fn both_recipes_are_allowed_and_every_wrong_value_is_a_sentence() {
    for recipe in [Recipe::Paper, Recipe::Scratch] {
        for task in [Task::Segmenter, Task::Recovnet, Task::Baseline] {
            recipe
                .config(task, BackboneKind::InceptionV3)
                .check()
                .expect("a recipe");
        }
    }
    let wrong: [(&str, &str, Change); 24] = [
        ("the batch is 1", "from 2 to 4096", |c| c.batch = 1),
        ("the number of accumulated batches is 0", "from 1 to 1024", |c| {
            c.accumulation = 0;
        }),
        ("the learning rate is -1", "from", |c| c.rate = -1.0),
        ("the learning rate is NaN", "from", |c| c.rate = f64::NAN),
        ("Adam's beta is 1", "to 0.999999", |c| c.beta2 = 1.0),
        ("Adam's epsilon is 0", "from", |c| c.epsilon = Some(0.0)),
        ("the batch-norm momentum is 2", "to 1", |c| c.bn_momentum = 2.0),
        ("the schedule is empty", "at least one stage", |c| c.schedule.clear()),
        ("the number of epochs is 0", "from 1", |c| c.schedule[0].epochs = 0),
        ("the image size is 16", "from 32 to 2048", |c| c.schedule[0].size = 16),
        ("the patience is 0", "from 1", |c| c.patience = Some(0)),
        ("the metric of the best epoch is dice", "accuracy, loss", |c| {
            c.best_by = Some(BestBy::Dice);
        }),
        ("the warm-up is 1", "to 0.9", |c| {
            c.decay = Decay::Cosine {
                warm_up: 1.0,
                last: 0.1,
                later_stages: 1.0,
            };
        }),
        ("the factor of the rate is 2", "to 1", |c| {
            c.decay = Decay::Step { every: 1, factor: 2.0 }
        }),
        ("the number of epochs at one rate is 0", "from 1", |c| {
            c.decay = Decay::Step { every: 0, factor: 0.5 };
        }),
        ("the largest shift is 0.6", "to 0.5", |c| c.augmentation.shift = 0.6),
        ("the largest rotation is -3", "from 0 to 180", |c| {
            c.augmentation.rotation_deg = -3.0;
        }),
        ("the weight of both losses is 0", "above 0", |c| {
            c.losses.hybrid.focal_weight = 0.0;
            c.losses.hybrid.dice_weight = 0.0;
        }),
        ("the label smoothing is 0.7", "to 0.5", |c| {
            c.losses.entropy.label_smoothing = 0.7;
        }),
        ("the label smoothing is 0.1", "focal", |c| {
            c.losses.entropy = CrossEntropy {
                label_smoothing: 0.1,
                focal_gamma: 2.0,
            };
        }),
        ("the weight of a class is 0", "both classes", |c| {
            c.class_weights = ClassWeights::Given {
                control: 0.0,
                covid19: 1.0,
            };
        }),
        ("the number of images of a category is 0", "from 1", |c| {
            c.augmenting = Augmenting::Offline {
                targets: BTreeMap::from([(Category::Viral, 0)]),
                others: None,
            };
        }),
        ("the margin around the lungs is 3", "to 1", |c| {
            c.region = Region::LungCrop { margin: 3.0 }
        }),
        ("the part of the picture is lung-mask", "full picture", |c| {
            c.task = Task::Segmenter;
            c.sampling = Sampling::AsIs;
            c.region = Region::LungMask;
        }),
    ];
    for (problem, allowed, change) in wrong {
        let mut config = config(Task::Baseline);
        change(&mut config);
        let words = config.check().expect_err(problem).to_string();
        assert!(words.contains(problem) && words.contains(allowed), "{problem}: {words}");
    }
    let mut segmenter = config(Task::Segmenter);
    segmenter.sampling = Sampling::ByClass;
    assert!(
        segmenter
            .check()
            .expect_err("no classes")
            .to_string()
            .contains("segmenter")
    );
    let mut small = Recipe::Scratch.config(Task::Baseline, BackboneKind::InceptionV3);
    small.schedule = vec![Stage { epochs: 1, size: 64 }];
    let words = small.check().expect_err("too small").to_string();
    assert!(
        words.contains("64") && words.contains("inception_v3 needs images of at least 75"),
        "{words}"
    );
}

#[test]
fn settings_come_back_from_json() {
    for recipe in [Recipe::Paper, Recipe::Scratch] {
        let mut config = recipe.config(Task::Recovnet, BackboneKind::ResNet50);
        config.region = Region::LungCrop { margin: 0.25 };
        config.class_weights = ClassWeights::Given {
            control: 1.0,
            covid19: 2.5,
        };
        let text = serde_json::to_string(&config).expect("JSON");
        assert_eq!(serde_json::from_str::<Config>(&text).expect("settings"), config);
    }
}

#[test]
fn the_best_epoch_is_by_the_tasks_own_metric_unless_another_is_chosen() {
    let own = |task| BestBy::of(task)[0];
    for task in [Task::Segmenter, Task::Recovnet, Task::Baseline] {
        let mut config = config(task);
        assert_eq!((config.best_by, config.best_metric()), (None, own(task)));
        for metric in BestBy::ALL {
            config.best_by = Some(metric);
            assert_eq!(config.check().is_ok(), BestBy::of(task).contains(&metric), "{metric:?}");
            assert_eq!(BestBy::named(metric.name()), Some(metric));
            let text = serde_json::to_string(&metric).expect("JSON");
            assert_eq!(text, format!("\"{}\"", metric.name()));
        }
        config.choose_best_by(BestBy::Loss);
        assert_eq!(config.best_metric(), BestBy::Loss);
        config.choose_best_by(own(task));
        assert_eq!(config.best_by, None, "the same run as without");
    }
    assert!(BestBy::Loss.is_better(0.3, 0.4) && !BestBy::Loss.is_better(0.4, 0.4));
    assert!(BestBy::F2.is_better(0.4, 0.3) && !BestBy::F2.is_better(0.4, 0.4));
    assert_eq!(BestBy::named("npv"), None);
}

#[test]
fn settings_of_before_a_setting_was_there_are_read() {
    let config = config(Task::Segmenter);
    let mut fields = serde_json::to_value(&config).expect("JSON");
    fields.as_object_mut().expect("fields").remove("best_by");
    assert_eq!(serde_json::from_value::<Config>(fields).expect("settings"), config);
}

fn record(epoch: usize, best: bool) -> EpochRecord {
    EpochRecord {
        epoch,
        epochs: 10,
        size: 32,
        train_loss: 1.0,
        rate: 1.0,
        validation_loss: 1.0,
        metric: "dice".to_owned(),
        validation_score: 0.5,
        validation: Vec::new(),
        best,
        images: 1,
        seconds: 1.0,
        images_per_second: 1.0,
        waited: 0.0,
    }
}

#[test]
fn rates_fall_in_steps_and_on_plateaus() {
    let mut config = config(Task::Baseline);
    config.rate = 1.0;
    config.decay = Decay::Step { every: 2, factor: 0.5 };
    let rates: Vec<f64> = (0..6).map(|epoch| config.rates(10, &[]).at(epoch * 10 + 9)).collect();
    assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]);
    config.decay = Decay::Plateau {
        patience: 2,
        factor: 0.1,
        least: 0.05,
    };
    let records: Vec<EpochRecord> = [true, false, false, true, false, false, false, false]
        .into_iter()
        .enumerate()
        .map(|(i, best)| record(i + 1, best))
        .collect();
    let rates: Vec<f64> = (0..=8)
        .map(|done| config.rates(10, &records[..done]).at(done * 10))
        .collect();
    assert_eq!(rates, [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05]);
}

/// A row of a category from a source.
fn row(number: usize, category: Category, source: &str) -> Row {
    let covid = category == Category::Covid19;
    Row {
        file: format!("{number}.png"),
        path: format!("{number}.png").into(),
        label: category.name().to_owned(),
        class: if covid { Class::Covid19 } else { Class::Control },
        group: number.to_string(),
        patient: None,
        category,
        predefined: None,
        assigned: None,
        mask: None,
        source: Some(source.to_owned()),
        view: None,
        note: None,
        licence: None,
    }
}

fn rows(counts: &[(Category, &str, usize)]) -> Vec<Row> {
    let rows = counts
        .iter()
        .flat_map(|&(category, source, count)| vec![(category, source); count]);
    rows.enumerate()
        .map(|(number, (category, source))| row(number, category, source))
        .collect()
}

#[test]
fn offline_copies_bring_every_category_to_its_count() {
    let rows = rows(&[
        (Category::Covid19, "a", 7),
        (Category::Bacterial, "b", 3),
        (Category::Viral, "b", 9),
        (Category::ChestXray14, "c", 5),
    ]);
    let rows: Vec<&Row> = rows.iter().collect();
    let targets = BTreeMap::from([(Category::Covid19, 20), (Category::Bacterial, 3), (Category::Viral, 4)]);
    let augmenting = Augmenting::Offline { targets, others: None };
    let pool = Pool::of_rows(&rows, &augmenting, 1);
    assert_eq!(pool, Pool::of_rows(&rows, &augmenting, 1));
    assert_eq!((pool.len(), pool.count()), (32, [12, 20]));
    assert!(pool.is_offline());
    let members: Vec<Member> = (0..pool.len()).map(|index| pool.member(index)).collect();
    let of = |category| {
        members
            .iter()
            .filter(|m| rows[m.sample].category == category)
            .collect::<Vec<_>>()
    };
    let covid = of(Category::Covid19);
    for sample in 0..7 {
        let copies: Vec<u32> = covid.iter().filter(|m| m.sample == sample).map(|m| m.copy).collect();
        let expected = if sample < 6 { vec![0, 1, 2] } else { vec![0, 1] };
        assert_eq!(copies, expected, "as is, then one copy a round");
    }
    assert!(of(Category::Bacterial).iter().all(|m| m.copy == 0));
    assert_eq!(
        of(Category::Viral).len(),
        4,
        "a smaller target draws from the originals"
    );
    assert_ne!(pool, Pool::of_rows(&rows, &augmenting, 2), "by the seed");
    let lungs = Pool::of_rows(&rows, &Augmenting::PAPER_LUNGS, 1);
    assert_eq!(lungs.len(), 1000);
    let order = Order {
        pool: &pool,
        sampling: Sampling::AsIs,
        batch: 8,
        seed: 3,
    };
    assert_eq!(order.steps(), 4);
    let mut seen = order.epoch(5);
    seen.sort_unstable();
    assert_eq!(seen, (0..32).collect::<Vec<_>>());
}

#[test]
fn sampling_by_source_draws_all_sources_of_a_class_alike() {
    let rows = rows(&[
        (Category::Covid19, "a", 10),
        (Category::Covid19, "b", 2),
        (Category::Other, "a", 4),
        (Category::Other, "b", 30),
        (Category::Other, "c", 70),
    ]);
    let rows: Vec<&Row> = rows.iter().collect();
    let pool = Pool::of_rows(&rows, &Augmenting::EachEpoch, 0);
    let order = Order {
        pool: &pool,
        sampling: Sampling::ByClassAndSource,
        batch: 6,
        seed: 9,
    };
    let mut drawn: BTreeMap<(Class, &str), usize> = BTreeMap::new();
    let mut uses = vec![0; rows.len()];
    for epoch in 0..30 {
        let members = order.epoch(epoch);
        let covid = members.iter().filter(|&&i| rows[i].class == Class::Covid19).count();
        assert_eq!((members.len(), covid), (24, 12));
        for index in members {
            let source = rows[index].source.as_deref().expect("a source");
            *drawn.entry((rows[index].class, source)).or_default() += 1;
            uses[index] += 1;
        }
    }
    for (stratum, count) in drawn {
        let expected = if stratum.0 == Class::Covid19 { 180 } else { 120 };
        assert_eq!(count, expected, "{stratum:?}");
    }
    for uses in &uses[46..] {
        assert!(
            (1..=2).contains(uses),
            "all of a source are used up before one comes again"
        );
    }
}

#[test]
fn class_weights_are_kerass() {
    assert_eq!(ClassWeights::Equal.of([10, 90]), [1.0, 1.0]);
    assert_eq!(ClassWeights::Balanced.of([75, 25]), [100.0 / 150.0, 2.0]);
    let logits = [0.3_f32, -0.2, 1.0, 2.0];
    let plain = CrossEntropy::default();
    let ((one, _), (other, _)) = (
        plain.of_logits(&logits[..2], &[0], [1.0; 2]),
        plain.of_logits(&logits[2..], &[1], [1.0; 2]),
    );
    let (both, slopes) = plain.of_logits(&logits, &[0, 1], [0.5, 3.0]);
    assert!((both - f64::midpoint(0.5 * one, 3.0 * other)).abs() < 1e-12);
    assert_eq!(slopes.len(), 4);
}

/// Compares slopes with finite differences of the loss.
fn check_slopes(logits: &[f32], name: &str, loss: impl Fn(&[f32]) -> (f64, Vec<f32>)) {
    let (_, slopes) = loss(logits);
    for (i, slope) in slopes.iter().enumerate() {
        let at = |by: f32| {
            let mut moved = logits.to_vec();
            moved[i] += by;
            (loss(&moved).0, f64::from(moved[i]))
        };
        let ((up, high), (down, low)) = (at(1e-3), at(-1e-3));
        let expected = (up - down) / (high - low);
        assert!(
            (expected - f64::from(*slope)).abs() < 2e-5,
            "{name} {i}: {slope}, {expected}"
        );
    }
}

#[test]
fn the_slopes_of_every_loss_are_those_of_finite_differences() {
    let logits: Vec<f32> = (0..16).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
    let labels: Vec<u8> = (0..8).map(|i| u8::from(i % 3 == 0)).collect();
    let masks: Vec<u8> = (0..16).map(|i| u8::from(i % 3 == 0)).collect();
    for (label_smoothing, focal_gamma) in [(0.0, 0.0), (0.2, 0.0), (0.0, 0.5), (0.0, 2.0), (0.0, 3.5)] {
        let settings = CrossEntropy {
            label_smoothing,
            focal_gamma,
        };
        check_slopes(&logits, &format!("{settings:?}"), |z| {
            settings.of_logits(z, &labels, [0.7, 2.0])
        });
    }
    for (focal_gamma, focal_weight) in [(2.0, 1.0), (0.0, 1.0), (1.5, 0.3), (4.0, 2.0)] {
        let settings = Hybrid {
            focal_weight,
            dice_weight: 0.4,
            focal_alpha: 0.6,
            focal_gamma,
            dice_smooth: 0.1,
        };
        check_slopes(&logits, &format!("{settings:?}"), |z| {
            let (loss, slopes) = settings.of_logits(z, &masks);
            (loss.total(), slopes)
        });
    }
    // Far out nothing is infinite.
    let sure = CrossEntropy {
        label_smoothing: 0.0,
        focal_gamma: 2.0,
    };
    for label in [0, 1] {
        let (loss, slopes) = sure.of_logits(&[400.0, -400.0], &[label], [1.0; 2]);
        assert!(
            loss.is_finite() && slopes.iter().all(|s| s.is_finite()),
            "{loss} {slopes:?}"
        );
    }
}

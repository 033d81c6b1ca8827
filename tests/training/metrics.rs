//! Metrics against scikit-learn and scipy.

use proptest::prelude::*;
use recovnet::training::metrics::{
    Confusion, auc_interval, group_bootstrap, mean, mean_interval, percentile_interval, roc_auc, wilson,
    youden_threshold,
};
use serde_json::Value;

use crate::reference::{flat, json, numbers, tensors, within};

/// Agrees with a number, or is undefined where the golden says null.
fn same(found: Option<f64>, golden: &Value, what: &str) {
    match (found, golden.as_f64()) {
        (Some(found), Some(expected)) => within(&[found], &[expected], 1e-12, what),
        (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "{what}: {found:?} {golden}"),
    }
}

#[test]
fn golden_metrics_of_confusion_matrices() {
    let Some(golden) = json("metrics_cm.json") else {
        return;
    };
    let cases = golden["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let counts: Vec<u64> = numbers(&case["cm"]).iter().map(|&n| n as u64).collect();
        let counts = Confusion {
            tn: counts[0],
            fp: counts[1],
            fn_: counts[2],
            tp: counts[3],
        };
        let what = |key: &str| format!("{counts:?} {key}");
        same(counts.sensitivity(), &case["sensitivity"], &what("sensitivity"));
        same(counts.specificity(), &case["specificity"], &what("specificity"));
        same(counts.precision(), &case["precision"], &what("precision"));
        same(counts.f_score(1.0), &case["f1"], &what("f1"));
        same(counts.f_score(2.0), &case["f2"], &what("f2"));
        same(counts.accuracy(), &case["accuracy"], &what("accuracy"));
        same(counts.npv(), &case["npv"], &what("npv"));
        same(
            counts.balanced_accuracy(),
            &case["balanced_accuracy"],
            &what("balanced accuracy"),
        );
    }
    for case in golden["wilson95"].as_array().expect("cases") {
        let count = |key: &str| case[key].as_u64().expect("a count");
        let found = wilson(count("k"), count("n")).map_or(Vec::new(), |i| vec![i.low, i.high]);
        within(&found, &numbers(&case["ci"]), 1e-12, &format!("wilson {case}"));
    }
    assert_eq!(wilson(0, 0), None);
}

/// The index rule of the goldens.
fn u24(seed: u64, name: &str, i: u64) -> f64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
    });
    let base = hash ^ seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut z = base.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f64 / 16_777_216.0
}

#[test]
fn golden_roc_auc_and_its_bootstrap() {
    let Some(golden) = json("metrics_scores.json") else {
        return;
    };
    let truth: Vec<bool> = numbers(&golden["y"]).iter().map(|&y| y == 1.0).collect();
    let scores = numbers(&golden["score1"]);
    let areas = [roc_auc(&scores, &truth), roc_auc(&numbers(&golden["score2"]), &truth)];
    let areas: Vec<f64> = areas.into_iter().flatten().collect();
    within(&areas, &numbers(&golden["roc_auc"]), 1e-9, "areas");

    let (seed, n) = (golden["seed"].as_u64().expect("a seed"), truth.len());
    let bootstrap = &golden["bootstrap_auc1"];
    let replicates: Vec<Option<f64>> = (0..bootstrap["B"].as_u64().expect("a count"))
        .map(|b| {
            let picked = (0..n as u64).map(|k| (u24(seed, &format!("boot:{b}"), k) * n as f64) as usize);
            let (s, t): (Vec<f64>, Vec<bool>) = picked.map(|i| (scores[i], truth[i])).unzip();
            roc_auc(&s, &t)
        })
        .collect();
    let first: Vec<f64> = replicates.iter().take(5).copied().flatten().collect();
    within(&first, &numbers(&bootstrap["first5"]), 1e-9, "first replicates");
    let interval = percentile_interval(replicates).expect("defined");
    within(
        &[interval.low, interval.high],
        &numbers(&bootstrap["ci95"]),
        1e-9,
        "interval",
    );
}

#[test]
fn golden_mask_metrics() {
    let (Some(cases), Some(masks)) = (json("masks.json"), tensors("masks.safetensors")) else {
        return;
    };
    let cases = cases["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let name = case["name"].as_str().expect("a name");
        let mask = |which: &str| -> Vec<u8> {
            flat(&masks[&format!("{name}.{which}")])
                .iter()
                .map(|&v| v as u8)
                .collect()
        };
        let counts = Confusion::of_masks(&mask("pred"), &mask("gt"));
        same(counts.dice(), &case["dice"], &format!("{name} dice"));
        same(counts.iou(), &case["iou"], &format!("{name} iou"));
        same(
            counts.sensitivity(),
            &case["sensitivity"],
            &format!("{name} sensitivity"),
        );
        same(
            counts.specificity(),
            &case["specificity"],
            &format!("{name} specificity"),
        );
    }
}

proptest! {
    #[test]
    fn the_area_is_the_share_of_pairs_in_order(
        pairs in prop::collection::vec((0..20_u8, any::<bool>()), 1..60)
    ) {
        let scores: Vec<f64> = pairs.iter().map(|p| f64::from(p.0)).collect();
        let truth: Vec<bool> = pairs.iter().map(|p| p.1).collect();
        let (mut wins, mut all) = (0.0, 0.0);
        for (a, positive) in &pairs {
            for (b, other) in &pairs {
                if *positive && !*other {
                    all += 1.0;
                    wins += match a.cmp(b) {
                        std::cmp::Ordering::Greater => 1.0,
                        std::cmp::Ordering::Equal => 0.5,
                        std::cmp::Ordering::Less => 0.0,
                    };
                }
            }
        }
        let area = roc_auc(&scores, &truth);
        prop_assert_eq!(area.is_some(), all > 0.0);
        prop_assert!(area.is_none_or(|area| (area - wins / all).abs() < 1e-12));
    }

    #[test]
    fn no_threshold_has_a_larger_youden_index(
        pairs in prop::collection::vec((0..1000_u16, any::<bool>()), 2..60)
    ) {
        let scores: Vec<f64> = pairs.iter().map(|p| f64::from(p.0) / 1000.0).collect();
        let truth: Vec<bool> = pairs.iter().map(|p| p.1).collect();
        let index = |t: f64| {
            let counts = Confusion::at(t, &scores, &truth);
            counts.sensitivity().zip(counts.specificity()).map(|(a, b)| a + b - 1.0)
        };
        if let Some(threshold) = youden_threshold(&scores, &truth) {
            let best = index(threshold).expect("both classes");
            for score in &scores {
                prop_assert!(index(*score).expect("both classes") <= best + 1e-12);
            }
        } else {
            prop_assert!(truth.iter().all(|t| *t == truth[0]));
        }
    }
}

/// Where the lowest score is 0, that score is a threshold like any other.
#[test]
fn the_lowest_score_can_be_the_threshold() {
    assert_eq!(youden_threshold(&[0.001, 0.0], &[false, true]), Some(0.0));
}

#[test]
fn groups_are_drawn_whole() {
    let groups = ["a", "b", "a", "c", "b", "a"];
    let interval = group_bootstrap(&groups, 200, 7, |picked| {
        for (group, size) in [("a", 3), ("b", 2), ("c", 1)] {
            let drawn = picked.iter().filter(|&&i| groups[i] == group).count();
            assert_eq!(drawn % size, 0, "group {group} was split: {picked:?}");
        }
        Some(picked.len() as f64)
    });
    let interval = interval.expect("groups are there");
    assert!(interval.low >= 3.0 && interval.high <= 9.0 && interval.low < interval.high);
}

#[test]
fn grouped_images_widen_the_interval() {
    // Each group holds ten copies of one image: the interval must be that of the groups, not of the copies.
    let values: Vec<Option<f64>> = (0..200)
        .map(|i| Some(f64::from((i / 10 * 7919) % 100) / 100.0))
        .collect();
    let grouped: Vec<usize> = (0..200).map(|i| i / 10).collect();
    let alone: Vec<usize> = (0..200).collect();
    let width = |groups: &[usize]| {
        let interval = mean_interval(&values, groups, 1000, 1).expect("defined");
        interval.high - interval.low
    };
    assert!(width(&grouped) > 2.0 * width(&alone));
}

#[test]
fn intervals_hold_the_estimate_and_repeat() {
    let scores: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 100) / 100.0).collect();
    let truth: Vec<bool> = (0..100).map(|i| (i * 37) % 100 + (i * 13) % 60 > 80).collect();
    let groups: Vec<usize> = (0..100).map(|i| i / 2).collect();
    let area = roc_auc(&scores, &truth).expect("both classes");
    let interval = auc_interval(&scores, &truth, &groups, 500, 3).expect("defined");
    assert!(interval.low < area && area < interval.high);
    assert_eq!(Some(interval), auc_interval(&scores, &truth, &groups, 500, 3));
}

#[test]
fn nothing_is_undefined_instead_of_zero() {
    assert_eq!(mean([None, None]), None);
    assert_eq!(mean([None, Some(0.5)]), Some(0.5));
    assert_eq!(roc_auc(&[0.1, 0.2], &[true, true]), None);
    assert_eq!(roc_auc(&[f64::NAN, 0.2], &[true, false]), None);
    assert_eq!(group_bootstrap::<u8>(&[], 10, 1, |_| Some(1.0)), None);
    assert_eq!(Confusion::of_masks(&[0, 0], &[0, 0]).dice(), None);
}

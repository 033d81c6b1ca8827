//! Evaluation: the paper's table by arithmetic, curves, calibration, distances of masks, comparison, and the folder.

use proptest::prelude::*;
use recovnet::training::evaluation::calibration::Calibration;
use recovnet::training::evaluation::{
    Evaluation, Failed, MaskRecord, McNemar, Origin, Record, Reliability, Report, ScoreTable, Selection, Subject,
    is_early, saved, surface,
};
use recovnet::training::loss::sigmoid;
use recovnet::training::manifest::{Class, Row};
use recovnet::training::metrics::{Confusion, roc_auc};

use crate::reference::{flat, json, numbers, tensors, within};

/// COVID-19 and control images of the paper's test set (Table 1).
const POSITIVES: u64 = 1050;
const NEGATIVES: u64 = 27_397;

/// One row of the paper's Table 2: false positives, false negatives, and sensitivity, specificity, precision, F1, F2
/// and accuracy in percent as they are printed.
type PaperRow = (&'static str, u64, u64, [&'static str; 6]);

/// DenseNet-121's and ReCovNet-v2's counts are printed in Table 3; the other four are the only ones that give their
/// row.
#[rustfmt::skip]
const TABLE_2: [PaperRow; 6] = [
    ("ResNet-50", 13, 36, ["96.571", "99.953", "98.734", "97.641", "96.996", "99.828"]),
    ("Inception-v3", 49, 55, ["94.762", "99.821", "95.307", "95.033", "94.870", "99.634"]),
    ("Inception-ResNet-v2", 54, 60, ["94.286", "99.803", "94.828", "94.556", "94.394", "99.599"]),
    ("DenseNet-121", 7, 27, ["97.429", "99.974", "99.320", "98.365", "97.801", "99.880"]),
    ("ReCovNet-v1", 27, 23, ["97.810", "99.901", "97.438", "97.624", "97.735", "99.824"]),
    ("ReCovNet-v2", 63, 15, ["98.571", "99.770", "94.262", "96.369", "97.678", "99.726"]),
];

fn counts(fp: u64, fn_: u64) -> Confusion {
    Confusion {
        tn: NEGATIVES - fp,
        fp,
        fn_,
        tp: POSITIVES - fn_,
    }
}

fn printed(counts: &Confusion) -> [String; 6] {
    [
        counts.sensitivity(),
        counts.specificity(),
        counts.precision(),
        counts.f_score(1.0),
        counts.f_score(2.0),
        counts.accuracy(),
    ]
    .map(|figure| format!("{:.3}", 100.0 * figure.expect("both classes are there")))
}

#[test]
fn every_digit_of_the_papers_table_2_comes_out_of_counts() {
    for (name, fp, fn_, row) in TABLE_2 {
        assert_eq!(printed(&counts(fp, fn_)), row, "{name}");
    }
    // Table 3, as it is printed.
    let (densenet, v2) = (counts(7, 27), counts(63, 15));
    assert_eq!((densenet.tn, densenet.tp, v2.tn, v2.tp), (27_390, 1023, 27_334, 1035));
}

/// No other counts give a printed row: what Table 3 leaves out is not guessed.
#[test]
fn the_counts_of_table_2_are_the_only_ones() {
    for (name, fp, fn_, row) in TABLE_2 {
        let near = |n: u64| n.saturating_sub(3)..=n + 3;
        let fits: Vec<(u64, u64)> = near(fp)
            .flat_map(|fp| near(fn_).map(move |fn_| (fp, fn_)))
            .filter(|&(fp, fn_)| printed(&counts(fp, fn_)) == row)
            .collect();
        assert_eq!(fits, [(fp, fn_)], "{name}");
    }
}

#[test]
fn golden_curves() {
    let Some(golden) = json("metrics_scores.json") else {
        return;
    };
    let truth: Vec<bool> = numbers(&golden["y"]).iter().map(|&y| y == 1.0).collect();
    let scores = [numbers(&golden["score1"]), numbers(&golden["score2"])];
    let tables = scores.each_ref().map(|scores| ScoreTable::new(scores, &truth));
    let precision = tables
        .each_ref()
        .map(|table| table.average_precision().expect("positives"));
    within(
        &precision,
        &numbers(&golden["average_precision"]),
        1e-12,
        "average precision",
    );
    let roc = tables[0].roc();
    let column = |of: &dyn Fn(&recovnet::training::evaluation::RocPoint) -> f64| roc.iter().map(of).collect::<Vec<_>>();
    within(
        &column(&|p| p.false_positive_rate),
        &numbers(&golden["roc1"]["fpr"]),
        1e-12,
        "false positive rates",
    );
    within(
        &column(&|p| p.true_positive_rate),
        &numbers(&golden["roc1"]["tpr"]),
        1e-12,
        "true positive rates",
    );
    let thresholds: Vec<Option<f64>> = roc.iter().map(|p| p.threshold).collect();
    let expected = golden["roc1"]["thr"].as_array().expect("thresholds");
    assert_eq!(
        thresholds,
        expected.iter().map(serde_json::Value::as_f64).collect::<Vec<_>>()
    );
    let reliability = scores.each_ref().map(|scores| Reliability::of(scores, &truth, 15));
    let ece = reliability.each_ref().map(|r| r.ece.expect("images"));
    within(
        &ece,
        &numbers(&golden["ece15_positive_prob_right_closed"]),
        1e-12,
        "ECE",
    );
    let brier = reliability.each_ref().map(|r| r.brier.expect("images"));
    within(&brier, &numbers(&golden["brier"]), 1e-12, "Brier score");
    assert_eq!(
        reliability[0].bins.iter().map(|bin| bin.images).sum::<usize>(),
        truth.len()
    );
}

#[test]
fn golden_distances_of_masks() {
    let (Some(cases), Some(masks)) = (json("masks.json"), tensors("masks.safetensors")) else {
        return;
    };
    for case in cases["cases"].as_array().expect("cases") {
        let name = case["name"].as_str().expect("a name");
        let mask = |which: &str| -> (Vec<u8>, usize) {
            let tensor = &masks[&format!("{name}.{which}")];
            let values = flat(tensor).iter().map(|&v| v as u8).collect();
            (values, tensor.dims()[1])
        };
        let ((found, width), (truth, _)) = (mask("pred"), mask("gt"));
        for (key, spacing) in [("sp_1_1", (1.0, 1.0)), ("sp_05_08", (0.5, 0.8))] {
            let distance = surface::hausdorff95(&found, &truth, width, spacing);
            let expected = case[key]["hd95_max_directed_monai"].as_f64();
            match (distance, expected) {
                (Some(distance), Some(expected)) => within(&[distance], &[expected], 1e-9, name),
                (distance, expected) => assert_eq!(distance.is_some(), expected.is_some(), "{name}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn the_distance_transform_is_exact(
        width in 1_usize..9,
        pixels in prop::collection::vec(prop::bool::weighted(0.2), 1..80),
        spacing in (0.2_f64..3.0, 0.2_f64..3.0),
    ) {
        let marked = &pixels[..pixels.len() / width * width];
        let found = surface::distances(marked, width, spacing);
        let place = |i: usize| ((i / width) as f64 * spacing.0, (i % width) as f64 * spacing.1);
        for (i, found) in found.iter().enumerate() {
            let nearest = (0..marked.len())
                .filter(|&j| marked[j])
                .map(|j| (place(i).0 - place(j).0).hypot(place(i).1 - place(j).1))
                .fold(f64::INFINITY, f64::min);
            prop_assert!(
                if nearest.is_finite() { (found - nearest).abs() < 1e-9 } else { *found > 1e9 },
                "{found} {nearest}"
            );
        }
    }

    #[test]
    fn a_table_of_scores_counts_as_plain_counting_does(
        pairs in prop::collection::vec((0..30_u8, any::<bool>()), 0..60),
        threshold in 0..31_u8,
    ) {
        let scores: Vec<f64> = pairs.iter().map(|p| f64::from(p.0) / 30.0).collect();
        let truth: Vec<bool> = pairs.iter().map(|p| p.1).collect();
        let threshold = f64::from(threshold) / 30.0;
        let table = ScoreTable::new(&scores, &truth);
        let counts = Confusion::at(threshold, &scores, &truth);
        prop_assert_eq!(table.confusion(threshold), counts);
        let cells = table.cells(threshold);
        prop_assert_eq!(
            [cells.tn.len(), cells.fp.len(), cells.fn_.len(), cells.tp.len()].map(|n| n as u64),
            [counts.tn, counts.fp, counts.fn_, counts.tp]
        );
        for &i in cells.fp.iter().chain(&cells.tp) {
            prop_assert!(scores[i] >= threshold);
        }
        for &i in cells.fn_.iter().chain(&cells.tp) {
            prop_assert!(truth[i]);
        }
        // The area under the curve's points is the area.
        let trapezoids: f64 = table.roc().windows(2).map(|p| {
            (p[1].false_positive_rate - p[0].false_positive_rate)
                * f64::midpoint(p[0].true_positive_rate, p[1].true_positive_rate)
        }).sum();
        if let Some(area) = roc_auc(&scores, &truth) {
            prop_assert!((area - trapezoids).abs() < 1e-12);
        }
    }

    #[test]
    fn no_threshold_has_a_larger_f2(pairs in prop::collection::vec((0..1000_u16, any::<bool>()), 2..60)) {
        let scores: Vec<f64> = pairs.iter().map(|p| f64::from(p.0) / 1000.0).collect();
        let truth: Vec<bool> = pairs.iter().map(|p| p.1).collect();
        let f2 = |t: f64| Confusion::at(t, &scores, &truth).f_score(2.0);
        if let Some(threshold) = ScoreTable::new(&scores, &truth).f_threshold(2.0) {
            for score in &scores {
                prop_assert!(f2(*score) <= f2(threshold).map(|best| best + 1e-12));
            }
        } else {
            prop_assert!(truth.iter().all(|t| *t == truth[0]));
        }
    }
}

/// Labels drawn with the probabilities that the margins stand for.
fn drawn(count: u32, stretch: f64) -> (Vec<f64>, Vec<bool>) {
    let margins = (0..count).map(|i| f64::from(i % 101) / 12.5 - 4.0);
    let pairs = margins.enumerate().map(|(i, margin)| {
        // Equally spread over 0..1, and independent of the margin: 0.618… turns never repeat.
        let chance = (i as f64 * 0.618_033_988_749_895).fract();
        (margin * stretch, chance < sigmoid(margin))
    });
    pairs.unzip()
}

#[test]
fn the_temperature_undoes_a_stretch_of_the_margins() {
    for stretch in [0.5, 1.0, 3.0] {
        let (margins, truth) = drawn(20_200, stretch);
        let found = Calibration::fit(&margins, &truth, "val", "abc").expect("both classes");
        assert!((found.temperature / stretch - 1.0).abs() < 0.03, "{stretch}: {found:?}");
        assert!(found.nll[1] <= found.nll[0] + 1e-12);
        assert!(found.ece[1].expect("images") < 0.02, "{found:?}");
        assert!((found.probability(stretch) - sigmoid(1.0)).abs() < 0.02);
    }
    assert_eq!(Calibration::fit(&[1.0, 2.0], &[true, true], "val", ""), None);
    assert_eq!(Calibration::fit(&[1.0, f64::NAN], &[true, false], "val", ""), None);
}

#[test]
fn the_temperature_of_separable_scores_stays_finite() {
    let found = Calibration::fit(&[-3.0, -2.0, 2.0, 3.0], &[false, false, true, true], "val", "").expect("both");
    assert!(found.temperature > 0.0 && found.temperature < 0.1, "{found:?}");
}

#[test]
fn mcnemar_is_the_exact_binomial_test() {
    let test = |b: usize, c: usize| {
        let pairs = std::iter::repeat_n((true, false), b).chain(std::iter::repeat_n((false, true), c));
        McNemar::of(pairs.chain([(true, true), (false, false)]))
    };
    // scipy.stats.binomtest(k, n, 0.5).pvalue
    for (b, c, p) in [
        (0, 0, 1.0),
        (5, 0, 0.0625),
        (3, 7, 0.343_75),
        (10, 25, 0.016_673_847_800_120_71),
        (12, 12, 1.0),
        (180, 220, 0.051_040_223_129_147_99),
    ] {
        let found = test(b, c);
        assert!((found.p - p).abs() < 1e-6, "{b} {c}: {found:?}, expected {p}");
        assert_eq!(found.images(), (b + c) as u64 + 2);
    }
    // With many pairs the normal approximation takes over without a step.
    let (below, above) = (test(4_900, 5_099).p, test(4_900, 5_100).p);
    assert!((below / above - 1.0).abs() < 0.03, "{below} {above}");
}

fn record(number: usize) -> Record {
    let is_covid19 = number.is_multiple_of(3);
    let margin = ((number * 37) % 100) as f64 / 20.0 - 2.5 + if is_covid19 { 1.0 } else { 0.0 };
    Record {
        file: format!("images/ä {number}.png"),
        group: format!("patient-{}", number / 2),
        source: ["one", "two"][number % 2].to_owned(),
        label: if is_covid19 { "covid" } else { "normal" }.to_owned(),
        part: "test".to_owned(),
        is_child: number.is_multiple_of(5),
        is_early: number.is_multiple_of(6),
        is_covid19,
        score: sigmoid(margin),
        margin,
        mask: (number < 10).then(|| MaskRecord {
            convention: "lung-field/manual".to_owned(),
            confusion: Confusion {
                tn: 50,
                fp: number as u64,
                fn_: 3,
                tp: 40,
            },
            hd95_px: (number > 0).then_some(number as f64),
            hd95_mm: None,
        }),
        in_lung: Some(0.4 + number as f64 / 1000.0),
        chance: Some(0.3),
    }
}

fn report(records: &[Record]) -> Report {
    Report {
        subject: Subject {
            data: "somewhere".to_owned(),
            split: "test".to_owned(),
            classifier: "recovnet-v1".to_owned(),
            classifier_version: "1".to_owned(),
            weights_sha256: "ab".repeat(32),
            segmenter_sha256: "cd".repeat(32),
            threshold: 0.5,
            in_training_part: 0,
        },
        origin: Origin::default(),
        device: "CPU".to_owned(),
        laterals_left_out: 0,
        evaluation: Evaluation::of(records, 0.5),
        failures: vec![Failed {
            file: "gone.png".to_owned(),
            error: "gone.png: not there".to_owned(),
        }],
    }
}

#[test]
fn strata_and_masks_are_counted_apart() {
    let records: Vec<Record> = (0..60).map(record).collect();
    let evaluation = Evaluation::of(&records, 0.5);
    let early = evaluation.early_covid19.expect("some are early");
    assert_eq!((early.covid19, early.control), (10, 40));
    assert_eq!(evaluation.children.images + evaluation.adults.images, 60);
    let masks = &evaluation.masks["lung-field/manual"];
    assert_eq!((masks.images, masks.empty), (10, 1));
    assert_eq!(masks.hd95_px.value, Some(5.0));
    assert_eq!(masks.hd95_mm.value, None);
    let without: Vec<Record> = records.into_iter().filter(|record| !record.is_early).collect();
    assert_eq!(Evaluation::of(&without, 0.5).early_covid19, None);
}

#[test]
fn an_evaluation_comes_back_from_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path().join("new/evaluation");
    let records: Vec<Record> = (0..60).map(record).collect();
    let report = report(&records);
    saved::write(&folder, &report, &records).expect("written");
    let found = saved::read_report(&folder).expect("read");
    assert_eq!(
        (&found.subject, &found.failures, found.evaluation.overall.confusion),
        (&report.subject, &report.failures, report.evaluation.overall.confusion)
    );
    let text = std::fs::read_to_string(folder.join("evaluation.json")).expect("a report");
    let fields: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for name in "data split classifier classifier_version weights_sha256 segmenter_sha256 threshold in_training_part \
                 split_id device laterals_left_out overall failures"
        .split_whitespace()
    {
        assert!(fields.get(name).is_some(), "{name} does not stand at the top");
    }
    let areas = [&found, &report].map(|report| report.evaluation.overall.roc_auc.value.expect("both classes"));
    within(&areas[..1], &areas[1..], 1e-12, "area");
    let back = saved::read_records(&folder).expect("read");
    assert_eq!(back.len(), records.len());
    for (found, record) in back.iter().zip(&records) {
        // Patients are told apart by digits.
        assert_ne!(found.group, record.group);
        let with_group = Record {
            group: record.group.clone(),
            ..found.clone()
        };
        assert_eq!(&with_group, record);
    }
    assert_eq!(back[0].group, back[1].group);
    assert_ne!(back[1].group, back[2].group);
    let table = std::fs::read_to_string(folder.join("images.csv")).expect("a table");
    assert!(!table.contains("patient"), "no patient is named");
    for (name, column) in [
        ("roc.csv", "threshold"),
        ("precision_recall.csv", "recall"),
        ("reliability.csv", "low"),
    ] {
        let text = std::fs::read_to_string(folder.join(name)).expect("a table");
        assert!(text.lines().next().is_some_and(|line| line.contains(column)), "{name}");
        assert!(text.lines().count() > 5, "{name}");
    }
    std::fs::write(folder.join("evaluation.json"), "{}").expect("written");
    let error = saved::read_report(&folder).expect_err("no evaluation").to_string();
    assert!(
        error.contains("evaluation.json") && error.contains("no evaluation"),
        "{error}"
    );
}

#[test]
fn early_images_are_told_by_note_label_or_source() {
    let row = |label: &str, source: &str, note: &str, class: Class| Row {
        class,
        source: Some(source.to_owned()),
        note: Some(note.to_owned()),
        ..Row::new(std::path::Path::new("."), "a.png", label)
    };
    assert!(is_early(&row(
        "covid",
        "cohen",
        "early: no abnormality",
        Class::Covid19
    )));
    assert!(is_early(&row("covid", "Early-QaTa-COV19", "", Class::Covid19)));
    assert!(!is_early(&row("covid", "cohen", "paediatric", Class::Covid19)));
    assert!(!is_early(&row("normal", "cohen", "early", Class::Control)));
}

#[test]
fn splits_have_names() {
    for split in Selection::EVERY {
        assert_eq!(split.name().parse(), Ok(split));
    }
    assert!(
        "half"
            .parse::<Selection>()
            .expect_err("no split")
            .contains("train, val, test and all")
    );
}

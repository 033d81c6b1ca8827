//! The shortcut audit: its rules on made-up figures, and networks that look at a corner mark or at the lungs.

use recovnet::training::audit::{Audit, AuditRecord, Light, Region, Sample, cover, predict_source, saved};
use recovnet::training::evaluation::Subject;

/// Spread over 0..1 without a pattern.
fn noise(number: usize, salt: usize) -> f64 {
    let mut z = (number * 1000 + salt) as u64 ^ 0x9E37_79B9_7F4A_7C15;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// What a made-up network does.
#[derive(Clone, Copy)]
struct Habits {
    /// How far the scores of both classes are apart on each region.
    apart: [f64; 4],
    /// How far the features of two sources are apart.
    sources_apart: f64,
    /// In-lung activation ratio in the middle; the chance level is 0.3.
    in_lung: f64,
}

const HONEST: Habits = Habits {
    apart: [0.6, 0.6, 0.05, 0.0],
    sources_apart: 0.0,
    in_lung: 0.5,
};

fn records(habits: Habits) -> Vec<AuditRecord> {
    (0..160)
        .map(|number| {
            let is_covid19 = number % 2 == 0;
            let source = (number / 2) % 2;
            let score = |region: usize| {
                let middle = if is_covid19 { 0.5 } else { -0.5 } * habits.apart[region];
                0.5 + middle + 0.3 * (noise(number, region) - 0.5)
            };
            let feature = |i: usize| noise(number, 10 + i) as f32 + (source as f64 * habits.sources_apart) as f32;
            AuditRecord {
                group: format!("p{number}"),
                source: ["one", "two"][source].to_owned(),
                is_covid19,
                scores: [0, 1, 2, 3].map(|region| Some(score(region))),
                features: (0..6).map(feature).collect(),
                in_lung: Some(habits.in_lung + 0.1 * (noise(number, 99) - 0.5)),
                chance: Some(0.3),
            }
        })
        .collect()
}

fn audit(records: &[AuditRecord]) -> Audit {
    let subject = Subject {
        threshold: 0.5,
        classifier: "recovnet-v1".to_owned(),
        ..Subject::default()
    };
    Audit::of(subject, records, Vec::new())
}

#[test]
fn a_network_that_needs_the_lungs_is_green() {
    let audit = audit(&records(HONEST));
    assert_eq!(audit.light, Light::Green, "{:?}", audit.reasons);
    assert_eq!(audit.reasons.len(), 3);
    let area = |region: Region| audit.regions[region.name()].roc_auc.value.expect("both classes");
    assert!(area(Region::Full) > 0.99 && area(Region::BorderOnly) < 0.7);
    assert_eq!(audit.in_lung.histogram.iter().sum::<usize>(), 160);
    assert_eq!(audit.by_source.len(), 2);
}

#[test]
fn each_rule_has_its_light_and_the_worst_reason_comes_first() {
    let cases = [
        (
            Habits {
                apart: [0.6, 0.6, 0.5, 0.0],
                ..HONEST
            },
            Light::Red,
            "does not need the lungs",
        ),
        (
            Habits {
                in_lung: 0.28,
                ..HONEST
            },
            Light::Red,
            "not above the chance level",
        ),
        (
            Habits {
                sources_apart: 2.0,
                ..HONEST
            },
            Light::Amber,
            "where an image comes from",
        ),
        (
            Habits {
                sources_apart: 2.0,
                in_lung: 0.2,
                ..HONEST
            },
            Light::Red,
            "not above the chance level",
        ),
    ];
    for (habits, light, words) in cases {
        let audit = audit(&records(habits));
        assert_eq!(audit.light, light, "{words}: {:?}", audit.reasons);
        assert!(audit.reasons[0].contains(words), "{:?}", audit.reasons);
        assert_eq!(audit.for_card()["light"], light.name());
    }
}

#[test]
fn what_cannot_be_measured_clears_nobody() {
    let mut without_lungs = records(HONEST);
    for record in &mut without_lungs {
        record.scores = [record.scores[0], None, None, None];
    }
    let found = audit(&without_lungs);
    assert_eq!((found.light, found.without_lungs), (Light::Red, 160));
    assert!(found.reasons[0].contains("none in 160 of 160"), "{:?}", found.reasons);
    let mut without_map = records(HONEST);
    for record in &mut without_map {
        record.in_lung = None;
    }
    assert_eq!(audit(&without_map).light, Light::Red);
    assert_eq!(audit(&[]).light, Light::Red);
}

#[test]
fn an_audit_comes_back_from_its_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(saved::read(folder.path()).expect("nothing is no error").is_none());
    let made = audit(&records(HONEST));
    saved::write(&folder.path().join("audit"), &made).expect("written");
    let found = saved::read(&folder.path().join("audit"))
        .expect("read")
        .expect("an audit");
    assert_eq!(
        (found.light, &found.reasons, &found.in_lung.histogram),
        (made.light, &made.reasons, &made.in_lung.histogram)
    );
    assert_eq!(found.regions["full"].confusion, made.regions["full"].confusion);
    std::fs::write(folder.path().join("audit.json"), "[]").expect("written");
    assert!(
        saved::read(folder.path())
            .expect_err("no audit")
            .to_string()
            .contains("audit.json")
    );
}

#[test]
fn a_patient_never_helps_to_tell_its_own_source() {
    // Features say which patient it is and nothing of the source: two images each.
    let patients = 60;
    let features: Vec<Vec<f32>> = (0..patients)
        .map(|patient| (0..60).map(|i| noise(patient, i) as f32).collect())
        .collect();
    let groups: Vec<String> = (0..patients).map(|patient| format!("p{patient}")).collect();
    let samples: Vec<Sample<'_>> = (0..2 * patients)
        .map(|image| {
            let patient = image / 2;
            Sample {
                group: &groups[patient],
                source: ["a", "b", "c"][patient % 3],
                features: &features[patient],
            }
        })
        .collect();
    let found = predict_source(&samples).expect("three sources");
    let area = found.roc_auc.value.expect("defined");
    assert!(area < 0.75, "{area}");
    // The same images without their patients: now it looks as if the source were told.
    let alone: Vec<String> = (0..2 * patients).map(|image| format!("i{image}")).collect();
    let split: Vec<Sample<'_>> = samples
        .iter()
        .zip(&alone)
        .map(|(sample, group)| Sample { group, ..*sample })
        .collect();
    let leaking = predict_source(&split)
        .expect("three sources")
        .roc_auc
        .value
        .expect("defined");
    assert!(leaking > 0.8, "{leaking}");
}

#[test]
fn sources_with_few_patients_are_left_out() {
    let features: Vec<Vec<f32>> = (0..20).map(|i| vec![noise(i, 1) as f32]).collect();
    let groups: Vec<String> = (0..20).map(|i| format!("p{i}")).collect();
    let samples = |of: &dyn Fn(usize) -> &'static str| -> Vec<Sample<'_>> {
        (0..20)
            .map(|i| Sample {
                group: &groups[i],
                source: of(i),
                features: &features[i],
            })
            .collect()
    };
    let found = predict_source(&samples(&|i| ["a", "b", "rare"][if i == 7 { 2 } else { i % 2 }]));
    assert_eq!(found.expect("two sources").left_out, ["rare"]);
    assert_eq!(predict_source(&samples(&|_| "a")), None);
    assert_eq!(predict_source(&samples(&|i| if i < 3 { "a" } else { "" })), None);
}

#[test]
fn a_region_is_cut_out_and_the_rest_is_even() {
    // A lung of 2 x 2 pixels in a picture of 4 x 4.
    let plane: Vec<f32> = (0..16_u8).map(f32::from).collect();
    let mut mask = vec![0; 16];
    for i in [5, 6, 9, 10] {
        mask[i] = 1;
    }
    assert_eq!(cover(&plane, &mask, 4, Region::Full), Some(plane.clone()));
    let lungs = cover(&plane, &mask, 4, Region::LungsOnly).expect("a lung");
    assert_eq!((lungs[5], lungs[10], lungs[0]), (5.0, 10.0, 7.5));
    let removed = cover(&plane, &mask, 4, Region::LungsRemoved).expect("a lung");
    assert_eq!((removed[0], removed[15], removed[6]), (0.0, 15.0, 7.5));
    // What the lungs held does not show in the fill.
    let mut brighter = plane.clone();
    for i in [5, 6, 9, 10] {
        brighter[i] += 100.0;
    }
    assert_eq!(cover(&brighter, &mask, 4, Region::LungsRemoved), Some(removed));
    mask[5] = 0;
    let border = cover(&plane, &mask, 4, Region::BorderOnly).expect("a border");
    assert_eq!((border[5], border[4]), (7.5, 4.0));
    assert_eq!(cover(&plane, &[0; 16], 4, Region::LungsOnly), None);
    assert_eq!(cover(&plane, &[1; 16], 4, Region::BorderOnly), None);
}

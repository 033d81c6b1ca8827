//! The whole pipeline on random networks: shapes, ranges, determinism, scope.

use std::path::Path;
use std::sync::Arc;

use recovnet::findings::{Decision, Findings};
use recovnet::imaging::{self, Radiograph, Samples, Scope};
use recovnet::inference::pipeline::{Error, Stage, analyse};

use crate::support;

fn radiograph(folder: &Path, width: u32, height: u32) -> Radiograph {
    let path = folder.join(format!("{width}x{height}.png"));
    support::write_chest(&path, width, height, 1);
    imaging::open(&path).unwrap()
}

fn run(image: &Radiograph) -> Result<Findings, Error> {
    analyse(&support::models(), image, &mut |_| true)
}

#[test]
fn findings_are_in_image_pixels_and_in_range() {
    let folder = tempfile::tempdir().unwrap();
    let image = radiograph(folder.path(), 150, 90);
    let found = run(&image).unwrap();
    assert_eq!(
        (found.mask.width, found.mask.height, found.mask.pixels.len()),
        (150, 90, 150 * 90)
    );
    assert!(found.mask.pixels.iter().all(|&pixel| pixel <= 1));
    let map = &found.activation;
    assert_eq!((map.width, map.height, map.values.len()), (150, 90, 150 * 90));
    assert_eq!(map.grid, (2, 2));
    assert!(map.values.iter().all(|&value| (0.0..=map.max).contains(&value)));
    let p = found.probabilities;
    assert!((p.control + p.covid19 - 1.0).abs() < 1e-9);
    assert!((p.covid19 - 1.0 / (1.0 + (-found.margin).exp())).abs() < 1e-9);
    assert_eq!(found.decision == Decision::Covid19, p.covid19 >= found.threshold);
    let area = found.mask.pixels.iter().filter(|&&pixel| pixel != 0).count() as f64 / (150.0 * 90.0);
    assert_eq!(found.lung_area_fraction, area);
    assert_eq!(found.content_hash, image.content_hash);
    assert_eq!(
        (found.classifier.name.as_str(), found.segmenter.name.as_str()),
        ("recovnet-v1", "segmenter-densenet121")
    );
    let stages = [
        found.timings.preprocess,
        found.timings.segment,
        found.timings.classify,
        found.timings.explain,
    ];
    assert!(stages.iter().sum::<std::time::Duration>() <= found.timings.total);
}

#[test]
fn the_same_picture_gives_the_same_findings() {
    let folder = tempfile::tempdir().unwrap();
    let image = radiograph(folder.path(), 80, 96);
    let (first, second) = (run(&image).unwrap(), run(&image).unwrap());
    assert_eq!(first.probabilities, second.probabilities);
    assert_eq!(first.mask, second.mask);
    assert_eq!(first.activation, second.activation);
}

#[test]
fn one_pixel_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let found = run(&radiograph(folder.path(), 1, 1)).unwrap();
    assert_eq!((found.mask.pixels.len(), found.activation.values.len()), (1, 1));
    assert!(
        found.warnings.iter().any(|warning| warning.contains("very small")),
        "{:?}",
        found.warnings
    );
}

#[test]
fn stages_come_in_order_and_each_can_be_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let image = radiograph(folder.path(), 40, 40);
    let models = support::models();
    let order = [Stage::Preprocess, Stage::Segment, Stage::Classify, Stage::Explain];
    for (index, last) in order.into_iter().enumerate() {
        let mut seen = Vec::new();
        let result = analyse(&models, &image, &mut |stage| {
            seen.push(stage);
            stage != last
        });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert_eq!(seen, order[..=index]);
    }
}

#[test]
fn what_is_out_of_scope_or_in_colour_is_not_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let grey = radiograph(folder.path(), 40, 40);
    let ct = Radiograph {
        scope: Scope::OutOfScope("a CT slice".into()),
        ..grey.clone()
    };
    assert_eq!(run(&ct).unwrap_err().to_string(), "not predicted: a CT slice");
    let colour = Samples::Colour(Arc::from(vec![[1, 2, 3]; 1600]));
    let error = run(&Radiograph {
        samples: colour,
        ..grey
    })
    .unwrap_err()
    .to_string();
    assert!(error.contains("colour"), "{error}");
}

#[test]
fn decubitus_views_and_children_get_a_word_of_warning() {
    let folder = tempfile::tempdir().unwrap();
    let mut image = radiograph(folder.path(), 200, 200);
    let has = |found: &Findings, word: &str| {
        found
            .warnings
            .iter()
            .any(|warning| warning.to_lowercase().contains(word))
    };
    let plain = run(&image).unwrap();
    assert!(
        !has(&plain, "decubitus") && !has(&plain, "child"),
        "{:?}",
        plain.warnings
    );
    image.acquisition.view_position = Some("LLD".into());
    image.acquisition.study_date = Some("20200301".into());
    image.identity.birth_date = Some("20020302".into());
    let found = run(&image).unwrap();
    assert!(has(&found, "decubitus") && has(&found, "child"), "{:?}", found.warnings);
    image.identity.birth_date = Some("20020301".into());
    assert!(!has(&run(&image).unwrap(), "child"));
}

//! JSRT with the masks of SCR.

use std::sync::atomic::AtomicBool;

use recovnet::imaging::phantom;
use recovnet::nn::InputSpec;
use recovnet::training::dataset::{Category, Options};
use recovnet::training::manifest::Row;
use recovnet::training::phase::{Phase, Segmentation};
use recovnet::training::sample;

use super::{Fixture, count, montgomery, row};

/// One image with a nodule and one without, at their true size; masks at half and at a 32nd of their scale.
pub fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let small = phantom::render(64, 64).expect("a phantom");
    let bytes: Vec<u8> = (0..2048 * 2048)
        .flat_map(|i| (4095 - small[i / 2048 / 32 * 64 + i % 2048 / 32]).to_be_bytes())
        .collect();
    for (name, fold, side) in [("JPCLN001", "fold1", 1024), ("JPCNN002", "fold2", 64)] {
        std::fs::write(fixture.file(&format!("All247images/{name}.IMG")), &bytes).expect("written");
        let masks = format!("scratch/{fold}/masks");
        fixture.mask(
            &format!("{masks}/left lung/{name}.gif"),
            (side, side),
            side / 2 + side / 8..side * 7 / 8,
        );
        fixture.mask(
            &format!("{masks}/right lung/{name}.gif"),
            (side, side),
            side / 8..side / 2 - side / 8,
        );
        fixture.mask(&format!("{masks}/heart/{name}.gif"), (side, side), 0..side);
    }
    fixture
}

#[test]
fn images_and_masks_of_half_their_scale_load() {
    let fixture = fixture();
    let manifest = fixture.open();
    assert_eq!(count(&manifest.rows, |row| row.category), [(Category::Jsrt, 2)].into());
    assert!(manifest.rows.iter().all(Segmentation::takes));
    assert_eq!(row(&manifest, "All247images/JPCLN001.IMG").label, "other-thoracic");
    let normal = row(&manifest, "All247images/JPCNN002.IMG");
    assert_eq!(
        (normal.label.as_str(), normal.group.as_str()),
        ("normal", "jsrt-JPCNN002")
    );
    let spec = InputSpec {
        width: 64,
        height: 64,
        ..InputSpec::default()
    };
    let rows: Vec<&Row> = manifest.rows.iter().collect();
    let samples = sample::load(&rows, &spec, true, &AtomicBool::new(false), &mut |_| {}).expect("they load");
    for sample in samples {
        let expected = |x: usize| u8::from((8..24).contains(&x) || (40..56).contains(&x));
        assert!(
            sample
                .mask
                .iter()
                .enumerate()
                .all(|(i, &inside)| inside == expected(i % 64))
        );
        let grey = sample.grey();
        assert!(
            grey[30 * 64 + 18] + 0.2 < grey[45 * 64 + 32],
            "lungs are darker than the spine"
        );
    }
}

#[test]
fn it_goes_with_montgomery() {
    let (montgomery, jsrt) = (montgomery::fixture(3), fixture());
    let options = Options {
        beside: vec![jsrt.path().to_owned()],
        ..Options::default()
    };
    let manifest = montgomery.open_with(&options);
    let expected = [(Category::Montgomery, 3), (Category::Jsrt, 2)];
    assert_eq!(count(&manifest.rows, |row| row.category), expected.into());
    row(&manifest, "JSRT/All247images/JPCLN001.IMG");
    row(&manifest, "Montgomery/MontgomerySet/CXR_png/MCUCXR_0001_1.png");
}

#[test]
fn masks_that_are_not_there_are_said() {
    let fixture = fixture();
    std::fs::remove_dir_all(fixture.path().join("scratch")).unwrap();
    let manifest = fixture.open();
    assert!(!manifest.rows.iter().any(Segmentation::takes));
    assert!(
        manifest.notes[0].contains("2 images of JSRT have no lung mask"),
        "{:?}",
        manifest.notes
    );
}

#[test]
fn a_mask_of_another_shape_names_both_sizes() {
    let fixture = fixture();
    fixture.mask("scratch/fold1/masks/left lung/JPCLN001.gif", (100, 80), 10..20);
    let manifest = fixture.open();
    let rows: Vec<&Row> = manifest.rows.iter().collect();
    let spec = InputSpec {
        width: 32,
        height: 32,
        ..InputSpec::default()
    };
    let error = sample::load(&rows, &spec, true, &AtomicBool::new(false), &mut |_| {}).expect_err("another shape");
    let error = error.to_string();
    for word in ["JPCLN001.gif", "100x80", "2048x2048"] {
        assert!(error.contains(word), "{error}");
    }
}

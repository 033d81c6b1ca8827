//! Montgomery County, alone and beside JSRT.

use recovnet::imaging;
use recovnet::training::dataset::{Category, DatasetKind};
use recovnet::training::manifest::Class;
use recovnet::training::phase::{Phase, Segmentation};
use recovnet::training::sample;
use recovnet::training::split::{Part, SplitRule};

use super::{Fixture, count, row};

pub fn fixture(number: u32) -> Fixture {
    let fixture = Fixture::new();
    for i in 1..=number {
        let name = format!("MCUCXR_{i:04}_{}.png", i % 2);
        fixture.picture(&format!("MontgomerySet/CXR_png/{name}"), i);
        fixture.mask(&format!("MontgomerySet/ManualMask/leftMask/{name}"), (12, 10), 7..10);
        fixture.mask(&format!("MontgomerySet/ManualMask/rightMask/{name}"), (12, 10), 1..4);
    }
    fixture.text("MontgomerySet/NLM-MontgomeryCXRSet-ReadMe.pdf", "no picture");
    fixture
}

#[test]
fn both_lungs_are_united_and_parted_as_in_the_paper() {
    let fixture = fixture(20);
    let manifest = fixture.open();
    assert_eq!(
        (manifest.kinds.as_slice(), manifest.rows.len()),
        (&[DatasetKind::Montgomery][..], 20)
    );
    assert!(
        manifest
            .rows
            .iter()
            .all(|row| Segmentation::takes(row) && row.class == Class::Control)
    );
    let one = row(&manifest, "MontgomerySet/CXR_png/MCUCXR_0001_1.png");
    assert_eq!((one.group.as_str(), one.category), ("mc-0001", Category::Montgomery));
    assert_eq!(
        (one.label.as_str(), one.view.as_deref()),
        ("other-thoracic", Some("frontal"))
    );
    let picture = imaging::open(&one.path).unwrap();
    let mask = sample::read_masks(one.mask.as_ref().unwrap(), picture.width, picture.height).unwrap();
    assert_eq!(mask[..12], [0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0]);
    assert_eq!(manifest.split.rule, SplitRule::Paper);
    let parts = count(&manifest.rows, recovnet::training::manifest::Row::part);
    assert_eq!(
        parts,
        [(Part::Train, 14), (Part::Validation, 2), (Part::Test, 4)].into()
    );
}

#[test]
fn one_lung_alone_is_no_mask() {
    let fixture = fixture(3);
    let gone = fixture
        .path()
        .join("MontgomerySet/ManualMask/rightMask/MCUCXR_0002_0.png");
    std::fs::remove_file(gone).unwrap();
    let error = fixture.refusal(&recovnet::training::dataset::Options::default());
    assert!(
        error.contains("rightMask/MCUCXR_0002_0.png") && error.contains("other lung"),
        "{error}"
    );
}

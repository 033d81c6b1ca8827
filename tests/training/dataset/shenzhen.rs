//! Shenzhen.

use recovnet::training::dataset::{Category, DatasetKind};
use recovnet::training::phase::{Phase, Segmentation};

use super::{Fixture, count, row};

#[test]
fn masks_are_found_by_their_names_wherever_they_lie() {
    let fixture = Fixture::new();
    for i in 1..=4 {
        fixture.picture(&format!("ChinaSet_AllFiles/CXR_png/CHNCXR_{i:04}_{}.png", i % 2), i);
    }
    fixture.mask("mask/CHNCXR_0001_1_mask.png", (12, 10), 1..4);
    fixture.mask("ChinaSet_AllFiles/mask/CHNCXR_0002_0_mask.png", (12, 10), 1..4);
    fixture.mask("ChinaSet_AllFiles/CXR_png/CHNCXR_0003_1_mask.png", (12, 10), 1..4);
    let manifest = fixture.open();
    assert_eq!(manifest.kinds, [DatasetKind::Shenzhen]);
    assert_eq!(
        count(&manifest.rows, |row| row.category),
        [(Category::Shenzhen, 4)].into()
    );
    assert_eq!(manifest.rows.iter().filter(|row| Segmentation::takes(row)).count(), 3);
    assert!(manifest.notes[0].contains("1 images of Shenzhen have no lung mask"));
    let one = row(&manifest, "ChinaSet_AllFiles/CXR_png/CHNCXR_0002_0.png");
    assert_eq!((one.group.as_str(), one.label.as_str()), ("sz-0002", "normal"));
}

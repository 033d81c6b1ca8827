//! Indiana University.

use std::fmt::Write as _;

use recovnet::training::dataset::{Category, DatasetKind, Options};
use recovnet::training::phase::{Classification, Phase};

use super::{Fixture, count, row};

/// So many studies with a frontal and a lateral view each; every other one is normal.
pub fn fixture(studies: u32) -> Fixture {
    let fixture = Fixture::new();
    let mut projections = "uid,filename,projection\n".to_owned();
    let mut reports = "uid,MeSH,Problems,image,indication,comparison,findings,impression\n".to_owned();
    for i in 1..=studies {
        for (series, projection) in [(1001, "Frontal"), (2001, "Lateral")] {
            let name = format!("{i}_IM-{i:04}-{series}.dcm.png");
            fixture.picture(&format!("images/images_normalized/{name}"), 7000 + i * 2 + series);
            writeln!(projections, "{i},{name},{projection}").unwrap();
        }
        let problem = if i % 2 == 0 {
            "normal"
        } else {
            "Cardiomegaly;Pulmonary Artery"
        };
        writeln!(reports, "{i},{problem},{problem},\"Chest, 2 views\",,,,").unwrap();
    }
    fixture.text("indiana_projections.csv", &projections);
    fixture.text("indiana_reports.csv", &reports);
    fixture
}

#[test]
fn views_and_studies_come_from_the_tables() {
    let manifest = fixture(6).open();
    assert_eq!(manifest.kinds, [DatasetKind::Indiana]);
    let expected = [(Category::IndianaLateral, 6), (Category::Other, 6)];
    assert_eq!(count(&manifest.rows, |row| row.category), expected.into());
    let lateral = row(&manifest, "images/images_normalized/4_IM-0004-2001.dcm.png");
    assert_eq!(
        (lateral.group.as_str(), lateral.label.as_str()),
        ("indiana-4", "normal")
    );
    assert!(lateral.is_lateral() && !lateral.is_left_out() && Classification::takes(lateral));
    let frontal = row(&manifest, "images/images_normalized/5_IM-0005-1001.dcm.png");
    assert_eq!(
        (frontal.group.as_str(), frontal.label.as_str()),
        ("indiana-5", "other-thoracic")
    );
    assert!(manifest.split.leakage.is_none(), "a study is not split");
}

#[test]
fn a_column_of_another_name_is_named() {
    let fixture = fixture(1);
    fixture.text("indiana_projections.csv", "uid,file_name,projection\n1,1.png,Lateral\n");
    let error = fixture.refusal(&Options::default());
    assert!(
        error.contains("no column 'filename'") && error.contains("'file_name'"),
        "{error}"
    );
    fixture.text("indiana_projections.csv", "uid,filename,projection\n1,1.png,Oblique\n");
    let error = fixture.refusal(&Options::default());
    assert!(error.contains("line 2") && error.contains("Oblique"), "{error}");
}

//! The phantom is what it says: a valid chest in every format, the same each time, with lungs where the mask is.

use recovnet::imaging::{self, Scope, SpacingSource, phantom};
use tempfile::TempDir;

fn open(name: &str, bytes: &[u8]) -> imaging::Radiograph {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("writable");
    imaging::open(&path).expect("the phantom opens")
}

#[test]
fn dicom_keeps_every_sample() {
    let radiograph = open("phantom.dcm", &phantom::dicom_bytes(300, 200).expect("made"));
    let samples = phantom::render(300, 200).expect("made");
    assert_eq!(*radiograph.grey().expect("grey").values, *samples);
    assert_eq!(
        (radiograph.width, radiograph.height, radiograph.bits_stored),
        (300, 200, 12)
    );
    assert_eq!(radiograph.scope, Scope::InScope);
    assert_eq!(radiograph.warnings, Vec::<String>::new());
    assert_eq!(radiograph.identity.patient_name.as_deref(), Some("PHANTOM, CHEST"));
    assert_eq!(radiograph.acquisition.view_position.as_deref(), Some("PA"));
    let spacing = radiograph.spacing.expect("the phantom has a size");
    assert_eq!(spacing.source, SpacingSource::ImagerPixelSpacing);
    assert!((spacing.column_mm - 350.0 / 300.0).abs() < 1e-6);
    assert_eq!(radiograph.voi_luts.len(), 1);
}

#[test]
fn png_shows_the_same_picture() {
    let png = open("phantom.png", &phantom::png_bytes(200, 240).expect("made"));
    let samples = phantom::render(200, 240).expect("made");
    for (&wide, &sample) in png.grey().expect("grey").values.iter().zip(&samples) {
        assert_eq!(wide >> 4, sample);
    }
}

#[test]
fn equal_sizes_give_equal_files() {
    assert_eq!(
        phantom::dicom_bytes(64, 64).expect("made"),
        phantom::dicom_bytes(64, 64).expect("made")
    );
    assert!(phantom::render(0, 10).is_err());
    assert!(phantom::render(10, 9000).is_err());
    assert_eq!(phantom::render(1, 1).expect("made").len(), 1);
}

#[test]
fn lungs_are_dark_and_two() {
    const SIZE: usize = 256;
    let samples = phantom::render(SIZE as u32, SIZE as u32).expect("made");
    let mask = phantom::lung_mask(SIZE as u32, SIZE as u32).expect("made");
    let mean = |select: &dyn Fn(usize) -> bool| {
        let chosen: Vec<f64> = (0..samples.len())
            .filter(|&i| select(i))
            .map(|i| f64::from(samples[i]))
            .collect();
        chosen.iter().sum::<f64>() / chosen.len() as f64
    };
    let lungs = mean(&|i| mask[i] == 1);
    let mediastinum = mean(&|i| mask[i] == 0 && (i % SIZE).abs_diff(SIZE / 2) < 10 && i / SIZE > 90);
    let corner = mean(&|i| i % SIZE < 12 && i / SIZE < 12);
    assert!(
        corner < 0.1 * 4095.0 && corner < lungs && lungs < mediastinum - 1000.0,
        "{corner} {lungs} {mediastinum}"
    );

    let share = mask.iter().map(|&inside| f64::from(inside)).sum::<f64>() / mask.len() as f64;
    assert!((0.15..0.40).contains(&share), "lungs cover {share}");
    let midline = (0..SIZE).all(|y| mask[y * SIZE + SIZE / 2] == 0 && mask[y * SIZE + SIZE / 2 - 1] == 0);
    assert!(midline, "the lungs do not touch");
    let half = |right: bool| {
        (0..mask.len())
            .filter(|i| (i % SIZE < SIZE / 2) == right && mask[*i] == 1)
            .count()
    };
    assert!(
        half(true) > half(false),
        "the heart takes its place from the patient's left lung"
    );
}

//! The cache of findings stays within its bytes and lets go of the least recently used.

use std::sync::Arc;
use std::time::Duration;

use recovnet::findings::{
    ActivationMap, Decision, Findings, InLungActivation, Lungs, Mask, ModelId, Probabilities, Timings,
};
use recovnet::inference::cache::{Cache, Key};

/// Findings on a square picture whose pixels take `side * side * 5` bytes.
pub fn findings(side: u32) -> Findings {
    let pixels = (side * side) as usize;
    let model = ModelId {
        name: "test".into(),
        version: "1".into(),
        weights_sha256: "00".into(),
    };
    Findings {
        content_hash: [0; 32],
        sop_instance_uid: None,
        mask: Mask {
            width: side,
            height: side,
            pixels: vec![0; pixels],
        },
        lungs: Lungs::None,
        lung_area_fraction: 0.0,
        probabilities: Probabilities {
            control: 0.75,
            covid19: 0.25,
        },
        margin: -1.0,
        threshold: 0.5,
        decision: Decision::Control,
        activation: ActivationMap {
            width: side,
            height: side,
            values: vec![0.0; pixels],
            cells: vec![],
            grid: (0, 0),
            max: 0.0,
        },
        in_lung: InLungActivation {
            ratio: None,
            chance: Some(0.0),
        },
        classifier: model.clone(),
        segmenter: model,
        device: "test".into(),
        timings: Timings {
            total: Duration::from_millis(1),
            ..Timings::default()
        },
        warnings: vec![],
    }
}

fn key(number: u8) -> Key {
    Key {
        content_hash: [number; 32],
        sop_instance_uid: None,
        weights: ["a".into(), "b".into()],
    }
}

#[test]
fn it_never_holds_more_than_its_limit() {
    let mut cache = Cache::new(200_000);
    for number in 0..50 {
        cache.insert(key(number), Arc::new(findings(100)));
        assert!(cache.bytes() <= 200_000, "{}", cache.bytes());
    }
    assert!(cache.get(&key(49)).is_some());
    assert!(cache.get(&key(0)).is_none());
}

#[test]
fn what_was_used_last_stays() {
    let mut cache = Cache::new(120_000);
    cache.insert(key(1), Arc::new(findings(100)));
    cache.insert(key(2), Arc::new(findings(100)));
    assert!(cache.get(&key(1)).is_some());
    cache.insert(key(3), Arc::new(findings(100)));
    assert!(cache.get(&key(1)).is_some());
    assert!(cache.get(&key(2)).is_none());
}

#[test]
fn what_is_larger_than_the_cache_is_not_kept() {
    let mut cache = Cache::new(1000);
    cache.insert(key(1), Arc::new(findings(100)));
    assert_eq!((cache.bytes(), cache.get(&key(1))), (0, None));
}

#[test]
fn other_weights_or_another_instance_are_another_result() {
    let mut cache = Cache::new(1 << 20);
    cache.insert(key(1), Arc::new(findings(10)));
    let other_weights = Key {
        weights: ["c".into(), "b".into()],
        ..key(1)
    };
    let other_instance = Key {
        sop_instance_uid: Some("1.2.3".into()),
        ..key(1)
    };
    assert!(cache.get(&other_weights).is_none());
    assert!(cache.get(&other_instance).is_none());
}

#[test]
fn a_key_that_comes_again_is_counted_once() {
    let mut cache = Cache::new(1 << 20);
    cache.insert(key(1), Arc::new(findings(100)));
    let once = cache.bytes();
    cache.insert(key(1), Arc::new(findings(100)));
    assert_eq!(cache.bytes(), once);
}

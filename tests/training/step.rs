//! One step of training: it learns, and refuses what is no batch.

use recovnet::nn::card::Task;
use recovnet::nn::{BackboneKind, Device, Error, Network, Precision, Workspace};
use recovnet::training::adam::Adam;
use recovnet::training::batches::Batch;
use recovnet::training::loss::Objective;
use recovnet::training::phase::{Classification, Phase};
use recovnet::training::recipe::Recipe;
use recovnet::training::step::{StepConfig, step};

fn config() -> StepConfig {
    StepConfig {
        size: 32,
        rate: 1e-3,
        clip: None,
        bn_momentum: 0.1,
        precision: Precision::F32,
        objective: Objective::default(),
        micro: 16,
    }
}

#[test]
fn a_step_moves_parameters_and_statistics_and_an_empty_batch_moves_nothing() {
    let recipe = Recipe::Scratch.config(Task::Baseline, BackboneKind::ResNet50);
    let mut network = Classification::build(&recipe, None, &Device::Cpu).unwrap();
    let mut adam = Adam::new(recipe.adam);
    let values = |network: &dyn Network, name: &str| network.state()[name].to_vec1::<f32>().unwrap();
    let names = ["bn1.weight", "bn1.running_mean", "fc.bias"];
    let before = names.map(|name| values(&network, name));

    let empty = Batch {
        images: Vec::new(),
        masks: Vec::new(),
        labels: Vec::new(),
    };
    let error = step::<Classification>(
        &mut network,
        &mut adam,
        empty.clone(),
        config(),
        (&Device::Cpu, &Workspace::default()),
    )
    .unwrap_err();
    assert!(
        matches!(&error, Error::Input { found, .. } if found == &[0, 3, 32, 32]),
        "{error}"
    );
    assert_eq!(names.map(|name| values(&network, name)), before);
    assert_eq!(adam.steps(), 0);

    let images = (0..2 * 3 * 32 * 32).map(|i| (i % 97) as f32 / 48.0 - 1.0).collect();
    let batch = Batch {
        images,
        labels: vec![0, 1],
        ..empty
    };
    let stepped = step::<Classification>(
        &mut network,
        &mut adam,
        batch,
        config(),
        (&Device::Cpu, &Workspace::default()),
    )
    .unwrap();
    assert!(stepped.loss.is_finite() && stepped.loss > 0.0, "{stepped:?}");
    assert!(
        stepped.gradient_norm.is_finite() && stepped.gradient_norm > 0.0,
        "{stepped:?}"
    );
    assert_eq!(adam.steps(), 1);
    for (name, before) in names.iter().zip(&before) {
        assert_ne!(&values(&network, name), before, "{name}");
    }
}

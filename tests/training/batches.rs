//! What an epoch is made of.

use std::collections::BTreeSet;

use proptest::prelude::*;
use recovnet::nn::{Aspect, InputSpec};
use recovnet::training::augment::Augmentation;
use recovnet::training::batches::{Batch, Plan};
use recovnet::training::manifest::Class;
use recovnet::training::pool::{Order, Pool};
use recovnet::training::recipe::{Recipe, Sampling, Stage};
use recovnet::training::sample::Sample;

const SIDE: usize = 4;

fn spec() -> InputSpec {
    InputSpec {
        width: SIDE,
        height: SIDE,
        aspect: Aspect::Stretch,
        ..InputSpec::default()
    }
}

/// Samples that are told apart by their level: the first `covid` of `all` are of COVID-19.
fn samples(all: usize, covid: usize) -> Vec<Sample> {
    (0..all)
        .map(|i| {
            let class = if i < covid { Class::Covid19 } else { Class::Control };
            Sample::new(
                &[i as f32 / all as f32; SIDE * SIDE],
                vec![u8::from(i % 2 == 0); SIDE * SIDE],
                class,
            )
        })
        .collect()
}

fn pool(samples: &[Sample]) -> Pool {
    Pool::of_classes(samples.iter().map(|sample| sample.class))
}

fn order(pool: &Pool, batch: usize, sampling: Sampling) -> Order<'_> {
    Order {
        pool,
        sampling,
        batch,
        seed: 5,
    }
}

fn plan<'a>(samples: &'a [Sample], spec: &'a InputSpec, order: Order<'a>) -> Plan<'a> {
    Plan {
        samples,
        order,
        spec,
        augmentation: Some(Augmentation::PAPER),
    }
}

fn collect(plan: &Plan<'_>, epoch: usize) -> Vec<Batch> {
    let mut batches = Vec::new();
    plan.for_each((epoch, 0), |i, batch, _| {
        assert_eq!(i, batches.len());
        batches.push(batch);
        Ok::<(), ()>(())
    })
    .expect("no step fails");
    batches
}

proptest! {
    #[test]
    fn an_epoch_uses_every_sample_once(all in 2..60_usize, epoch in 0..20_usize) {
        let pool = pool(&samples(all, 1));
        let order = order(&pool, 8, Sampling::AsIs).epoch(epoch);
        prop_assert_eq!(order.len(), all);
        prop_assert_eq!(order.into_iter().collect::<BTreeSet<_>>().len(), all);
    }

    #[test]
    fn a_balanced_epoch_has_both_classes_alike(all in 4..60_usize, share in 0.1..0.9, epoch in 0..20_usize) {
        let covid = ((all as f64 * share) as usize).clamp(1, all - 1);
        let pool = pool(&samples(all, covid));
        let order = order(&pool, 8, Sampling::ByClass).epoch(epoch);
        let smaller = covid.min(all - covid);
        prop_assert_eq!(order.len(), 2 * smaller);
        prop_assert_eq!(order.iter().filter(|&&i| i < covid).count(), smaller);
        let small: BTreeSet<usize> = order.iter().copied().filter(|&i| (i < covid) == (covid <= all - covid)).collect();
        prop_assert!(small.len() >= smaller);
    }

    #[test]
    fn batches_have_their_size_and_no_tiny_rest(all in 2..60_usize, batch in 2..20_usize) {
        let (samples, spec) = (samples(all, 1), spec());
        let pool = pool(&samples);
        let plan = plan(&samples, &spec, order(&pool, batch, Sampling::AsIs));
        let batches = collect(&plan, 0);
        prop_assert_eq!(batches.len(), plan.order.steps());
        prop_assert!(!batches.is_empty());
        let (last, full) = batches.split_last().expect("not empty");
        prop_assert!(full.iter().all(|b| b.len() == batch));
        prop_assert!(full.is_empty() || (last.len() >= 2 && last.len() * 2 >= batch - 1));
        prop_assert!(last.images.len() == 3 * SIDE * SIDE * last.len() && last.masks.len() == SIDE * SIDE * last.len());
    }
}

#[test]
fn the_larger_class_is_used_up_before_it_comes_again() {
    let pool = pool(&samples(13, 3));
    let order = order(&pool, 4, Sampling::ByClass);
    let drawn: Vec<usize> = (0..10)
        .flat_map(|epoch| order.epoch(epoch))
        .filter(|&i| i >= 3)
        .collect();
    for index in 3..13 {
        assert_eq!(
            drawn.iter().filter(|&&i| i == index).count(),
            3,
            "sample {index} in three rounds"
        );
    }
}

#[test]
fn epochs_repeat_with_the_seed_and_differ_from_one_another() {
    let (samples, spec) = (samples(20, 10), spec());
    let pool = pool(&samples);
    let one = plan(&samples, &spec, order(&pool, 5, Sampling::AsIs));
    let other = Plan {
        order: Order { seed: 6, ..one.order },
        ..one
    };
    assert_eq!(collect(&one, 3), collect(&one, 3));
    assert_ne!(collect(&one, 3), collect(&one, 4));
    assert_ne!(collect(&one, 3), collect(&other, 3));
}

#[test]
fn a_failing_step_ends_the_epoch() {
    let (samples, spec) = (samples(40, 20), spec());
    let pool = pool(&samples);
    let mut steps = 0;
    let outcome = plan(&samples, &spec, order(&pool, 2, Sampling::AsIs)).for_each((0, 0), |i, _, _| {
        steps += 1;
        if i == 2 { Err("stop") } else { Ok(()) }
    });
    assert_eq!((outcome, steps), (Err("stop"), 3));
}

#[test]
fn recipes_are_the_papers_and_ours() {
    use recovnet::nn::BackboneKind::DenseNet121;
    use recovnet::nn::card::Task;
    let first = Recipe::Paper.config(Task::Segmenter, DenseNet121);
    assert_eq!(
        (first.batch, first.rate, first.epochs(), first.bn_momentum),
        (32, 1e-4, 15, 0.01)
    );
    let second = Recipe::Paper.config(Task::Recovnet, DenseNet121);
    assert_eq!(
        (second.batch, second.rate, second.epochs(), second.sampling),
        (64, 1e-5, 15, Sampling::AsIs)
    );
    assert!((0..10).all(|step| second.rates(10, &[]).at(step) == 1e-5));
    let scratch = Recipe::Scratch.config(Task::Recovnet, DenseNet121);
    assert_eq!(
        scratch.schedule,
        [Stage { epochs: 24, size: 128 }, Stage { epochs: 6, size: 224 }]
    );
    assert_eq!((scratch.size_of(23), scratch.size_of(24)), (128, 224));
    assert_eq!(Recipe::Scratch.schedule(1), [Stage { epochs: 1, size: 224 }]);
    assert_eq!(scratch.bn_momentum, 0.1);
}

#[test]
fn the_rate_warms_up_and_falls_at_every_size() {
    use recovnet::nn::BackboneKind::DenseNet121;
    use recovnet::nn::card::Task;
    let mut config = Recipe::Scratch.config(Task::Segmenter, DenseNet121);
    config.schedule = vec![Stage { epochs: 10, size: 128 }, Stage { epochs: 5, size: 224 }];
    let rates: Vec<f64> = (0..300).map(|step| config.rates(20, &[]).at(step)).collect();
    for (stage, highest) in [(&rates[..200], config.rate), (&rates[200..], config.rate / 2.0)] {
        let warm = stage.len() / 20;
        assert!(stage[..warm].is_sorted() && stage[0] < 0.3 * highest);
        assert!(stage[warm..].iter().rev().is_sorted());
        let reached = stage.iter().copied().fold(0.0, f64::max);
        assert!((reached - highest).abs() < 1e-12);
        assert!(*stage.last().expect("steps") < 0.02 * highest);
    }
}

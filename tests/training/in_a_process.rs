//! A run in a process of its own, as the window makes it.

use std::path::Path;
use std::time::{Duration, Instant};

use recovnet::nn::BackboneKind;
use recovnet::nn::card::Task;
use recovnet::training::control::Control;
use recovnet::training::event::{NoteKind, Place, TrainingEvent};
use recovnet::training::process::Process;
use recovnet::training::recipe::{Recipe, Stage};
use recovnet::training::request::Request;

use crate::phantoms;

const PATIENCE: Duration = Duration::from_mins(1);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_recovnet"))
}

fn request(data: &Path, run: &Path, epochs: usize) -> Request {
    let mut config = Recipe::Scratch.config(Task::Baseline, BackboneKind::DenseNet121);
    config.schedule = vec![Stage { epochs, size: 32 }];
    config.batch = 4;
    Request {
        device: "cpu".to_owned(),
        nice: 5,
        cache: false,
        ..Request::new(config, data, run)
    }
}

/// Events up to the first that is wanted, which is the last of them.
fn until(process: &Process, wanted: impl Fn(&TrainingEvent) -> bool) -> Vec<TrainingEvent> {
    let (mut seen, begin) = (Vec::new(), Instant::now());
    while begin.elapsed() < PATIENCE {
        let Some(line) = process.wait_next(Duration::from_millis(200)) else {
            assert!(!process.has_ended(), "it ended: {seen:?}");
            continue;
        };
        let found = wanted(&line.event);
        seen.push(line.event);
        if found {
            return seen;
        }
    }
    panic!("nothing came: {seen:?}");
}

fn place(event: Option<&TrainingEvent>) -> Place {
    match event {
        Some(TrainingEvent::Paused { place } | TrainingEvent::Stopped { place }) => *place,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_is_paused_guarded_killed_and_resumed_from_outside() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut request = request(data.path(), &runs.path().join("run one"), 1000);
    let first = request.start(program(), |_| {}).expect("it starts");
    let begun = until(&first, |event| matches!(event, TrainingEvent::Step(_)));
    assert!(
        begun
            .iter()
            .any(|event| matches!(event, TrainingEvent::Started(s) if s.process == first.id() && s.epochs == 1000))
    );
    assert!(first.send(Control::Pause));
    let paused = until(&first, |event| matches!(event, TrainingEvent::Paused { .. }));
    let stood = place(paused.last());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(first.next(), None, "it waits");

    // No other run can use the folder meanwhile.
    request.resume = true;
    let second = request.start(program(), |_| {}).expect("it starts");
    let refused = until(&second, TrainingEvent::is_last);
    let Some(TrainingEvent::Failed { reason, kept: None }) = refused.last() else {
        panic!("{refused:?}");
    };
    assert!(
        reason.contains("another run is going on") && reason.contains(&first.id().to_string()),
        "{reason}"
    );

    first.send(Control::Resume);
    until(&first, |event| matches!(event, TrainingEvent::Epoch(_)));
    first.kill().expect("it is killed");
    let killed = until(&first, TrainingEvent::is_last);
    let Some(TrainingEvent::Failed { reason, kept }) = killed.last() else {
        panic!("{killed:?}");
    };
    assert!(reason.contains("killed"), "{reason}");
    let kept = kept.expect("something was kept");
    assert!((kept.epochs, kept.steps) > (stood.epochs, stood.steps));

    // Its checkpoint and the closed pipe end the third session, which took over the lock.
    let third = request.start(program(), |_| {}).expect("it starts");
    let resumed = until(&third, |event| matches!(event, TrainingEvent::Step(_)));
    let from = resumed.iter().find_map(|event| match event {
        TrainingEvent::Started(started) => started.resumed_from,
        _ => None,
    });
    assert!(
        from.is_some_and(|from| (from.epochs, from.steps) >= (kept.epochs, kept.steps)),
        "{from:?}"
    );
    let took_over = |event: &TrainingEvent| {
        matches!(
            event,
            TrainingEvent::Note {
                kind: NoteKind::LockTakenOver,
                ..
            }
        )
    };
    assert!(resumed.iter().any(took_over));
    third.send(Control::StopAfterEpoch);
    let stopped = until(&third, TrainingEvent::is_last);
    assert_eq!(place(stopped.last()).steps, 0);
    until_gone(&third);
}

fn until_gone(process: &Process) {
    let begin = Instant::now();
    while !process.has_ended() {
        assert!(begin.elapsed() < PATIENCE, "it does not end");
        let _ = process.wait_next(Duration::from_millis(50));
    }
}

#[test]
fn a_run_stops_with_a_checkpoint_when_its_window_is_gone_and_goes_on_if_told_so() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let run = runs.path().join("alone");
    let process = request(data.path(), &run, 1000)
        .start(program(), |_| {})
        .expect("it starts");
    until(&process, |event| matches!(event, TrainingEvent::Step(_)));
    let id = process.id();
    drop(process);
    assert!(ends(id), "it stops when nobody is there");
    assert!(run.join("last.safetensors").exists());

    let run = runs.path().join("detached");
    let process = request(data.path(), &run, 2)
        .start(program(), |_| {})
        .expect("it starts");
    until(&process, |event| matches!(event, TrainingEvent::Step(_)));
    process.send(Control::Detach);
    // The process must have heard it before the pipe is closed; both go the same way, so it has.
    let id = process.id();
    drop(process);
    assert!(ends(id));
    let lines = recovnet::training::record::read(&run).expect("events");
    let last = lines.last().expect("events");
    assert!(matches!(last.event, TrainingEvent::Finished { .. }), "{last:?}");
}

/// Waits until there is no such process. (The thread that listens to it has taken note of its end then.)
fn ends(id: u32) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if !Path::new(&format!("/proc/{id}")).exists() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn what_is_wrong_comes_as_an_event_and_a_program_that_is_none_as_an_error() {
    let runs = tempfile::tempdir().expect("a temporary folder");
    let nowhere = request(&runs.path().join("nowhere"), &runs.path().join("run"), 1);
    let process = nowhere.start(program(), |_| {}).expect("it starts");
    let events = until(&process, TrainingEvent::is_last);
    assert!(
        matches!(events.last(), Some(TrainingEvent::Failed { reason, .. }) if reason.contains("nowhere")),
        "{events:?}"
    );
    until_gone(&process);
    assert!(Process::start(&runs.path().join("none"), &[], |_| {}).is_err());
    // A program that says nothing of a run has its last words told.
    let process = Process::start(program(), &["train-from".into(), "missing.json".into()], |_| {}).expect("it starts");
    let events = until(&process, TrainingEvent::is_last);
    assert!(
        matches!(events.last(), Some(TrainingEvent::Failed { reason, .. }) if reason.contains("missing.json")),
        "{events:?}"
    );
}

#[test]
fn an_estimate_is_measured_without_a_run() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut request = request(data.path(), &runs.path().join("run"), 3);
    let split = runs.path().join("split.json");
    request.dataset.split_file = Some(split.clone());
    let process = request.start_estimate(program(), |_| {}).expect("it starts");
    let events = until(&process, TrainingEvent::is_last);
    let Some(TrainingEvent::Estimated(estimate)) = events.last() else {
        panic!("{events:?}");
    };
    let [stage] = estimate.stages.as_slice() else {
        panic!("{estimate:?}");
    };
    assert_eq!((stage.size, stage.epochs, stage.micro_batch), (32, 3, 4));
    assert!(stage.steps_per_epoch > 1 && stage.seconds_per_step > 0.0);
    assert!(estimate.seconds > 0.0 && stage.epoch_seconds > stage.seconds_per_step);
    assert!(!request.run.exists() && !split.exists(), "nothing is begun");
}

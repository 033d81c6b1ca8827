//! Runs that are paused, stopped or killed inside an epoch, and go on as if nothing had been.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use recovnet::nn::card::Task;
use recovnet::nn::weights;
use recovnet::training::Error;
use recovnet::training::control::{Control, Controls};
use recovnet::training::event::{Line, NoteKind, Place, StepRecord, TrainingEvent};
use recovnet::training::record;
use recovnet::training::trainer::{Job, train};

use crate::phantoms;
use crate::runs::{job, names, run, tensors, timeless};

/// Runs and keeps every event; `on_step` may tell the run something after a step.
fn events(job: &Job, controls: &Controls, mut on_step: impl FnMut(usize) + Send) -> Vec<TrainingEvent> {
    let mut events = Vec::new();
    let outcome = train(job, controls, &mut |event| {
        if let TrainingEvent::Step(step) = &event {
            on_step(step.done);
        }
        events.push(event);
    });
    let last = events.last().expect("a run says how it ends");
    assert!(last.is_last(), "{last:?}");
    assert_eq!(
        outcome.is_ok(),
        matches!(last, TrainingEvent::Finished { .. }),
        "{outcome:?}"
    );
    assert_eq!(events.iter().filter(|event| event.is_last()).count(), 1);
    events
}

/// The losses, to the last bit.
fn losses(events: &[TrainingEvent]) -> Vec<(usize, u64)> {
    let step = |event: &TrainingEvent| match event {
        TrainingEvent::Step(StepRecord { done, loss, .. }) => Some((*done, loss.to_bits())),
        _ => None,
    };
    events.iter().filter_map(step).collect()
}

fn same_weights(one: &Path, other: &Path) {
    for file in ["last.safetensors", "best.safetensors"] {
        assert!(tensors(&one.join(file)) == tensors(&other.join(file)), "{file} differs");
    }
}

#[test]
fn a_run_that_was_stopped_inside_an_epoch_goes_on_to_the_last_bit() {
    let (data, runs) = (phantoms::folder(40), tempfile::tempdir().expect("a temporary folder"));
    let mut through = job(
        Task::Baseline,
        data.path(),
        &runs.path().join("through"),
        &[(1, 32), (1, 40)],
    );
    through.config.batch = 4;
    let whole = events(&through, &Controls::default(), |_| {});
    let steps = losses(&whole).len();
    assert!(steps >= 6, "{steps}");

    let mut stopped = Job {
        run: runs.path().join("stopped"),
        ..through.clone()
    };
    let mut seen = Vec::new();
    // Stops inside the first epoch, at its end, and inside the second.
    for stop in [2, steps / 2, steps / 2 + 1] {
        let controls = Controls::default();
        let part = events(&stopped, &controls, |done| {
            if done == stop {
                controls.send(Control::StopAfterBatch);
            }
        });
        let (epochs, steps) = (stop / (steps / 2), stop % (steps / 2));
        // The end of an epoch's steps is not yet the end of the epoch.
        let (epochs, steps) = if steps == 0 {
            (epochs - 1, stop)
        } else {
            (epochs, steps)
        };
        let place = Place { epochs, steps };
        assert_eq!(part.last(), Some(&TrainingEvent::Stopped { place }));
        assert!(part.contains(&TrainingEvent::Stopping {
            when: recovnet::training::event::Stop::AfterBatch
        }));
        seen.extend(losses(&part));
        stopped.resume = true;
    }
    let rest = events(&stopped, &Controls::default(), |_| {});
    let TrainingEvent::Started(started) = &rest[0] else {
        panic!("{:?}", rest[0]);
    };
    assert_eq!(started.resumed_from, Some(Place { epochs: 1, steps: 1 }));
    seen.extend(losses(&rest));
    assert_eq!(seen, losses(&whole));
    same_weights(&through.run, &stopped.run);
    let kept = |run: &Path| {
        let lines = record::read(run).expect("events");
        let records = lines.into_iter().filter_map(|line| match line.event {
            TrainingEvent::Epoch(record) => Some(record),
            _ => None,
        });
        timeless(&records.collect::<Vec<_>>())
    };
    assert_eq!(kept(&through.run), kept(&stopped.run));
    assert_eq!(
        names(&through.run).len(),
        names(&stopped.run).len() - 3,
        "one more event file a session"
    );
}

#[test]
fn a_paused_run_waits_with_a_checkpoint_and_a_stop_after_the_epoch_is_one() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(3, 32)]);
    one.config.batch = 4;
    let controls = Controls::default();
    let resumed = controls.clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waker = std::thread::Builder::new()
        .name("resume".into())
        .spawn(move || {
            receiver.recv().expect("it pauses");
            std::thread::sleep(Duration::from_millis(50));
            resumed.send(Control::Resume);
            resumed.send(Control::StopAfterEpoch);
        })
        .expect("a thread");
    let mut order = Vec::new();
    let outcome = train(&one, &controls, &mut |event| match event {
        TrainingEvent::Step(step) if step.done == 1 => controls.send(Control::Pause),
        TrainingEvent::Paused { place } => {
            assert_eq!(place, Place { epochs: 0, steps: 1 });
            assert!(one.run.join("last.safetensors").exists());
            order.push("paused");
            sender.send(()).expect("somebody waits");
        }
        TrainingEvent::Resumed => order.push("resumed"),
        TrainingEvent::Stopping { .. } => order.push("stopping"),
        TrainingEvent::Epoch(record) => {
            assert_eq!(record.epoch, 1);
            order.push("epoch");
        }
        _ => {}
    });
    waker.join().expect("it resumed");
    assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
    assert_eq!(order, ["paused", "resumed", "stopping", "epoch"]);
}

/// `recovnet` with a checkpoint after every batch and events on standard output.
fn program(arguments: &[&str], data: Option<&Path>, run: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recovnet"));
    command.args(arguments);
    if let Some(data) = data {
        command.arg("--data").arg(data).arg("--run-dir");
    }
    command.arg(run);
    command.args([
        "--device",
        "cpu",
        "--checkpoint-every",
        "0",
        "--no-cache",
        "--events",
        "-",
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

const TRAIN: [&str; 12] = [
    "train",
    "baseline",
    "--encoder",
    "densenet121",
    "--recipe",
    "scratch",
    "--schedule",
    "32x2",
    "--batch",
    "4",
    "--on-leakage",
    "allow",
];

/// Reads events until `enough` of them are steps, then kills the process; to the end with `None`.
fn watch(mut command: Command, enough: Option<usize>) -> Vec<Line> {
    let mut child = command.spawn().expect("the program runs");
    let mut seen = Vec::new();
    for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
        seen.push(Line::parse(&line.expect("text")).expect("nothing but events"));
        let steps = seen
            .iter()
            .filter(|line| matches!(line.event, TrainingEvent::Step(_)))
            .count();
        if Some(steps) == enough {
            child.kill().expect("SIGKILL");
            break;
        }
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        output.status.success(),
        enough.is_none(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    seen
}

#[test]
fn a_killed_process_goes_on_to_the_last_bit() {
    let (data, runs) = (phantoms::folder(40), tempfile::tempdir().expect("a temporary folder"));
    let (through, killed) = (runs.path().join("through"), runs.path().join("killed run ä"));
    let mut whole = program(&TRAIN, Some(data.path()), &through);
    whole.args(["--checkpoint-every", "60"]);
    let whole = watch(program_once(&whole), None);
    watch(program(&TRAIN, Some(data.path()), &killed), Some(2));
    watch(program(&["resume"], None, &killed), Some(3));
    let rest = watch(program(&["resume"], None, &killed), None);
    let took_over =
        |line: &Line| matches!(&line.event, TrainingEvent::Note { kind, .. } if *kind == NoteKind::LockTakenOver);
    assert!(rest.iter().any(took_over), "{rest:?}");
    same_weights(&through, &killed);
    let steps = |lines: Vec<Line>| losses(&lines.into_iter().map(|line| line.event).collect::<Vec<_>>());
    let kept = steps(record::read(&killed).expect("events"));
    assert_eq!(kept, steps(whole), "the same curve, each step once");
}

/// clap takes an option once: the later one of two replaces the earlier in the command.
fn program_once(command: &Command) -> Command {
    let mut arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    if let Some(first) = arguments.iter().position(|argument| argument == "--checkpoint-every") {
        arguments.drain(first..first + 2);
    }
    let mut once = Command::new(command.get_program());
    once.args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    once
}

#[test]
fn other_data_or_another_checkpoint_are_refused() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(2, 32)]);
    let controls = Controls::default();
    events(&one, &controls, |_| controls.send(Control::StopAfterBatch));
    one.resume = true;
    let refused = |one: &Job| run(one).0.expect_err("it is refused").to_string();

    let picture = data.path().join("chest1.png");
    let (original, other) = (std::fs::read(&picture).expect("a file"), data.path().join("chest2.png"));
    std::fs::copy(&other, &picture).expect("copied");
    let words = refused(&one);
    assert!(
        words.contains("config.json") && words.contains("data are not those"),
        "{words}"
    );
    std::fs::write(&picture, original).expect("written");

    let last = one.run.join("last.safetensors");
    let (state, metadata) = weights::read(&last, &recovnet::nn::Device::Cpu).expect("a checkpoint");
    let save = |state: &weights::State, metadata: &weights::Metadata| {
        weights::save(&last, state, metadata, weights::Precision::Full).expect("saved");
    };
    let mut foreign = state.clone();
    foreign.remove("fc.weight");
    save(&foreign, &metadata);
    let words = refused(&one);
    assert!(
        words.contains("last.safetensors") && words.contains("another network") && words.contains("fc.weight"),
        "{words}"
    );

    let mut newer = metadata.clone();
    newer.insert(
        "progress".to_owned(),
        metadata["progress"].replace("\"format\":2", "\"format\":77"),
    );
    save(&state, &newer);
    let words = refused(&one);
    assert!(
        words.contains("another version of the program") && words.contains("77"),
        "{words}"
    );

    save(&state, &metadata);
    run(&one).0.expect("it goes on");
}

#[test]
fn a_file_that_goes_away_is_named_and_the_run_goes_on_when_it_is_back() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(
        Task::Baseline,
        data.path(),
        &runs.path().join("one"),
        &[(1, 32), (1, 40)],
    );
    let (picture, aside) = (data.path().join("chest3.png"), data.path().join("aside.png"));
    let mut last = None;
    let outcome = train(&one, &Controls::default(), &mut |event| {
        if matches!(event, TrainingEvent::Epoch(_)) {
            std::fs::rename(&picture, &aside).expect("renamed");
        }
        last = Some(event);
    });
    let words = outcome.expect_err("a file is missing").to_string();
    assert!(words.contains("chest3.png"), "{words}");
    let Some(TrainingEvent::Failed { reason, kept }) = last else {
        panic!("{last:?}");
    };
    assert_eq!((reason, kept), (words, Some(Place { epochs: 1, steps: 0 })));
    std::fs::rename(&aside, &picture).expect("renamed");
    one.resume = true;
    let (outcome, records) = run(&one);
    outcome.expect("it goes on");
    assert_eq!(records.iter().map(|record| record.epoch).collect::<Vec<_>>(), [2]);
}

#[test]
fn best_weights_that_a_dead_process_did_not_write_come_from_the_checkpoint() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(2, 32)]);
    let controls = Controls::default();
    train(&one, &controls, &mut |event| {
        if matches!(event, TrainingEvent::Epoch(_)) {
            controls.send(Control::StopAfterBatch);
        }
    })
    .expect_err("it is stopped");
    let best = one.run.join("best.safetensors");
    let expected = tensors(&best);
    std::fs::remove_file(&best).expect("removed");
    one.resume = true;
    let controls = Controls::default();
    events(&one, &controls, |_| controls.send(Control::StopAfterBatch));
    assert!(tensors(&best) == expected);
}

/// What a process that is killed now would leave: everything but the lock, which is of this process.
fn copy_run(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_name() != "run.lock" {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

#[test]
fn a_pause_while_validating_keeps_the_steps_of_the_epoch() {
    let (data, runs) = (phantoms::folder(40), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    one.config.batch = 4;
    let killed = Job {
        run: runs.path().join("killed"),
        resume: true,
        ..one.clone()
    };
    let controls = Controls::default();
    let (mut steps, mut paused) = (0, Vec::new());
    let outcome = train(&one, &controls, &mut |event| match event {
        TrainingEvent::Started(started) => steps = started.steps_per_epoch,
        // Nothing looks at the controls any more before the evaluation does.
        TrainingEvent::Step(step) if step.done == steps => controls.send(Control::Pause),
        TrainingEvent::Paused { place } => {
            paused.push(place);
            copy_run(&one.run, &killed.run);
            controls.send(Control::Resume);
        }
        _ => {}
    });
    outcome.expect("it ends well");
    let place = Place { epochs: 0, steps };
    assert_eq!(paused, [place]);

    let rest = events(&killed, &Controls::default(), |_| {});
    let TrainingEvent::Started(started) = &rest[0] else {
        panic!("{:?}", rest[0]);
    };
    assert_eq!(started.resumed_from, Some(place));
    assert!(losses(&rest).is_empty(), "no step is made again");
    same_weights(&one.run, &killed.run);
}

#[cfg(unix)]
#[test]
fn the_check_before_a_run_needs_no_folder_of_the_system() {
    let (data, runs) = (phantoms::folder(40), tempfile::tempdir().expect("a temporary folder"));
    let mut command = program(&TRAIN, Some(data.path()), &runs.path().join("not begun/one"));
    command.env("TMPDIR", runs.path().join("nowhere"));
    let seen = watch(command, Some(1));
    let has = |is: fn(&TrainingEvent) -> bool| seen.iter().any(|line| is(&line.event));
    assert!(has(|event| matches!(event, TrainingEvent::Checking { .. })), "{seen:?}");
    assert!(has(|event| matches!(event, TrainingEvent::Step(_))), "{seen:?}");
}

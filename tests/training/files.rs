//! The files that a run writes from its events: events, curves, `TensorBoard`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use recovnet::nn::card::Task;
use recovnet::training::control::{Control, Controls};
use recovnet::training::event::{Line, Place, TrainingEvent};
use recovnet::training::record;
use recovnet::training::tensorboard::{crc32c, record as tfrecord};
use recovnet::training::trainer::train;

use crate::phantoms;
use crate::runs::{job, run};

/// The payloads of a file of `TFRecord`s, checksums checked.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("an event file");
    let unmasked = |stored: [u8; 4]| u32::from_le_bytes(stored).wrapping_sub(0xa282_ead8).rotate_left(15);
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_at(8);
        let (check, after) = after.split_at(4);
        assert_eq!(unmasked(check.try_into().expect("4 bytes")), crc32c(length));
        let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
        let (payload, after) = after.split_at(length);
        let (check, after) = after.split_at(4);
        assert_eq!(unmasked(check.try_into().expect("4 bytes")), crc32c(payload));
        assert_eq!(tfrecord(payload).len(), length + 16);
        found.push(payload.to_vec());
        rest = after;
    }
    found
}

/// A field of a protocol buffer.
#[derive(Debug)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, after) = rest.split_first().expect("a byte");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn fields(mut rest: &[u8]) -> Vec<(u64, Field)> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let length = match tag & 7 {
            0 => {
                fields.push((tag >> 3, Field::Number(varint(&mut rest))));
                continue;
            }
            1 => 8,
            2 => varint(&mut rest) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (bytes, after) = rest.split_at(length);
        fields.push((tag >> 3, Field::Bytes(bytes.to_vec())));
        rest = after;
    }
    fields
}

fn bytes(fields: &[(u64, Field)], wanted: u64) -> Vec<&[u8]> {
    let found = fields.iter().filter(|(number, _)| *number == wanted);
    found
        .filter_map(|(_, field)| match field {
            Field::Bytes(bytes) => Some(bytes.as_slice()),
            Field::Number(_) => None,
        })
        .collect()
}

fn number(fields: &[(u64, Field)], wanted: u64) -> Option<u64> {
    fields.iter().find_map(|(number, field)| match field {
        Field::Number(value) if *number == wanted => Some(*value),
        _ => None,
    })
}

/// Steps and values by tag.
type Scalars = BTreeMap<String, Vec<(u64, f32)>>;

fn scalars(path: &Path) -> Scalars {
    let mut scalars = Scalars::new();
    for payload in payloads(path) {
        let event = fields(&payload);
        let time = bytes(&event, 1)[0].try_into().expect("8 bytes");
        assert!(f64::from_le_bytes(time) > 1.7e9);
        for summary in bytes(&event, 5) {
            for value in bytes(&fields(summary), 1) {
                let value = fields(value);
                let tag = String::from_utf8(bytes(&value, 1)[0].to_vec()).expect("text");
                let number = f32::from_le_bytes(bytes(&value, 2)[0].try_into().expect("4 bytes"));
                let step = self::number(&event, 2).expect("a step");
                scalars.entry(tag).or_default().push((step, number));
            }
        }
    }
    scalars
}

/// Steps at which sessions begin: what was written of them before is not shown.
fn session_starts(path: &Path) -> Vec<u64> {
    let events = payloads(path).into_iter().map(|payload| fields(&payload));
    let starts = events.filter(|event| {
        let sessions = bytes(event, 7);
        sessions.iter().any(|log| number(&fields(log), 1) == Some(1))
    });
    starts.map(|event| number(&event, 2).expect("a step")).collect()
}

fn event_files(run: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(run).expect("a folder").flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("tfevents"))
        .collect();
    files.sort();
    files
}

#[test]
fn events_curves_and_event_files_say_the_same() {
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let mut one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(2, 32)]);
    one.config.batch = 4;
    let controls = Controls::default();
    train(&one, &controls, &mut |event| {
        if matches!(event, TrainingEvent::Step(step) if step.done == 3) {
            controls.send(Control::StopAfterBatch);
        }
    })
    .expect_err("it is stopped");
    one.resume = true;
    let (outcome, records) = run(&one);
    outcome.expect("it ends well");

    let lines = record::read(&one.run).expect("events");
    assert!(lines.is_sorted_by(|a, b| a.time <= b.time));
    let kept: Vec<_> = lines
        .iter()
        .filter_map(|line| match &line.event {
            TrainingEvent::Epoch(record) => Some(record.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(kept, records);
    let losses: Vec<(u64, f32)> = lines
        .iter()
        .filter_map(|line| match &line.event {
            TrainingEvent::Step(step) => Some((step.done as u64, step.loss as f32)),
            _ => None,
        })
        .collect();
    let numbers: Vec<u64> = losses.iter().map(|(step, _)| *step).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());

    let files = event_files(&one.run);
    let parts: Vec<Scalars> = files.iter().map(|file| scalars(file)).collect();
    assert_eq!(parts.len(), 2, "one a session: {files:?}");
    // The second session makes the steps after the third one.
    let sessions: Vec<Vec<u64>> = files.iter().map(|file| session_starts(file)).collect();
    assert_eq!(sessions, [[1], [4]]);
    let of_tag = |tag: &str| -> Vec<(u64, f32)> {
        parts
            .iter()
            .flat_map(|part| part.get(tag).cloned().unwrap_or_default())
            .collect()
    };
    assert_eq!(of_tag("step/loss"), losses);
    let scores: Vec<f32> = of_tag("epoch/validation_roc_auc")
        .iter()
        .map(|(_, score)| *score)
        .collect();
    assert_eq!(
        scores,
        records.iter().map(|r| r.validation_score as f32).collect::<Vec<_>>()
    );
    assert!(of_tag("step/rate").iter().all(|(_, rate)| *rate > 0.0));

    let curves = std::fs::read_to_string(one.run.join(record::CURVES)).expect("curves");
    let mut table = csv::Reader::from_reader(curves.as_bytes());
    let headers = table.headers().expect("a header").clone();
    assert!(
        headers.iter().any(|name| name == "validation_roc_auc") && headers.iter().any(|name| name == "validation_f2")
    );
    let rows: Vec<BTreeMap<String, String>> = table.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 2);
    for (row, record) in rows.iter().zip(&records) {
        assert_eq!(row["train_loss"].parse(), Ok(record.train_loss));
        assert_eq!(row["validation_roc_auc"].parse(), Ok(record.validation_score));
    }
}

#[test]
fn what_a_killed_session_wrote_beyond_its_checkpoint_is_not_read() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (data, runs) = (phantoms::folder(24), tempfile::tempdir().expect("a temporary folder"));
    let one = job(Task::Baseline, data.path(), &runs.path().join("one"), &[(1, 32)]);
    run(&one).0.expect("it ends well");
    let lines = record::read(&one.run).expect("events");
    let step = |line: &Line| matches!(line.event, TrainingEvent::Step(_));
    let steps = lines.iter().filter(|line| step(line)).count();
    let path = folder.path().join(record::EVENTS);
    let mut file = File::create(&path).expect("a file");
    for line in lines.iter().filter(|line| !line.event.is_last()) {
        file.write_all(line.text().as_bytes()).expect("written");
    }
    // Half a line, as a killed process leaves it.
    file.write_all(b"{\"time\":1.0,\"event\":\"st").expect("written");
    assert_eq!(
        record::read(folder.path())
            .expect("events")
            .iter()
            .filter(|line| step(line))
            .count(),
        steps
    );
    drop(record::Recorder::open(folder.path()).expect("it is opened again"));
    let mut file = OpenOptions::new().append(true).open(&path).expect("a file");
    let again = lines.iter().map(|line| match &line.event {
        TrainingEvent::Started(started) => {
            let mut started = started.clone();
            started.resumed_from = Some(Place { epochs: 0, steps: 1 });
            Line {
                event: TrainingEvent::Started(started),
                ..line.clone()
            }
        }
        _ => line.clone(),
    });
    for line in again.filter(|line| !matches!(&line.event, TrainingEvent::Step(step) if step.done <= 1)) {
        file.write_all(line.text().as_bytes()).expect("written");
    }
    let read = record::read(folder.path()).expect("events");
    assert_eq!(read.iter().filter(|line| step(line)).count(), steps, "each step once");
    let epochs = read
        .iter()
        .filter(|line| matches!(line.event, TrainingEvent::Epoch(_)))
        .count();
    assert_eq!(epochs, 1);
}

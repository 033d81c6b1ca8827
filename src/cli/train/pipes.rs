//! How another program, a terminal or the system tells a run what to do, and where its events go.

use std::fs::File;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::training::control::{Control, Controls};
use crate::training::event::{Line, TrainingEvent};
use crate::training::request::OnHangup;

/// The name of standard input and output.
const STANDARD: &str = "-";

/// What a run does when the program that controls it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HangupName {
    /// Write a checkpoint and stop.
    Stop,
    /// Go on to the end.
    Continue,
}

impl From<HangupName> for OnHangup {
    fn from(name: HangupName) -> Self {
        match name {
            HangupName::Stop => Self::Stop,
            HangupName::Continue => Self::Continue,
        }
    }
}

/// Events out, controls in.
#[derive(Debug, Args)]
pub struct PipeArgs {
    /// Write every event as a line of JSON to a file, or with - to standard output, which then holds nothing else.
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Read controls from standard input (-), a word on a line: pause, resume, stop-after-batch, stop-after-epoch, detach.
    #[arg(long, value_name = "-", value_parser = [STANDARD])]
    pub control: Option<String>,
    /// What to do when the controls' input ends because the program at its other end is gone [default: stop].
    #[arg(long, value_enum, requires = "control")]
    pub on_hangup: Option<HangupName>,
}

/// Says something on standard error. Whoever read it may have gone, which is no reason to end.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// Where events are written.
pub struct Events {
    sink: Option<Box<dyn Write + Send>>,
    on_standard_output: bool,
    ended: bool,
}

impl Events {
    /// Opens a file or standard output.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let on_standard_output = path == Some(Path::new(STANDARD));
        let sink: Option<Box<dyn Write + Send>> = match path {
            None => None,
            Some(_) if on_standard_output => Some(Box::new(std::io::stdout())),
            Some(path) => {
                let file = File::create(path);
                Some(Box::new(
                    file.with_context(|| format!("{}: cannot be written", path.display()))?,
                ))
            }
        };
        Ok(Self {
            sink,
            on_standard_output,
            ended: false,
        })
    }

    /// Whether standard output is taken.
    pub fn on_standard_output(&self) -> bool {
        self.on_standard_output
    }

    /// Writes an event; a reader that has gone is not missed.
    pub fn write(&mut self, line: &Line) {
        self.ended |= line.event.is_last();
        if let Some(sink) = &mut self.sink
            && sink
                .write_all(line.text().as_bytes())
                .and_then(|()| sink.flush())
                .is_err()
        {
            self.sink = None;
        }
    }

    /// Tells why there is no run, unless one has told of its end.
    pub fn fail(&mut self, reason: &str) {
        if !self.ended {
            self.write(&Line::now(TrainingEvent::Failed {
                reason: reason.to_owned(),
                kept: None,
            }));
        }
    }
}

/// Passes on what standard input and the system's signals say. The first signal stops the run after the batch under way,
/// with a checkpoint; the second ends the process at once.
///
/// # Errors
/// If the system can start no thread.
pub fn listen(args: &PipeArgs, on_hangup: OnHangup, controls: &Controls) -> anyhow::Result<()> {
    if on_hangup == OnHangup::Continue {
        controls.send(Control::Detach);
    }
    listen_to_signals(controls).context("signals of the system cannot be heard")?;
    if args.control.is_none() {
        return Ok(());
    }
    let controls = controls.clone();
    let listen = move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            match line.parse() {
                Ok(control) => controls.send(control),
                Err(problem) => say(&problem),
            }
        }
        controls.hang_up();
    };
    thread::Builder::new()
        .name("training-control".into())
        .spawn(listen)
        .context("the system can start no thread")?;
    Ok(())
}

/// The first signal that asks for the end stops the run with a checkpoint, the second ends the process.
#[cfg(unix)]
fn listen_to_signals(controls: &Controls) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let controls = controls.clone();
    let listen = move || {
        let mut seen = false;
        for signal in signals.forever() {
            if std::mem::replace(&mut seen, true) {
                // As a shell reports it.
                std::process::exit(128 + signal);
            }
            say("stops after this batch, with a checkpoint; once more ends at once");
            controls.send(Control::StopAfterBatch);
        }
    };
    thread::Builder::new().name("training-signals".into()).spawn(listen)?;
    Ok(())
}

/// Elsewhere a signal ends the process; the run goes on after its last checkpoint.
#[cfg(not(unix))]
fn listen_to_signals(_: &Controls) -> std::io::Result<()> {
    Ok(())
}

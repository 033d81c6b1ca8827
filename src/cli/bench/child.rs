//! The other end of `serve`: starts this program again with one case, and asks it for rounds. A process each, so that
//! one case's memory and caches are not another's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::de::DeserializeOwned;

use super::Folders;
use super::case::Case;
use super::protocol::{Broken, Ready, Round};

/// A process that holds one case.
pub struct Served {
    process: Child,
    /// Where it is asked; closed, it ends.
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Served {
    /// Starts a process and waits until its case is built.
    ///
    /// # Errors
    /// If it cannot be started, or the case not be built.
    pub fn start(case: &Case, folders: Folders<'_>) -> anyhow::Result<(Self, Ready)> {
        let program = std::env::current_exe().context("this program does not know where it lies")?;
        let work = case
            .work
            .to_possible_value()
            .map_or(String::new(), |name| name.get_name().to_owned());
        let mut command = Command::new(program);
        command.args(["bench", "--serve", "--work", &work, "--device", &case.device]);
        command.args(["--networks", &case.network.to_string()]);
        command.args([
            "--batch",
            &case.batch.to_string(),
            "--threads",
            &case.threads.to_string(),
        ]);
        if let Some(name) = case.precision.to_possible_value() {
            command.args(["--precision", name.get_name()]);
        }
        let data = folders.data.filter(|_| case.work.takes_data());
        for (option, folder) in [("--weights", folders.weights), ("--data", data)] {
            if let Some(folder) = folder {
                command.arg(option).arg(folder);
            }
        }
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process = started.context("a process for the case cannot be started")?;
        let (questions, answers) = process
            .stdin
            .take()
            .zip(process.stdout.take())
            .context("the process has no pipes")?;
        let mut served = Self {
            process,
            questions: Some(questions),
            answers: BufReader::new(answers),
        };
        let ready = served.read()?;
        Ok((served, ready))
    }

    /// Runs one round.
    ///
    /// # Errors
    /// If it fails, or the process has ended.
    pub fn round(&mut self) -> anyhow::Result<Round> {
        // A process that has ended tells why in its last line, which is read next.
        let _ = self.questions.as_mut().map(|pipe| pipe.write_all(b"\n"));
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .context("the case's process cannot be read")?;
        if line.is_empty() {
            let status = self.process.wait().context("the case's process is lost")?;
            bail!("its process ended without a word ({status}); the memory may have run out: try a smaller batch");
        }
        if let Ok(Broken { error }) = serde_json::from_str(&line) {
            bail!(error);
        }
        serde_json::from_str(&line).with_context(|| format!("the case's process said '{}'", line.trim_end()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.questions.take());
        // It ends when its questions do; its status no longer matters.
        let _ = self.process.wait();
    }
}

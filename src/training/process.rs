//! A run in a process of its own: whatever becomes of it, the program that started it goes on. Events come as lines
//! of JSON from its standard output, controls go as words to its standard input.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tempfile::TempPath;

use super::control::Control;
use super::event::{Line, Place, TrainingEvent};

/// Events that wait for a reader; of more, the oldest steps are dropped (the run folder has them all).
const MOST_WAITING: usize = 1 << 16;
/// A line of events is not longer; what is longer is not one of ours.
const LONGEST_LINE: u64 = 16 << 20;
/// What is kept of the last words on standard error.
const LAST_WORDS: usize = 4096;
/// How often a process that has closed its output is asked whether it is gone.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// Events on their way from the process to whoever reads them.
#[derive(Default)]
struct Mailbox {
    lines: Mutex<VecDeque<Line>>,
    arrived: Condvar,
    closed: AtomicBool,
}

impl Mailbox {
    fn put(&self, line: Line) {
        let mut lines = self.lines.lock();
        if lines.len() >= MOST_WAITING
            && let Some(step) = lines.iter().position(|line| is_dispensable(&line.event))
        {
            lines.remove(step);
        }
        lines.push_back(line);
        self.arrived.notify_all();
    }

    fn close(&self) {
        let _held = self.lines.lock();
        self.closed.store(true, Ordering::Release);
        self.arrived.notify_all();
    }
}

fn is_dispensable(event: &TrainingEvent) -> bool {
    matches!(
        event,
        TrainingEvent::Step(_)
            | TrainingEvent::Checking { .. }
            | TrainingEvent::Loading { .. }
            | TrainingEvent::Validating { .. }
    )
}

/// A run in a process. Dropped, it closes the process's standard input, which then checkpoints and stops, unless it
/// was sent [`Control::Detach`] before.
pub struct Process {
    id: u32,
    child: Arc<Mutex<Child>>,
    controls: Mutex<Option<ChildStdin>>,
    mailbox: Arc<Mailbox>,
    /// A file that the process reads; it goes with this.
    _request: Option<TempPath>,
}

impl Process {
    /// Keeps a file for as long as this lives.
    pub(super) fn holding(self, request: TempPath) -> Self {
        Self {
            _request: Some(request),
            ..self
        }
    }

    /// Starts `program` with `arguments`, which must make it write events on standard output and read controls from
    /// standard input (`train … --events - --control -`). `wake` is called on another thread when there is something
    /// to read, and told whether that is the last event.
    ///
    /// # Errors
    /// If the process or the threads that listen to it cannot be started.
    pub fn start(program: &Path, arguments: &[OsString], wake: impl Fn(bool) + Send + 'static) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(controls), Some(events), Some(words)) = pipes else {
            return Err(io::Error::other("the process has no pipes"));
        };
        let id = child.id();
        let child = Arc::new(Mutex::new(child));
        let mailbox = Arc::new(Mailbox::default());
        let words = thread::Builder::new()
            .name("training-words".into())
            .spawn(move || last_words(words))?;
        let listener = Listener {
            child: Arc::clone(&child),
            mailbox: Arc::clone(&mailbox),
            kept: None,
            ended: false,
        };
        thread::Builder::new().name("training-events".into()).spawn(move || {
            listener.listen(BufReader::new(events), words, &wake);
        })?;
        Ok(Self {
            id,
            child,
            controls: Mutex::new(Some(controls)),
            mailbox,
            _request: None,
        })
    }

    /// Number of the process.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The next event, without waiting. After the last one ([`TrainingEvent::is_last`]) there are no more; a process
    /// that died without one is given a [`TrainingEvent::Failed`] with its last words.
    pub fn next(&self) -> Option<Line> {
        self.mailbox.lines.lock().pop_front()
    }

    /// As [`Process::next`], waiting so long for it at most.
    pub fn wait_next(&self, patience: Duration) -> Option<Line> {
        let until = Instant::now() + patience;
        let mut lines = self.mailbox.lines.lock();
        while lines.is_empty() && !self.mailbox.closed.load(Ordering::Acquire) {
            if self.mailbox.arrived.wait_until(&mut lines, until).timed_out() {
                break;
            }
        }
        lines.pop_front()
    }

    /// Whether the process is gone; events may still wait to be read.
    pub fn has_ended(&self) -> bool {
        self.mailbox.closed.load(Ordering::Acquire)
    }

    /// Tells the run; returns whether it could be told. One that is gone says so in its events.
    pub fn send(&self, control: Control) -> bool {
        let mut pipe = self.controls.lock();
        pipe.as_mut()
            .is_some_and(|pipe| writeln!(pipe, "{control}").and_then(|()| pipe.flush()).is_ok())
    }

    /// Ends the process at once; the run can be resumed after its last checkpoint.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&self) -> io::Result<()> {
        self.child.lock().kill()
    }
}

/// What the thread does that reads the events.
struct Listener {
    child: Arc<Mutex<Child>>,
    mailbox: Arc<Mailbox>,
    /// Where the run could be resumed.
    kept: Option<Place>,
    ended: bool,
}

impl Listener {
    fn listen(mut self, mut events: impl BufRead, words: thread::JoinHandle<String>, wake: &(impl Fn(bool) + Send)) {
        let mut line = Vec::new();
        loop {
            line.clear();
            match events.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    // Whatever else is written there (by a library, say) is not for us.
                    if let Ok(line) = Line::parse(&String::from_utf8_lossy(&line)) {
                        let is_last = line.event.is_last();
                        self.pass_on(line);
                        wake(is_last);
                    }
                }
            }
        }
        let status = self.wait();
        let words = words.join().unwrap_or_default();
        if !self.ended {
            let reason = obituary(status, &words);
            self.pass_on(Line::now(TrainingEvent::Failed {
                reason,
                kept: self.kept,
            }));
        }
        self.mailbox.close();
        wake(true);
    }

    fn pass_on(&mut self, line: Line) {
        match &line.event {
            TrainingEvent::Started(started) => self.kept = started.resumed_from,
            TrainingEvent::Checkpoint(checkpoint) => self.kept = Some(checkpoint.place),
            _ => {}
        }
        self.ended |= line.event.is_last();
        self.mailbox.put(line);
    }

    /// Waits for the end of a process that has closed its output. The lock is not held meanwhile, so that it can be
    /// killed.
    fn wait(&self) -> io::Result<ExitStatus> {
        loop {
            match self.child.lock().try_wait() {
                Ok(Some(status)) => return Ok(status),
                Err(error) => return Err(error),
                Ok(None) => {}
            }
            thread::sleep(ASKED_EVERY);
        }
    }
}

/// Reads to the end and keeps the last lines.
fn last_words(mut pipe: impl Read) -> String {
    let mut kept = Vec::new();
    let mut part = [0; 1024];
    loop {
        match pipe.read(&mut part) {
            Ok(0) => break,
            Ok(read) => kept.extend_from_slice(&part[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        if kept.len() > LAST_WORDS {
            kept.drain(..kept.len() - LAST_WORDS);
        }
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// Why a run ended that did not say so itself.
fn obituary(status: io::Result<ExitStatus>, words: &str) -> String {
    let mut sentence = match status {
        Ok(status) => match signal(status) {
            // It had no time for last words: what it said before is of something else.
            Some(9) => {
                return "the training process was killed (signal 9); the system does that when memory runs out, and \
                        then a smaller batch helps"
                    .to_owned();
            }
            _ => format!("the training process ended without a word ({status})"),
        },
        Err(error) => format!("the training process was lost ({error})"),
    };
    if !words.is_empty() {
        sentence += "; its last words were: ";
        sentence += words;
    }
    sentence
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

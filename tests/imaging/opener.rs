//! A process that opens files for the tests, so that they can tell a crash, a hang and too much memory from a
//! sentence. It is this test program, started again with one test that answers questions.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use recovnet::imaging::{self, Original, Radiograph, Samples};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::memory;

/// Set in the process that answers.
const VARIABLE: &str = "RECOVNET_TEST_OPENER";
/// What its answers begin with, among what the test runner prints.
const MARK: &str = "answer: ";
/// Most bytes it may have.
const MOST_BYTES: usize = 2 << 30;
/// How long an answer is waited for; how long it may compute is for the tests to say.
const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a file.
pub struct Answer {
    /// The sentence of refusal, or what is shown: bytes that its samples need.
    pub result: Result<u64, String>,
    /// Most bytes that were allocated at once.
    pub peak: u64,
    /// Most bytes of memory that the process had in use beyond those before, what C and C++ took among them; `None`
    /// where the system does not tell. Of a process that opened other files it is too little: it may have kept theirs.
    pub resident: Option<u64>,
    /// Time that it took on all processors.
    pub seconds: f64,
}

/// The process, while it lives.
pub struct Opener {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    /// It runs without the rights of the superuser.
    pub ordinary: bool,
}

impl Opener {
    /// Starts the process, as an ordinary user if that can be.
    pub fn start() -> Self {
        Self::start_as(true).unwrap_or_else(|| Self::start_as(false).expect("this program can be started again"))
    }

    fn start_as(ordinary: bool) -> Option<Self> {
        let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
        command
            .args([
                "opener::questions_are_answered",
                "--exact",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(VARIABLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let ordinary = ordinary && without_rights(&mut command);
        let mut child = command.spawn().ok()?;
        let questions = child.stdin.take().expect("its input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let (sender, answers) = channel();
        let listen = move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(at) = line.find(MARK) {
                    let _ = sender.send(line[at + MARK.len()..].to_owned());
                }
            }
        };
        let listener = std::thread::Builder::new().name("answers".to_owned()).spawn(listen);
        listener.expect("the system has threads");
        // It says that it is there: a program that this user may not run says nothing.
        answers.recv_timeout(PATIENCE).ok()?;
        Some(Self {
            child,
            questions,
            answers,
            ordinary,
        })
    }

    /// Opens a file. A crash or a hang is an error, and the process is started anew.
    pub fn open(&mut self, path: &Path) -> Result<Answer, String> {
        let asked = self.questions.write_all(path.as_os_str().as_encoded_bytes());
        let asked = asked.and_then(|()| self.questions.write_all(b"\n"));
        match self.answers.recv_timeout(PATIENCE) {
            Ok(line) if asked.is_ok() => Ok(Answer::of(&line)),
            Err(RecvTimeoutError::Timeout) => {
                *self = Self::start();
                Err(format!("no answer within {} s", PATIENCE.as_secs()))
            }
            _ => {
                let status = self.child.wait();
                *self = Self::start();
                Err(format!("the process died: {status:?}"))
            }
        }
    }
}

/// A folder that the process may look into.
pub fn folder_for_everybody() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let rights = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), rights).expect("the folder is ours");
    }
    folder
}

impl Drop for Opener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    fn of(line: &str) -> Self {
        let value: Value = serde_json::from_str(line).expect("an answer is JSON");
        Self {
            result: match value["refused"].as_str() {
                Some(sentence) => Err(sentence.to_owned()),
                None => Ok(value["bytes"].as_u64().expect("a size")),
            },
            peak: value["peak"].as_u64().expect("a number of bytes"),
            resident: value["resident"].as_u64(),
            seconds: value["seconds"].as_f64().expect("a time"),
        }
    }
}

/// Takes the superuser's rights from a process to be; false where it has none.
#[cfg(unix)]
fn without_rights(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    true
}

#[cfg(not(unix))]
fn without_rights(_: &mut Command) -> bool {
    false
}

#[test]
fn questions_are_answered() {
    if std::env::var_os(VARIABLE).is_none() {
        return; // it is asked by other tests only
    }
    memory::limit(MOST_BYTES);
    println!("\n{MARK}ready");
    for question in std::io::stdin().lock().split(b'\n') {
        let path = path_of(&question.expect("the questions are a pipe"));
        let resident = memory::resident("VmRSS");
        memory::forget_most_resident();
        let before = processor_seconds();
        let (opened, peak) = memory::peak_of(|| imaging::open(&path));
        let seconds = processor_seconds() - before;
        let most = memory::resident("VmHWM").zip(resident);
        let resident = most.map(|(most, before)| most.saturating_sub(before));
        let mut answer = json!({"peak": peak, "resident": resident, "seconds": seconds});
        match opened {
            Ok(radiograph) => {
                let shown = radiograph.display(&radiograph.default_voi());
                assert!(shown.len() >= radiograph.pixel_count());
                answer["bytes"] = json!(bytes_of(&radiograph));
            }
            Err(error) => answer["refused"] = json!(error.to_string()),
        }
        println!("\n{MARK}{answer}");
    }
}

/// Bytes of a picture's samples, the file's own among them.
fn bytes_of(radiograph: &Radiograph) -> usize {
    let shown = match radiograph.samples {
        Samples::Grey(_) => 2,
        Samples::Wide(_) => 8,
        Samples::Colour(_) => 3,
    };
    let original = match radiograph.original {
        None => 0,
        Some(Original::Indices(_)) => 2,
        Some(Original::Eight(_)) => 3,
        Some(Original::Sixteen(_)) => 6,
    };
    radiograph.pixel_count() * (shown + original)
}

/// Time that this process took on all processors; the clock's time where the system does not tell.
fn processor_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let clock = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    let mut text = String::new();
    let read = std::fs::File::open("/proc/self/stat").and_then(|mut file| file.read_to_string(&mut text));
    // The fields behind the name, which ends with the last bracket: the 12th and 13th are user's and system's ticks.
    let ticks = read.ok().and_then(|_| {
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        Some(user + system)
    });
    ticks.map_or(clock, |ticks| ticks as f64 / 100.0)
}

/// A file's name from its bytes, which need not be UTF-8.
#[cfg(unix)]
pub fn path_of(name: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::OsStr::from_bytes(name).into()
}

#[cfg(not(unix))]
pub fn path_of(name: &[u8]) -> std::path::PathBuf {
    String::from_utf8_lossy(name).into_owned().into()
}

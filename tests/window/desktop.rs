//! A private desktop: a virtual display, a session bus and an accessibility bus, all ended on drop.
//! Knows nothing of the program that runs on it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use pollster::block_on;
use zbus::zvariant::Value;

/// Programs that the desktop is made of.
const PROGRAMS: [&str; 4] = ["Xvfb", "dbus-daemon", "setpriv", "xdotool"];

/// Long enough for a busy machine; only a failure ever waits for it.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Between two looks at something that is awaited.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is an answer.
///
/// # Panics
/// With the name of what was awaited and the last word on it, after [`PATIENCE`].
pub fn await_some<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(last) if begin.elapsed() > PATIENCE => {
                panic!("{what}: not within {PATIENCE:?}; {last}")
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Programs of the desktop that this machine lacks.
pub fn missing_programs() -> Vec<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| std::env::split_paths(&path).any(|at| at.join(program).is_file());
    PROGRAMS.into_iter().filter(|program| !there(program)).collect()
}

/// A process with what it starts, ended on drop.
pub struct Running {
    child: Child,
    name: &'static str,
}

impl Running {
    /// Starts a program at the head of its own process group; it ends with this thread even if that is killed.
    pub fn start(name: &'static str, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.unwrap_or_else(|e| panic!("{name} does not start: {e}"));
        Self { child, name }
    }

    /// The first line that it prints.
    pub fn first_line(&mut self) -> String {
        let output = self.child.stdout.take().expect("its output is piped");
        let (sender, receiver) = mpsc::channel();
        let reader = std::thread::Builder::new().name(format!("{} output", self.name));
        let read = move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            let _ = output.read_line(&mut line);
            let _ = sender.send(line.trim().to_owned());
            // Read on, or a full pipe would stop the program.
            let _ = output.read_to_end(&mut Vec::new());
        };
        reader.spawn(read).expect("a thread starts");
        let line = receiver.recv_timeout(PATIENCE).unwrap_or_default();
        assert!(!line.is_empty(), "{} ended without a word", self.name);
        line
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().expect("a child can be asked")?;
        Some(format!("{} ended with {status}", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// Display, buses and folders of one test. Fields are dropped in this order.
pub struct Desktop {
    bus: zbus::Connection,
    _session: Running,
    _display: Running,
    display_name: String,
    bus_address: String,
    folder: tempfile::TempDir,
}

impl Desktop {
    /// Starts everything; a machine that lacks a program was turned away before.
    pub fn start(width: u32, height: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the desktop");
        let screen = format!("{width}x{height}x24");
        let mut display = Running::start(
            "the display",
            mortal("Xvfb")
                .args(["-displayfd", "1", "-screen", "0", &screen])
                .args(["-nolisten", "tcp", "-noreset", "-dpi", "96"])
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let display_name = format!(":{}", display.first_line());

        let mut command = mortal("dbus-daemon");
        private(&mut command, folder.path(), &display_name);
        let socket = format!("unix:path={}", folder.path().join("bus").display());
        let mut session = Running::start(
            "the session bus",
            command
                .args(["--session", "--nofork", "--print-address=1"])
                .arg(format!("--address={socket}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        );
        let bus_address = session.first_line();
        let bus = block_on(connect(&bus_address)).expect("the session bus answers");
        block_on(enable_accessibility(&bus)).expect("the accessibility bus starts");
        Self {
            bus,
            _session: session,
            _display: display,
            display_name,
            bus_address,
            folder,
        }
    }

    /// A program that is to run on this desktop.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = mortal(program);
        private(&mut command, self.folder.path(), &self.display_name);
        command
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus_address)
            .env("WGPU_BACKEND", "vulkan")
            .env("RUST_BACKTRACE", "1");
        if let Some(driver) = software_driver() {
            command.env("VK_DRIVER_FILES", &driver).env("VK_ICD_FILENAMES", &driver);
        }
        command
    }

    /// Such as `:99`.
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// Holds what the programs write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A connection to the accessibility bus.
    pub fn accessibility(&self) -> zbus::Connection {
        let answer = async {
            let message = self
                .bus
                .call_method(
                    Some("org.a11y.Bus"),
                    "/org/a11y/bus",
                    Some("org.a11y.Bus"),
                    "GetAddress",
                    &(),
                )
                .await?;
            connect(&message.body().deserialize::<String>()?).await
        };
        block_on(answer).expect("the accessibility bus answers")
    }

    /// Keyboard and pointer, as `xdotool` knows them.
    pub fn input(&self, arguments: &[&str]) {
        let status = self.command("xdotool").args(arguments).status();
        assert!(status.expect("xdotool starts").success(), "xdotool {arguments:?}");
    }
}

/// A program that the kernel kills when the thread that started it ends.
fn mortal(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Keeps a program away from the user's own desktop, settings and files.
fn private(command: &mut Command, folder: &Path, display: &str) {
    command
        .env("DISPLAY", display)
        .env("HOME", folder)
        .env("XDG_RUNTIME_DIR", folder)
        .env("XDG_SESSION_TYPE", "x11")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("WAYLAND_SOCKET")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("AT_SPI_BUS_ADDRESS")
        .env_remove("DBUS_SESSION_BUS_ADDRESS")
        .env_remove("XAUTHORITY");
}

/// Mesa's software Vulkan driver, so that a GPU in the machine changes no pixel.
fn software_driver() -> Option<std::path::PathBuf> {
    let drivers = std::fs::read_dir("/usr/share/vulkan/icd.d").ok()?;
    drivers
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().contains("lvp_icd"))
}

async fn connect(address: &str) -> zbus::Result<zbus::Connection> {
    zbus::connection::Builder::address(address)?.build().await
}

/// Starts the accessibility bus and says that someone listens; programs build their trees only then.
async fn enable_accessibility(bus: &zbus::Connection) -> zbus::Result<()> {
    bus.call_method(
        Some("org.a11y.Bus"),
        "/org/a11y/bus",
        Some("org.freedesktop.DBus.Properties"),
        "Set",
        &("org.a11y.Status", "IsEnabled", Value::from(true)),
    )
    .await?;
    Ok(())
}

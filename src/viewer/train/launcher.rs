//! Starts the run's process: this program once more, or a stand-in in tests.

use std::path::PathBuf;

use crate::training::control::Control;
use crate::training::event::Line;
use crate::training::process::Process;
use crate::training::request::Request;
use crate::viewer::pace::RunWake;

/// A run in a process of its own.
pub trait RunProcess {
    /// The next event, if there is one; never waits.
    fn next(&mut self) -> Option<Line>;
    /// Tells the run; `false` if it is gone.
    fn send(&mut self, control: Control) -> bool;
    /// Ends it at once.
    fn kill(&mut self);
}

/// Starts runs.
pub trait Launcher {
    /// Starts one; `wake` is called when it has something to say.
    ///
    /// # Errors
    /// In a sentence, if the process cannot be started.
    fn start(&mut self, request: &Request, wake: RunWake) -> Result<Box<dyn RunProcess>, String>;

    /// Starts one that only measures some steps.
    ///
    /// # Errors
    /// In a sentence, if the process cannot be started.
    fn estimate(&mut self, request: &Request, wake: RunWake) -> Result<Box<dyn RunProcess>, String>;
}

impl RunProcess for Process {
    fn next(&mut self) -> Option<Line> {
        Self::next(self)
    }

    fn send(&mut self, control: Control) -> bool {
        Self::send(self, control)
    }

    fn kill(&mut self) {
        // One that cannot be killed is gone already.
        let _ = Self::kill(self);
    }
}

/// Starts the program of this path.
pub struct ProgramLauncher(pub PathBuf);

impl ProgramLauncher {
    fn boxed(&self, started: std::io::Result<Process>) -> Result<Box<dyn RunProcess>, String> {
        let process = started.map_err(|e| {
            let program = self.0.display();
            format!("{program}: the training process cannot be started: {e}.")
        })?;
        Ok(Box::new(process))
    }
}

impl Launcher for ProgramLauncher {
    fn start(&mut self, request: &Request, wake: RunWake) -> Result<Box<dyn RunProcess>, String> {
        self.boxed(request.start(&self.0, move |is_last| wake(is_last)))
    }

    fn estimate(&mut self, request: &Request, wake: RunWake) -> Result<Box<dyn RunProcess>, String> {
        self.boxed(request.start_estimate(&self.0, move |is_last| wake(is_last)))
    }
}

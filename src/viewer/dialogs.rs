//! The system's file dialogs: built on the window's thread, awaited on another. Knows no pictures.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::worker::Wake;

/// What the user wants to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One or more files.
    Files,
    /// A folder.
    Folder,
}

/// What the chosen paths are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// They are opened.
    #[default]
    Open,
    /// A folder of data to train on.
    Data,
    /// A folder whose studies are indexed.
    Studies,
    /// A DICOMDIR whose files are indexed.
    Directory,
    /// A folder for de-identified files.
    Deidentified,
}

/// How a dialog ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Paths; none if the user cancelled.
    Paths(Vec<PathBuf>),
    /// The system has no file dialog that runs.
    Unavailable,
}

/// Opens dialogs, one at a time.
pub struct Dialogs {
    sender: Sender<Chosen>,
    receiver: Receiver<Chosen>,
    wake: Wake,
    open: bool,
    purpose: Purpose,
}

impl Dialogs {
    /// No dialog yet; `wake` is called when one ends.
    pub fn new(wake: Wake) -> Self {
        let (sender, receiver) = channel();
        Self {
            sender,
            receiver,
            wake,
            open: false,
            purpose: Purpose::Open,
        }
    }

    /// Shows a dialog, unless one is open.
    pub fn show(&mut self, choice: Choice, purpose: Purpose) {
        if self.open {
            return;
        }
        self.purpose = purpose;
        let dialog = rfd::AsyncFileDialog::new().set_title(match (choice, purpose) {
            (_, Purpose::Studies) => "Open a folder of studies",
            (_, Purpose::Directory) => "Open a DICOMDIR",
            (Choice::Files, _) => "Open chest X-rays",
            (Choice::Folder, Purpose::Open) => "Open a folder of chest X-rays",
            (Choice::Folder, Purpose::Data) => "Choose data to train on",
            (Choice::Folder, Purpose::Deidentified) => "Choose a folder for de-identified files",
        });
        // The plural forms tell 'cancelled' (no path) from 'no dialog could be shown' (none at all).
        let (sender, wake) = (self.sender.clone(), self.wake.clone());
        let wait = move || {
            let handles = pollster::block_on(async {
                match choice {
                    Choice::Files => dialog.pick_files().await,
                    Choice::Folder => dialog.pick_folders().await,
                }
            });
            let chosen = match handles {
                Some(handles) => Chosen::Paths(handles.iter().map(|handle| handle.path().to_owned()).collect()),
                None if cfg!(any(target_os = "windows", target_os = "macos")) => Chosen::Paths(Vec::new()),
                None => Chosen::Unavailable,
            };
            // The window may be gone by now; then nobody wants the answer.
            let _ = sender.send(chosen);
            wake();
        };
        self.open = thread::Builder::new()
            .name("file-dialog".to_owned())
            .spawn(wait)
            .is_ok();
    }

    /// How the dialog ended, if it has, and what it was for.
    pub fn try_recv(&mut self) -> Option<(Purpose, Chosen)> {
        let chosen = self.receiver.try_recv().ok()?;
        self.open = false;
        Some((self.purpose, chosen))
    }
}

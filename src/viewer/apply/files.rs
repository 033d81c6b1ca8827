//! Opening, listing and stepping through pictures.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use egui::{ColorImage, TextureHandle, TextureOptions, ViewportCommand};

use super::{Services, analysis, deidentify, studies, training};
use crate::imaging::header;
use crate::viewer::command::Action;
use crate::viewer::dialogs::{Choice, Chosen, Purpose};
use crate::viewer::listing::Listing;
use crate::viewer::picture::{Picture, PictureKey, Thumbnail};
use crate::viewer::state::{Dialog, EntryStatus, ImageEntry, ImageList, Shown, ViewSettings, ViewerState, Workspace};
use crate::viewer::train::TrainCommand;
use crate::viewer::worker::PictureCache;
use crate::viewer::{TITLE, theme};

/// Neighbours that are decoded ahead, nearest first.
const AHEAD: [isize; 4] = [1, -1, 2, -2];
/// Most thumbnails kept for pictures out of sight.
const THUMBNAILS: usize = 256;

pub(super) fn act(state: &mut ViewerState, services: &mut Services, action: Action) {
    match action {
        Action::OpenFiles => services.dialogs.show(Choice::Files, Purpose::Open),
        Action::OpenFolder => services.dialogs.show(Choice::Folder, Purpose::Open),
        Action::OpenPath => state.dialog = Some(Dialog::OpenPath { reason: None }),
        Action::OpenSample => {
            state.workspace = Workspace::Read;
            state.list.request += 1;
            state.list.listing = false;
            state.list.entries = vec![ImageEntry::new(PictureKey::Sample)];
            state.notice = None;
            select(state, services, 0);
        }
        Action::CloseAll => {
            state.list = ImageList {
                request: state.list.request + 1,
                ..ImageList::default()
            };
            forget(state, services);
            services.loader.want(Vec::new(), None);
            services.ctx.send_viewport_cmd(ViewportCommand::Title(TITLE.to_owned()));
        }
        Action::PreviousImage => step(state, services, -1),
        Action::NextImage => step(state, services, 1),
        Action::FirstImage => select(state, services, 0),
        Action::LastImage => select(state, services, state.list.entries.len().saturating_sub(1)),
        Action::PreviousFrame => step_frame(state, services, -1),
        Action::NextFrame => step_frame(state, services, 1),
        _ => {}
    }
}

pub(super) fn open(state: &mut ViewerState, services: &mut Services, paths: Vec<PathBuf>) {
    if let [path] = paths.as_slice()
        && header::is_named_like_directory(path)
    {
        studies::index(state, services, path.clone());
        return;
    }
    if !paths.is_empty() {
        state.workspace = Workspace::Read;
        state.list.listing = true;
        state.list.request += 1;
        state.list.reread = true;
        state.notice = None;
        services.loader.list(state.list.request, paths);
    }
}

pub(super) fn chosen(state: &mut ViewerState, services: &mut Services, purpose: Purpose, chosen: Chosen) {
    match (chosen, purpose) {
        (Chosen::Paths(paths), Purpose::Open) => open(state, services, paths),
        (Chosen::Paths(paths), Purpose::Studies | Purpose::Directory) => {
            if let Some(path) = paths.into_iter().next() {
                studies::index(state, services, path);
            }
        }
        (Chosen::Paths(paths), Purpose::Data) => {
            for path in paths {
                training::command(state, services, TrainCommand::DataFolder(path));
            }
        }
        (chosen, Purpose::Deidentified) => deidentify::chosen(state, chosen),
        (Chosen::Unavailable, Purpose::Data) => {
            let reason =
                "This system offers no file dialog. Type or paste the folder into its field, or drop it there.";
            state.notice = Some(reason.to_owned());
        }
        (Chosen::Unavailable, Purpose::Studies | Purpose::Directory) => {
            let reason = "This system offers no file dialog. Type or paste the path of a folder or DICOMDIR instead.";
            state.dialog = Some(Dialog::StudiesPath {
                reason: reason.to_owned(),
            });
        }
        (Chosen::Unavailable, Purpose::Open) => {
            let reason =
                "This system offers no file dialog. Type or paste a path instead, or drop files on the window.";
            state.dialog = Some(Dialog::OpenPath {
                reason: Some(reason.to_owned()),
            });
        }
    }
}

/// Takes the picture off the screen, and everything that was read before out of memory.
fn forget(state: &mut ViewerState, services: &mut Services) {
    services.cache = PictureCache::default();
    services.loader.reread();
    hide(state, services);
}

pub(super) fn listed(state: &mut ViewerState, services: &mut Services, request: u64, listing: Listing) {
    if request != state.list.request {
        return;
    }
    state.list.listing = listing.more;
    if !listing.problems.is_empty() {
        state.notice = Some(listing.problems.join("\n"));
    }
    if listing.files.is_empty() {
        return;
    }
    if std::mem::take(&mut state.list.reread) {
        state.list.entries.clear();
        forget(state, services);
    }
    // What is known of pictures that stay in the list is kept.
    let old = std::mem::take(&mut state.list.entries);
    let mut known: HashMap<PictureKey, ImageEntry> = old.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    let keys = listing.files.into_iter().map(PictureKey::file);
    state.list.entries = keys
        .map(|key| known.remove(&key).unwrap_or_else(|| ImageEntry::new(key)))
        .collect();
    state.list.current = None;
    select(state, services, listing.start);
}

pub(super) fn step(state: &mut ViewerState, services: &mut Services, by: isize) {
    let Some(current) = state.list.current else { return };
    let last = state.list.entries.len().saturating_sub(1);
    let target = current.saturating_add_signed(by).min(last);
    if target != current {
        select(state, services, target);
    }
}

fn step_frame(state: &mut ViewerState, services: &mut Services, by: i32) {
    let Some(index) = state.list.current else { return };
    leave(state);
    let entry = &mut state.list.entries[index];
    if let PictureKey::File { frame, .. } = &mut entry.key {
        *frame = frame.saturating_add_signed(by).max(1);
        entry.status = EntryStatus::Unread;
        select(state, services, index);
    }
}

pub(super) fn select(state: &mut ViewerState, services: &mut Services, index: usize) {
    let Some(entry) = state.list.entries.get(index) else {
        return;
    };
    let key = entry.key.clone();
    leave(state);
    state.list.current = Some(index);
    services
        .ctx
        .send_viewport_cmd(ViewportCommand::Title(format!("{} - {TITLE}", key.label())));
    if state.shown.as_ref().is_some_and(|shown| shown.key == key) {
        want(state, services);
        return;
    }
    match services.cache.get(&key) {
        Some(picture) => show(state, services, key, picture),
        // Nothing of another picture stays on the screen while this one is read.
        None => hide(state, services),
    }
    want(state, services);
}

pub(super) fn rows_in_sight(state: &mut ViewerState, services: &mut Services, rows: Range<usize>) {
    state.list.rows_in_sight = rows;
    want(state, services);
}

pub(super) fn decoded(
    state: &mut ViewerState,
    services: &mut Services,
    key: &PictureKey,
    result: Result<Arc<Picture>, String>,
) {
    let result = result.and_then(|picture| fits_adapter(picture, services.largest_side));
    let Some(index) = state.list.entries.iter().position(|entry| entry.key == *key) else {
        return;
    };
    let is_current = state.list.current == Some(index);
    let entry = &mut state.list.entries[index];
    match result {
        Err(reason) => {
            entry.status = EntryStatus::Bad(reason);
        }
        Ok(picture) => {
            entry.status = EntryStatus::Good;
            if entry.thumbnail.is_none() {
                entry.thumbnail = Some(load_texture(services, "thumbnail", &picture.thumbnail));
                forget_thumbnails(state);
            }
            if state.list.current.is_some_and(|current| current.abs_diff(index) <= 2) {
                services.cache.insert(key.clone(), Arc::clone(&picture));
            }
            if is_current && state.shown.as_ref().is_none_or(|shown| shown.key != *key) {
                show(state, services, key.clone(), picture);
            }
        }
    }
    want(state, services);
}

/// Puts a picture on the screen and has it predicted.
fn show(state: &mut ViewerState, services: &mut Services, key: PictureKey, picture: Arc<Picture>) {
    let entry = state
        .list
        .current
        .and_then(|current| state.list.entries.get_mut(current));
    let remembered = entry.and_then(|entry| {
        entry.status = EntryStatus::Good;
        entry.view.clone()
    });
    let view = remembered.unwrap_or_else(|| ViewSettings::opening(&picture));
    let calibration = state.ruler.calibrations.of(&picture.calibration_key);
    state.ruler.drawing = None;
    state.deidentify.drawing = None;
    state.shown = Some(Shown {
        key,
        picture,
        view,
        findings: None,
        overlay: None,
        calibration,
    });
    analysis::begin(state, services);
}

/// Takes the picture, and all that belongs to it, off the screen.
fn hide(state: &mut ViewerState, services: &mut Services) {
    state.shown = None;
    // A line or rectangle under the mouse goes with it.
    state.ruler.drawing = None;
    state.deidentify.drawing = None;
    analysis::abandon(state, services);
}

/// Remembers how the picture on the screen is shown.
fn leave(state: &mut ViewerState) {
    let Some(shown) = &state.shown else { return };
    if let Some(entry) = state.list.entries.iter_mut().find(|entry| entry.key == shown.key) {
        entry.view = Some(shown.view.clone());
    }
}

/// Tells the workers what to decode: the chosen picture, its neighbours, then thumbnails in sight.
fn want(state: &ViewerState, services: &mut Services) {
    let Some(current) = state.list.current else { return };
    let near: Vec<&ImageEntry> = std::iter::once(0)
        .chain(AHEAD)
        .filter_map(|by| state.list.entries.get(current.checked_add_signed(by)?))
        .collect();
    let keys: Vec<&PictureKey> = near.iter().map(|entry| &entry.key).collect();
    services.cache.keep_only(&keys);
    // Where pictures are so large that one would push out another, none is decoded ahead.
    let room = services.cache.has_room();
    let shown = state.shown.as_ref().map(|shown| &shown.key);
    let urgent = state.list.current_entry().map(|entry| &entry.key);
    let near = near.into_iter().filter(|entry| {
        let due = if Some(&entry.key) == urgent {
            shown != urgent
        } else {
            room
        };
        due && !matches!(entry.status, EntryStatus::Bad(_)) && !services.cache.contains(&entry.key)
    });
    let rows = state.list.rows_in_sight.clone();
    let in_sight = state.list.entries.iter().skip(rows.start).take(rows.len());
    let in_sight = in_sight.filter(|entry| entry.thumbnail.is_none() && entry.status == EntryStatus::Unread);
    let urgent = urgent.cloned();
    let keys = near.chain(in_sight).map(|entry| entry.key.clone()).collect();
    services.loader.want(keys, urgent);
}

fn fits_adapter(picture: Arc<Picture>, largest_side: u32) -> Result<Arc<Picture>, String> {
    let (width, height) = (picture.radiograph.width, picture.radiograph.height);
    if width.max(height) <= largest_side {
        return Ok(picture);
    }
    let name = picture.radiograph.file.display();
    Err(format!(
        "{name}: {width} x {height} pixels are more than this graphics adapter can show ({largest_side} a side)."
    ))
}

/// Brings a small picture to the screen.
pub(super) fn load_texture(services: &Services, name: &str, picture: &Thumbnail) -> TextureHandle {
    let pixels = picture.rgb.iter().map(|&rgb| theme::mapped(rgb)).collect();
    let image = ColorImage::new(picture.size, pixels);
    services.ctx.load_texture(name, image, TextureOptions::LINEAR)
}

/// Bounds the memory of a long list: rows out of sight lose their thumbnails, and get them back when seen.
fn forget_thumbnails(state: &mut ViewerState) {
    let kept = state
        .list
        .entries
        .iter()
        .filter(|entry| entry.thumbnail.is_some())
        .count();
    if kept <= THUMBNAILS {
        return;
    }
    let rows = state.list.rows_in_sight.clone();
    for (index, entry) in state.list.entries.iter_mut().enumerate() {
        if !rows.contains(&index) && entry.thumbnail.take().is_some() && entry.status == EntryStatus::Good {
            entry.status = EntryStatus::Unread;
        }
    }
}

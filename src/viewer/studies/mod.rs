//! The studies that were indexed, as the window has them: which are listed in which order, what is unfolded, what is
//! being looked through. Changed by `apply` alone.

pub mod rows;
pub mod thumbnails;
pub mod work;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use egui::TextureHandle;

use super::errands::Pending;
use super::wording;
use crate::library::{Catalogue, Instance, Series};
use rows::{Column, Node, Row};
use thumbnails::Made;
use work::{Indexed, Shelf};

/// The studies panel's state.
pub struct StudiesState {
    /// The panel is in sight, in place of the image list.
    pub shown: bool,
    /// What the index holds of the chosen root.
    pub shelf: Arc<Shelf>,
    /// Whether the index was read since the window opened.
    pub loading: Pending<Shelf>,
    /// The panel comes into sight by itself if there is something to show.
    pub show_when_loaded: bool,
    /// The folder or DICOMDIR that is listed; `None` for all that was indexed.
    pub root: Option<PathBuf>,
    /// A folder or DICOMDIR is being looked through.
    pub indexing: Pending<Indexed>,
    /// Which one.
    pub source: Option<PathBuf>,
    /// Words that rows must hold, as they are typed.
    pub filter: String,
    /// The filter's field wants the keyboard.
    pub focus_filter: bool,
    /// Column that patients and studies are sorted by, and whether its largest value comes first.
    pub sort: (Column, bool),
    /// Rows that are folded or unfolded otherwise than at first.
    pub turned: HashSet<Node>,
    /// What is listed, from the top.
    pub rows: Vec<Row>,
    /// Rows that can be seen: their thumbnails are wanted.
    pub rows_in_sight: Range<usize>,
    /// The series whose pictures are in the image list.
    pub opened: Option<i64>,
    /// Small pictures by instance; `None` inside where the file gives none.
    pub thumbnails: HashMap<i64, Option<TextureHandle>>,
}

impl Default for StudiesState {
    fn default() -> Self {
        Self {
            shown: false,
            shelf: Arc::default(),
            loading: Pending::Nothing,
            show_when_loaded: false,
            root: None,
            indexing: Pending::Nothing,
            source: None,
            filter: String::new(),
            focus_filter: false,
            sort: (Column::Patient, false),
            turned: HashSet::new(),
            rows: Vec::new(),
            rows_in_sight: 0..0,
            opened: None,
            thumbnails: HashMap::new(),
        }
    }
}

/// A change of the studies panel.
#[derive(Debug, Clone)]
pub enum StudiesCommand {
    /// Read the index as it is; `true` to bring the panel into sight if it holds something.
    Load(bool),
    /// Look through a folder or DICOMDIR.
    Index(PathBuf),
    /// List another root; `None` for all that was indexed.
    Root(Option<PathBuf>),
    /// Take a root out of the index.
    Forget(PathBuf),
    /// Words that rows must hold.
    Filter(String),
    /// The filter's field has the keyboard now.
    FilterFocused,
    /// Sort by a column, or the other way round.
    Sort(Column),
    /// Fold or unfold a row.
    Turn(Node),
    /// Put a series into the image list and show its first picture, or that of an instance.
    Open {
        /// The series' number in the index.
        series: i64,
        /// The instance's.
        instance: Option<i64>,
    },
    /// Rows that can be seen.
    RowsInSight(Range<usize>),
    /// A worker made the small picture of an instance.
    Thumbnail(Box<Made>),
}

impl StudiesState {
    /// The catalogue that is listed.
    pub fn catalogue(&self) -> &Catalogue {
        &self.shelf.catalogue
    }

    fn all_series(&self) -> impl Iterator<Item = &Series> {
        let studies = self.catalogue().patients.iter().flat_map(|patient| &patient.studies);
        studies.flat_map(|study| &study.series)
    }

    /// A series by its number in the index.
    pub fn series(&self, id: i64) -> Option<&Series> {
        self.all_series().find(|series| series.id == id)
    }

    /// Whether the index still has an instance as it was when it was listed.
    pub fn holds(&self, instance: &Instance) -> bool {
        let mut all = self.all_series().flat_map(|series| &series.instances);
        all.any(|found| found == instance)
    }

    /// Lists again what filter, order and folds leave.
    pub fn list(&mut self) {
        self.rows = rows::list(&self.shelf, &self.filter, self.sort, &self.turned);
    }

    /// The instance whose small picture stands for a row: its own, or the first of a series that has pixels.
    pub fn pictured(&self, row: &Row) -> Option<&Instance> {
        let series = row.series(self.catalogue())?;
        match row {
            Row::Instance(_, _, _, instance) => series.instances.get(*instance),
            _ => series
                .instances
                .iter()
                .find(|instance| instance.size.is_some())
                .or(series.instances.first()),
        }
    }

    /// The instances whose small pictures can be seen.
    pub fn in_sight(&self) -> impl Iterator<Item = &Instance> {
        let rows = &self.rows_in_sight;
        let rows = self.rows.iter().skip(rows.start).take(rows.len());
        rows.filter_map(|row| self.pictured(row))
    }

    /// What is listed, as the user calls it.
    pub fn root_name(&self) -> String {
        self.root
            .as_deref()
            .map_or_else(|| "All folders".to_owned(), wording::name_of)
    }
}

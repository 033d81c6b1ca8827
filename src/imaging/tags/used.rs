//! Which elements of a file the display and the networks took something from: a pure function of the tree and of the
//! picture that was made of the file. The order of precedence is that of the picture's reader.

use std::collections::BTreeMap;

use super::{Tag, TagTree};
use crate::imaging::{ModalityLut, Radiograph, SpacingSource, VoiTransform};

/// Who took something from an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsedBy {
    /// What is on the screen.
    Display,
    /// The networks, or the decision whether they may look at the picture.
    Networks,
    /// Both.
    Both,
}

/// What an element was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// By whom.
    pub by: UsedBy,
    /// What for, in a clause.
    pub why: &'static str,
}

use UsedBy::{Both, Display, Networks};

const MODALITY: Tag = Tag(0x0008, 0x0060);
const VIEW_POSITION: Tag = Tag(0x0018, 0x5101);
const IMAGE_LATERALITY: Tag = Tag(0x0020, 0x0062);
const CORNER: &str = "stands in the corner of the picture";
const LAYOUT: &str = "says how the pixels lie in the file";
const SHARED_FUNCTIONAL_GROUPS: Tag = Tag(0x5200, 0x9229);
const PER_FRAME_FUNCTIONAL_GROUPS: Tag = Tag(0x5200, 0x9230);
const PIXEL_VALUE_TRANSFORMATION: Tag = Tag(0x0028, 0x9145);
const FRAME_VOI_LUT: Tag = Tag(0x0028, 0x9132);
const PIXEL_MEASURES: Tag = Tag(0x0028, 0x9110);
const MODALITY_LUT_SEQUENCE: Tag = Tag(0x0028, 0x3000);
const VOI_LUT_SEQUENCE: Tag = Tag(0x0028, 0x3010);
const LUT_PARTS: [Tag; 3] = [Tag(0x0028, 0x3002), Tag(0x0028, 0x3003), Tag(0x0028, 0x3006)];
const WINDOW: [Tag; 4] = [
    Tag(0x0028, 0x1050),
    Tag(0x0028, 0x1051),
    Tag(0x0028, 0x1055),
    Tag(0x0028, 0x1056),
];

/// Attributes that are used wherever they stand at the top of a file with a picture.
const ALWAYS: [(Tag, UsedBy, &str); 27] = [
    (Tag(0x0002, 0x0010), Both, "says how numbers and pixels are written"),
    (Tag(0x0008, 0x0005), Display, "says in which characters text is written"),
    (Tag(0x0008, 0x0020), Display, CORNER),
    (
        MODALITY,
        Both,
        "stands in the corner of the picture; the networks read radiographs only",
    ),
    (
        Tag(0x0008, 0x0068),
        Display,
        "tells raw detector data from a picture for reading",
    ),
    (Tag(0x0008, 0x1030), Display, CORNER),
    (Tag(0x0008, 0x103e), Display, CORNER),
    (Tag(0x0010, 0x0010), Display, CORNER),
    (Tag(0x0010, 0x0020), Display, CORNER),
    (Tag(0x0010, 0x0030), Display, CORNER),
    (Tag(0x0010, 0x0040), Display, CORNER),
    (Tag(0x0018, 0x0015), Networks, "the networks read chests only"),
    (
        VIEW_POSITION,
        Both,
        "stands in the corner of the picture; the networks read frontal views only",
    ),
    (
        Tag(0x0020, 0x0020),
        Both,
        "gives the letters at the edges; the networks read frontal views only",
    ),
    (IMAGE_LATERALITY, Display, CORNER),
    (Tag(0x0028, 0x0002), Both, LAYOUT),
    (
        Tag(0x0028, 0x0004),
        Both,
        "says what samples mean, and which end is white",
    ),
    (Tag(0x0028, 0x0006), Both, LAYOUT),
    (
        Tag(0x0028, 0x0008),
        Both,
        "counts the frames; the networks read single ones only",
    ),
    (Tag(0x0028, 0x0010), Both, "height of the picture"),
    (Tag(0x0028, 0x0011), Both, "width of the picture"),
    (Tag(0x0028, 0x0100), Both, LAYOUT),
    (Tag(0x0028, 0x0101), Both, LAYOUT),
    (Tag(0x0028, 0x0102), Both, LAYOUT),
    (Tag(0x0028, 0x0103), Both, "says whether samples have a sign"),
    (
        Tag(0x0028, 0x0301),
        Display,
        "warns of a patient's identity in the pixels",
    ),
    (Tag(0x2050, 0x0020), Both, "says which end is white"),
];

/// Elements that were used for a picture, by index of the tree; `picture` is what was made of the same file.
pub fn uses(tree: &TagTree, picture: &Radiograph) -> BTreeMap<usize, Use> {
    let mut marks = Marks {
        tree,
        frame: picture.frame,
        found: BTreeMap::new(),
    };
    for (tag, by, why) in ALWAYS {
        marks.top(tag, by, why);
    }
    marks.fallbacks(picture);
    marks.pixels(picture);
    if !picture.is_colour() {
        marks.look_ups(picture);
    }
    marks.spacing(picture);
    marks.covers(picture);
    marks.found
}

struct Marks<'a> {
    tree: &'a TagTree,
    frame: u32,
    found: BTreeMap<usize, Use>,
}

impl Marks<'_> {
    fn mark(&mut self, index: Option<usize>, by: UsedBy, why: &'static str) {
        let has_value = |index: usize| self.tree.nodes.get(index).is_some_and(|node| node.length != Some(0));
        if let Some(index) = index.filter(|&index| has_value(index)) {
            self.found.insert(index, Use { by, why });
        }
    }

    fn top(&mut self, tag: Tag, by: UsedBy, why: &'static str) {
        self.mark(self.child(None, tag), by, why);
    }

    /// The last element of a tag among the children of a node.
    fn child(&self, parent: Option<usize>, tag: Tag) -> Option<usize> {
        self.tree.child(parent, tag)
    }

    /// An item of a sequence, counted from 0.
    fn item(&self, parent: Option<usize>, sequence: Tag, number: usize) -> Option<usize> {
        let sequence = self.child(parent, sequence)?;
        self.tree.children(Some(sequence)).nth(number)
    }

    /// The data set that holds `tag` for this frame, `None` for the file itself: the file comes first, then the
    /// functional group `group`, shared, then the frame's own.
    fn holding(&self, tag: Tag, group: Tag) -> Option<usize> {
        if self.child(None, tag).is_some() {
            return None;
        }
        let own = (self.frame as usize).saturating_sub(1);
        [(SHARED_FUNCTIONAL_GROUPS, 0), (PER_FRAME_FUNCTIONAL_GROUPS, own)]
            .into_iter()
            .filter_map(|(groups, number)| self.item(Some(self.item(None, groups, number)?), group, 0))
            .find(|&item| self.child(Some(item), tag).is_some())
    }

    fn located(&mut self, tag: Tag, group: Tag, by: UsedBy, why: &'static str) {
        let place = self.holding(tag, group);
        self.mark(self.child(place, tag), by, why);
    }

    /// What counts only where something else is silent.
    fn fallbacks(&mut self, picture: &Radiograph) {
        let acquisition = &picture.acquisition;
        if acquisition.modality.is_none() {
            self.top(
                Tag(0x0008, 0x0016),
                Networks,
                "tells the kind of picture, because no modality is named",
            );
        }
        if self.child(None, IMAGE_LATERALITY).is_none() {
            self.top(Tag(0x0020, 0x0060), Display, CORNER);
        }
        if acquisition.view_position.is_none() {
            let code = self.item(None, Tag(0x0054, 0x0220), 0);
            if code.is_some() {
                let meaning = self.child(code, Tag(0x0008, 0x0104));
                self.mark(meaning, Networks, "the networks read frontal views only");
            }
        }
    }

    fn pixels(&mut self, picture: &Radiograph) {
        for element in [0x0008, 0x0009, 0x0010] {
            self.top(Tag(0x7fe0, element), Both, "the picture");
        }
        if self
            .tree
            .find(Tag(0x0028, 0x0004))
            .is_some_and(|node| node.value.text == "PALETTE COLOR")
        {
            for element in [0x1101, 0x1102, 0x1103, 0x1201, 0x1202, 0x1203, 0x1221, 0x1222, 0x1223] {
                self.top(Tag(0x0028, element), Both, "palette that gives each sample its colour");
            }
        }
        if picture.padding.is_some() {
            for element in [0x0120, 0x0121] {
                self.top(
                    Tag(0x0028, element),
                    Both,
                    "is no picture: left out of the automatic window, dark for the networks",
                );
            }
        }
    }

    fn look_ups(&mut self, picture: &Radiograph) {
        match picture.modality_lut {
            ModalityLut::Table(_) => {
                let item = self.item(None, MODALITY_LUT_SEQUENCE, 0);
                self.table(item, "maps stored values to modality values");
            }
            ModalityLut::Rescale(_) => {
                for element in [0x1052, 0x1053] {
                    let why = "maps stored values to modality values";
                    self.located(Tag(0x0028, element), PIXEL_VALUE_TRANSFORMATION, Both, why);
                }
            }
        }
        let first = picture.voi_luts.first().map(|voi| &voi.transform);
        if picture
            .voi_luts
            .iter()
            .any(|voi| matches!(voi.transform, VoiTransform::Table(_)))
        {
            let holder = self.holding(VOI_LUT_SEQUENCE, FRAME_VOI_LUT);
            let sequence = self.child(holder, VOI_LUT_SEQUENCE);
            let items: Vec<usize> = sequence
                .map(|index| self.tree.children(Some(index)).collect())
                .unwrap_or_default();
            for item in items {
                self.table(
                    Some(item),
                    "VOI LUT: the first is what the picture opens with and the networks see",
                );
            }
        }
        let windows = picture
            .voi_luts
            .iter()
            .any(|voi| matches!(voi.transform, VoiTransform::Window(_)));
        let (by, why) = match first {
            Some(VoiTransform::Window(_)) => (
                Both,
                "window: the first is what the picture opens with and the networks see",
            ),
            _ => (Display, "window that is offered; the picture opens with the VOI LUT"),
        };
        if windows {
            let holder = self.holding(WINDOW[0], FRAME_VOI_LUT);
            for tag in WINDOW {
                self.mark(self.child(holder, tag), by, why);
            }
        }
    }

    /// Descriptor, explanation and data of a look-up table.
    fn table(&mut self, item: Option<usize>, why: &'static str) {
        if item.is_some() {
            for tag in LUT_PARTS {
                self.mark(self.child(item, tag), Both, why);
            }
        }
    }

    /// What lies on the picture or hides parts of it.
    fn covers(&mut self, picture: &Radiograph) {
        for index in self.tree.children(None).collect::<Vec<_>>() {
            let Tag(group, element) = self.tree.nodes[index].tag;
            if picture.overlay_planes.iter().any(|plane| plane.group == group) {
                self.mark(Some(index), Display, "overlay that is drawn on the picture");
            }
            if picture.shutter.is_some() && group == 0x0018 && (0x1600..=0x1624).contains(&element) {
                self.mark(Some(index), Display, "shutter that hides what lies outside");
            }
        }
    }

    fn spacing(&mut self, picture: &Radiograph) {
        let pixel = Tag(0x0028, 0x0030);
        match picture.spacing.map(|spacing| spacing.source) {
            Some(SpacingSource::ImagerPixelSpacing) => {
                self.top(Tag(0x0018, 0x1164), Display, "gives lengths, at the detector");
            }
            Some(SpacingSource::NominalScannedPixelSpacing) => {
                self.top(Tag(0x0018, 0x2010), Display, "gives lengths, on the film");
            }
            Some(SpacingSource::Magnified { .. }) => {
                let detector = Tag(0x0018, 0x1164);
                if self.child(None, detector).is_some() {
                    self.top(detector, Display, "gives lengths, at the detector");
                } else {
                    self.top(Tag(0x0018, 0x2010), Display, "gives lengths, on the film");
                }
                self.top(
                    Tag(0x0018, 0x1114),
                    Display,
                    "brings lengths from the detector into the patient",
                );
            }
            Some(SpacingSource::Calibrated) => {
                self.located(pixel, PIXEL_MEASURES, Display, "gives lengths, calibrated");
                self.top(Tag(0x0028, 0x0a02), Display, "says that lengths are calibrated");
            }
            Some(_) => self.located(pixel, PIXEL_MEASURES, Display, "gives lengths"),
            None => self.top(Tag(0x0028, 0x0034), Display, "says how high pixels are for their width"),
        }
    }
}

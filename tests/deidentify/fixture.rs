//! DICOM files made element by element, with every kind of identity.

use recovnet::deidentify::{Deidentified, Key, Masking, Options, Settings, deidentify};
use recovnet::imaging::tree::{DicomFile, Node, Syntax, Value, file_bytes};

pub const STUDY: &str = "1.2.826.0.1.3680043.8.498.1001";
pub const SERIES: &str = "1.2.826.0.1.3680043.8.498.1002";
pub const DX: &str = "1.2.840.10008.5.1.4.1.1.1.1";

/// Texts that name the patient, the staff or the place; none may be found in a file that was treated.
pub const IDENTITIES: [&str; 30] = [
    "Mustermann",
    "Erika",
    "PID-4711-0815",
    "ACC-99881",
    "19640812",
    "20240229",
    "Heidestrasse",
    "Koeln",
    "+49-221-555",
    "Waldkrankenhaus",
    "Bergstadt",
    "Doktorov",
    "Schwesterova",
    "Ueberweiser",
    "STATION-XR7",
    "SN-556677",
    "DET-112233",
    "1.2.826.0.1.3680043.8.498",
    "Vorbefund",
    "Oberarzt",
    "SECRETPRIVATE",
    "Nested-Name",
    "NESTED-ID-33",
    "Gallengang",
    "Zeugin",
    "AETITLE1",
    "GeborenAm",
    "ORDER-777",
    "Textfeld",
    "Overlaytext",
];

#[allow(clippy::trivially_copy_pass_by_ref, reason = "it reads as the standard writes it")]
pub fn text(tag: (u16, u16), vr: &[u8; 2], value: &str) -> Node<'static> {
    Node::new(tag, *vr, value.as_bytes())
}

pub fn us(tag: (u16, u16), value: u16) -> Node<'static> {
    Node::new(tag, *b"US", value.to_le_bytes())
}

/// A DX image of 8 x 6 pixels of 16 bits, with identities at every place where a file may have some.
pub fn identified(instance: u32) -> Vec<Node<'static>> {
    let mut nodes = [examination(instance), patient(), acquisition(), annotations()].concat();
    let pixels: Vec<u8> = (0..48_u16).flat_map(|value| (value * 80).to_le_bytes()).collect();
    nodes.extend([
        Node::new((0x7fe0, 0x0010), *b"OW", pixels),
        Node::sequence(
            (0xfffa, 0xfffa),
            vec![vec![text((0x0400, 0x0105), b"DT", "20240229112233")]],
        ),
    ]);
    nodes
}

/// Group 0008: who did what where, with references and items.
fn examination(instance: u32) -> Vec<Node<'static>> {
    let uid = |number: u32| format!("1.2.826.0.1.3680043.8.498.2.{number}");
    let reference = vec![
        text((0x0008, 0x1150), b"UI", DX),
        text((0x0008, 0x1155), b"UI", &uid(instance + 1)),
    ];
    let nested = vec![
        text((0x0008, 0x0100), b"SH", "T-D3000"),
        text((0x0008, 0x0102), b"SH", "SRT"),
        text((0x0008, 0x0104), b"LO", "Chest"),
        Node::sequence(
            (0x0040, 0x0260),
            vec![vec![
                text((0x0010, 0x0010), b"PN", "Nested-Name^Erika"),
                text((0x0010, 0x0020), b"LO", "NESTED-ID-33"),
                text((0x0040, 0xa075), b"PN", "Zeugin^Z"),
                text((0x0009, 0x0010), b"LO", "SECRETPRIVATE CREATOR"),
            ]],
        ),
    ];
    vec![
        text((0x0008, 0x0005), b"CS", "ISO_IR 100"),
        text((0x0008, 0x0008), b"CS", "ORIGINAL\\PRIMARY"),
        text((0x0008, 0x0012), b"DA", "20240229"),
        text((0x0008, 0x0016), b"UI", DX),
        text((0x0008, 0x0018), b"UI", &uid(instance)),
        text((0x0008, 0x0020), b"DA", "20240229"),
        text((0x0008, 0x0021), b"DA", "20240229"),
        text((0x0008, 0x0023), b"DA", "20240229"),
        text((0x0008, 0x002a), b"DT", "20240229112233.5"),
        text((0x0008, 0x0030), b"TM", "112233"),
        text((0x0008, 0x0050), b"SH", "ACC-99881"),
        text((0x0008, 0x0055), b"AE", "AETITLE1"),
        text((0x0008, 0x0060), b"CS", "DX"),
        text((0x0008, 0x0070), b"LO", "ACME"),
        text((0x0008, 0x0080), b"LO", "Waldkrankenhaus Bergstadt"),
        text((0x0008, 0x0081), b"ST", "Bergstadt, Heidestrasse 17"),
        text((0x0008, 0x0090), b"PN", "Ueberweiser^U"),
        text((0x0008, 0x1010), b"SH", "STATION-XR7"),
        text((0x0008, 0x1030), b"LO", "Chest PA Mustermann"),
        text((0x0008, 0x103e), b"LO", "Vorbefund Oberarzt"),
        text((0x0008, 0x1050), b"PN", "Doktorov^D"),
        text((0x0008, 0x1070), b"PN", "Schwesterova^S"),
        Node::sequence((0x0008, 0x1140), vec![reference]),
        Node::sequence((0x0008, 0x2218), vec![nested]),
    ]
}

/// Group 0010.
fn patient() -> Vec<Node<'static>> {
    vec![
        text((0x0010, 0x0010), b"PN", "Mustermann^Erika"),
        text((0x0010, 0x0020), b"LO", "PID-4711-0815"),
        text((0x0010, 0x0030), b"DA", "19640812"),
        text((0x0010, 0x0040), b"CS", "F"),
        text((0x0010, 0x1001), b"PN", "GeborenAm^Erika"),
        text((0x0010, 0x1010), b"AS", "097Y"),
        text((0x0010, 0x1040), b"LO", "Heidestrasse 17, Koeln"),
        text((0x0010, 0x2154), b"SH", "+49-221-555"),
        text((0x0010, 0x4000), b"LT", "Gallengang bei Mustermann"),
    ]
}

/// Groups 0018 to 0028: the device with its private elements, the series, the image.
fn acquisition() -> Vec<Node<'static>> {
    vec![
        text((0x0018, 0x1000), b"LO", "SN-556677"),
        text((0x0018, 0x700a), b"SH", "DET-112233"),
        text((0x0019, 0x0010), b"LO", "SIEMENS MR HEADER"),
        text((0x0019, 0x100c), b"IS", "800"),
        text((0x0019, 0x10f0), b"LO", "SECRETPRIVATE VALUE"),
        text((0x0020, 0x000d), b"UI", STUDY),
        text((0x0020, 0x000e), b"UI", SERIES),
        text((0x0020, 0x0010), b"SH", "ORDER-777"),
        text((0x0020, 0x0020), b"CS", "L\\F"),
        us((0x0028, 0x0002), 1),
        text((0x0028, 0x0004), b"CS", "MONOCHROME2"),
        us((0x0028, 0x0010), 6),
        us((0x0028, 0x0011), 8),
        us((0x0028, 0x0100), 16),
        us((0x0028, 0x0101), 12),
        us((0x0028, 0x0102), 11),
        us((0x0028, 0x0103), 0),
    ]
}

/// Structured content, and an overlay.
fn annotations() -> Vec<Node<'static>> {
    vec![
        Node::sequence(
            (0x0040, 0xa730),
            vec![vec![
                text((0x0040, 0xa040), b"CS", "TEXT"),
                text((0x0040, 0xa160), b"UT", "Textfeld: Mustermann has chest pain"),
            ]],
        ),
        us((0x6000, 0x0010), 6),
        us((0x6000, 0x0011), 8),
        text((0x6000, 0x0022), b"LO", "Overlaytext"),
        text((0x6000, 0x0040), b"CS", "G"),
        us((0x6000, 0x0100), 1),
        us((0x6000, 0x0102), 0),
        Node::new((0x6000, 0x3000), *b"OW", [0xaa; 6]),
        text((0x6000, 0x4000), b"LT", "Overlaytext Mustermann"),
    ]
}

/// Puts an element in its place by tag, instead of one that is there.
pub fn put(nodes: &mut Vec<Node<'static>>, node: Node<'static>) {
    nodes.retain(|other| other.tag != node.tag);
    nodes.push(node);
    nodes.sort_by_key(|node| node.tag);
}

/// A file of these elements, whose meta information names a machine as well.
pub fn file(nodes: &[Node]) -> Vec<u8> {
    file_as(nodes, &Syntax::explicit_little_endian())
}

pub fn file_as(nodes: &[Node], syntax: &Syntax) -> Vec<u8> {
    let meta = [
        text((0x0002, 0x0002), b"UI", DX),
        text((0x0002, 0x0003), b"UI", "1.2.826.0.1.3680043.8.498.2.1"),
        text((0x0002, 0x0010), b"UI", &syntax.uid),
        text((0x0002, 0x0012), b"UI", "1.2.826.0.1.3680043.8.498.9"),
        text((0x0002, 0x0016), b"AE", "AETITLE1"),
    ];
    file_bytes(&meta, nodes, syntax).unwrap()
}

pub fn syntax(uid: &str) -> Syntax {
    Syntax {
        uid: uid.to_owned(),
        explicit: uid != "1.2.840.10008.1.2",
        big_endian: uid == "1.2.840.10008.1.2.2",
    }
}

pub fn settings(options: Options) -> Settings {
    Settings {
        options,
        key: Key::of(b"a key for tests only"),
        masking: Masking::None,
        old_values: false,
    }
}

/// Treats a file with these options.
pub fn treated(bytes: &[u8], options: Options) -> Deidentified {
    deidentify("made.dcm".as_ref(), bytes, &settings(options)).unwrap()
}

/// What can be asked of a file that was read.
pub struct Read {
    nodes: Vec<Node<'static>>,
    pub syntax: Syntax,
}

impl Read {
    pub fn of(bytes: &[u8]) -> Self {
        let file = DicomFile::read(bytes).unwrap();
        Self {
            nodes: file.elements().unwrap().into_iter().map(owned).collect(),
            syntax: file.syntax(),
        }
    }

    pub fn node(&self, tag: (u16, u16)) -> Option<&Node<'static>> {
        self.nodes.iter().find(|node| node.tag == tag)
    }

    /// The text of an element, empty where it has no value; `None` if it is not there.
    pub fn text(&self, tag: (u16, u16)) -> Option<String> {
        self.node(tag).map(|node| node.text().unwrap_or_default())
    }

    pub fn items(&self, tag: (u16, u16)) -> Vec<Self> {
        match self.node(tag).map(|node| &node.value) {
            Some(Value::Items(items)) => items
                .iter()
                .map(|nodes| Self {
                    nodes: nodes.clone(),
                    syntax: self.syntax.clone(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    pub fn tags(&self) -> Vec<(u16, u16)> {
        self.nodes.iter().map(|node| node.tag).collect()
    }

    pub fn pixels(&self) -> Vec<u8> {
        match self.node((0x7fe0, 0x0010)).map(|node| &node.value) {
            Some(Value::Bytes(bytes)) => bytes.to_vec(),
            Some(Value::Fragments(fragments)) => fragments.concat(),
            _ => Vec::new(),
        }
    }
}

fn owned(node: Node<'_>) -> Node<'static> {
    let value = match node.value {
        Value::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
        Value::Items(items) => Value::Items(
            items
                .into_iter()
                .map(|item| item.into_iter().map(owned).collect())
                .collect(),
        ),
        Value::Fragments(fragments) => Value::Bytes(fragments.concat().into()),
    };
    Node {
        tag: node.tag,
        vr: node.vr,
        value,
    }
}

/// Whether a text stands in bytes, in whatever case.
pub fn holds(bytes: &[u8], text: &str) -> bool {
    let (bytes, text) = (bytes.to_ascii_lowercase(), text.to_ascii_lowercase());
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

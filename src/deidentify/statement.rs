//! What a file that was treated says of itself: that identities are gone, by which method, and who wrote it.

use super::options::Options;
use super::pseudonym::Patient;
use super::registered::is_uid;
use super::rewrite::{Outcome, Rewriter};
use super::value::{bytes_of, set};
use super::{
    BURNED_IN_ANNOTATION, DEIDENTIFICATION_METHOD, DEIDENTIFICATION_METHOD_CODES, PATIENT_ID, PATIENT_IDENTITY_REMOVED,
    PATIENT_NAME, SOP_CLASS_UID, SOP_INSTANCE_UID, TEMPORAL_INFORMATION_MODIFIED, Tag, profile, safe_private, text,
};
use crate::imaging::tree::{Node, Syntax, Value};

const MEDIA_STORAGE_SOP_CLASS_UID: Tag = (0x0002, 0x0002);
const MEDIA_STORAGE_SOP_INSTANCE_UID: Tag = (0x0002, 0x0003);
const TRANSFER_SYNTAX_UID: Tag = (0x0002, 0x0010);
const IMPLEMENTATION_CLASS_UID: Tag = (0x0002, 0x0012);
const IMPLEMENTATION_VERSION_NAME: Tag = (0x0002, 0x0013);
const CODE_VALUE: Tag = (0x0008, 0x0100);
const CODING_SCHEME_DESIGNATOR: Tag = (0x0008, 0x0102);
const CODE_MEANING: Tag = (0x0008, 0x0104);

/// Tells files of this program from others' (PS3.7 D.3.3.2): the UUID b1df5883-2203-4c2d-bb78-9a2c2ae6b0e0 as a number
/// (PS3.5 B.2), and never changed.
const IMPLEMENTATION_UID: &str = "2.25.236433032694844263635611156694327275744";

/// Puts into a data set what was done to it (PS3.15 E.1.1), beside what earlier treatment said; `clean`: its pixels hold
/// no text any more.
pub(super) fn say(nodes: &mut Vec<Node>, rewriter: &mut Rewriter, instance: &str, clean: bool) {
    for node in sentences(rewriter.options, rewriter.patient, instance, clean) {
        let tag = node.tag;
        let Some(old) = nodes.iter().find(|other| other.tag == tag) else {
            rewriter.note(tag, Outcome::Added, None, Some(&node));
            set(nodes, node);
            continue;
        };
        let node = match tag {
            DEIDENTIFICATION_METHOD => with_method(old, node),
            DEIDENTIFICATION_METHOD_CODES => with_codes(old, node),
            _ => node,
        };
        if !is_same(old, &node) {
            rewriter.note(tag, Outcome::Replaced, Some(old), Some(&node));
            set(nodes, node);
        }
    }
}

fn sentences(options: Options, patient: &Patient, instance: &str, clean: bool) -> Vec<Node<'static>> {
    let mut method = format!(
        "ReCovNet Viewer {}: PS3.15 {} Basic Profile",
        env!("CARGO_PKG_VERSION"),
        profile::EDITION
    );
    if options.retain_safe_private {
        method += "\\Safe private attributes of PS3.15 ";
        method += safe_private::EDITION;
    }
    let codes = options.codes(clean).into_iter().map(|(code, meaning)| {
        vec![
            Node::new(CODE_VALUE, *b"SH", code),
            Node::new(CODING_SCHEME_DESIGNATOR, *b"SH", "DCM"),
            Node::new(CODE_MEANING, *b"LO", meaning),
        ]
    });
    let mut nodes = vec![
        Node::new(SOP_INSTANCE_UID, *b"UI", instance),
        Node::new(PATIENT_NAME, *b"PN", patient.name()),
        Node::new(PATIENT_ID, *b"LO", patient.pseudonym.as_str()),
        Node::new(PATIENT_IDENTITY_REMOVED, *b"CS", "YES"),
        Node::new(DEIDENTIFICATION_METHOD, *b"LO", method),
        Node::sequence(DEIDENTIFICATION_METHOD_CODES, codes.collect()),
        Node::new(TEMPORAL_INFORMATION_MODIFIED, *b"CS", options.temporal_information()),
    ];
    if clean {
        nodes.push(Node::new(BURNED_IN_ANNOTATION, *b"CS", "NO"));
    }
    nodes
}

fn is_same(old: &Node, new: &Node) -> bool {
    match (&old.value, &new.value) {
        (Value::Bytes(_), Value::Bytes(_)) => old.text() == new.text(),
        (old, new) => old == new,
    }
}

/// The methods that stand there, and this one behind them.
fn with_method<'a>(old: &Node<'a>, new: Node<'a>) -> Node<'a> {
    let (Some(said), Some(says)) = (old.text(), new.text()) else {
        return new;
    };
    let missing: Vec<&str> = says
        .split('\\')
        .filter(|says| said.split('\\').all(|said| said.trim() != *says))
        .collect();
    let both: Vec<&str> = [said.as_str()].into_iter().chain(missing).collect();
    Node::new(new.tag, new.vr, bytes_of(&both.join("\\")))
}

/// The codes that stand there, and those of them behind that are new.
fn with_codes<'a>(old: &Node<'a>, mut new: Node<'a>) -> Node<'a> {
    let (Value::Items(said), Value::Items(says)) = (&old.value, &mut new.value) else {
        return new;
    };
    let code = |item: &[Node]| (text(item, CODE_VALUE), text(item, CODING_SCHEME_DESIGNATOR));
    says.retain(|item| said.iter().all(|other| code(other) != code(item)));
    says.splice(..0, said.iter().cloned());
    new
}

/// File Meta Information (PS3.10 7.1) of our own: nothing of the original's, which may name machines and people.
pub(super) fn meta(nodes: &[Node], instance: &str, syntax: &Syntax) -> Vec<Node<'static>> {
    let class = text(nodes, SOP_CLASS_UID).filter(|class| is_uid(class));
    let version = format!("RECOVNET_{}", env!("CARGO_PKG_VERSION").replace('.', "_"));
    vec![
        Node::new((0x0002, 0x0001), *b"OB", [0, 1]),
        Node::new(MEDIA_STORAGE_SOP_CLASS_UID, *b"UI", class.unwrap_or_default()),
        Node::new(MEDIA_STORAGE_SOP_INSTANCE_UID, *b"UI", instance),
        Node::new(TRANSFER_SYNTAX_UID, *b"UI", syntax.uid.as_str()),
        Node::new(IMPLEMENTATION_CLASS_UID, *b"UI", IMPLEMENTATION_UID),
        Node::new(
            IMPLEMENTATION_VERSION_NAME,
            *b"SH",
            &version.as_bytes()[..version.len().min(16)],
        ),
    ]
}

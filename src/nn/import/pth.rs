//! `torch.save` files, both forms: a zip archive with the pickle and one entry a storage (torch 1.6 and later), or
//! pickles followed by the storages (before). The pickle is read without executing anything.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::Tensor;

use super::archive;
use super::pickle::{Global, Id, Object, Pickle};
use super::source::{Format, Found, Source, decode, elements};

/// What a legacy file begins with: protocol 2 and torch's magic number, 0x1950a86a20f9469cfc6c.
pub(super) const LEGACY_MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The only version of the legacy form.
const LEGACY_VERSION: i64 = 1001;
/// Most axes of a tensor.
const MOST_AXES: usize = 8;
/// Keys under which training programs keep the state beside other things.
const WRAPPERS: [&str; 6] = [
    "state_dict",
    "model",
    "model_state_dict",
    "state_dict_ema",
    "net",
    "network",
];

/// An opened `torch.save` file.
pub(super) struct TorchFile {
    format: Format,
    bytes: Vec<u8>,
    found: Vec<Found>,
    views: Vec<View>,
}

/// Where a tensor's numbers lie.
#[derive(Debug, Clone)]
struct View {
    /// Bytes of its storage in the file.
    storage: Range<usize>,
    /// Element at which it begins.
    offset: usize,
    /// Elements from one index to the next, an axis each.
    strides: Vec<usize>,
    /// Bytes of an element.
    width: usize,
}

/// A storage as the pickle describes it.
struct Described<'a> {
    key: &'a str,
    stored: &'static str,
    /// Elements of the whole storage.
    count: usize,
    /// First element of the view of it that is meant; 0 but in old files.
    first: usize,
}

/// A tensor as the pickle describes it.
struct Claim<'a> {
    name: &'a str,
    storage: Described<'a>,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

fn width(stored: &str) -> usize {
    match stored {
        "f64" | "i64" => 8,
        "f32" | "i32" => 4,
        "f16" | "bf16" | "i16" => 2,
        _ => 1,
    }
}

fn cut_short(what: &str) -> String {
    format!("is cut short or damaged: {what}; get the file again")
}

impl TorchFile {
    /// Opens a zip archive.
    ///
    /// # Errors
    /// A sentence, if it is damaged, holds code, or holds no tensors.
    pub fn open_zip(bytes: Vec<u8>) -> Result<Self, String> {
        let entries = archive::entries(&bytes)?;
        let pickle = entries.iter().find_map(|(name, range)| {
            let folder = name.strip_suffix("data.pkl")?;
            (folder.is_empty() || folder.ends_with('/')).then_some((folder, range.clone()))
        });
        let Some((folder, range)) = pickle else {
            let keras = entries.keys().any(|name| name.ends_with("model.weights.h5"));
            return Err(if keras {
                "is a .keras archive: unpack model.weights.h5 from it and import that".to_owned()
            } else {
                "is a zip archive, but none that torch.save wrote: it has no data.pkl".to_owned()
            });
        };
        if let Some(order) = entries.get(&format!("{folder}byteorder")) {
            check_order(&bytes[order.clone()] == b"little")?;
        }
        let storages = entries
            .iter()
            .filter_map(|(name, range)| Some((name.strip_prefix(folder)?.strip_prefix("data/")?, range.clone())))
            .collect();
        let pickle = Pickle::read(&bytes[range])?;
        let (found, views) = resolve(&claims(&pickle)?, &storages)?;
        Ok(Self {
            format: Format::TorchZip,
            bytes,
            found,
            views,
        })
    }

    /// Opens a file of the form before zip archives.
    ///
    /// # Errors
    /// As [`Self::open_zip`].
    pub fn open_legacy(bytes: Vec<u8>) -> Result<Self, String> {
        let mut at = LEGACY_MAGIC.len();
        let mut next = || {
            let pickle = Pickle::read(bytes.get(at..).unwrap_or_default())?;
            at += pickle.length;
            Ok::<_, String>(pickle)
        };
        let (version, system, state, keys) = (next()?, next()?, next()?, next()?);
        if *version.root() != Object::Int(LEGACY_VERSION) {
            return Err(
                "is of a version of torch.save that is not known; save it again with a current torch".to_owned(),
            );
        }
        check_order(little_endian(&system))?;
        let claims = claims(&state)?;
        let storages = legacy_storages(&bytes, at, &keys, &claims)?;
        let (found, views) = resolve(&claims, &storages)?;
        Ok(Self {
            format: Format::TorchLegacy,
            bytes,
            found,
            views,
        })
    }
}

fn check_order(little: bool) -> Result<(), String> {
    little
        .then_some(())
        .ok_or_else(|| "was written on a big-endian machine; save it again on a usual one".to_owned())
}

/// Whether the system's description does not say the contrary.
fn little_endian(system: &Pickle<'_>) -> bool {
    let Object::Dict(entries) = system.root() else {
        return true;
    };
    entries.iter().all(|&(key, value)| {
        *system.get(key) != Object::Text("little_endian") || *system.get(value) == Object::Bool(true)
    })
}

/// The tensors of a state dictionary, wherever training programs put it.
fn claims<'a>(pickle: &Pickle<'a>) -> Result<Vec<Claim<'a>>, String> {
    let mut object = pickle.root();
    for _ in 0..=WRAPPERS.len() {
        let Object::Dict(entries) = object else { break };
        let claims: Vec<Claim<'a>> = entries
            .iter()
            .filter_map(|&(key, value)| match (pickle.get(key), pickle.get(value)) {
                (Object::Text(name), Object::Tensor(arguments)) => Some(claim(pickle, name, arguments)),
                _ => None,
            })
            .collect::<Result<_, _>>()?;
        if !claims.is_empty() {
            return Ok(claims);
        }
        let inner = WRAPPERS.iter().find_map(|wrapper| {
            let (_, value) = entries
                .iter()
                .find(|(key, _)| *pickle.get(*key) == Object::Text(wrapper))?;
            Some(pickle.get(*value))
        });
        let Some(inner) = inner else { break };
        object = inner;
    }
    Err("holds no state_dict; save one with torch.save(model.state_dict(), FILE)".to_owned())
}

fn claim<'a>(pickle: &Pickle<'a>, name: &'a str, arguments: &[Id]) -> Result<Claim<'a>, String> {
    let broken = || format!("is damaged: {} is no tensor; get the file again", shown(name));
    let [storage, offset, shape, strides, ..] = *arguments else {
        return Err(broken());
    };
    let Object::Stored(description) = *pickle.get(storage) else {
        return Err(broken());
    };
    let shape = pickle.counts(shape).ok_or_else(broken)?;
    let strides = pickle.counts(strides).ok_or_else(broken)?;
    if shape.len() != strides.len() || shape.len() > MOST_AXES {
        return Err(broken());
    }
    Ok(Claim {
        name,
        storage: described(pickle, description).ok_or_else(broken)?,
        offset: pickle.count(offset).ok_or_else(broken)?,
        shape,
        strides,
    })
}

/// `("storage", type, key, device, count)`, and in old files a view of it.
fn described<'a>(pickle: &Pickle<'a>, description: Id) -> Option<Described<'a>> {
    let parts = pickle.items(description)?;
    let [tag, stored, key, _, count, rest @ ..] = parts else {
        return None;
    };
    let (Object::Text("storage"), Object::Global(Global::Storage(stored)), Object::Text(key)) =
        (pickle.get(*tag), pickle.get(*stored), pickle.get(*key))
    else {
        return None;
    };
    let view = rest.first().and_then(|&view| pickle.items(view));
    let first = match view {
        Some([_, first, _]) => pickle.count(*first)?,
        _ => 0,
    };
    Some(Described {
        key,
        stored,
        count: pickle.count(*count)?,
        first,
    })
}

/// Where the storages of a legacy file lie: in the order of the keys, each after its number of elements.
fn legacy_storages<'a>(
    bytes: &[u8],
    mut at: usize,
    keys: &Pickle<'a>,
    claims: &[Claim<'a>],
) -> Result<HashMap<&'a str, Range<usize>>, String> {
    let types: HashMap<&str, &str> = claims.iter().map(|c| (c.storage.key, c.storage.stored)).collect();
    let Object::List(list) = keys.root() else {
        return Err(cut_short("it has no list of storages"));
    };
    let mut storages = HashMap::new();
    for &key in list {
        let &Object::Text(key) = keys.get(key) else {
            return Err(cut_short("a storage has no name"));
        };
        // A storage that no tensor of the state uses has a width that is not known, and so has all that follows.
        let Some(stored) = types.get(key) else {
            return Err(format!(
                "keeps other tensors beside its state_dict (storage {}); save the state_dict alone",
                shown(key)
            ));
        };
        let count = bytes
            .get(at..at + 8)
            .and_then(|b| b.try_into().ok())
            .map(u64::from_le_bytes);
        let end = count
            .and_then(|count| {
                usize::try_from(count)
                    .ok()?
                    .checked_mul(width(stored))?
                    .checked_add(at + 8)
            })
            .filter(|&end| end <= bytes.len())
            .ok_or_else(|| cut_short(&format!("storage {} reaches beyond its end", shown(key))))?;
        storages.insert(key, at + 8..end);
        at = end;
    }
    Ok(storages)
}

/// Checks every claim against the storages that are there.
fn resolve(claims: &[Claim<'_>], storages: &HashMap<&str, Range<usize>>) -> Result<(Vec<Found>, Vec<View>), String> {
    let (mut found, mut views) = (Vec::new(), Vec::new());
    for claim in claims {
        let missing = || cut_short(&format!("the numbers of {} are not in it", shown(claim.name)));
        let storage = storages.get(claim.storage.key).ok_or_else(missing)?;
        let width = width(claim.storage.stored);
        let offset = claim.storage.first.checked_add(claim.offset).ok_or_else(missing)?;
        let last = last_element(offset, &claim.shape, &claim.strides).ok_or_else(missing)?;
        let held = (storage.len() / width).min(claim.storage.count);
        if last.is_some_and(|last| last >= held) {
            return Err(missing());
        }
        found.push(Found {
            name: claim.name.to_owned(),
            shape: claim.shape.clone(),
            stored: claim.storage.stored,
            strided: !is_contiguous(&claim.shape, &claim.strides),
        });
        views.push(View {
            storage: storage.clone(),
            offset,
            strides: claim.strides.clone(),
            width,
        });
    }
    Ok((found, views))
}

/// Largest index of an element in its storage: `Some(None)` for a tensor without elements, `None` where it cannot
/// be counted.
#[allow(clippy::option_option, reason = "overflow and emptiness are two things")]
fn last_element(offset: usize, shape: &[usize], strides: &[usize]) -> Option<Option<usize>> {
    if elements(shape)? == 0 {
        return Some(None);
    }
    let mut last = offset;
    for (&side, &stride) in shape.iter().zip(strides) {
        last = last.checked_add((side - 1).checked_mul(stride)?)?;
    }
    Some(Some(last))
}

fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1_usize;
    shape.iter().zip(strides).rev().all(|(&side, &stride)| {
        let fits = side == 1 || stride == expected;
        // Saturates only where another side is 0, and then there is nothing to gather.
        expected = expected.saturating_mul(side);
        fits
    })
}

/// A name from a file as it may be printed.
fn shown(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(120).collect()
}

impl Source for TorchFile {
    fn format(&self) -> Format {
        self.format
    }

    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&self, index: usize) -> Result<Tensor, String> {
        let (found, view) = (&self.found[index], &self.views[index]);
        let count = elements(&found.shape).ok_or("is too large")?;
        if count == 0 {
            return decode(&[], found.stored, &found.shape);
        }
        // That every index is inside the storage was checked when the file was opened.
        let storage = &self.bytes[view.storage.clone()];
        if !found.strided {
            let begin = view.offset * view.width;
            return decode(&storage[begin..begin + count * view.width], found.stored, &found.shape);
        }
        let mut gathered = Vec::with_capacity(count * view.width);
        let mut index = vec![0; found.shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(&view.strides).map(|(i, stride)| i * stride).sum();
            let begin = (view.offset + at) * view.width;
            gathered.extend_from_slice(&storage[begin..begin + view.width]);
            for (i, &side) in index.iter_mut().zip(&found.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        decode(&gathered, found.stored, &found.shape)
    }
}

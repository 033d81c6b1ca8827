//! A reader of Python's pickles that executes nothing: it knows the few names that a file of tensors needs and
//! refuses every other one. Objects lie in one list and name each other by number, so neither depth nor
//! repetition in a file costs stack or memory.

use std::collections::HashMap;

/// Most objects, memo entries or waiting values of one pickle; the largest of these networks has a tenth of it.
const MOST_OBJECTS: usize = 1 << 18;
/// What helps where a file holds more than tensors.
const REMEDY: &str = "save the state_dict alone (torch.save(model.state_dict(), FILE)) or take a safetensors file";

/// Number of an object in its [`Pickle`].
pub(super) type Id = u32;

/// The names that a file of tensors may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`.
    RebuildParameter,
    /// `torch.FloatStorage` and its kin, by its number type.
    Storage(&'static str),
    /// `torch.Size`.
    Size,
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("torch", "Size") => Self::Size,
            ("torch" | "torch.cuda", storage) => Self::Storage(match storage {
                "FloatStorage" => "f32",
                "DoubleStorage" => "f64",
                "HalfStorage" => "f16",
                "BFloat16Storage" => "bf16",
                "LongStorage" => "i64",
                "IntStorage" => "i32",
                "ShortStorage" => "i16",
                "CharStorage" => "i8",
                "ByteStorage" => "u8",
                "BoolStorage" => "bool",
                _ => return None,
            }),
            _ => return None,
        })
    }
}

/// A value as the pickle describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object<'a> {
    /// `None`, and values that nothing here asks for: floats, bytes, states of objects.
    Nothing,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// One of the known names.
    Global(Global),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A dictionary, in its order.
    Dict(Vec<(Id, Id)>),
    /// A storage, by the description that the file gives of it.
    Stored(Id),
    /// A tensor: the arguments of its rebuilding.
    Tensor(Vec<Id>),
}

/// A pickle that was read.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    objects: Vec<Object<'a>>,
    root: Id,
    /// Bytes that it takes.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the beginning of `bytes`.
    ///
    /// # Errors
    /// A sentence, if the bytes end early, are no pickle, or name anything beyond tensors.
    pub fn read(bytes: &'a [u8]) -> Result<Self, String> {
        Machine::new(bytes).run()
    }

    /// The outermost object.
    pub fn root(&self) -> &Object<'a> {
        self.get(self.root)
    }

    /// An object.
    pub fn get(&self, id: Id) -> &Object<'a> {
        &self.objects[id as usize]
    }

    /// Items of a tuple or list.
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Object::Tuple(items) | Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Object::Int(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    /// A tuple or list of such numbers.
    pub fn counts(&self, id: Id) -> Option<Vec<usize>> {
        self.items(id)?.iter().map(|&item| self.count(item)).collect()
    }
}

/// The stack machine that a pickle is a program for.
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    objects: Vec<Object<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack that were marked.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Items in all tuples, lists and dictionaries.
    items: usize,
}

/// Most arguments of a call that is known.
const MOST_ARGUMENTS: usize = 16;

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            objects: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            items: 0,
        }
    }

    fn run(mut self) -> Result<Pickle<'a>, String> {
        loop {
            let code = self.take(1)?[0];
            if code == b'.' {
                let root = self.pop()?;
                return Ok(Pickle {
                    objects: self.objects,
                    root,
                    length: self.at,
                });
            }
            self.step(code)?;
            if self.stack.len().max(self.memo.len()).max(self.items) > MOST_OBJECTS {
                return Err(too_many());
            }
        }
    }

    /// One operation, by its code in Python's `pickletools`.
    fn step(&mut self, code: u8) -> Result<(), String> {
        match code {
            // PROTO and FRAME tell nothing; BUILD only adds attributes to what lies below.
            0x80 => self.skip(1),
            0x95 => self.skip(8),
            b'0' | b'b' => self.pop().map(drop),
            b'(' => self.mark(),
            b'1' => self.pop_to_mark().map(drop),
            b'N' => self.push(Object::Nothing),
            0x88 | 0x89 => self.push(Object::Bool(code == 0x88)),
            b'G' => self.skip(8).and_then(|()| self.push(Object::Nothing)),
            b'J' | b'K' | b'M' | 0x8a => self.integer(code),
            b'X' | b'U' | b'T' | 0x8c | 0x8d => self.text(code),
            b'C' | b'B' | 0x8e | 0x96 => self.opaque_bytes(code),
            b')' | b't' | 0x85..=0x87 => self.tuple(code),
            b']' | b'l' | b'a' | b'e' => self.list(code),
            b'}' | b'd' | b's' | b'u' => self.dict(code),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(code),
            b'c' | 0x93 => self.global(code),
            b'R' | 0x81 => self.reduce(),
            b'Q' => self.persistent(),
            _ => Err(self.unknown(code)),
        }
    }

    fn unknown(&self, code: u8) -> String {
        match code {
            b'i' | b'o' | 0x82..=0x84 | 0x92 => {
                format!("contains code (pickle operation {code:#04x}); nothing was executed; {REMEDY}")
            }
            _ => format!(
                "is damaged: at byte {} of its pickle stands {code:#04x}, which files of tensors do not use",
                self.at - 1
            ),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err("is cut short: its pickle ends early; get the file again".to_owned());
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        self.take(length).map(drop)
    }

    /// A little-endian number without sign, of up to 8 bytes.
    fn number(&mut self, length: usize) -> Result<u64, String> {
        let bytes = self.take(length)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn length(&mut self, bytes: usize) -> Result<usize, String> {
        // A length beyond the address space is beyond the file, too.
        Ok(usize::try_from(self.number(bytes)?).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let line = self.take(end)?;
        self.skip(1)?;
        text_of(line)
    }

    fn push(&mut self, object: Object<'a>) -> Result<(), String> {
        if self.objects.len() == MOST_OBJECTS {
            return Err(too_many());
        }
        self.stack.push(self.objects.len() as Id);
        self.objects.push(object);
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id, String> {
        if self.stack.len() <= self.floor() {
            return Err(damaged());
        }
        self.stack.pop().ok_or_else(damaged)
    }

    fn top(&self) -> Result<Id, String> {
        self.stack.last().copied().ok_or_else(damaged)
    }

    fn mark(&mut self) -> Result<(), String> {
        if self.marks.len() == MOST_OBJECTS {
            return Err(too_many());
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let floor = self.marks.pop().ok_or_else(damaged)?;
        let items = self.stack.split_off(floor);
        self.items += items.len();
        Ok(items)
    }

    fn integer(&mut self, code: u8) -> Result<(), String> {
        let value = match code {
            b'J' => i64::from(self.number(4)? as u32 as i32),
            b'K' => self.number(1)? as i64,
            b'M' => self.number(2)? as i64,
            _ => {
                let length = self.length(1)?;
                let bytes = self.take(length)?;
                // Legacy files begin with a number of ten bytes; larger ones than 64 bits are asked for nowhere.
                return self.push(signed(bytes).map_or(Object::Nothing, Object::Int));
            }
        };
        self.push(Object::Int(value))
    }

    fn text(&mut self, code: u8) -> Result<(), String> {
        let width = match code {
            b'U' | 0x8c => 1,
            0x8d => 8,
            _ => 4,
        };
        let length = self.length(width)?;
        let text = text_of(self.take(length)?)?;
        self.push(Object::Text(text))
    }

    fn opaque_bytes(&mut self, code: u8) -> Result<(), String> {
        let width = match code {
            b'C' => 1,
            b'B' => 4,
            _ => 8,
        };
        let length = self.length(width)?;
        self.skip(length)?;
        self.push(Object::Nothing)
    }

    fn tuple(&mut self, code: u8) -> Result<(), String> {
        let items = match code {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            _ => {
                let mut items = Vec::new();
                for _ in 0..=(code - 0x85) {
                    items.push(self.pop()?);
                }
                items.reverse();
                items
            }
        };
        self.push(Object::Tuple(items))
    }

    fn list(&mut self, code: u8) -> Result<(), String> {
        let more = match code {
            b']' => return self.push(Object::List(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                return self.push(Object::List(items));
            }
            b'a' => vec![self.pop()?],
            _ => self.pop_to_mark()?,
        };
        let top = self.top()? as usize;
        match &mut self.objects[top] {
            Object::List(items) => {
                items.extend(more);
                Ok(())
            }
            _ => Err(damaged()),
        }
    }

    fn dict(&mut self, code: u8) -> Result<(), String> {
        let more = match code {
            b'}' => return self.push(Object::Dict(Vec::new())),
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        if more.len() % 2 == 1 {
            return Err(damaged());
        }
        let pairs = more.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        if code == b'd' {
            let pairs = pairs.collect();
            return self.push(Object::Dict(pairs));
        }
        let top = self.top()? as usize;
        match &mut self.objects[top] {
            Object::Dict(entries) => {
                entries.extend(pairs);
                Ok(())
            }
            _ => Err(damaged()),
        }
    }

    fn remember(&mut self, code: u8) -> Result<(), String> {
        let key = match code {
            b'q' | b'h' => self.number(1)? as u32,
            b'r' | b'j' => self.number(4)? as u32,
            _ => self.memo.len() as u32,
        };
        if matches!(code, b'h' | b'j') {
            let id = self.memo.get(&key).copied().ok_or_else(damaged)?;
            self.stack.push(id);
        } else {
            let id = self.top()?;
            self.memo.insert(key, id);
        }
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<(), String> {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.objects[module as usize], &self.objects[name as usize]) {
                (Object::Text(module), Object::Text(name)) => (*module, *name),
                _ => return Err(damaged()),
            }
        };
        match Global::named(module, name) {
            Some(global) => self.push(Object::Global(global)),
            None => Err(format!(
                "contains code: {}.{}, which no tensor needs; nothing was executed; {REMEDY}",
                shown(module),
                shown(name)
            )),
        }
    }

    /// A call: of the few that are known, what it would give is written down.
    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let (Object::Tuple(arguments), Object::Global(callable)) =
            (&self.objects[arguments as usize], &self.objects[callable as usize])
        else {
            return Err(damaged());
        };
        if arguments.len() > MOST_ARGUMENTS {
            return Err(damaged());
        }
        let first = arguments.first().map(|&id| &self.objects[id as usize]);
        let made = match (*callable, first) {
            (Global::OrderedDict, None) => Object::Dict(Vec::new()),
            (Global::OrderedDict, Some(Object::List(pairs))) => Object::Dict(self.pairs(pairs)?),
            (Global::RebuildTensor, Some(Object::Stored(_))) => Object::Tensor(arguments.clone()),
            (Global::RebuildParameter, Some(Object::Tensor(inner))) => Object::Tensor(inner.clone()),
            (Global::Size, Some(Object::Tuple(sizes))) if sizes.len() <= MOST_ARGUMENTS => Object::Tuple(sizes.clone()),
            _ => return Err(damaged()),
        };
        // What is copied counts: a file may name one long list any number of times.
        self.items += match &made {
            Object::Dict(entries) => entries.len(),
            _ => MOST_ARGUMENTS,
        };
        self.push(made)
    }

    /// `[[key, value], …]`.
    fn pairs(&self, pairs: &[Id]) -> Result<Vec<(Id, Id)>, String> {
        let pair = |&id: &Id| match &self.objects[id as usize] {
            Object::Tuple(pair) | Object::List(pair) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(damaged()),
        };
        pairs.iter().map(pair).collect()
    }

    fn persistent(&mut self) -> Result<(), String> {
        let description = self.pop()?;
        self.push(Object::Stored(description))
    }
}

fn too_many() -> String {
    format!("its pickle has more than {MOST_OBJECTS} objects; {REMEDY}")
}

fn damaged() -> String {
    "is damaged: its pickle is no description of tensors; get the file again".to_owned()
}

fn text_of(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| damaged())
}

/// A name from a file as it may be printed.
fn shown(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(60).collect()
}

/// A little-endian number in two's complement, if 64 bits hold it.
fn signed(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
    let mut full = if negative { [0xff; 8] } else { [0; 8] };
    full.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(full))
}

//! What a screen reader gets to know of a program: its accessibility tree, read over the AT-SPI bus.

use std::collections::HashMap;

use pollster::block_on;
use serde::de::DeserializeOwned;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Type};

const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";

/// Deeper than any tree of ours: a cycle would end here.
const DEEPEST: usize = 64;

/// AT-SPI's number of the role 'entry': a field for text.
pub const ENTRY: u32 = 79;

/// Bus name and object path of one element.
type Reference = (String, OwnedObjectPath);

/// One element as a screen reader sees it.
#[derive(Debug, Clone)]
pub struct Element {
    pub role: u32,
    pub name: String,
    pub description: String,
    /// AT-SPI state bits.
    pub states: u64,
    /// x, y, width, height in pixels of the screen.
    pub extents: (i32, i32, i32, i32),
    /// What stands in a field for text.
    pub text: String,
}

/// Reads trees.
pub struct Reader {
    bus: zbus::Connection,
}

impl Reader {
    pub fn new(bus: zbus::Connection) -> Self {
        Self { bus }
    }

    /// Every element of the first program, depth first.
    pub fn elements(&self) -> Result<Vec<Element>, String> {
        block_on(self.walk()).map_err(|e| e.to_string())
    }

    async fn walk(&self) -> zbus::Result<Vec<Element>> {
        let root = OwnedObjectPath::try_from("/org/a11y/atspi/accessible/root")?;
        let registry = ("org.a11y.atspi.Registry".to_owned(), root);
        let mut open: Vec<(Reference, usize)> = self
            .children(&registry)
            .await?
            .into_iter()
            .map(|program| (program, 0))
            .collect();
        let mut found = Vec::new();
        while let Some((reference, depth)) = open.pop() {
            found.push(self.element(&reference).await?);
            if depth < DEEPEST {
                let children = self.children(&reference).await?;
                open.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
            }
        }
        Ok(found)
    }

    async fn element(&self, at: &Reference) -> zbus::Result<Element> {
        let interfaces: Vec<String> = self.call(at, ACCESSIBLE, "GetInterfaces", &()).await?;
        let has = |name: &str| interfaces.iter().any(|at| at.ends_with(name));
        let mut properties: HashMap<String, OwnedValue> = self
            .call(at, "org.freedesktop.DBus.Properties", "GetAll", &ACCESSIBLE)
            .await?;
        let mut word = |name: &str| {
            let value = properties.remove(name);
            value.and_then(|value| String::try_from(value).ok()).unwrap_or_default()
        };
        let (name, description) = (word("Name"), word("Description"));
        let states: Vec<u32> = self.call(at, ACCESSIBLE, "GetState", &()).await?;
        let extents = if has(".Component") {
            self.call(at, "org.a11y.atspi.Component", "GetExtents", &0_u32).await?
        } else {
            (0, 0, 0, 0)
        };
        let role: u32 = self.call(at, ACCESSIBLE, "GetRole", &()).await?;
        let text = if role == ENTRY && has(".Text") {
            self.call(at, "org.a11y.atspi.Text", "GetText", &(0_i32, -1_i32))
                .await?
        } else {
            String::new()
        };
        Ok(Element {
            role,
            name,
            description,
            states: states.iter().rev().fold(0, |bits, half| bits << 32 | u64::from(*half)),
            extents,
            text,
        })
    }

    async fn children(&self, at: &Reference) -> zbus::Result<Vec<Reference>> {
        self.call(at, ACCESSIBLE, "GetChildren", &()).await
    }

    async fn call<A, R>(&self, (bus, path): &Reference, interface: &str, method: &str, arguments: &A) -> zbus::Result<R>
    where
        A: serde::Serialize + zbus::zvariant::DynamicType,
        R: DeserializeOwned + Type,
    {
        let answer = self
            .bus
            .call_method(Some(bus.as_str()), path, Some(interface), method, arguments)
            .await?;
        answer.body().deserialize()
    }
}

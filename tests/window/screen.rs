//! What stands on the display: screenshots over the X protocol. Knows nothing of the program that drew it.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat, InputFocus, MapState, Window};
use x11rb::rust_connection::RustConnection;

/// The whole display as it was at one moment.
pub struct Screenshot {
    width: usize,
    height: usize,
    /// Blue, green, red and a filling byte for each pixel.
    bytes: Vec<u8>,
}

impl Screenshot {
    /// Red, green, blue of a pixel; black beyond the edges.
    pub fn pixel(&self, x: i32, y: i32) -> [u8; 3] {
        if x < 0 || y < 0 || x as usize >= self.width || y as usize >= self.height {
            return [0; 3];
        }
        let at = 4 * (y as usize * self.width + x as usize);
        [self.bytes[at + 2], self.bytes[at + 1], self.bytes[at]]
    }

    /// Writes a PNG for a person to look at.
    pub fn save(&self, path: &std::path::Path) {
        let picture = image::RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            image::Rgb(self.pixel(x as i32, y as i32))
        });
        if let Err(error) = picture.save(path) {
            println!("{}: {error}", path.display());
        }
    }
}

/// A connection to one display.
pub struct Screen {
    display: RustConnection,
    root: Window,
    size: (u16, u16),
}

impl Screen {
    pub fn connect(display_name: &str) -> Self {
        let (display, number) = x11rb::connect(Some(display_name)).expect("the display answers");
        let screen = &display.setup().roots[number];
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        Self { display, root, size }
    }

    pub fn shot(&self) -> Screenshot {
        let (width, height) = self.size;
        let request = self
            .display
            .get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, u32::MAX);
        let reply = request
            .expect("the display answers")
            .reply()
            .expect("the root window can be read");
        let (width, height) = (usize::from(width), usize::from(height));
        assert_eq!(reply.data.len(), 4 * width * height, "the display has 32 bits a pixel");
        Screenshot {
            width,
            height,
            bytes: reply.data,
        }
    }

    /// Gives the keyboard to the largest window, as a window manager would.
    pub fn focus_program(&self) -> Result<(), String> {
        let tree = self.display.query_tree(self.root).map_err(|e| e.to_string())?;
        let windows = tree.reply().map_err(|e| e.to_string())?.children;
        let shown = windows.into_iter().filter_map(|window| {
            let attributes = self.display.get_window_attributes(window).ok()?.reply().ok()?;
            let size = self.display.get_geometry(window).ok()?.reply().ok()?;
            (attributes.map_state == MapState::VIEWABLE)
                .then_some((u32::from(size.width) * u32::from(size.height), window))
        });
        let (_, window) = shown.max().ok_or("no window is shown")?;
        let request = self
            .display
            .set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME);
        request.map_err(|e| e.to_string())?.check().map_err(|e| e.to_string())
    }
}

//! Small pictures of instances, made by whoever asks for them and kept beside the index, within bounds.

use std::io::Cursor;
use std::time::SystemTime;

use image::{ImageFormat, RgbImage};
use rusqlite::{OptionalExtension, params};

use super::{Error, Instance, Library, store};

/// Most thumbnails kept; beyond it, those made first go.
pub const MOST_THUMBNAILS: i64 = 4096;
/// Longest side of one that is read back, in pixels.
const LONGEST: u32 = 512;

/// A small picture of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thumbnail {
    /// Columns, rows, and RGB triples row by row.
    Picture([u32; 2], Vec<[u8; 3]>),
    /// The file gives no picture.
    None,
}

impl Library {
    /// The small picture of an instance as the index had it when it was listed, if it was kept; one that is damaged
    /// counts as not kept.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn thumbnail(&self, instance: &Instance) -> Result<Option<Thumbnail>, Error> {
        let read = || {
            let mut query = self.connection.prepare_cached(
                "SELECT width, png FROM thumbnails JOIN files ON files.id = thumbnails.file
                WHERE files.id = ?1 AND files.path = ?2 AND files.modified = ?3",
            )?;
            let kept = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
            let file = params![instance.id, store::bytes_of(&instance.path), instance.modified];
            query.query_row(file, kept).optional()
        };
        let kept = read().map_err(|cause| self.failed(cause))?;
        Ok(kept.and_then(|(width, png)| {
            if width == 0 {
                return Some(Thumbnail::None);
            }
            decoded(&png)
        }))
    }

    /// Keeps the small picture of an instance, unless its file is gone or was changed since it was listed, or may change
    /// unseen.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn keep_thumbnail(&mut self, instance: &Instance, thumbnail: &Thumbnail) -> Result<(), Error> {
        let (size, png) = match thumbnail {
            Thumbnail::None => ([0, 0], Vec::new()),
            Thumbnail::Picture(size, rgb) => match encoded(*size, rgb) {
                Some(png) => (*size, png),
                None => return Ok(()),
            },
        };
        if instance.modified == store::NEVER {
            return Ok(());
        }
        let path = store::bytes_of(&instance.path);
        let made = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let written = store::transaction(&mut self.connection, |transaction| {
            let mut keep = transaction.prepare_cached(
                "INSERT OR REPLACE INTO thumbnails (file, made, width, height, png)
                SELECT id, ?4, ?5, ?6, ?7 FROM files WHERE id = ?1 AND path = ?2 AND modified = ?3",
            )?;
            let made = made.as_micros() as i64;
            keep.execute(params![
                instance.id,
                path,
                instance.modified,
                made,
                size[0],
                size[1],
                png
            ])?;
            let mut forget = transaction.prepare_cached(
                "DELETE FROM thumbnails WHERE file IN (SELECT file FROM thumbnails ORDER BY made DESC, file
                LIMIT -1 OFFSET ?)",
            )?;
            forget.execute(params![MOST_THUMBNAILS]).map(drop)
        });
        written.map_err(|cause| self.failed(cause))
    }
}

fn encoded([width, height]: [u32; 2], rgb: &[[u8; 3]]) -> Option<Vec<u8>> {
    let picture = RgbImage::from_raw(width, height, rgb.as_flattened().to_vec())?;
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

fn decoded(png: &[u8]) -> Option<Thumbnail> {
    let mut reader = image::ImageReader::with_format(Cursor::new(png), ImageFormat::Png);
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    reader.limits(limits);
    let picture = reader.decode().ok()?.into_rgb8();
    let size = [picture.width(), picture.height()];
    let (triples, _) = picture.as_raw().as_chunks::<3>();
    Some(Thumbnail::Picture(size, triples.to_vec()))
}

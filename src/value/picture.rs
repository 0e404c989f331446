use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An image: 8-bit sRGB with straight alpha, rows from the top, 4 bytes (R, G, B, A) a pixel, no padding.
///
/// Cheap to clone: the pixels are shared. `facts` are key–value pairs about how it was made (seed, prompt …);
/// they are shown with the result and written into the PNG as text.
///
/// ```
/// use gradus::value::Picture;
/// let red = Picture::from_rgba(2, 1, vec![255, 0, 0, 255, 255, 0, 0, 255])?.with_fact("Seed", "7");
/// let file = red.to_png()?;
/// let back = Picture::from_png(&file)?;
/// assert_eq!(back.rgba(), red.rgba());
/// assert_eq!(back.fact("Seed"), Some("7"));
/// # Ok::<(), gradus::value::PictureError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    width: u32,
    height: u32,
    #[serde(with = "pixels")]
    rgba: Arc<Vec<u8>>,
    facts: Vec<(String, String)>,
}

mod pixels {
    use std::sync::Arc;

    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(pixels: &Arc<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        serde_bytes::serialize(pixels.as_slice(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Vec<u8>>, D::Error> {
        serde_bytes::deserialize::<Vec<u8>, D>(from).map(Arc::new)
    }
}

/// Why bytes are no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PictureError {
    /// A side is 0 or over [`Picture::MAX_SIDE`], or the bytes are not 4 for each pixel.
    Size {
        /// The width asked for, in pixels.
        width: u32,
        /// The height asked for, in pixels.
        height: u32,
        /// How many bytes there were.
        bytes: usize,
    },
    /// The PNG codec refused; its own words.
    Png(String),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { width, height, bytes } => write!(
                f,
                "{bytes} bytes are no picture of {width}×{height} pixels: sides go from 1 to {}, with 4 bytes a pixel",
                Picture::MAX_SIDE
            ),
            Self::Png(why) => write!(f, "not a PNG file that can be read: {why}"),
        }
    }
}

impl std::error::Error for PictureError {}

impl Picture {
    /// The longest side that is accepted, in pixels.
    pub const MAX_SIDE: u32 = 8192;

    /// A picture from its pixels: `rgba` is `width × height × 4` bytes, rows from the top.
    ///
    /// # Errors
    /// [`PictureError::Size`] when the sides are out of range or the length does not fit them.
    pub fn from_rgba(width: u32, height: u32, rgba: Vec<u8>) -> Result<Self, PictureError> {
        let sides = 1..=Self::MAX_SIDE;
        let fits = sides.contains(&width)
            && sides.contains(&height)
            && rgba.len() as u64 == u64::from(width) * u64::from(height) * 4;
        if fits {
            Ok(Self { width, height, rgba: Arc::new(rgba), facts: Vec::new() })
        } else {
            Err(PictureError::Size { width, height, bytes: rgba.len() })
        }
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: `width × height × 4` bytes, R G B A, rows from the top.
    #[must_use]
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// The same picture with one more fact about how it was made.
    #[must_use]
    pub fn with_fact(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((key.into(), value.into()));
        self
    }

    /// The facts, in the order they were given.
    #[must_use]
    pub fn facts(&self) -> &[(String, String)] {
        &self.facts
    }

    /// The fact with this key.
    #[must_use]
    pub fn fact(&self, key: &str) -> Option<&str> {
        self.facts.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Encodes as a PNG file, its facts as `iTXt` chunks.
    ///
    /// # Errors
    /// [`PictureError::Png`] when the encoder refuses (a fact's key that PNG does not allow).
    pub fn to_png(&self) -> Result<Vec<u8>, PictureError> {
        let refuse = |error: png::EncodingError| PictureError::Png(error.to_string());
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        for (key, value) in &self.facts {
            encoder.add_itxt_chunk(key.clone(), value.clone()).map_err(refuse)?;
        }
        let mut writer = encoder.write_header().map_err(refuse)?;
        writer.write_image_data(&self.rgba).map_err(refuse)?;
        writer.finish().map_err(refuse)?;
        Ok(file)
    }

    /// Decodes an 8-bit RGB or RGBA PNG file, with its `iTXt` texts as facts.
    ///
    /// # Errors
    /// [`PictureError`] when the file is no such PNG or its sides are out of range; the sides are looked at
    /// before anything is allocated.
    pub fn from_png(file: &[u8]) -> Result<Self, PictureError> {
        let refuse = |error: png::DecodingError| PictureError::Png(error.to_string());
        let mut decoder = png::Decoder::new(std::io::Cursor::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8() | png::Transformations::ALPHA);
        let mut reader = decoder.read_info().map_err(refuse)?;
        let (width, height) = (reader.info().width, reader.info().height);
        if width > Self::MAX_SIDE || height > Self::MAX_SIDE {
            return Err(PictureError::Size { width, height, bytes: file.len() });
        }
        let size = reader.output_buffer_size().ok_or_else(|| PictureError::Png("too large".into()))?;
        let mut pixels = vec![0; size];
        let frame = reader.next_frame(&mut pixels).map_err(refuse)?;
        pixels.truncate(frame.buffer_size());
        let rgba = match frame.color_type {
            png::ColorType::Rgba => pixels,
            png::ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect(),
            other => {
                return Err(PictureError::Png(format!("colour type {other:?} is not supported")));
            }
        };
        let mut picture = Self::from_rgba(width, height, rgba)?;
        for text in &reader.info().utf8_text {
            let value = text.get_text().map_err(refuse)?;
            picture.facts.push((text.keyword.clone(), value));
        }
        Ok(picture)
    }
}

/// A PNG file with texts added, as `iTXt` chunks behind its header. For files that another encoder made.
///
/// Keys are cut to what PNG allows: 79 bytes, no zero. What is no PNG file is given back as it is.
///
/// ```
/// use gradus::value::{Picture, add_texts};
/// let plain = Picture::from_rgba(1, 1, vec![1, 2, 3, 255])?.to_png()?;
/// let file = add_texts(&plain, &[("Prompt".into(), "мяч 🦄".into())]);
/// assert_eq!(Picture::from_png(&file)?.fact("Prompt"), Some("мяч 🦄"));
/// # Ok::<(), gradus::value::PictureError>(())
/// ```
#[must_use]
pub fn add_texts(file: &[u8], texts: &[(String, String)]) -> Vec<u8> {
    // Signature 8; header chunk: length 4, name 4, data 13, checksum 4.
    const HEADER_END: usize = 8 + 25;
    let Some((header, rest)) = file.split_at_checked(HEADER_END).filter(|(header, _)| header[12..16] == *b"IHDR")
    else {
        return file.to_vec();
    };
    let mut out = header.to_vec();
    for (key, text) in texts {
        let key: Vec<u8> = key.bytes().filter(|byte| byte.is_ascii_graphic() || *byte == b' ').take(79).collect();
        let mut chunk = b"iTXt".to_vec();
        chunk.extend(if key.is_empty() { b"Text".to_vec() } else { key });
        // Not compressed, no language, no translated key.
        chunk.extend([0, 0, 0, 0, 0]);
        chunk.extend(text.bytes().filter(|&byte| byte != 0));
        out.extend(u32::try_from(chunk.len() - 4).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(&chunk);
        out.extend(crc32(&chunk).to_be_bytes());
    }
    out.extend(rest);
    out
}

/// The checksum of PNG's chunks, bit by bit: they are short.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}×{}, {:?})", self.width, self.height, self.facts)
    }
}

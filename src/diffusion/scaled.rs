//! Pictures and masks at another size, as diffusers brings them to it.

use std::borrow::Cow;

use gradus_cpu::resample::lanczos;

use crate::value::Picture;

/// The picture's RGBA bytes at this height and width: its own where it has that size, as the largest are not held twice.
pub(super) fn bytes(picture: &Picture, [height, width]: [usize; 2]) -> Cow<'_, [u8]> {
    let from = [picture.width() as usize, picture.height() as usize];
    if from == [width, height] { picture.rgba().into() } else { lanczos(picture.rgba(), from, [width, height]).into() }
}

/// Where a mask at this height and width is rather white than black.
pub(super) fn mask(mask: &Picture, size: [usize; 2]) -> Vec<bool> {
    let white = |pixel: &[u8]| {
        // The weights of luma and the rounding that Pillow has.
        let [r, g, b] = [0, 1, 2].map(|channel| u32::from(pixel[channel]));
        (r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16 >= 128
    };
    bytes(mask, size).chunks_exact(4).map(white).collect()
}

//! Pictures and masks at another size, as diffusers brings them to it.

use gradus_cpu::resample::lanczos;

use crate::value::Picture;

/// The picture's bytes at this height and width.
pub(super) fn bytes(picture: &Picture, [height, width]: [usize; 2]) -> Vec<u8> {
    lanczos(picture.rgba(), [picture.width() as usize, picture.height() as usize], [width, height])
}

/// The picture at this height and width: 3 × height × width numbers of 0..1, channels first.
pub(super) fn picture(picture: &Picture, size: [usize; 2]) -> Vec<f32> {
    let rgba = bytes(picture, size);
    (0..3).flat_map(|channel| rgba.chunks_exact(4).map(move |pixel| f32::from(pixel[channel]) / 255.0)).collect()
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

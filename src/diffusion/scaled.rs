//! Pictures at another size, as channels-first numbers.

use crate::value::Picture;

/// The picture at this height and width: 3 × height × width numbers of 0..1, between pixels along a line.
pub(super) fn picture(picture: &Picture, [height, width]: [usize; 2]) -> Vec<f32> {
    let (columns, rows) = (places(picture.width() as usize, width), places(picture.height() as usize, height));
    let at = |x: usize, y: usize, channel: usize| {
        f32::from(picture.rgba()[(y * picture.width() as usize + x) * 4 + channel]) / 255.0
    };
    let mut all = Vec::with_capacity(3 * height * width);
    for channel in 0..3 {
        for &(top, bottom, down) in &rows {
            for &(left, right, along) in &columns {
                let above = at(left, top, channel) * (1.0 - along) + at(right, top, channel) * along;
                let below = at(left, bottom, channel) * (1.0 - along) + at(right, bottom, channel) * along;
                all.push(above * (1.0 - down) + below * down);
            }
        }
    }
    all
}

/// For each place of a side the two pixels it lies between, and how far it is from the first.
fn places(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    let place = |n: usize| {
        let x = ((n as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        let low = x as usize;
        (low, (low + 1).min(from - 1), x - low as f32)
    };
    (0..to).map(place).collect()
}

/// A mask at the latent's size: 1 where it is rather white, 0 where rather black; the nearest pixel counts.
pub(super) fn mask(mask: &Picture, [height, width]: [usize; 2]) -> Vec<f32> {
    let (from_width, from_height) = (mask.width() as usize, mask.height() as usize);
    let mut all = Vec::with_capacity(height * width);
    for y in 0..height {
        for x in 0..width {
            let at = (y * from_height / height * from_width + x * from_width / width) * 4;
            let [r, g, b] = [0, 1, 2].map(|channel| u32::from(mask.rgba()[at + channel]));
            // The weights of luma, as the imaging library that diffusers uses has them.
            let white = (r * 299 + g * 587 + b * 114) / 1000 >= 128;
            all.push(f32::from(u8::from(white)));
        }
    }
    all
}

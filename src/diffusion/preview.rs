//! What a latent will look like, without a decoder: each of its pixels' colour is a weighted sum of the channels.
//!
//! The weights are a least-squares fit for the two families of `AutoencoderKL` that checkpoints use; as ComfyUI's
//! `latent_formats` lists them, after a fit that Keturn published in 2022.

use super::graph::Node;
use super::plan::channels_first;
use super::scaled;
use crate::value::{Error, Picture, PictureError};

/// A row for each channel, then what is added: red, green, blue, from −1 to 1.
type Weights = [[f32; 3]; 5];

const SD: Weights = [
    [0.3512, 0.2297, 0.3227],
    [0.3250, 0.4974, 0.2350],
    [-0.2829, 0.1762, 0.2721],
    [-0.2120, -0.2616, -0.7177],
    [0.0, 0.0, 0.0],
];
const SDXL: Weights = [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
    [0.1084, -0.0175, -0.0011],
];

/// The weights that suit a coder's latents, if there are such: the families are known by what they scale by.
pub(super) fn weights(channels: usize, scaling: f64) -> Option<&'static Weights> {
    let near = |known: f64| channels == 4 && (scaling - known).abs() < 1e-6;
    [(0.18215, &SD), (0.13025, &SDXL)].into_iter().find_map(|(known, weights)| near(known).then_some(weights))
}

/// The first picture of a sample as the network sees it (channels last, as it is on the engine), at this height and width.
pub(super) fn picture(
    node: &Node,
    sample: &[f32],
    weights: &Weights,
    [height, width]: [u32; 2],
) -> Result<Picture, Error> {
    let pixels = node.height * node.width;
    let planes = channels_first(&Node { pictures: 1, ..*node }, &sample[..(pixels * node.lanes()).min(sample.len())]);
    let mut bytes = Vec::with_capacity(pixels * 4);
    for pixel in 0..pixels {
        for colour in 0..3 {
            let of = |(plane, row): (&[f32], &[f32; 3])| plane.get(pixel).copied().unwrap_or(0.0) * row[colour];
            let sum: f32 = planes.chunks_exact(pixels).zip(weights).map(of).sum();
            bytes.push(((sum + weights[4][colour]) * 127.5 + 127.5) as u8);
        }
        bytes.push(255);
    }
    let small = Picture::from_rgba(node.width as u32, node.height as u32, bytes).map_err(refuse)?;
    enlarged(&small, [height, width])
}

fn refuse(error: PictureError) -> Error {
    Error::new(error.to_string())
}

/// A picture at this height and width.
pub(super) fn enlarged(small: &Picture, [height, width]: [u32; 2]) -> Result<Picture, Error> {
    let bytes = scaled::bytes(small, [height, width].map(|side| side as usize));
    Picture::from_rgba(width, height, bytes).map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_its_colour() {
        let node = Node { id: 0, pictures: 1, height: 2, width: 2, channels: 4, head: 4, text: false };
        // By hand: the first channel at 1 is 0.3512 · 127.5 + 127.5 = 172.3 of red, the last 127.5 − 91.5 = 36 of blue.
        let mut sample = vec![0.0; 16];
        sample[0] = 1.0;
        sample[15] = 1.0;
        let made = picture(&node, &sample, &SD, [2, 2]).unwrap();
        assert_eq!(made.rgba()[..4], [172, 156, 168, 255]);
        assert_eq!(made.rgba()[12..], [100, 94, 35, 255]);
        assert_eq!(made.rgba()[4..8], [127, 127, 127, 255]);
    }

    #[test]
    fn only_known_families_have_weights() {
        assert!(weights(4, 0.18215).is_some() && weights(4, 0.13025).is_some());
        assert!(weights(16, 0.18215).is_none() && weights(4, 0.3611).is_none());
    }
}

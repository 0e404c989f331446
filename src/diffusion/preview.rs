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

/// Of a family that is not known: the first three channels as colours, half of their range. It shows that something comes,
/// and where.
const ANY: Weights = [[0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5], [0.0; 3], [0.0; 3]];

/// The weights that suit a coder's latents best: the families are known by what they scale by.
pub(super) fn weights(channels: usize, scaling: f64) -> &'static Weights {
    let near = |known: f64| channels == 4 && (scaling - known).abs() < 1e-6;
    let known =
        [(0.18215, &SD), (0.13025, &SDXL)].into_iter().find_map(|(known, weights)| near(known).then_some(weights));
    known.unwrap_or(&ANY)
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
            let sum: f32 = planes.chunks_exact(pixels).zip(&weights[..4]).map(of).sum();
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
    Picture::from_rgba(width, height, bytes.into_owned()).map_err(refuse)
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
    fn families_have_their_weights_and_others_show_their_first_channels() {
        assert_eq!((weights(4, 0.18215), weights(4, 0.13025)), (&SD, &SDXL));
        assert_eq!((weights(16, 0.18215), weights(4, 0.3611)), (&ANY, &ANY));
        for channels in [1, 3, 16] {
            let node = Node { id: 0, pictures: 1, height: 1, width: 1, channels, head: channels, text: false };
            let mut sample = vec![2.0; node.lanes()];
            sample[0] = -1.0;
            let made = picture(&node, &sample, &ANY, [1, 1]).unwrap();
            // By hand: 127.5 - 0.5 * 127.5, and 127.5 + 127.5 where there is such a channel.
            let other = if channels > 2 { 255 } else { 127 };
            assert_eq!(made.rgba(), [63, other, other, 255], "{channels} channels");
        }
    }
}

//! A decoder of half the size, for previews where each pixel takes its time.
//!
//! Where the last level of an `AutoencoderTiny` has no block, nothing but two convolutions stands behind its doubling. Both
//! are linear, and so is the mean of 2×2 pixels: all of it is one 3×3 convolution before the doubling. It computes the
//! picture at half the size, but for the pixels at its edge, where the second convolution would have seen zeros.

use gradus_cpu::nn::conv::COLUMNS;

use super::autoencoder::Autoencoder;
use super::pipeline::Run;
use super::plan::Plan;
use super::sampling::Shape;
use super::weights::Weight;
use crate::kernels::nn::Stored;
use crate::kernels::{EngineKind, Recording};
use crate::value::Error;

/// The plan of a small decoder with a decoder's weights; none where there is no such, or the engine is quick.
pub(super) async fn plan(
    of: &Autoencoder,
    weights: &[Weight],
    shape: Shape,
    Run { engine, control, .. }: Run<'_>,
) -> Result<Option<Plan>, Error> {
    let Some((graph, channels)) = of.small_decoder(shape.pictures, shape.size)? else { return Ok(None) };
    let [before @ .., up, out] = weights else { return Ok(None) };
    if engine.info().kind != EngineKind::Cpu || [up, out].iter().any(|weight| weight.stored != Stored::Floats) {
        return Ok(None);
    }
    let (up, out) = (engine.read(&up.buffer).await?, engine.read(&out.buffer).await?);
    let Some(both) = compose(bytemuck::cast_slice(&up), bytemuck::cast_slice(&out), channels) else { return Ok(None) };
    let buffer = engine.buffer("weights", both.len())?;
    let mut recording = Recording::new();
    recording.write(&buffer, &both);
    engine.run(&recording, control).await?;
    let all = [before, &[Weight { buffer, stored: Stored::Floats }]].concat();
    Plan::new(&graph, engine, control, &all, false).await.map(Some)
}

/// Taps of a 3×3 kernel, to one side.
const TAPS: usize = 3;

/// For each tap of the one convolution (to one side) the taps of the second and of the first that meet there, as shares of
/// the mean of two neighbouring pixels: from the pixel 2i + a the taps p and t reach the doubled row (2i + a + p + t - 2) / 2.
fn meetings() -> Vec<[usize; TAPS]> {
    let mut all = Vec::new();
    for pixel in 0..2 {
        for second in 0..TAPS {
            for first in 0..TAPS {
                all.push([(pixel + second + first) / 2, second, first]);
            }
        }
    }
    all
}

/// The weights of both convolutions (panels of 8 columns, as [`gradus_cpu::nn::conv`] has them) as those of one.
fn compose(up: &[f32], out: &[f32], channels: usize) -> Option<Vec<f32>> {
    let panel = (TAPS * TAPS * channels + 1) * COLUMNS;
    if !channels.is_multiple_of(COLUMNS) || up.len() != channels / COLUMNS * panel || out.len() != panel {
        return None;
    }
    let mut both = vec![0.0; panel];
    both[..COLUMNS].copy_from_slice(&out[..COLUMNS]);
    let place = |down: usize, right: usize, channel: usize| ((down * TAPS + right) * channels + channel + 1) * COLUMNS;
    for &[down, second_down, first_down] in &meetings() {
        for &[right, second_right, first_right] in &meetings() {
            for channel in 0..channels {
                let (mut sums, from) = ([0.0; COLUMNS], place(first_down, first_right, channel));
                for between in 0..channels {
                    let weight = up[between / COLUMNS * panel + from + between % COLUMNS] * 0.25;
                    let to = &out[place(second_down, second_right, between)..];
                    sums.iter_mut().zip(to).for_each(|(sum, x)| *sum += weight * x);
                }
                let to = &mut both[place(down, right, channel)..];
                to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum);
            }
        }
    }
    Some(both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_cpu::{hash, unit};

    /// Numbers from -1 to 1.
    fn numbers(seed: u32, count: usize) -> Vec<f32> {
        (0..count as u32).map(|n| unit(hash(seed ^ hash(n))) * 2.0 - 1.0).collect()
    }

    /// A 3×3 convolution of a square of pixels with zeros around, as its definition has it.
    fn convolved(source: &[f32], side: usize, channels: usize, weights: &[f32], width: usize) -> Vec<f32> {
        let panel = (9 * channels + 1) * COLUMNS;
        let mut result = Vec::new();
        for (y, x, column) in (0..side * side * width).map(|n| (n / width / side, n / width % side, n % width)) {
            let packed = &weights[column / COLUMNS * panel..][..panel];
            let mut sum = packed[column % COLUMNS];
            for tap in 0..9 {
                let (y, x) = ((y + tap / 3).wrapping_sub(1), (x + tap % 3).wrapping_sub(1));
                for channel in (0..channels).filter(|_| y < side && x < side) {
                    let weight = packed[(tap * channels + channel + 1) * COLUMNS + column % COLUMNS];
                    sum += weight * source[(y * side + x) * channels + channel];
                }
            }
            result.push(sum);
        }
        result
    }

    #[test]
    fn one_convolution_is_the_mean_of_what_both_make_of_the_doubled_source() {
        const SIDE: usize = 6;
        const CHANNELS: usize = 16;
        let panel = (9 * CHANNELS + 1) * COLUMNS;
        let (source, mut up, out) =
            (numbers(1, SIDE * SIDE * CHANNELS), numbers(2, CHANNELS / COLUMNS * panel), numbers(3, panel));
        up.chunks_exact_mut(panel).for_each(|panel| panel[..COLUMNS].fill(0.0));
        let doubled: Vec<f32> = (0..4 * SIDE * SIDE)
            .flat_map(|pixel| {
                let [y, x] = [pixel / (2 * SIDE) / 2, pixel % (2 * SIDE) / 2];
                source[(y * SIDE + x) * CHANNELS..][..CHANNELS].to_vec()
            })
            .collect();
        let between = convolved(&doubled, 2 * SIDE, CHANNELS, &up, CHANNELS);
        let large = convolved(&between, 2 * SIDE, CHANNELS, &out, COLUMNS);
        let both = compose(&up, &out, CHANNELS).unwrap();
        let small = convolved(&source, SIDE, CHANNELS, &both, COLUMNS);
        for (y, x, column) in (0..SIDE * SIDE * COLUMNS).map(|n| (n / COLUMNS / SIDE, n / COLUMNS % SIDE, n % COLUMNS))
        {
            let at = |down, right| large[((2 * y + down) * 2 * SIDE + 2 * x + right) * COLUMNS + column];
            let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0;
            let off = (small[(y * SIDE + x) * COLUMNS + column] - mean).abs();
            let at_the_edge = [y, x].iter().any(|&place| place == 0 || place == SIDE - 1);
            assert!(off < 1e-3 || at_the_edge, "{off} of {mean} at {y}, {x}");
        }
        assert_eq!(compose(&up, &out, CHANNELS / 2), None, "weights of other sizes");
    }
}

//! Kernels that look at one number, or one pixel, at a time.

use std::ops::Range;

use super::math::tanh;

/// Tensors that [`combine`] can add up.
pub const TERMS: usize = 5;

/// What [`combine`] computes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Combination {
    /// What each term is multiplied by; a term of factor 0 is not read.
    pub factors: [f32; TERMS],
    /// After how many numbers each term begins again; 0: the length of the result.
    pub periods: [usize; TERMS],
    /// Where the second half of the second term begins; 0: it has none.
    pub pair: usize,
    /// What that half is multiplied by.
    pub pair_factor: f32,
    /// The result is held within ± this; 0: it is not.
    pub clip: f32,
}

/// result\[i\] = Σ factor · term\[i mod period\]: every step of a sampler is such a sum. The second term, the network's
/// prediction, may be a pair (without and with the prompt: classifier-free guidance).
pub fn combine(span: Range<u32>, what: &Combination, terms: [&[f32]; TERMS], result: &mut [f32]) {
    for item in span.start as usize..span.end as usize {
        let mut sum = 0.0;
        for (index, term) in terms.iter().enumerate() {
            let at = item.checked_rem(what.periods[index]).unwrap_or(item);
            if what.factors[index] != 0.0 {
                sum += what.factors[index] * term.get(at).copied().unwrap_or(0.0);
            }
            if index == 1 && what.pair > 0 {
                sum += what.pair_factor * term.get(at + what.pair).copied().unwrap_or(0.0);
            }
        }
        if what.clip > 0.0 {
            sum = sum.clamp(-what.clip, what.clip);
        }
        let Some(to) = result.get_mut(item) else { return };
        *to = sum;
    }
}

/// What [`blend`] puts behind its mask.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Behind {
    /// What the picture is multiplied by.
    pub picture: f32,
    /// What the noise is multiplied by.
    pub noise: f32,
}

/// mask · sample + (1 − mask) · (picture and noise, as `behind` says): where nothing is to be painted, the picture stays.
pub fn blend(span: Range<u32>, behind: Behind, [sample, picture, noise, mask]: [&[f32]; 4], result: &mut [f32]) {
    for item in span.start as usize..span.end as usize {
        let at = |values: &[f32]| values.get(item).copied().unwrap_or(0.0);
        let kept = behind.picture * at(picture) + behind.noise * at(noise);
        let Some(to) = result.get_mut(item) else { return };
        *to = at(mask) * at(sample) + (1.0 - at(mask)) * kept;
    }
}

/// tanh(x / limit) · limit: how `AutoencoderTiny` holds its latents.
pub fn squash(span: Range<u32>, limit: f32, source: &[f32], result: &mut [f32]) {
    let span = span.start as usize..span.end as usize;
    let (Some(from), Some(to)) = (source.get(span.clone()), result.get_mut(span)) else { return };
    to.iter_mut().zip(from).for_each(|(to, &x)| *to = tanh(x / limit) * limit);
}

/// Pixels of −1..1 (after `x · scale + shift`) as packed opaque RGBA; `width` floats a pixel.
pub fn pixels(span: Range<u32>, width: usize, scale: f32, shift: f32, source: &[f32], result: &mut [u32]) {
    for item in span.start as usize..span.end as usize {
        let (Some(pixel), Some(to)) = (source.get(item * width..item * width + 3), result.get_mut(item)) else {
            return;
        };
        let byte = |x: f32| ((x * scale + shift).clamp(0.0, 1.0) * 255.0 + 0.5) as u32;
        *to = byte(pixel[0]) | byte(pixel[1]) << 8 | byte(pixel[2]) << 16 | 0xff00_0000;
    }
}

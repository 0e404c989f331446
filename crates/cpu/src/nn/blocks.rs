//! Packed weights as 8-bit numbers in blocks, as they are kept in memory: a quarter of the floats.
//!
//! A panel of 8 columns is, in words of 32 bits: the 8 biases as halves (4 words); for each block the columns' scales as
//! halves (4 words); for each step of the inner dimension the columns' numbers (2 words). The blocks are those of the
//! checkpoint's file, where a column's weights lie by channel, for each channel by tap; the steps are by tap, for each by
//! channel. A weight is its number times its block's scale, rounded to a half.

use super::conv::COLUMNS;
use super::half;

/// Weights that share a scale; a column is whole blocks.
pub const BLOCK: usize = 32;

/// Words of 8 halves, which a row of scales is.
const ROW: usize = COLUMNS / 2;

/// Words of a panel.
#[must_use]
pub fn words(depth: usize) -> usize {
    ROW * (1 + depth / BLOCK) + depth * COLUMNS / 4
}

/// Puts a column into its panel: the bias, and the checkpoint's numbers and scales in their order.
pub fn put(panel: &mut [u32], column: usize, taps: usize, bias: u16, numbers: &[i8], scales: &[u16]) {
    let Some((halves, steps)) = panel.split_at_mut_checked(ROW * (1 + numbers.len() / BLOCK)) else { return };
    for (row, &half) in halves.chunks_exact_mut(ROW).zip(std::iter::once(&bias).chain(scales)) {
        row[column / 2] |= u32::from(half) << (column % 2 * 16);
    }
    let channels = numbers.len() / taps.max(1);
    for (place, &number) in numbers.iter().enumerate() {
        let step = place % taps * channels + place / taps;
        if let Some(word) = steps.get_mut(step * 2 + column / 4) {
            *word |= u32::from(number as u8) << (column % 4 * 8);
        }
    }
}

/// Panels as floats, packed as [`super::conv`] takes them.
#[must_use]
pub fn unpack(panels: &[u32], taps: usize, channels: usize) -> Vec<f32> {
    let depth = taps * channels;
    let mut all = Vec::with_capacity(panels.len() / words(depth) * (depth + 1) * COLUMNS);
    for panel in panels.chunks_exact(words(depth)) {
        let (halves, steps) = panel.split_at(ROW * (1 + depth / BLOCK));
        let rows: Vec<[f32; COLUMNS]> = halves
            .chunks_exact(ROW)
            .map(|row| std::array::from_fn(|column| half::to_f32((row[column / 2] >> (column % 2 * 16)) as u16)))
            .collect();
        let Some((bias, scales)) = rows.split_first() else { return all };
        all.extend_from_slice(bias);
        for (step, two) in steps.as_chunks::<2>().0.iter().enumerate() {
            let Some(scale) = scales.get((step % channels * taps + step / channels) / BLOCK) else { return all };
            let number = |column: usize| (two[column / 4] >> (column % 4 * 8)) as u8 as i8;
            let eight: [f32; COLUMNS] =
                std::array::from_fn(|column| half::round(f32::from(number(column)) * scale[column]));
            all.extend_from_slice(&eight);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash;

    #[test]
    fn a_column_comes_back_in_the_order_of_the_steps() {
        let (taps, channels) = (9, 32);
        let depth = taps * channels;
        let mut panels = vec![0; 2 * words(depth)];
        let column = |column: u32| -> (u16, Vec<i8>, Vec<u16>) {
            let numbers = (0..depth as u32).map(|n| hash(n * 31 + column) as i8).collect();
            let scales = (0..depth as u32 / 32).map(|n| half::from_f32(0.001 * (n + column + 1) as f32)).collect();
            (half::from_f32(column as f32), numbers, scales)
        };
        for place in 0..16 {
            let (bias, numbers, scales) = column(place);
            let panel = &mut panels[place as usize / 8 * words(depth)..][..words(depth)];
            put(panel, place as usize % 8, taps, bias, &numbers, &scales);
        }
        let floats = unpack(&panels, taps, channels);
        assert_eq!(floats.len(), 2 * (depth + 1) * COLUMNS);
        for place in 0..16 {
            let (_, numbers, scales) = column(place);
            let panel = &floats[place as usize / 8 * (depth + 1) * COLUMNS..];
            assert_eq!(panel[place as usize % 8], place as f32);
            for tap in 0..taps {
                for channel in 0..channels {
                    let at = channel * taps + tap;
                    let weight = half::round(f32::from(numbers[at]) * half::to_f32(scales[at / BLOCK]));
                    let step = 1 + tap * channels + channel;
                    assert_eq!(panel[step * COLUMNS + place as usize % 8], weight, "{place} {tap} {channel}");
                }
            }
        }
    }
}

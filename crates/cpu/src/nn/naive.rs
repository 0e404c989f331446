//! The obvious versions of the fast kernels, in double precision: what the tests hold those to.

use super::attention;
use super::conv::{COLUMNS, Shape};
use super::math::Activation;
use super::norm;

/// Numbers from -1 to 1.
pub(super) fn numbers(seed: u32, count: usize) -> Vec<f32> {
    (0..count as u32).map(|n| crate::unit(crate::hash(seed ^ crate::hash(n))) * 2.0 - 1.0).collect()
}

pub(super) fn assert_near(got: &[f32], expected: &[f64], most: f64, what: &dyn std::fmt::Debug) {
    assert_eq!(got.len(), expected.len(), "{what:?}");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let off = (f64::from(got) - expected).abs();
        assert!(off <= most * expected.abs().max(1.0), "{what:?}: {got} for {expected} at {at}");
    }
}

fn erf(x: f64) -> f64 {
    // Taylor's series, good for the arguments of the tests.
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

pub(super) fn activation(kind: Activation, x: f64) -> f64 {
    match kind {
        Activation::None | Activation::Geglu => x,
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
        Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        Activation::Relu => x.max(0.0),
    }
}

pub(super) fn conv(shape: &Shape, sources: [&[f32]; 2], weights: &[f32], added: &[f32]) -> Vec<f64> {
    let [a, b] = shape.channels;
    let depth = shape.depth();
    let kind = Activation::of(shape.activation);
    let mut result = vec![0.0; shape.rows * shape.width];
    let column_sum = |row: usize, panel: usize, lane: usize| {
        let weight = |step: usize| f64::from(weights[(panel * (depth + 1) + step) * COLUMNS + lane]);
        let mut sum = weight(0);
        let mut step = 1;
        for tap in 0..shape.kernel[0] * shape.kernel[1] {
            let from = shape.source_row(row, tap);
            for c in 0..a + b {
                if let Some(from) = from {
                    let x = if c < a { sources[0][from * a + c] } else { sources[1][from * b + c - a] };
                    sum += f64::from(x) * weight(step);
                }
                step += 1;
            }
        }
        sum
    };
    for row in 0..shape.rows {
        for column in 0..shape.width {
            let value = if kind == Activation::Geglu {
                let (panel, lane) = (column / 4, column % 4);
                column_sum(row, panel, lane) * activation(Activation::Gelu, column_sum(row, panel, lane + 4))
            } else {
                let mut sum = column_sum(row, column / COLUMNS, column % COLUMNS);
                if let Some(shared) = row.checked_div(shape.add_rows) {
                    sum += f64::from(added[shared * shape.width + column]);
                }
                activation(kind, sum)
            };
            result[row * shape.width + column] = value;
        }
    }
    result
}

pub(super) fn group_norm(shape: &norm::Group, sources: [&[f32]; 2], affine: &[f32]) -> Vec<f64> {
    let size = shape.channels / shape.groups;
    let at = |row: usize, c: usize| {
        let [first, second] = shape.widths;
        let x = match c.checked_sub(shape.first) {
            None => sources[0][row * first + c],
            Some(c) => sources[1][row * second + c],
        };
        f64::from(x)
    };
    let mut result = vec![0.0; shape.pictures * shape.rows * shape.width];
    for picture in 0..shape.pictures {
        for group in 0..shape.groups {
            let rows = picture * shape.rows..(picture + 1) * shape.rows;
            let channels = group * size..(group + 1) * size;
            let all: Vec<f64> = rows.clone().flat_map(|r| channels.clone().map(move |c| at(r, c))).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / all.len() as f64;
            for row in rows {
                for c in channels.clone() {
                    let scaled = (at(row, c) - mean) / (variance + f64::from(shape.epsilon)).sqrt();
                    let y = scaled * f64::from(affine[c]) + f64::from(affine[shape.width + c]);
                    let y = if shape.silu { activation(Activation::Silu, y) } else { y };
                    result[row * shape.width + c] = y;
                }
            }
        }
    }
    result
}

pub(super) fn attention(shape: &attention::Shape, queries: &[f32], pairs: &[f32]) -> Vec<f64> {
    let attention::Shape { pictures, heads, size, queries: count, keys, scale, causal } = *shape;
    let width = heads * size;
    let mut result = vec![0.0; pictures * count * width];
    for picture in 0..pictures {
        for head in 0..heads {
            for query in 0..count {
                let row = picture * count + query;
                let last = if causal { query + 1 } else { keys };
                let key = |k: usize, i: usize| f64::from(pairs[(picture * keys + k) * 2 * width + head * size + i]);
                let score = |k: usize| -> f64 {
                    let dot = (0..size).map(|i| f64::from(queries[row * width + head * size + i]) * key(k, i));
                    dot.sum::<f64>() * f64::from(scale)
                };
                let scores: Vec<f64> = (0..last).map(score).collect();
                let most = scores.iter().copied().fold(f64::MIN, f64::max);
                let total: f64 = scores.iter().map(|s| (s - most).exp()).sum();
                for i in 0..size {
                    let sum: f64 = (0..last).map(|k| (scores[k] - most).exp() * key(k, width + i)).sum();
                    result[row * width + head * size + i] = sum / total;
                }
            }
        }
    }
    result
}

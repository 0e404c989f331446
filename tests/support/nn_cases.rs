//! The rows of the neural-network kernels.

use gradus::kernels::nn::{self, Call, Stored, half};
use gradus_cpu::nn::blocks;
use gradus_cpu::nn::conv::{COLUMNS, Shape};
use gradus_cpu::nn::norm::{Group, Part};
use gradus_cpu::nn::pointwise::{Behind, Combination};
use gradus_cpu::nn::{attention, math::Activation};
use gradus_cpu::{hash, unit};

use super::twin::Case;

/// Numbers from -1 to 1, as words.
fn numbers(seed: u32, count: usize) -> Vec<u32> {
    (0..count as u32).map(|n| (unit(hash(seed ^ hash(n))) * 2.0 - 1.0).to_bits()).collect()
}

fn case(call: &Call, buffers: Vec<Vec<u32>>) -> Case {
    let buffers = buffers.into_iter().map(|words| if words.is_empty() { vec![0; 4] } else { words }).collect();
    Case { kernel: call.kernel, items: call.items, params: call.params.clone(), buffers, stray: 0.0 }
}

pub fn all() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(norms());
    cases.extend(attentions());
    cases.extend(pointwise());
    cases
}

/// Products: the shape, how the weights are stored, and the buffers.
pub fn products() -> Vec<(Shape, Stored, Vec<Vec<u32>>)> {
    let linear = Shape { stride: 1, kernel: [1, 1], rows: 70, source: [70, 1], result: [70, 1], ..Shape::default() };
    let square = Shape { stride: 1, kernel: [3, 3], padding: [1, 1], ..Shape::default() };
    let stored = |halves| if halves { Stored::Halves } else { Stored::Floats };
    let mut shapes: Vec<(Shape, Stored)> = Activation::ALL
        .iter()
        .zip(0..)
        .map(|(&kind, activation)| {
            let width = if kind == Activation::Geglu { 20 } else { 40 };
            (Shape { panels: 5, width, channels: [20, 0], activation, ..linear }, stored(activation % 2 == 0))
        })
        .collect();
    // Two sources, a row added for each picture; a residual; an odd size behind a doubling; a stride.
    shapes.push((
        Shape {
            rows: 2 * 35,
            panels: 6,
            width: 44,
            source: [5, 7],
            result: [5, 7],
            channels: [12, 8],
            add_rows: 35,
            ..square
        },
        Stored::Floats,
    ));
    shapes.push((
        Shape {
            rows: 63,
            panels: 1,
            width: 4,
            source: [9, 7],
            result: [9, 7],
            channels: [8, 0],
            upsample: 1,
            ..square
        },
        Stored::Halves,
    ));
    shapes.push((
        Shape {
            rows: 2 * 20,
            panels: 9,
            width: 72,
            source: [9, 7],
            result: [5, 4],
            channels: [4, 4],
            stride: 2,
            add_rows: 1,
            activation: 1,
            ..square
        },
        Stored::Floats,
    ));
    // Several tiles in both directions, none of them full.
    for stored in [Stored::Floats, Stored::Halves, Stored::Blocks] {
        let both = Shape { rows: 2 * 77, panels: 19, width: 148, source: [11, 7], result: [11, 7], ..square };
        shapes.push((Shape { channels: [20, 12], add_rows: 1, activation: 1, ..both }, stored));
    }
    // In blocks: a product of several blocks, and a kernel of which each tap has a part of a block.
    shapes.push((Shape { panels: 5, width: 40, channels: [96, 0], activation: 1, ..linear }, Stored::Blocks));
    let small = Shape { rows: 35, panels: 3, width: 20, source: [5, 7], result: [5, 7], ..square };
    shapes.push((Shape { channels: [8, 24], add_rows: 1, ..small }, Stored::Blocks));
    let with_buffers = |(shape, stored): (Shape, Stored)| {
        let pictures = shape.rows / (shape.result[0] * shape.result[1]);
        let sides = shape.source.map(|side| (side + shape.upsample) >> shape.upsample);
        let pixels = pictures * sides[0] * sides[1];
        let floats = numbers(3, shape.panels * (shape.depth() + 1) * COLUMNS);
        let weights = match stored {
            Stored::Floats => floats,
            Stored::Halves => {
                floats.chunks(2).map(|two| half::pack(f32::from_bits(two[0]), f32::from_bits(two[1]))).collect()
            }
            Stored::Blocks => in_blocks(&shape),
        };
        let buffers = vec![
            numbers(1, pixels * shape.channels[0]),
            numbers(2, pixels * shape.channels[1]),
            weights,
            numbers(4, shape.rows.checked_div(shape.add_rows).unwrap_or(0) * shape.width),
            numbers(5, shape.rows * shape.width),
        ];
        let buffers = buffers.into_iter().map(|words| if words.is_empty() { vec![0; 4] } else { words }).collect();
        (shape, stored, buffers)
    };
    shapes.into_iter().map(with_buffers).collect()
}

fn convolutions() -> Vec<Case> {
    let variants = |(shape, stored, buffers): (Shape, Stored, Vec<Vec<u32>>)| {
        (0..nn::CONV.len()).map(move |variant| case(&nn::conv(&shape, stored, variant), buffers.clone()))
    };
    products().into_iter().flat_map(variants).collect()
}

/// Weights in blocks, some with scales so small that they are rounded as the smallest halves are.
fn in_blocks(shape: &Shape) -> Vec<u32> {
    let (depth, taps) = (shape.depth(), shape.kernel[0] * shape.kernel[1]);
    let mut words = vec![0; shape.panels * blocks::words(depth)];
    for (panel, words) in (0..).zip(words.chunks_exact_mut(blocks::words(depth))) {
        for column in 0..COLUMNS {
            let seed = hash(panel * 8 + column as u32);
            let stored: Vec<i8> = (0..depth as u32).map(|n| hash(seed ^ n) as i8).collect();
            let scale = |n: u32| if n % 3 == 2 { 3e-6 } else { 0.008 } * (0.5 + unit(hash(seed + n)));
            let scales: Vec<u16> = (0..(depth / blocks::BLOCK) as u32).map(|n| half::from_f32(scale(n))).collect();
            blocks::put(words, column, taps, half::from_f32(unit(seed)), &stored, &scales);
        }
    }
    words
}

/// What chunks may say of their groups: means and sums of squares, which are not negative.
fn statistics(shape: &Group) -> Vec<u32> {
    let count = shape.pictures * shape.chunks.max(1) * shape.groups;
    let of = |n: usize| [unit(hash(n as u32)) - 0.5, 40.0 * unit(hash(n as u32 + 9)), 0.0, 0.0];
    (0..count).flat_map(of).map(f32::to_bits).collect()
}

fn norms() -> Vec<Case> {
    let shape = Group { pictures: 2, rows: 77, groups: 3, width: 16, epsilon: 1e-5, ..Group::default() };
    let groups = [
        Group { channels: 15, first: 15, widths: [16, 0], silu: true, ..shape },
        Group { channels: 15, first: 9, widths: [12, 8], ..shape },
        Group { channels: 192, first: 128, widths: [128, 64], width: 192, groups: 16, epsilon: 1e-6, ..shape },
        Group { rows: 1300, channels: 20, first: 20, widths: [20, 0], width: 20, groups: 5, silu: true, ..shape },
        Group { rows: 3, channels: 30, first: 30, widths: [32, 0], width: 32, groups: 1, ..shape },
        Group { rows: 1, channels: 4, first: 1, widths: [4, 4], width: 4, groups: 1, ..shape },
        Group { pictures: 1, rows: 263, channels: 21, first: 4, widths: [4, 20], width: 24, groups: 7, ..shape },
    ];
    let of_part = |shape: &Group, part: Part, chunks: usize| Group { part, chunks, ..*shape };
    let chunked = [1, 64, 200].into_iter().flat_map(|chunks| {
        groups.iter().flat_map(move |shape| [Part::Sums, Part::Apply].map(|part| of_part(shape, part, chunks)))
    });
    let groups: Vec<Group> = groups.iter().copied().chain(chunked).collect();
    let mut cases: Vec<Case> = groups
        .into_iter()
        .map(|shape| {
            let rows = shape.pictures * shape.rows;
            let buffers = vec![
                numbers(1, rows * shape.widths[0]),
                numbers(2, rows * shape.widths[1]),
                numbers(3, shape.width * 2),
                statistics(&shape),
                numbers(4, if shape.part == Part::Sums { statistics(&shape).len() } else { rows * shape.width }),
            ];
            case(&nn::group_norm(&shape), buffers)
        })
        .collect();
    for (channels, width) in [(1, 4), (10, 12), (63, 64), (65, 68), (320, 320), (1021, 1024)] {
        let call = nn::layer_norm(9, channels, width, 1e-5);
        cases.push(case(&call, vec![numbers(1, 9 * width), numbers(2, 2 * width), numbers(3, 9 * width)]));
    }
    cases
}

fn attentions() -> Vec<Case> {
    let shape = attention::Shape { pictures: 2, heads: 3, size: 8, queries: 21, keys: 21, scale: 0.35, causal: false };
    let shapes = [
        shape,
        attention::Shape { causal: true, size: 32, ..shape },
        attention::Shape { keys: 77, size: 64, scale: 0.125, ..shape },
        attention::Shape { queries: 130, keys: 130, size: 40, scale: 0.16, causal: true, ..shape },
        attention::Shape { queries: 70, keys: 45, size: 80, scale: 0.11, causal: true, ..shape },
        attention::Shape { heads: 1, size: 160, scale: 0.08, ..shape },
        attention::Shape { pictures: 1, heads: 1, size: 512, scale: 0.04, ..shape },
    ];
    shapes
        .into_iter()
        .flat_map(|shape| [(shape, false), (shape, true)])
        .map(|(shape, tiles)| {
            let width = shape.heads * shape.size;
            let queries = shape.pictures * shape.queries * width;
            let pairs = shape.pictures * shape.keys * width * 2;
            case(&nn::attention(&shape, tiles), vec![numbers(1, queries), numbers(2, pairs), numbers(3, queries)])
        })
        .collect()
}

fn not_all_finite(x: f32) -> Vec<u32> {
    let mut words = numbers(1, 99);
    words[70] = x.to_bits();
    words
}

fn pointwise() -> Vec<Case> {
    let what = Combination {
        factors: [0.9, -1.5, 0.0, 2.0, 0.3],
        periods: [60, 120, 0, 0, 0],
        pair: 120,
        pair_factor: 2.5,
        clip: 1.7,
    };
    let sum = vec![numbers(1, 60), numbers(2, 240), vec![], numbers(3, 120), numbers(4, 120), numbers(5, 120)];
    vec![
        case(&nn::combine(120, &what), sum),
        case(
            &nn::blend(99, Behind { picture: 0.7, noise: -1.2 }),
            vec![numbers(1, 99), numbers(2, 99), numbers(3, 99), numbers(4, 99), numbers(5, 99)],
        ),
        case(&nn::finite(99, 1), vec![numbers(1, 99), vec![0; 3]]),
        case(&nn::finite(99, 2), vec![not_all_finite(f32::NAN), vec![0; 3]]),
        case(&nn::finite(99, 0), vec![not_all_finite(f32::NEG_INFINITY), vec![0, 7, 0]]),
        case(&nn::squash(99, 0.25), vec![numbers(1, 99), numbers(2, 99)]),
        case(&nn::pixels(50, 4, 0.6, 0.5), vec![numbers(1, 200), numbers(2, 50)]),
    ]
}

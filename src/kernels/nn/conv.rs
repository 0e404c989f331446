use std::ops::Range;

use gradus_cpu::nn::blocks;
use gradus_cpu::nn::conv::{COLUMNS, GROUP, Packed, ROWS, Shape, conv as compute};

use super::{Call, half, sizes, word};
use crate::kernels::{EngineInfo, Kernel, Tolerance, TwinArgs};

const ACTIVATION: &str = include_str!("activation.wgsl");
const PRODUCT: &str = include_str!("product.wgsl");
const SINGLE: &str = include_str!("single.wgsl");
const HALF: &str = include_str!("half.wgsl");

// The processor's 3×3 sums go through Winograd's points, which round about twice as much as plain sums.
const NEAR: Tolerance = Tolerance::Near { absolute: 6e-6, relative: 6e-6 };

/// Where invocations share the inner dimension, the sum is taken in another order than the twin's.
const REORDERED: Tolerance = Tolerance::Near { absolute: 2e-5, relative: 2e-6 };

/// A half has 11 bits: of sums of some hundred products of numbers from -1 to 1.
const IN_HALVES: Tolerance = Tolerance::Near { absolute: 1e-2, relative: 2e-3 };

/// How the weights of a product are in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stored {
    /// As floats.
    #[default]
    Floats,
    /// As halves, two in a word.
    Halves,
    /// As 8-bit numbers with a scale for each block of them; see [`gradus_cpu::nn::blocks`].
    Blocks,
}

impl Stored {
    /// Words of a panel.
    #[must_use]
    pub fn words(self, depth: usize) -> usize {
        match self {
            Self::Floats => (depth + 1) * COLUMNS,
            Self::Halves => (depth + 1) * COLUMNS / 2,
            Self::Blocks => blocks::words(depth),
        }
    }
}

/// A variant of the product: the same buffers, parameters and results, another way through the work.
pub struct Variant {
    /// For each way in which weights are stored, in the order of [`Stored`].
    pub kernels: [Kernel; 3],
    /// Rows and panels of a tile and the invocations of its workgroup; 0 for the variant without tiles.
    tile: [usize; 3],
}

/// A kernel for each way in which weights are stored from the same sources, of which a directive comes first.
macro_rules! kernels {
    ($name:literal, $size:literal, $tolerance:expr, [$($directive:expr)?], $($source:expr),+) => {
        [
            Kernel::new($name, &[$($directive,)? "const HALVES = false; const EIGHT_BIT = false;", $($source),+])
                .workgroup($size)
                .twin(twin, $tolerance),
            Kernel::new(
                concat!($name, "-halves"),
                &[$($directive,)? "const HALVES = true; const EIGHT_BIT = false;", $($source),+],
            )
            .workgroup($size)
            .twin(halves_twin, $tolerance),
            Kernel::new(
                concat!($name, "-blocks"),
                &[$($directive,)? "const HALVES = false; const EIGHT_BIT = true;", $($source),+],
            )
            .workgroup($size)
            .twin(blocks_twin, $tolerance),
        ]
    };
}

/// A variant whose workgroups compute tiles, in floats or, behind a directive, in halves.
macro_rules! tile {
    (
        $name:literal, $tolerance:expr, $numbers:expr, [$($directive:expr)?],
        rows $rows:literal, panels $panels:literal, depth $depth:literal, size $size:literal
    ) => {
        Variant {
            kernels: kernels!(
                $name,
                $size,
                $tolerance,
                [$($directive)?],
                concat!(
                    "const ROWS = ",
                    $rows,
                    "u; const PANELS = ",
                    $panels,
                    "u; const DEPTH = ",
                    $depth,
                    "u; const SIZE = ",
                    $size,
                    "u;"
                ),
                ACTIVATION,
                PRODUCT,
                $numbers,
                include_str!("tile.wgsl")
            ),
            tile: [$rows, $panels, $size],
        }
    };
}

/// The variants, by the numbers that [`conv`] takes.
///
/// The tiles are those that together came nearest to the fastest of eighteen for each shape of SD-Turbo on an NVIDIA H200
/// (docs/speed.md); each invocation has 4 × 8 sums. Behind them: floating-point operations for each byte that comes from
/// outside of a workgroup (f32 weights, then halves), and workgroup memory.
pub static CONV: [Variant; 6] = [
    // 1.3 and 1.6 operations a byte, as far as no cache helps; no workgroup memory.
    Variant { kernels: kernels!("conv", 64, NEAR, [], ACTIVATION, PRODUCT, include_str!("conv.wgsl")), tile: [0; 3] },
    // 16 and 21 operations a byte, 8.6 KB.
    tile!("conv-64x64", NEAR, SINGLE, [], rows 64, panels 8, depth 4, size 128),
    // 8 and 11 operations a byte, 9.0 KB; four invocations for each 4 × 8 sums.
    tile!("conv-32x32", REORDERED, SINGLE, [], rows 32, panels 4, depth 8, size 128),
    // 5 and 8 operations a byte, 14.3 KB; sixteen invocations for each 4 × 8 sums.
    tile!("conv-16x32", REORDERED, SINGLE, [], rows 16, panels 4, depth 16, size 256),
    // The first two of these tiles with halves in workgroup memory: 4.3 KB, and with the sums at the end 8.7 KB.
    tile!("conv-64x64-f16", IN_HALVES, HALF, ["enable f16;"], rows 64, panels 8, depth 4, size 128),
    tile!("conv-32x32-f16", IN_HALVES, HALF, ["enable f16;"], rows 32, panels 4, depth 8, size 128),
];

/// The variants before this one compute in floats. It and those behind it are the tiles from number 1 on in halves: what is
/// multiplied is rounded to them, their sums are floats. Their shaders need an engine that [has
/// halves](EngineInfo::halves). A number of the source beyond 65504 becomes infinite there.
pub const FLOATS: usize = 4;

/// The variants that an engine can run.
#[must_use]
pub fn variants(engine: &EngineInfo) -> Range<usize> {
    0..if engine.halves() { CONV.len() } else { FLOATS }
}

/// The result of a product or a convolution with bias, an added tensor and an activation, by a variant of [`CONV`].
///
/// Buffers: first source, second source, packed weights, added tensor, result; layouts as in
/// [`gradus_cpu::nn::conv`]. An item is a block of rows × a panel of columns, or an invocation of a tile's workgroup.
#[must_use]
pub fn conv(shape: &Shape, stored: Stored, variant: usize) -> Call {
    let Variant { kernels, tile: [rows, panels, size] } = &CONV[variant % CONV.len()];
    let [height, width] = shape.source;
    let vectors = |floats: usize| word(floats / 4);
    let params: [u32; 24] = [
        word(shape.rows),
        word(shape.blocks()),
        word(shape.panels),
        vectors(shape.width),
        word(height),
        word(width),
        word(shape.result[0]),
        word(shape.result[1]),
        word(shape.kernel[0]),
        word(shape.kernel[1]),
        word(shape.stride),
        word(shape.upsample),
        word(shape.padding[0]),
        word(shape.padding[1]),
        vectors(shape.channels[0]),
        vectors(shape.channels[1]),
        shape.activation,
        word(shape.add_rows),
        word(*rows),
        word(*panels),
        word(*size),
        0,
        0,
        0,
    ];
    let depth = shape.depth().max(1);
    let kernel = &kernels[stored as usize];
    if *rows == 0 {
        return Call::new(kernel, shape.blocks() * shape.panels, (2 * ROWS * COLUMNS * depth) as f32, &params);
    }
    let tiles = shape.rows.div_ceil(*rows) * shape.panels.div_ceil(*panels);
    Call::new(kernel, tiles * size, (2 * rows * panels * COLUMNS * depth / size) as f32, &params)
}

fn twin(args: TwinArgs<'_, '_>) {
    run(args, Stored::Floats);
}

/// The processor's own weights are never halves; this is for the shader's tests.
fn halves_twin(args: TwinArgs<'_, '_>) {
    run(args, Stored::Halves);
}

fn blocks_twin(args: TwinArgs<'_, '_>) {
    run(args, Stored::Blocks);
}

// Not generic, and with one call of the processor's kernel, which is large and would be in the app once for each.
fn run(args: TwinArgs<'_, '_>, stored: Stored) {
    let Some(p) = sizes::<21>(args.params) else { return };
    let shape = Shape {
        rows: p[0],
        panels: p[2],
        width: p[3] * 4,
        source: [p[4], p[5]],
        result: [p[6], p[7]],
        kernel: [p[8], p[9]],
        stride: p[10],
        upsample: p[11],
        padding: [p[12], p[13]],
        channels: [p[14] * 4, p[15] * 4],
        activation: word(p[16]),
        add_rows: p[17],
    };
    let [first, second, weights, added, result] = args.buffers else { return };
    let sources = [bytemuck::cast_slice(first), bytemuck::cast_slice(second)];
    let (added, result) = (bytemuck::cast_slice(added), bytemuck::cast_slice_mut(result));
    let spans = if p[18] == 0 { vec![args.span] } else { items_of_tiles(args.span, &shape, [p[18], p[19], p[20]]) };
    let in_group = shape.group().max(1);
    let (mut group, mut floats) = (usize::MAX, Vec::new());
    for Range { mut start, end } in spans {
        while start < end {
            let (mut until, mut packed) = (end, Packed { first: 0, numbers: bytemuck::cast_slice(weights) });
            if stored != Stored::Floats {
                // Of weights that are no floats only a group of panels is floats at a time.
                if group != start as usize / in_group {
                    group = start as usize / in_group;
                    floats = floats_of(weights, &shape, stored, group * GROUP);
                }
                until = end.min(word((group + 1) * in_group));
                packed = Packed { first: group * GROUP, numbers: &floats };
            }
            compute(start..until, &shape, sources, packed, added, result);
            start = until;
        }
    }
}

/// A group of panels as floats.
fn floats_of(weights: &[u32], shape: &Shape, stored: Stored, first: usize) -> Vec<f32> {
    let size = stored.words(shape.depth());
    let end = weights.len().min((first + GROUP).min(shape.panels) * size);
    let panels = weights.get(first * size..end).unwrap_or_default();
    let both = |&word: &u32| [half::to_f32(word as u16), half::to_f32((word >> 16) as u16)];
    match stored {
        Stored::Blocks => {
            blocks::unpack(panels, shape.kernel[0] * shape.kernel[1], shape.channels[0] + shape.channels[1])
        }
        _ => panels.iter().flat_map(both).collect(),
    }
}

/// The items of a span of tiles as the processor's kernel counts them. Tiles are whole, since a span is whole workgroups.
fn items_of_tiles(span: Range<u32>, shape: &Shape, [rows, panels, size]: [usize; 3]) -> Vec<Range<u32>> {
    let mut items = Vec::new();
    let across = shape.panels.div_ceil(panels);
    for tile in span.start as usize / size..(span.end as usize).div_ceil(size) {
        let first = tile / across * rows;
        for block in first / ROWS..(first + rows).min(shape.rows).div_ceil(ROWS) {
            let panel = tile % across * panels;
            for group in (panel..(panel + panels).min(shape.panels)).step_by(GROUP) {
                let members = (shape.panels - group).min(GROUP);
                let item = word(group * shape.blocks() + block * members);
                items.push(item..item + word(members));
            }
        }
    }
    items
}

// What every variant of the product shares: parameters, buffers, the gather, and what is done with a finished sum. See
// gradus_cpu::nn::conv for the layouts.
struct Params {
    rows: u32,
    blocks: u32,
    panels: u32,
    // In vectors of 4, as are a and b.
    width: u32,
    source_height: u32,
    source_width: u32,
    result_height: u32,
    result_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride: u32,
    upsample: u32,
    padding_top: u32,
    padding_left: u32,
    a: u32,
    b: u32,
    activation: u32,
    add_rows: u32,
    // Of a tile, for the twin; here they are constants.
    tile_rows: u32,
    tile_panels: u32,
    tile_size: u32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> first_source: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> second_source: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> added: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<vec4<f32>>;

const NOWHERE = 0xffffffffu;

struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

fn eight_halves(w: vec4<u32>) -> Eight {
    return Eight(vec4(unpack2x16float(w.x), unpack2x16float(w.y)), vec4(unpack2x16float(w.z), unpack2x16float(w.w)));
}

// HALVES and EIGHT_BIT, whether the weights are halves, two in a word, or 8-bit blocks, come from the wrapper.
fn eight(row: u32) -> Eight {
    if EIGHT_BIT {
        return eight_of_blocks(row);
    }
    if HALVES {
        return eight_halves(weights[row]);
    }
    return Eight(bitcast<vec4<f32>>(weights[row * 2u]), bitcast<vec4<f32>>(weights[row * 2u + 1u]));
}

// The layout is in gradus_cpu::nn::blocks. A row beyond the last is that one, as a scale must not be read out of numbers.
fn eight_of_blocks(row: u32) -> Eight {
    let channels = (params.a + params.b) * 4u;
    let taps = params.kernel_height * params.kernel_width;
    let depth = taps * channels;
    let at = min(row, params.panels * (depth + 1u) - 1u);
    let panel = at / (depth + 1u);
    let bias = panel * (1u + depth / 32u + depth / 2u);
    let place = at - panel * (depth + 1u);
    if place == 0u {
        return eight_halves(weights[bias]);
    }
    let step = place - 1u;
    let scales = eight_halves(weights[bias + 1u + (step % channels * taps + step / channels) / 32u]);
    let both = weights[bias + 1u + depth / 32u + step / 2u];
    let numbers = select(both.xy, both.zw, step % 2u == 1u);
    return Eight(scaled(numbers.x, scales.low), scaled(numbers.y, scales.high));
}

// Four 8-bit numbers times their scales, rounded to halves: the very numbers of the checkpoint's f16 copy. By hand, as
// pack2x16float may round as it likes.
fn scaled(numbers: u32, scales: vec4<f32>) -> vec4<f32> {
    let signed = bitcast<vec4<i32>>(vec4(numbers) << vec4(24u, 16u, 8u, 0u)) >> vec4(24u);
    let x = vec4<f32>(signed) * scales;
    let bits = bitcast<vec4<u32>>(x);
    let rounded = bitcast<vec4<f32>>((bits + 0xfffu + ((bits >> vec4(13u)) & vec4(1u))) & vec4(0xffffe000u));
    if all(abs(scales) >= vec4(6.103515625e-5)) {
        return rounded;
    }
    // Below the smallest normal half: whole multiples of 2^-24.
    return select(rounded, round(x * 16777216.0) * 5.9604644775390625e-8, abs(x) < vec4(6.103515625e-5));
}

// The row of the source that a tap reads for a row of the result, or NOWHERE.
fn source_row(row: u32, tap: u32) -> u32 {
    let size = params.result_height * params.result_width;
    let picture = row / size;
    let inside = row % size;
    // Below 0 wraps around and is above the edge.
    let y = inside / params.result_width * params.stride + tap / params.kernel_width - params.padding_top;
    let x = inside % params.result_width * params.stride + tap % params.kernel_width - params.padding_left;
    if y >= params.source_height || x >= params.source_width {
        return NOWHERE;
    }
    let up = params.upsample;
    let height = (params.source_height + up) >> up;
    let width = (params.source_width + up) >> up;
    return (picture * height + (y >> up)) * width + (x >> up);
}

// A vector of a row; beyond the edge zeros. Both are worked out, which is cheaper than to part ways.
fn from_first(row: u32, at: u32) -> vec4<f32> {
    let known = row != NOWHERE;
    return select(vec4(0.0), first_source[select(0u, row, known) * params.a + at], vec4(known));
}

fn from_second(row: u32, at: u32) -> vec4<f32> {
    let known = row != NOWHERE;
    return select(vec4(0.0), second_source[select(0u, row, known) * params.b + at], vec4(known));
}

// The sums of 4 rows × one panel.
struct Block {
    low0: vec4<f32>,
    high0: vec4<f32>,
    low1: vec4<f32>,
    high1: vec4<f32>,
    low2: vec4<f32>,
    high2: vec4<f32>,
    low3: vec4<f32>,
    high3: vec4<f32>,
}

fn filled(w: Eight) -> Block {
    return Block(w.low, w.high, w.low, w.high, w.low, w.high, w.low, w.high);
}

// From the left, so that each product is added in one rounding where the hardware can.
fn add4(sum: vec4<f32>, x: vec4<f32>, w0: vec4<f32>, w1: vec4<f32>, w2: vec4<f32>, w3: vec4<f32>) -> vec4<f32> {
    return sum + x.x * w0 + x.y * w1 + x.z * w2 + x.w * w3;
}

// Four inner steps: a vector of each of the 4 rows times four rows of the panel.
fn multiply(
    s: Block,
    x0: vec4<f32>,
    x1: vec4<f32>,
    x2: vec4<f32>,
    x3: vec4<f32>,
    w0: Eight,
    w1: Eight,
    w2: Eight,
    w3: Eight,
) -> Block {
    return Block(
        add4(s.low0, x0, w0.low, w1.low, w2.low, w3.low),
        add4(s.high0, x0, w0.high, w1.high, w2.high, w3.high),
        add4(s.low1, x1, w0.low, w1.low, w2.low, w3.low),
        add4(s.high1, x1, w0.high, w1.high, w2.high, w3.high),
        add4(s.low2, x2, w0.low, w1.low, w2.low, w3.low),
        add4(s.high2, x2, w0.high, w1.high, w2.high, w3.high),
        add4(s.low3, x3, w0.low, w1.low, w2.low, w3.low),
        add4(s.high3, x3, w0.high, w1.high, w2.high, w3.high),
    );
}

fn store(row: u32, panel: u32, low: vec4<f32>, high: vec4<f32>) {
    if row >= params.rows {
        return;
    }
    if params.activation == GEGLU {
        if panel < params.width {
            result[row * params.width + panel] = low * gelu4(high);
        }
        return;
    }
    let column = panel * 2u;
    var one = low;
    var other = high;
    let has_other = column + 1u < params.width;
    if params.add_rows != 0u {
        let at = row / params.add_rows * params.width + column;
        one += added[at];
        if has_other {
            other += added[at + 1u];
        }
    }
    let at = row * params.width + column;
    result[at] = activate4(params.activation, one);
    if has_other {
        result[at + 1u] = activate4(params.activation, other);
    }
}

// Stores the rows of a block, which are so far apart.
fn store_block(row: u32, apart: u32, panel: u32, sums: Block) {
    store(row, panel, sums.low0, sums.high0);
    store(row + apart, panel, sums.low1, sums.high1);
    store(row + apart * 2u, panel, sums.low2, sums.high2);
    store(row + apart * 3u, panel, sums.low3, sums.high3);
}

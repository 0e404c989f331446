// A matrix product or a convolution (implicit GEMM); see gradus_cpu::nn::conv for the layouts. One invocation is a
// block of 4 rows × one panel of 8 columns and shares nothing with others, so there is no barrier.
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
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> first_source: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> second_source: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read> added: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<vec4<f32>>;

// Panels that follow one another for the same block of rows.
const GROUP = 4u;
const NOWHERE = 0xffffffffu;

struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

// HALVES, whether the weights are halves, two in a word, comes from the wrapper.
fn eight(row: u32) -> Eight {
    if HALVES {
        let w = weights[row];
        return Eight(
            vec4(unpack2x16float(w.x), unpack2x16float(w.y)),
            vec4(unpack2x16float(w.z), unpack2x16float(w.w)),
        );
    }
    return Eight(bitcast<vec4<f32>>(weights[row * 2u]), bitcast<vec4<f32>>(weights[row * 2u + 1u]));
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

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let group = item / (params.blocks * GROUP);
    let inside = item - group * params.blocks * GROUP;
    let members = clamp(params.panels - group * GROUP, 1u, GROUP);
    let first = inside / members * 4u;
    let panel = group * GROUP + inside % members;
    let taps = params.kernel_height * params.kernel_width;
    var packed = panel * (taps * (params.a + params.b) * 4u + 1u);
    let bias = eight(packed);
    packed += 1u;
    var low0 = bias.low;
    var high0 = bias.high;
    var low1 = bias.low;
    var high1 = bias.high;
    var low2 = bias.low;
    var high2 = bias.high;
    var low3 = bias.low;
    var high3 = bias.high;
    for (var tap = 0u; tap < taps; tap += 1u) {
        let row0 = source_row(first, tap);
        let row1 = source_row(first + 1u, tap);
        let row2 = source_row(first + 2u, tap);
        let row3 = source_row(first + 3u, tap);
        for (var c = 0u; c < params.a; c += 1u) {
            let x0 = from_first(row0, c);
            let x1 = from_first(row1, c);
            let x2 = from_first(row2, c);
            let x3 = from_first(row3, c);
            let w0 = eight(packed + 0u);
            low0 += x0.x * w0.low;
            high0 += x0.x * w0.high;
            low1 += x1.x * w0.low;
            high1 += x1.x * w0.high;
            low2 += x2.x * w0.low;
            high2 += x2.x * w0.high;
            low3 += x3.x * w0.low;
            high3 += x3.x * w0.high;
            let w1 = eight(packed + 1u);
            low0 += x0.y * w1.low;
            high0 += x0.y * w1.high;
            low1 += x1.y * w1.low;
            high1 += x1.y * w1.high;
            low2 += x2.y * w1.low;
            high2 += x2.y * w1.high;
            low3 += x3.y * w1.low;
            high3 += x3.y * w1.high;
            let w2 = eight(packed + 2u);
            low0 += x0.z * w2.low;
            high0 += x0.z * w2.high;
            low1 += x1.z * w2.low;
            high1 += x1.z * w2.high;
            low2 += x2.z * w2.low;
            high2 += x2.z * w2.high;
            low3 += x3.z * w2.low;
            high3 += x3.z * w2.high;
            let w3 = eight(packed + 3u);
            low0 += x0.w * w3.low;
            high0 += x0.w * w3.high;
            low1 += x1.w * w3.low;
            high1 += x1.w * w3.high;
            low2 += x2.w * w3.low;
            high2 += x2.w * w3.high;
            low3 += x3.w * w3.low;
            high3 += x3.w * w3.high;
            packed += 4u;
        }
        for (var c = 0u; c < params.b; c += 1u) {
            let x0 = from_second(row0, c);
            let x1 = from_second(row1, c);
            let x2 = from_second(row2, c);
            let x3 = from_second(row3, c);
            let w0 = eight(packed + 0u);
            low0 += x0.x * w0.low;
            high0 += x0.x * w0.high;
            low1 += x1.x * w0.low;
            high1 += x1.x * w0.high;
            low2 += x2.x * w0.low;
            high2 += x2.x * w0.high;
            low3 += x3.x * w0.low;
            high3 += x3.x * w0.high;
            let w1 = eight(packed + 1u);
            low0 += x0.y * w1.low;
            high0 += x0.y * w1.high;
            low1 += x1.y * w1.low;
            high1 += x1.y * w1.high;
            low2 += x2.y * w1.low;
            high2 += x2.y * w1.high;
            low3 += x3.y * w1.low;
            high3 += x3.y * w1.high;
            let w2 = eight(packed + 2u);
            low0 += x0.z * w2.low;
            high0 += x0.z * w2.high;
            low1 += x1.z * w2.low;
            high1 += x1.z * w2.high;
            low2 += x2.z * w2.low;
            high2 += x2.z * w2.high;
            low3 += x3.z * w2.low;
            high3 += x3.z * w2.high;
            let w3 = eight(packed + 3u);
            low0 += x0.w * w3.low;
            high0 += x0.w * w3.high;
            low1 += x1.w * w3.low;
            high1 += x1.w * w3.high;
            low2 += x2.w * w3.low;
            high2 += x2.w * w3.high;
            low3 += x3.w * w3.low;
            high3 += x3.w * w3.high;
            packed += 4u;
        }
    }
    store(first, panel, low0, high0);
    store(first + 1u, panel, low1, high1);
    store(first + 2u, panel, low2, high2);
    store(first + 3u, panel, low3, high3);
}

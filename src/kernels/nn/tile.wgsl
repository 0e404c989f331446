// The product for GPUs: a workgroup brings a tile of gathered rows and a tile of panels into its own memory, step by step
// through the inner dimension, and each invocation reads both tiles for its 4 or 8 rows × one panel. ROWS, PANELS and
// DEPTH (vectors of the inner dimension) of a tile and DOWN, the invocations along its rows, come from the wrapper.
const SIZE = 64u;
const TWICE = ROWS == DOWN * 8u;
// Where invocations are left, they share the inner dimension, and their sums are added at the end.
const SLICES = SIZE / (DOWN * PANELS);

// Strides by which neighbouring invocations meet different banks, reading and writing.
const ROW_STRIDE = ROWS + 2u;
const STEP_STRIDE = PANELS * 2u + 1u;

var<workgroup> gathered: array<u32, ROWS>;
var<workgroup> rows: array<vec4<f32>, DEPTH * ROW_STRIDE>;
var<workgroup> steps: array<vec4<f32>, DEPTH * 4u * STEP_STRIDE>;

// Brings one vector of the rows' tile; c is the tile's first vector in the source.
fn bring_row(place: u32, second: bool, c: u32) {
    let v = place % DEPTH;
    let row = place / DEPTH;
    let width = select(params.a, params.b, second);
    let source = select(NOWHERE, gathered[row], c + v < width);
    var x: vec4<f32>;
    if second {
        x = from_second(source, c + v);
    } else {
        x = from_first(source, c + v);
    }
    rows[v * ROW_STRIDE + row] = x;
}

// Brings one step of one panel. What is beyond the tap or the last panel is any number: it meets a zero, or is not stored.
fn bring_step(place: u32, packed: u32, depth: u32) {
    let step = place % (DEPTH * 4u);
    let panel = place / (DEPTH * 4u);
    let w = eight(packed + panel * depth + step);
    steps[step * STEP_STRIDE + panel] = w.low;
    steps[step * STEP_STRIDE + PANELS + panel] = w.high;
}

fn step_at(at: u32) -> Eight {
    return Eight(steps[at], steps[at + PANELS]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = span_group(id, SIZE);
    if tile * SIZE >= span_end() {
        return;
    }
    let across = (params.panels + PANELS - 1u) / PANELS;
    let first = tile / across * ROWS;
    let first_panel = tile % across * PANELS;
    let column = local % PANELS;
    let down = local / PANELS % DOWN;
    let slice = local / (PANELS * DOWN);
    let taps = params.kernel_height * params.kernel_width;
    let depth = taps * (params.a + params.b) * 4u + 1u;
    let panel = first_panel + column;
    var sums: Block;
    if slice == 0u {
        sums = filled(eight(panel * depth));
    }
    var more = sums;
    for (var tap = 0u; tap < taps; tap += 1u) {
        if local < ROWS {
            gathered[local] = select(NOWHERE, source_row(first + local, tap), first + local < params.rows);
        }
        workgroupBarrier();
        for (var source = 0u; source < 2u; source += 1u) {
            let second = source == 1u;
            let width = select(params.a, params.b, second);
            let before = first_panel * depth + 1u + (tap * (params.a + params.b) + source * params.a) * 4u;
            for (var c = 0u; c < width; c += DEPTH) {
                bring_row(local, second, c);
                bring_row(local + SIZE, second, c);
                if TWICE {
                    bring_row(local + SIZE * 2u, second, c);
                    bring_row(local + SIZE * 3u, second, c);
                }
                bring_step(local, before + c * 4u, depth);
                bring_step(local + SIZE, before + c * 4u, depth);
                workgroupBarrier();
                for (var v = slice; v < DEPTH; v += SLICES) {
                    let at = v * 4u * STEP_STRIDE + column;
                    let w0 = step_at(at);
                    let w1 = step_at(at + STEP_STRIDE);
                    let w2 = step_at(at + STEP_STRIDE * 2u);
                    let w3 = step_at(at + STEP_STRIDE * 3u);
                    var r = v * ROW_STRIDE + down;
                    sums = multiply(
                        sums, rows[r], rows[r + DOWN], rows[r + DOWN * 2u], rows[r + DOWN * 3u], w0, w1, w2, w3,
                    );
                    if TWICE {
                        r += DOWN * 4u;
                        more = multiply(
                            more, rows[r], rows[r + DOWN], rows[r + DOWN * 2u], rows[r + DOWN * 3u], w0, w1, w2, w3,
                        );
                    }
                }
                workgroupBarrier();
            }
        }
    }
    // The upper half of the slices to the lower one, until there is one.
    for (var left = SLICES / 2u; left > 0u; left /= 2u) {
        let count = left * DOWN * PANELS;
        if slice >= left && slice < left * 2u {
            let at = local - count;
            steps[at] = sums.low0;
            steps[at + count] = sums.high0;
            steps[at + count * 2u] = sums.low1;
            steps[at + count * 3u] = sums.high1;
            steps[at + count * 4u] = sums.low2;
            steps[at + count * 5u] = sums.high2;
            steps[at + count * 6u] = sums.low3;
            steps[at + count * 7u] = sums.high3;
        }
        workgroupBarrier();
        if slice < left {
            sums.low0 += steps[local];
            sums.high0 += steps[local + count];
            sums.low1 += steps[local + count * 2u];
            sums.high1 += steps[local + count * 3u];
            sums.low2 += steps[local + count * 4u];
            sums.high2 += steps[local + count * 5u];
            sums.low3 += steps[local + count * 6u];
            sums.high3 += steps[local + count * 7u];
        }
        workgroupBarrier();
    }
    if slice > 0u || panel >= params.panels {
        return;
    }
    let row = first + down;
    store_block(row, DOWN, panel, sums);
    if TWICE {
        store_block(row + DOWN * 4u, DOWN, panel, more);
    }
}

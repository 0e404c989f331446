// The product for GPUs: a workgroup brings a tile of gathered rows and a tile of panels into its own memory, step by step
// through the inner dimension, and each invocation reads both tiles for its 4 rows × one panel. ROWS, PANELS and DEPTH
// (vectors of the inner dimension) of a tile and SIZE, its invocations, come from the wrapper; what `real` is, from
// single.wgsl or half.wgsl.
const DOWN = ROWS / 4u;
// Where invocations are left, they share the inner dimension, and their sums are added at the end.
const BLOCKS = DOWN * PANELS;
const SLICES = SIZE / BLOCKS;
const SHARE = DEPTH / SLICES;
// Whether an invocation brings two vectors of the rows.
const TWICE = ROWS * DEPTH > SIZE;

// What an invocation reads lies at constant places of one inner array: those need neither a clamp nor an address of their
// own. An odd length makes neighbours meet different banks.
const ROW_PART = SHARE * 4u + 1u;
const STEP_PART = SHARE * 8u + 1u;
const HIGH = SHARE * 4u;
var<workgroup> rows: array<array<vec4<real>, ROW_PART>, SLICES * DOWN>;
var<workgroup> steps: array<array<vec4<real>, STEP_PART>, SLICES * PANELS>;

fn place_of(row: u32, tap: u32) -> u32 {
    return select(NOWHERE, source_row(row, tap), row < params.rows);
}

// Brings one vector of the rows' tile; c is the tile's first vector in the source.
fn bring_row(row: u32, v: u32, place: u32, second: bool, c: u32) {
    let width = select(params.a, params.b, second);
    let source = select(NOWHERE, place, c + v < width);
    var x: vec4<f32>;
    if second {
        x = from_second(source, c + v);
    } else {
        x = from_first(source, c + v);
    }
    rows[v / SHARE * DOWN + row % DOWN][v % SHARE * 4u + row / DOWN] = vec4<real>(x);
}

// One vector of the inner dimension.
fn part(sums: Block, r: u32, s: u32, v: u32) -> Block {
    let at = v * 4u;
    return multiply(
        sums,
        vec4<f32>(rows[r][at]),
        vec4<f32>(rows[r][at + 1u]),
        vec4<f32>(rows[r][at + 2u]),
        vec4<f32>(rows[r][at + 3u]),
        step_of(s, at),
        step_of(s, at + 1u),
        step_of(s, at + 2u),
        step_of(s, at + 3u),
    );
}

fn step_of(s: u32, at: u32) -> Eight {
    return Eight(vec4<f32>(steps[s][at]), vec4<f32>(steps[s][HIGH + at]));
}

// The upper half of the slices to the lower one, until there is one.
fn added_up(from_slice: Block, slice: u32, local: u32) -> Block {
    var sums = from_slice;
    for (var left = SLICES / 2u; left > 0u; left /= 2u) {
        let count = left * BLOCKS;
        let gives = slice >= left && slice < left * 2u;
        let at = local - count;
        workgroupBarrier();
        if gives {
            put(at, sums.low0);
            put(at + count, sums.high0);
            put(at + count * 2u, sums.low1);
            put(at + count * 3u, sums.high1);
        }
        workgroupBarrier();
        if slice < left {
            sums.low0 += got(local);
            sums.high0 += got(local + count);
            sums.low1 += got(local + count * 2u);
            sums.high1 += got(local + count * 3u);
        }
        workgroupBarrier();
        if gives {
            put(at, sums.low2);
            put(at + count, sums.high2);
            put(at + count * 2u, sums.low3);
            put(at + count * 3u, sums.high3);
        }
        workgroupBarrier();
        if slice < left {
            sums.low2 += got(local);
            sums.high2 += got(local + count);
            sums.low3 += got(local + count * 2u);
            sums.high3 += got(local + count * 3u);
        }
    }
    return sums;
}

@compute @workgroup_size(SIZE)
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
    let slice = local / BLOCKS;
    let taps = params.kernel_height * params.kernel_width;
    let depth = taps * (params.a + params.b) * 4u + 1u;
    let panel = first_panel + column;
    var sums: Block;
    if slice == 0u {
        sums = filled(eight(panel * depth));
    }
    // What this invocation brings: one or two vectors of the rows, and one step of a panel. What is beyond the tap or the
    // last panel is any number: it meets a zero, or is not stored.
    let v = local % DEPTH;
    let near = local / DEPTH;
    let far = near + SIZE / DEPTH;
    let step = local % (DEPTH * 4u);
    let brought = local / (DEPTH * 4u);
    let to = step / HIGH * PANELS + brought;
    let to_step = step % HIGH;
    for (var tap = 0u; tap < taps; tap += 1u) {
        let near_place = place_of(first + near, tap);
        let far_place = place_of(first + far, tap);
        for (var source = 0u; source < 2u; source += 1u) {
            let second = source == 1u;
            let width = select(params.a, params.b, second);
            let before = 1u + (tap * (params.a + params.b) + source * params.a) * 4u;
            let from_step = (first_panel + brought) * depth + before + step;
            for (var c = 0u; c < width; c += DEPTH) {
                bring_row(near, v, near_place, second, c);
                if TWICE {
                    bring_row(far, v, far_place, second, c);
                }
                let w = eight(from_step + c * 4u);
                steps[to][to_step] = vec4<real>(w.low);
                steps[to][HIGH + to_step] = vec4<real>(w.high);
                workgroupBarrier();
                let r = slice * DOWN + down;
                let s = slice * PANELS + column;
                sums = part(sums, r, s, 0u);
                if SHARE > 1u {
                    sums = part(sums, r, s, 1u);
                }
                if SHARE > 2u {
                    sums = part(sums, r, s, 2u);
                    sums = part(sums, r, s, 3u);
                }
                workgroupBarrier();
            }
        }
    }
    sums = added_up(sums, slice, local);
    if slice > 0u || panel >= params.panels {
        return;
    }
    store_block(first + down, DOWN, panel, sums);
}

// One step of Gray and Scott's model (Pearson, 1993) from one grid to the other; a cell is U and V. Edges meet.
@group(0) @binding(2) var<storage, read> old: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> new_cells: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let width = params.width;
    let x = item % width;
    let y = item / width;
    let left = select(x - 1u, width - 1u, x == 0u);
    let right = select(x + 1u, 0u, x + 1u == width);
    let above = select(y - 1u, params.height - 1u, y == 0u) * width;
    let below = select(y + 1u, 0u, y + 1u == params.height) * width;
    let own = y * width;
    let here = old[own + x];
    let around = 0.2 * (old[own + left] + old[own + right] + old[above + x] + old[below + x])
        + 0.05 * (old[above + left] + old[above + right] + old[below + left] + old[below + right]) - here;
    let eaten = here.x * here.y * here.y;
    new_cells[item] = vec2(
        here.x + params.spread * around.x - eaten + params.feed * (1.0 - here.x),
        here.y + params.spread * 0.5 * around.y + eaten - (params.feed + params.kill) * here.y,
    );
}

// One step of each walker, written out: x, y and colour.
@group(0) @binding(3) var<storage, read_write> places: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    var walker = walker_of(item);
    advance(&walker);
    places[item * 3u] = walker.place.x;
    places[item * 3u + 1u] = walker.place.y;
    places[item * 3u + 2u] = walker.colour;
}

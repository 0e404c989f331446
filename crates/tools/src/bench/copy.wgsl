// Reads and writes each vector once.
@group(0) @binding(2) var<storage, read> from_here: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> to_there: array<vec4<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item < span_end() {
        to_there[item] = from_here[item];
    }
}

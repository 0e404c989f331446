// A decoded picture (after x · scale + shift, 0 to 1) as packed opaque RGBA.
struct Params {
    width: u32,
    scale: f32,
    shift: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let at = item * params.width;
    let colour = vec3(source[at], source[at + 1u], source[at + 2u]) * params.scale + params.shift;
    let bytes = vec3<u32>(clamp(colour, vec3(0.0), vec3(1.0)) * 255.0 + 0.5);
    result[item] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | 0xff000000u;
}

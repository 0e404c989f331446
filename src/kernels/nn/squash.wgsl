// tanh(x / limit) · limit: how AutoencoderTiny holds its latents.
struct Params {
    limit: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item < span_end() {
        // Beyond ±20 the built-in function of some drivers is no number.
        result[item] = tanh(clamp(source[item] / params.limit, -20.0, 20.0)) * params.limit;
    }
}

// mask · sample + (1 − mask) · (picture and noise): where nothing is to be painted, the picture stays.
struct Params {
    picture: f32,
    noise: f32,
    unused0: u32,
    unused1: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> sample: array<f32>;
@group(0) @binding(3) var<storage, read> picture: array<f32>;
@group(0) @binding(4) var<storage, read> noise: array<f32>;
@group(0) @binding(5) var<storage, read> mask: array<f32>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item < span_end() {
        let kept = params.picture * picture[item] + params.noise * noise[item];
        result[item] = mask[item] * sample[item] + (1.0 - mask[item]) * kept;
    }
}

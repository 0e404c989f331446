// Numbers from -scale to scale around `middle`, as floats or as halves, two in a word.
struct Params {
    halves: u32,
    scale: f32,
    middle: f32,
    seed: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> words: array<u32>;

fn hash(n: u32) -> u32 {
    var x = n * 0x9e3779b9u + params.seed;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

fn number(bits: u32) -> f32 {
    return params.middle + params.scale * (f32(bits) / 32768.0 - 1.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let bits = hash(item);
    let low = number(bits & 0xffffu);
    if params.halves == 0u {
        words[item] = bitcast<u32>(low);
    } else {
        words[item] = pack2x16float(vec2(low, number(bits >> 16u)));
    }
}

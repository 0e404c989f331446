// result[i] = Σ factor · term[i mod period]; the second term may be a pair. See gradus_cpu::nn::pointwise.
struct Params {
    factors: vec4<f32>,
    periods: vec4<u32>,
    last_factor: f32,
    pair_factor: f32,
    clip: f32,
    last_period: u32,
    pair: u32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> term0: array<f32>;
@group(0) @binding(3) var<storage, read> term1: array<f32>;
@group(0) @binding(4) var<storage, read> term2: array<f32>;
@group(0) @binding(5) var<storage, read> term3: array<f32>;
@group(0) @binding(6) var<storage, read> term4: array<f32>;
@group(0) @binding(7) var<storage, read_write> result: array<f32>;

fn place(item: u32, period: u32) -> u32 {
    if period == 0u {
        return item;
    }
    return item % period;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    var sum = 0.0;
    if params.factors.x != 0.0 {
        sum += params.factors.x * term0[place(item, params.periods.x)];
    }
    let at = place(item, params.periods.y);
    if params.factors.y != 0.0 {
        sum += params.factors.y * term1[at];
    }
    if params.pair != 0u {
        sum += params.pair_factor * term1[at + params.pair];
    }
    if params.factors.z != 0.0 {
        sum += params.factors.z * term2[place(item, params.periods.z)];
    }
    if params.factors.w != 0.0 {
        sum += params.factors.w * term3[place(item, params.periods.w)];
    }
    if params.last_factor != 0.0 {
        sum += params.last_factor * term4[place(item, params.last_period)];
    }
    if params.clip > 0.0 {
        sum = clamp(sum, -params.clip, params.clip);
    }
    result[item] = sum;
}

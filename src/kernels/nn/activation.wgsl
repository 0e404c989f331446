// What is applied to a sum before it is stored; the numbers are those of gradus_cpu::nn::math::Activation.
const SILU = 1u;
const GELU = 2u;
const QUICK_GELU = 3u;
const RELU = 4u;
const GEGLU = 5u;

// Abramowitz and Stegun, 7.1.26: within 2e-7.
fn erf4(x: vec4<f32>) -> vec4<f32> {
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = ((((1.0614054 * t - 1.4531521) * t + 1.4214138) * t - 0.28449672) * t + 0.2548296) * t;
    return sign(x) * (1.0 - p * exp(-a * a));
}

fn gelu4(x: vec4<f32>) -> vec4<f32> {
    return 0.5 * x * (1.0 + erf4(x * 0.70710678));
}

fn swish4(x: vec4<f32>, k: f32) -> vec4<f32> {
    return x / (1.0 + exp(-k * x));
}

// By the bits, from -0 to minus infinity: `max` may give 0 for what is no number, and nobody would be told of it.
fn positive4(x: vec4<f32>) -> vec4<f32> {
    return select(x, vec4(0.0), bitcast<vec4<u32>>(x) - vec4(0x80000000u) <= vec4(0x7f800000u));
}

fn activate4(kind: u32, x: vec4<f32>) -> vec4<f32> {
    switch kind {
        case SILU: { return swish4(x, 1.0); }
        case GELU: { return gelu4(x); }
        case QUICK_GELU: { return swish4(x, 1.702); }
        case RELU: { return positive4(x); }
        default: { return x; }
    }
}

// From sums to packed RGBA: the mean, a filmic curve (Narkowicz, 2015), and sRGB's gamma.
@group(0) @binding(2) var<storage, read> sums: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> pixels: array<u32>;

fn channel(linear: f32) -> u32 {
    let x = max(linear, 0.0) * 0.62;
    let film = clamp(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0);
    return u32(pow(film, 1.0 / 2.2) * 255.0 + 0.5);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let sum = sums[item];
    let weight = 1.0 / max(sum.w, 1.0);
    let r = channel(sum.x * weight);
    let g = channel(sum.y * weight);
    let b = channel(sum.z * weight);
    pixels[item] = r | (g << 8u) | (b << 16u) | 0xff000000u;
}

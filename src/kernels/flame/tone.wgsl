// From the histogram to packed RGBA: brightness by the logarithm of the hits, smoothed where there are few.
@group(0) @binding(2) var<storage, read> histogram: array<u32>;
@group(0) @binding(3) var<storage, read_write> pixels: array<u32>;

fn cell_at(x: i32, y: i32) -> vec4<f32> {
    let cx = u32(clamp(x, 0, i32(params.width) - 1));
    let cy = u32(clamp(y, 0, i32(params.height) - 1));
    let at = (cy * params.width + cx) * 4u;
    return vec4(f32(histogram[at]), f32(histogram[at + 1u]), f32(histogram[at + 2u]), f32(histogram[at + 3u]));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let x = i32(item % params.width);
    let y = i32(item / params.width);
    let centre = cell_at(x, y);
    // Few hits are noisy: the fewer, the more the neighbours count (a simple density estimation).
    let share = 1.0 / (1.0 + centre.x * params.brightness * 0.6);
    let corners = cell_at(x - 1, y - 1) + cell_at(x + 1, y - 1) + cell_at(x - 1, y + 1) + cell_at(x + 1, y + 1);
    let sides = cell_at(x, y - 1) + cell_at(x - 1, y) + cell_at(x + 1, y) + cell_at(x, y + 1);
    let near = centre * 0.25 + sides * 0.125 + corners * 0.0625;
    let mixed = mix(centre, near, share);
    let light = clamp(log(1.0 + mixed.x * params.brightness) * params.exposure, 0.0, 1.0);
    // Gamma on the light and not on the colours keeps them vivid.
    let alpha = pow(light, 0.55);
    let pure = min(mixed.yzw / (max(mixed.x, 1e-6) * 255.0), vec3(1.0));
    let white = max(light - 0.82, 0.0) * 1.6;
    let ground = vec3(0.020, 0.022, 0.034);
    let value = pure * alpha * (1.0 - white) + alpha * white + ground * (1.0 - alpha);
    let bytes = vec3<u32>(clamp(value, vec3(0.0), vec3(1.0)) * 255.0 + 0.5);
    pixels[item] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | 0xff000000u;
}

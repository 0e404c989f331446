// The relief of V as packed RGBA, the grid brought to the picture's size by bilinear interpolation.
@group(0) @binding(2) var<storage, read> grid: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> pixels: array<u32>;

fn wrap(at: i32, size: u32) -> u32 {
    let s = i32(size);
    return u32((at % s + s) % s);
}

fn height(x: f32, y: f32) -> f32 {
    let floor_x = floor(x);
    let floor_y = floor(y);
    let fx = x - floor_x;
    let fy = y - floor_y;
    let x0 = wrap(i32(floor_x), params.width);
    let x1 = wrap(i32(floor_x) + 1, params.width);
    let y0 = wrap(i32(floor_y), params.height) * params.width;
    let y1 = wrap(i32(floor_y) + 1, params.height) * params.width;
    let top = grid[y0 + x0].y * (1.0 - fx) + grid[y0 + x1].y * fx;
    let bottom = grid[y1 + x0].y * (1.0 - fx) + grid[y1 + x1].y * fx;
    return top * (1.0 - fy) + bottom * fy;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let scale = vec2(f32(params.width) / f32(params.picture_width), f32(params.height) / f32(params.picture_height));
    let x = (f32(item % params.picture_width) + 0.5) * scale.x - 0.5;
    let y = (f32(item / params.picture_width) + 0.5) * scale.y - 0.5;
    let slope_x = height(x + 1.0, y) - height(x - 1.0, y);
    let slope_y = height(x, y + 1.0) - height(x, y - 1.0);
    let level = clamp(height(x, y) * 2.6, 0.0, 1.0);
    let steep = 5.0;
    let normal = normalize(vec3(-slope_x * steep, -slope_y * steep, 1.0));
    // A lamp from the upper left.
    let light = max(dot(normal, vec3(-0.50, -0.56, 0.66)), 0.0);
    let half = max(dot(normal, vec3(-0.27, -0.31, 0.91)), 0.0);
    let shine = pow(half, 40.0) * 0.45 * level;
    let turn = params.pace.xyz * (level * 0.8 + params.phase) + params.start.xyz;
    let base = params.middle.xyz + params.swing.xyz * cos(6.28318531 * turn);
    let lit = clamp(base, vec3(0.0), vec3(1.0)) * (0.28 + 1.05 * light) + shine;
    let bytes = vec3<u32>(clamp(lit, vec3(0.0), vec3(1.0)) * 255.0 + 0.5);
    pixels[item] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | 0xff000000u;
}

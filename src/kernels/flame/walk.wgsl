// Walks and counts. Whole numbers only, so that the sums do not depend on the order.
@group(0) @binding(3) var<storage, read> palette: array<u32>;
// Four words a pixel: hits, and the palette's R, G and B.
@group(0) @binding(4) var<storage, read_write> histogram: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let size = vec2(f32(params.width), f32(params.height));
    var walker = walker_of(item);
    for (var step = 0u; step < params.warm_up; step++) {
        advance(&walker);
    }
    for (var step = 0u; step < params.steps; step++) {
        advance(&walker);
        let at = (walker.place - vec2(params.centre_x, params.centre_y)) * params.scale + size * 0.5;
        if at.x >= 0.0 && at.y >= 0.0 && at.x < size.x && at.y < size.y {
            let cell = (u32(at.y) * params.width + u32(at.x)) * 4u;
            let colour = palette[u32(walker.colour * 255.0) & 255u];
            atomicAdd(&histogram[cell], 1u);
            atomicAdd(&histogram[cell + 1u], colour & 255u);
            atomicAdd(&histogram[cell + 2u], (colour >> 8u) & 255u);
            atomicAdd(&histogram[cell + 3u], (colour >> 16u) & 255u);
        }
    }
}

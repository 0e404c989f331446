// What every attention shares; see the wrapper for the layouts.
struct Params {
    heads: u32,
    // Vectors of 4 of a head.
    size: u32,
    queries: u32,
    keys: u32,
    scale: f32,
    causal: u32,
    // Queries of a tile and its invocations, for the twin; here they are constants.
    tile_queries: u32,
    tile_size: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> queries: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> pairs: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<f32>>;

const LEAST = -3e38;

struct Params {
    width: u32,
    height: u32,
    transforms: u32,
    seed: u32,
    steps: u32,
    warm_up: u32,
    scale: f32,
    centre_x: f32,
    centre_y: f32,
    // One over the logarithm of the brightest.
    exposure: f32,
    // What a hit counts.
    brightness: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;

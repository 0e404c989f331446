struct Params {
    width: u32,
    height: u32,
    sample: u32,
    objects: u32,
    seed: u32,
    // 0 day, 1 sunset, 2 night, 3 overcast.
    sky: u32,
    // 0 plain, 1 grass, 2 sand, 3 snow, 4 water, 5 wood, 6 checkerboard.
    ground: u32,
    samples: u32,
    // The last is the tangent of half the height's angle.
    eye: vec4<f32>,
    right: vec4<f32>,
    up: vec4<f32>,
    forward: vec4<f32>,
}

@group(0) @binding(1) var<uniform> params: Params;

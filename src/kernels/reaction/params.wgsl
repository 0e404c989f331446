struct Params {
    width: u32,
    height: u32,
    picture_width: u32,
    picture_height: u32,
    feed: f32,
    kill: f32,
    // How fast U spreads; V spreads half as fast.
    spread: f32,
    // The palette by Quilez' cosine formula: its turn, middle, swing, pace and start.
    phase: f32,
    middle: vec4<f32>,
    swing: vec4<f32>,
    pace: vec4<f32>,
    start: vec4<f32>,
}

@group(0) @binding(1) var<uniform> params: Params;

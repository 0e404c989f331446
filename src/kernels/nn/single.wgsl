alias real = f32;

fn put(at: u32, x: vec4<f32>) {
    steps[at / STEP_PART][at % STEP_PART] = x;
}

fn got(at: u32) -> vec4<f32> {
    return steps[at / STEP_PART][at % STEP_PART];
}

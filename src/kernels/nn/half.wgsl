// A tile's numbers as halves. What is beyond them becomes infinite, so that it is found in the result.
alias real = f16;

// The sums are floats.
var<workgroup> given: array<vec4<f32>, SLICES / 2u * BLOCKS * 4u + 1u>;

fn put(at: u32, x: vec4<f32>) {
    given[at] = x;
}

fn got(at: u32) -> vec4<f32> {
    return given[at];
}

// Layer normalisation. One workgroup is one row.
struct Params {
    channels: u32,
    width: u32,
    epsilon: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> source: array<f32>;
@group(0) @binding(3) var<storage, read> affine: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

fn run(id: vec3<u32>, local: u32) {
    let row = span_group(id, SIZE);
    if row * SIZE >= span_end() {
        return;
    }
    let at = row * params.width;
    var sum = 0.0;
    for (var i = local; i < params.channels; i += SIZE) {
        sum += source[at + i];
    }
    let mean = total(local, sum) / f32(params.channels);
    var spread = 0.0;
    for (var i = local; i < params.channels; i += SIZE) {
        let off = source[at + i] - mean;
        spread += off * off;
    }
    let factor = 1.0 / sqrt(total(local, spread) / f32(params.channels) + params.epsilon);
    for (var i = local; i < params.width; i += SIZE) {
        var y = 0.0;
        if i < params.channels {
            y = (source[at + i] - mean) * factor * affine[i] + affine[params.width + i];
        }
        result[at + i] = y;
    }
}

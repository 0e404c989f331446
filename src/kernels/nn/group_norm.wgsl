// Group normalisation over channels of one or two sources, with SiLU behind it where it is wanted. One workgroup is
// one group of one picture; the mean first, then the spread around it.
struct Params {
    rows: u32,
    groups: u32,
    channels: u32,
    // Channels that come from the first source.
    first: u32,
    a: u32,
    b: u32,
    width: u32,
    silu: u32,
    epsilon: f32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> first_source: array<f32>;
@group(0) @binding(3) var<storage, read> second_source: array<f32>;
@group(0) @binding(4) var<storage, read> affine: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn load(row: u32, channel: u32) -> f32 {
    if channel < params.first {
        return first_source[row * params.a + channel];
    }
    return second_source[row * params.b + channel - params.first];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let unit = span_group(id, 64u);
    if unit * 64u >= span_end() {
        return;
    }
    let picture = unit / params.groups;
    let group = unit % params.groups;
    let size = params.channels / params.groups;
    let count = params.rows * size;
    let start = group * size;
    let row0 = picture * params.rows;
    var sum = 0.0;
    for (var i = local; i < count; i += 64u) {
        sum += load(row0 + i / size, start + i % size);
    }
    let mean = total(local, sum) / f32(count);
    var spread = 0.0;
    for (var i = local; i < count; i += 64u) {
        let off = load(row0 + i / size, start + i % size) - mean;
        spread += off * off;
    }
    let factor = 1.0 / sqrt(total(local, spread) / f32(count) + params.epsilon);
    for (var i = local; i < count; i += 64u) {
        let row = row0 + i / size;
        let channel = start + i % size;
        var y = (load(row, channel) - mean) * factor * affine[channel] + affine[params.width + channel];
        if params.silu != 0u {
            y = y / (1.0 + exp(-y));
        }
        result[row * params.width + channel] = y;
    }
    // The last group also clears what is beyond the last channel.
    if group + 1u == params.groups && params.channels < params.width {
        for (var i = local; i < params.rows; i += 64u) {
            for (var channel = params.channels; channel < params.width; channel += 1u) {
                result[(row0 + i) * params.width + channel] = 0.0;
            }
        }
    }
}

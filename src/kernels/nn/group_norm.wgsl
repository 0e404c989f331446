// Group normalisation over channels of one or two sources, with SiLU behind it where it is wanted. One workgroup is
// one group of one picture or of a chunk of its rows; the mean first, then the spread around it. See
// gradus_cpu::nn::norm::Part.
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
    part: u32,
    chunks: u32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> first_source: array<f32>;
@group(0) @binding(3) var<storage, read> second_source: array<f32>;
@group(0) @binding(4) var<storage, read> affine: array<f32>;
@group(0) @binding(5) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

fn load(row: u32, channel: u32) -> f32 {
    if channel < params.first {
        return first_source[row * params.a + channel];
    }
    return second_source[row * params.b + channel - params.first];
}

// Four rows of a channel, so far apart.
fn four(row: u32, apart: u32, channel: u32) -> vec4<f32> {
    return vec4(
        load(row, channel),
        load(row + apart, channel),
        load(row + apart * 2u, channel),
        load(row + apart * 3u, channel),
    );
}

fn added(x: vec4<f32>) -> f32 {
    return x.x + x.y + x.z + x.w;
}

fn normal(x: f32, mean: f32, factor: f32, channel: u32) -> f32 {
    let y = (x - mean) * factor * affine[channel] + affine[params.width + channel];
    return select(y, y / (1.0 + exp(-y)), params.silu != 0u);
}

fn run(id: vec3<u32>, local: u32) {
    let unit = span_group(id, SIZE);
    if unit * SIZE >= span_end() {
        return;
    }
    let group = unit % params.groups;
    let place = unit / params.groups;
    let picture = place / params.chunks;
    let each = (params.rows + params.chunks - 1u) / params.chunks;
    let top = min(place % params.chunks * each, params.rows);
    let rows = min(top + each, params.rows) - top;
    let size = params.channels / params.groups;
    let start = group * size;
    let end = start + size;
    // An invocation stays at its channel, so that nothing is divided, and has several reads in flight.
    let lanes = min(size, SIZE);
    let apart = SIZE / lanes;
    let begin = picture * params.rows + top + local / lanes;
    // What is left over has no rows.
    let stop = select(begin, picture * params.rows + top + rows, local < lanes * apart);
    let whole = apart * 3u;
    let first = start + local % lanes;
    let apply = params.part == 2u;
    let count = f32(max(select(rows, params.rows, apply) * size, 1u));
    // Chunks are fewer than invocations.
    var chunk = vec4<f32>();
    var of_chunk = 0.0;
    if apply && local < params.chunks {
        chunk = statistics[(picture * params.chunks + local) * params.groups + group];
        of_chunk = f32((min((local + 1u) * each, params.rows) - min(local * each, params.rows)) * size);
    }
    var sum = of_chunk * chunk.x;
    for (var channel = select(first, end, apply); channel < end; channel += lanes) {
        var row = begin;
        for (; row + whole < stop; row += apart * 4u) {
            sum += added(four(row, apart, channel));
        }
        for (; row < stop; row += apart) {
            sum += load(row, channel);
        }
    }
    let mean = total(local, sum) / count;
    var spread = chunk.y + of_chunk * (chunk.x - mean) * (chunk.x - mean);
    for (var channel = select(first, end, apply); channel < end; channel += lanes) {
        var row = begin;
        for (; row + whole < stop; row += apart * 4u) {
            let off = four(row, apart, channel) - mean;
            spread += dot(off, off);
        }
        for (; row < stop; row += apart) {
            let off = load(row, channel) - mean;
            spread += off * off;
        }
    }
    let squares = total(local, spread);
    if params.part == 1u {
        if local == 0u {
            result[unit * 4u] = mean;
            result[unit * 4u + 1u] = squares;
        }
        return;
    }
    let factor = 1.0 / sqrt(squares / count + params.epsilon);
    for (var channel = first; channel < end; channel += lanes) {
        var row = begin;
        for (; row + whole < stop; row += apart * 4u) {
            let x = four(row, apart, channel);
            let at = row * params.width + channel;
            let next = apart * params.width;
            result[at] = normal(x.x, mean, factor, channel);
            result[at + next] = normal(x.y, mean, factor, channel);
            result[at + next * 2u] = normal(x.z, mean, factor, channel);
            result[at + next * 3u] = normal(x.w, mean, factor, channel);
        }
        for (; row < stop; row += apart) {
            result[row * params.width + channel] = normal(load(row, channel), mean, factor, channel);
        }
    }
    // The last group also clears what is beyond the last channel.
    if group + 1u == params.groups && params.channels < params.width {
        for (var i = local; i < rows; i += SIZE) {
            for (var channel = params.channels; channel < params.width; channel += 1u) {
                result[(picture * params.rows + top + i) * params.width + channel] = 0.0;
            }
        }
    }
}

// Multiply-adds on registers alone: 8 vectors that do not wait for one another. T, the type of a number, comes from the
// wrapper.
struct Params {
    rounds: u32,
    factor: f32,
    step: f32,
    unused: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

struct Eight {
    a: vec4<T>,
    b: vec4<T>,
    c: vec4<T>,
    d: vec4<T>,
    e: vec4<T>,
    f: vec4<T>,
    g: vec4<T>,
    h: vec4<T>,
}

fn round(x: Eight, m: vec4<T>, s: vec4<T>) -> Eight {
    return Eight(
        fma(x.a, m, s),
        fma(x.b, m, s),
        fma(x.c, m, s),
        fma(x.d, m, s),
        fma(x.e, m, s),
        fma(x.f, m, s),
        fma(x.g, m, s),
        fma(x.h, m, s),
    );
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let m = vec4<T>(T(params.factor));
    let s = vec4<T>(T(params.step));
    let x = vec4<T>(T(f32(item % 64u) / 64.0));
    var sums = Eight(x, x + s, x - s, x * m, m - x, m + x, -x, s - x);
    for (var i = 0u; i < params.rounds; i += 1u) {
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
        sums = round(sums, m, s);
    }
    let all = sums.a + sums.b + sums.c + sums.d + sums.e + sums.f + sums.g + sums.h;
    result[item] = f32(all.x + all.y + all.z + all.w);
}

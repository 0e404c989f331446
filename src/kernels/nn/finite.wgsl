// Raises a flag when a number is infinite or none at all. By its bits: a shader may take for granted that there are no
// such numbers, and would compare accordingly.
struct Params {
    flag: u32,
    unused0: u32,
    unused1: u32,
    unused2: u32,
}

@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> flags: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item < span_end() && (source[item] & 0x7f800000u) == 0x7f800000u {
        atomicOr(&flags[params.flag], 1u);
    }
}

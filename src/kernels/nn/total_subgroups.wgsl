// The same as total.wgsl for devices with subgroups, whatever their sizes and whichever invocations are in one: each adds
// up by itself, and then everyone adds up the few sums in their order.
var<workgroup> partial: array<f32, SIZE>;
var<private> own: u32;
var<private> subgroups: u32;

fn total(local: u32, value: f32) -> f32 {
    workgroupBarrier();
    let sum = subgroupAdd(value);
    // So one of each writes, which its lane 0 would not do where that is idle.
    if subgroupBroadcastFirst(local) == local {
        partial[own] = sum;
    }
    workgroupBarrier();
    var all = partial[0];
    for (var n = 1u; n < subgroups; n += 1u) {
        all += partial[n];
    }
    return all;
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) count: u32,
) {
    own = subgroup;
    subgroups = count;
    run(id, local);
}

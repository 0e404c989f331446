// Adds up a number of each invocation of a workgroup of 64.
var<workgroup> partial: array<f32, 64>;

fn total(local: u32, value: f32) -> f32 {
    workgroupBarrier();
    partial[local] = value;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if local < half {
            partial[local] += partial[local + half];
        }
        workgroupBarrier();
    }
    return partial[0];
}

// A matrix product or a convolution (implicit GEMM). One invocation is a block of 4 rows × one panel of 8 columns and
// shares nothing with others, so there is no barrier: the fastest on software adapters.

// Panels that follow one another for the same block of rows.
const GROUP = 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let group = item / (params.blocks * GROUP);
    let inside = item - group * params.blocks * GROUP;
    let members = clamp(params.panels - group * GROUP, 1u, GROUP);
    let first = inside / members * 4u;
    let panel = group * GROUP + inside % members;
    let taps = params.kernel_height * params.kernel_width;
    var packed = panel * (taps * (params.a + params.b) * 4u + 1u);
    var sums = filled(eight(packed));
    packed += 1u;
    for (var tap = 0u; tap < taps; tap += 1u) {
        let row0 = source_row(first, tap);
        let row1 = source_row(first + 1u, tap);
        let row2 = source_row(first + 2u, tap);
        let row3 = source_row(first + 3u, tap);
        for (var c = 0u; c < params.a; c += 1u) {
            sums = multiply(
                sums,
                from_first(row0, c),
                from_first(row1, c),
                from_first(row2, c),
                from_first(row3, c),
                eight(packed),
                eight(packed + 1u),
                eight(packed + 2u),
                eight(packed + 3u),
            );
            packed += 4u;
        }
        for (var c = 0u; c < params.b; c += 1u) {
            sums = multiply(
                sums,
                from_second(row0, c),
                from_second(row1, c),
                from_second(row2, c),
                from_second(row3, c),
                eight(packed),
                eight(packed + 1u),
                eight(packed + 2u),
                eight(packed + 3u),
            );
            packed += 4u;
        }
    }
    store_block(first, 1u, panel, sums);
}

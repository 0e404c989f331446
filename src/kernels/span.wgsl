// The part of a dispatch that this submit computes: items first .. first + count.
struct Span {
    first: u32,
    count: u32,
    // Invocations in one row of workgroups, for grids that need more than one row.
    row: u32,
    unused: u32,
}

@group(0) @binding(0) var<uniform> span: Span;

// The item of this invocation; at or above span_end() there is none.
fn span_item(id: vec3<u32>) -> u32 {
    return span.first + id.y * span.row + id.x;
}

fn span_end() -> u32 {
    return span.first + span.count;
}

// For kernels whose workgroups work together: the number of this one among all of the dispatch, with so many
// invocations each. A span begins at a whole workgroup.
fn span_group(id: vec3<u32>, size: u32) -> u32 {
    return (span.first + id.y * span.row) / size + id.x;
}

// Attention for GPUs, heads of over 64 channels: a workgroup is 32 queries, and both products run over tiles in its memory,
// with the weights of 32 keys between them (Dao et al., 2022). An invocation has the sums of 4 queries × VECTORS vectors.
// LANES, the invocations along a head, and AT_ONCE, the values that are brought at once, come from the wrapper, and ROOM.
const QUERIES = 32u;
const KEYS = 32u;
const SIZE = LANES * 8u;
const MOST = LANES * VECTORS;
// Vectors of queries and keys that are brought at once, and their distance: neighbours meet different banks.
const CHUNK = 4u;
const PITCH = 5u;
// Invocations that share a query's weights.
const SHARING = SIZE / QUERIES;

// For each query its scores, then weights: vector n has the keys n, n + 8, n + 16 and n + 24.
var<workgroup> scores: array<array<vec4<f32>, 9>, QUERIES>;
var<workgroup> brought: array<vec4<f32>, ROOM>;
var<workgroup> factors: array<f32, QUERIES>;

// A vector of each of 4 queries.
struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

fn scored(sum: vec4<f32>, row: u32, keys: Four) -> vec4<f32> {
    let q = brought[row];
    return sum + vec4(dot(q, keys.a), dot(q, keys.b), dot(q, keys.c), dot(q, keys.d));
}

fn scaled(sum: Four, by: vec4<f32>) -> Four {
    return Four(sum.a * by.x, sum.b * by.y, sum.c * by.z, sum.d * by.w);
}

// The values of 4 keys by the weights that each of the queries gives them.
fn mixed(sum: Four, w: Four, at: u32) -> Four {
    let v0 = brought[at];
    let v1 = brought[at + MOST];
    let v2 = brought[at + MOST * 2u];
    let v3 = brought[at + MOST * 3u];
    return Four(
        sum.a + w.a.x * v0 + w.a.y * v1 + w.a.z * v2 + w.a.w * v3,
        sum.b + w.b.x * v0 + w.b.y * v1 + w.b.z * v2 + w.b.w * v3,
        sum.c + w.c.x * v0 + w.c.y * v1 + w.c.z * v2 + w.c.w * v3,
        sum.d + w.d.x * v0 + w.d.y * v1 + w.d.z * v2 + w.d.w * v3,
    );
}

fn store(query: u32, at: u32, sum: vec4<f32>) {
    if query < params.queries {
        result[at] = sum;
    }
}

fn store_four(query: u32, start: u32, width: u32, i: u32, sum: Four) {
    if i >= params.size {
        return;
    }
    let at = start + query * width + i;
    store(query, at, sum.a);
    store(query + 8u, at + width * 8u, sum.b);
    store(query + 16u, at + width * 16u, sum.c);
    store(query + 24u, at + width * 24u, sum.d);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = span_group(id, SIZE);
    if tile * SIZE >= span_end() {
        return;
    }
    let across = (params.queries + QUERIES - 1u) / QUERIES;
    let first_query = tile % across * QUERIES;
    let head = tile / across % params.heads;
    let picture = tile / across / params.heads;
    let width = params.heads * params.size;
    let query_start = picture * params.queries * width + head * params.size;
    let pair_start = picture * params.keys * 2u * width + head * params.size;
    // Of the sums: a vector of the head, every eighth query.
    let lane = local % LANES;
    let down = local / LANES;
    // Of the scores: every eighth key, and one or several queries.
    let column = local % 8u;
    let line = local / 8u;
    // Of the weights: a query, and a part of its keys.
    let query = local / SHARING;
    let part = local % SHARING;
    var o0: Four;
    var o1: Four;
    var o2: Four;
    var o3: Four;
    var o4: Four;
    var seen = params.keys;
    if params.causal != 0u {
        seen = min(seen, first_query + query + 1u);
    }
    var most = LEAST;
    var weight = 0.0;
    for (var first = 0u; first < params.keys; first += KEYS) {
        // Written out: the one in Chromium's software adapter kept what it had from the last keys.
        var s = Four(vec4(0.0), vec4(0.0), vec4(0.0), vec4(0.0));
        for (var c = 0u; c < params.size; c += CHUNK) {
            workgroupBarrier();
            for (var at = local; at < (QUERIES + KEYS) * CHUNK; at += SIZE) {
                let i = c + at % CHUNK;
                let row = at / CHUNK;
                var x = vec4(0.0);
                if i < params.size {
                    if row < QUERIES {
                        if first_query + row < params.queries {
                            x = queries[query_start + (first_query + row) * width + i] * params.scale;
                        }
                    } else if first + row - QUERIES < params.keys {
                        x = pairs[pair_start + (first + row - QUERIES) * 2u * width + i];
                    }
                }
                brought[row * PITCH + at % CHUNK] = x;
            }
            workgroupBarrier();
            for (var i = 0u; i < CHUNK; i += 1u) {
                let at = (QUERIES + column) * PITCH + i;
                let k = Four(
                    brought[at],
                    brought[at + PITCH * 8u],
                    brought[at + PITCH * 16u],
                    brought[at + PITCH * 24u],
                );
                s.a = scored(s.a, line * PITCH + i, k);
                if LANES < 32u {
                    s.b = scored(s.b, (line + LANES) * PITCH + i, k);
                    s.c = scored(s.c, (line + LANES * 2u) * PITCH + i, k);
                    s.d = scored(s.d, (line + LANES * 3u) * PITCH + i, k);
                }
            }
        }
        scores[line][column] = s.a;
        if LANES < 32u {
            scores[line + LANES][column] = s.b;
            scores[line + LANES * 2u][column] = s.c;
            scores[line + LANES * 3u][column] = s.d;
        }
        workgroupBarrier();
        let lanes = vec4(first, first + 8u, first + 16u, first + 24u);
        var highest = vec4(most);
        for (var n = 0u; n < 8u; n += 1u) {
            highest = max(highest, select(vec4(LEAST), scores[query][n], lanes + vec4(n) < vec4(seen)));
        }
        let most_here = max(max(highest.x, highest.y), max(highest.z, highest.w));
        let shrink = exp(most - most_here);
        most = most_here;
        if part == 0u {
            factors[query] = shrink;
        }
        workgroupBarrier();
        var sum = vec4(0.0);
        for (var n = part; n < 8u; n += SHARING) {
            let w = select(vec4(0.0), exp(scores[query][n] - most), lanes + vec4(n) < vec4(seen));
            scores[query][n] = w;
            sum += w;
        }
        weight = weight * shrink + sum.x + sum.y + sum.z + sum.w;
        let by = vec4(factors[down], factors[down + 8u], factors[down + 16u], factors[down + 24u]);
        o0 = scaled(o0, by);
        o1 = scaled(o1, by);
        o2 = scaled(o2, by);
        if VECTORS > 3u {
            o3 = scaled(o3, by);
        }
        if VECTORS > 4u {
            o4 = scaled(o4, by);
        }
        for (var n = 0u; n < 8u; n += AT_ONCE / 4u) {
            workgroupBarrier();
            for (var at = local; at < AT_ONCE * MOST; at += SIZE) {
                let i = at % MOST;
                let row = at / MOST;
                let key = first + n + row / 4u + row % 4u * 8u;
                var x = vec4(0.0);
                if key < params.keys && i < params.size {
                    x = pairs[pair_start + (key * 2u + 1u) * width + i];
                }
                brought[at] = x;
            }
            workgroupBarrier();
            for (var four = 0u; four < AT_ONCE / 4u; four += 1u) {
                let w = Four(
                    scores[down][n + four],
                    scores[down + 8u][n + four],
                    scores[down + 16u][n + four],
                    scores[down + 24u][n + four],
                );
                let at = four * 4u * MOST + lane;
                o0 = mixed(o0, w, at);
                o1 = mixed(o1, w, at + LANES);
                o2 = mixed(o2, w, at + LANES * 2u);
                if VECTORS > 3u {
                    o3 = mixed(o3, w, at + LANES * 3u);
                }
                if VECTORS > 4u {
                    o4 = mixed(o4, w, at + LANES * 4u);
                }
            }
        }
        // The next scores go where these weights are.
        workgroupBarrier();
    }
    scores[query][part] = vec4(weight);
    workgroupBarrier();
    var all = vec4(0.0);
    for (var n = 0u; n < SHARING; n += 1u) {
        all += vec4(scores[down][n].x, scores[down + 8u][n].x, scores[down + 16u][n].x, scores[down + 24u][n].x);
    }
    let by = 1.0 / all;
    let at = first_query + down;
    store_four(at, query_start, width, lane, scaled(o0, by));
    store_four(at, query_start, width, lane + LANES, scaled(o1, by));
    store_four(at, query_start, width, lane + LANES * 2u, scaled(o2, by));
    if VECTORS > 3u {
        store_four(at, query_start, width, lane + LANES * 3u, scaled(o3, by));
    }
    if VECTORS > 4u {
        store_four(at, query_start, width, lane + LANES * 4u, scaled(o4, by));
    }
}

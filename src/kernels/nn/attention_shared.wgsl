// Attention for GPUs, heads of up to 64 channels: an invocation is one query over a quarter of the keys, which the
// workgroup brings into its own memory; the quarters are joined at the end (Milakov and Gimelshein, 2018; Dao et al., 2022).
// FOURS, the vectors that a head may have by fours, comes from the wrapper. What an invocation keeps has names instead of
// places: an array would leave the registers where a compiler does not write its loops out.
const QUERIES = 64u;
const SLICES = 4u;
const KEYS = 8u;
const SIZE = 256u;
const TILE = SLICES * KEYS;
const MOST = FOURS * 4u;

var<workgroup> keys: array<array<array<vec4<f32>, MOST>, KEYS>, SLICES>;
var<workgroup> values: array<array<array<vec4<f32>, MOST>, KEYS>, SLICES>;

struct Four {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec4<f32>,
    d: vec4<f32>,
}

struct Head {
    a: Four,
    b: Four,
    c: Four,
    d: Four,
}

fn query_at(own: u32, i: u32, known: bool) -> vec4<f32> {
    let there = known && i < params.size;
    return select(vec4(0.0), queries[select(0u, own + i, there)] * params.scale, there);
}

fn four_at(own: u32, i: u32, known: bool) -> Four {
    return Four(
        query_at(own, i, known),
        query_at(own, i + 1u, known),
        query_at(own, i + 2u, known),
        query_at(own, i + 3u, known),
    );
}

fn dot_four(q: Four, slice: u32, key: u32, i: u32) -> f32 {
    return dot(q.a, keys[slice][key][i]) + dot(q.b, keys[slice][key][i + 1u]) + dot(q.c, keys[slice][key][i + 2u])
        + dot(q.d, keys[slice][key][i + 3u]);
}

fn score(q: Head, slice: u32, key: u32, there: bool) -> f32 {
    var sum = dot_four(q.a, slice, key, 0u) + dot_four(q.b, slice, key, 4u);
    if FOURS > 2u {
        sum += dot_four(q.c, slice, key, 8u);
    }
    if FOURS > 3u {
        sum += dot_four(q.d, slice, key, 12u);
    }
    return select(LEAST, sum, there);
}

fn mixed(sum: vec4<f32>, shrink: f32, w: vec4<f32>, x: vec4<f32>, slice: u32, i: u32) -> vec4<f32> {
    return sum * shrink + w.x * values[slice][0][i] + w.y * values[slice][1][i] + w.z * values[slice][2][i]
        + w.w * values[slice][3][i] + x.x * values[slice][4][i] + x.y * values[slice][5][i] + x.z * values[slice][6][i]
        + x.w * values[slice][7][i];
}

fn mixed_four(sum: Four, shrink: f32, w: vec4<f32>, x: vec4<f32>, slice: u32, i: u32) -> Four {
    return Four(
        mixed(sum.a, shrink, w, x, slice, i),
        mixed(sum.b, shrink, w, x, slice, i + 1u),
        mixed(sum.c, shrink, w, x, slice, i + 2u),
        mixed(sum.d, shrink, w, x, slice, i + 3u),
    );
}

// The keys' and values' memory is free when slices are joined, and has room for four vectors of each query.
fn put(at: u32, x: vec4<f32>) {
    keys[at / (KEYS * MOST)][at / MOST % KEYS][at % MOST] = x;
}

fn got(at: u32) -> vec4<f32> {
    return keys[at / (KEYS * MOST)][at / MOST % KEYS][at % MOST];
}

// Four sums of a slice to the first slice, which adds them to its own; both are scaled to the larger of their highest
// scores.
fn joined(sum: Four, other: u32, slice: u32, query: u32, own: f32, theirs: f32) -> Four {
    workgroupBarrier();
    if slice == other {
        put(query, sum.a);
        put(query + QUERIES, sum.b);
        put(query + QUERIES * 2u, sum.c);
        put(query + QUERIES * 3u, sum.d);
    }
    workgroupBarrier();
    if slice > 0u {
        return sum;
    }
    return Four(
        sum.a * own + got(query) * theirs,
        sum.b * own + got(query + QUERIES) * theirs,
        sum.c * own + got(query + QUERIES * 2u) * theirs,
        sum.d * own + got(query + QUERIES * 3u) * theirs,
    );
}

fn store(own: u32, i: u32, x: vec4<f32>) {
    if i < params.size {
        result[own + i] = x;
    }
}

fn store_four(own: u32, i: u32, sum: Four, factor: f32) {
    store(own, i, sum.a * factor);
    store(own, i + 1u, sum.b * factor);
    store(own, i + 2u, sum.c * factor);
    store(own, i + 3u, sum.d * factor);
}

@compute @workgroup_size(SIZE)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = span_group(id, SIZE);
    if tile * SIZE >= span_end() {
        return;
    }
    let across = (params.queries + QUERIES - 1u) / QUERIES;
    let own_query = local % QUERIES;
    let query = tile % across * QUERIES + own_query;
    let head = tile / across % params.heads;
    let picture = tile / across / params.heads;
    let slice = local / QUERIES;
    let width = params.heads * params.size;
    let known = query < params.queries;
    let own = (picture * params.queries + query) * width + head * params.size;
    var q: Head;
    q.a = four_at(own, 0u, known);
    q.b = four_at(own, 4u, known);
    if FOURS > 2u {
        q.c = four_at(own, 8u, known);
    }
    if FOURS > 3u {
        q.d = four_at(own, 12u, known);
    }
    var seen = params.keys;
    if params.causal != 0u {
        seen = min(seen, query + 1u);
    }
    var sum: Head;
    var most = LEAST;
    var weight = 0.0;
    for (var first = 0u; first < params.keys; first += TILE) {
        workgroupBarrier();
        for (var at = local; at < TILE * MOST; at += SIZE) {
            let i = at % MOST;
            let key = at / MOST;
            let there = first + key < params.keys && i < params.size;
            let base = ((picture * params.keys + first + key) * 2u * params.heads + head) * params.size + i;
            keys[key / KEYS][key % KEYS][i] = select(vec4(0.0), pairs[select(0u, base, there)], there);
            values[key / KEYS][key % KEYS][i] = select(vec4(0.0), pairs[select(0u, base + width, there)], there);
        }
        workgroupBarrier();
        let mine = first + slice * KEYS;
        var w = vec4(
            score(q, slice, 0u, mine < seen),
            score(q, slice, 1u, mine + 1u < seen),
            score(q, slice, 2u, mine + 2u < seen),
            score(q, slice, 3u, mine + 3u < seen),
        );
        var x = vec4(
            score(q, slice, 4u, mine + 4u < seen),
            score(q, slice, 5u, mine + 5u < seen),
            score(q, slice, 6u, mine + 6u < seen),
            score(q, slice, 7u, mine + 7u < seen),
        );
        let highest = max(w, x);
        let most_here = max(most, max(max(highest.x, highest.y), max(highest.z, highest.w)));
        let shrink = exp(most - most_here);
        most = most_here;
        // A slice that has seen no key has no score that counts.
        let counts = most > LEAST;
        w = select(vec4(0.0), exp(w - most), vec4(counts));
        x = select(vec4(0.0), exp(x - most), vec4(counts));
        let all = w + x;
        weight = weight * shrink + all.x + all.y + all.z + all.w;
        sum.a = mixed_four(sum.a, shrink, w, x, slice, 0u);
        sum.b = mixed_four(sum.b, shrink, w, x, slice, 4u);
        if FOURS > 2u {
            sum.c = mixed_four(sum.c, shrink, w, x, slice, 8u);
        }
        if FOURS > 3u {
            sum.d = mixed_four(sum.d, shrink, w, x, slice, 12u);
        }
    }
    for (var other = 1u; other < SLICES; other += 1u) {
        workgroupBarrier();
        if slice == other {
            values[0][own_query / MOST][own_query % MOST] = vec4(most, weight, 0.0, 0.0);
        }
        workgroupBarrier();
        let theirs = values[0][own_query / MOST][own_query % MOST];
        let highest = max(most, theirs.x);
        let keep = exp(most - highest);
        let take = exp(theirs.x - highest);
        sum.a = joined(sum.a, other, slice, own_query, keep, take);
        sum.b = joined(sum.b, other, slice, own_query, keep, take);
        if FOURS > 2u {
            sum.c = joined(sum.c, other, slice, own_query, keep, take);
        }
        if FOURS > 3u {
            sum.d = joined(sum.d, other, slice, own_query, keep, take);
        }
        if slice == 0u {
            weight = weight * keep + theirs.y * take;
            most = highest;
        }
    }
    if slice > 0u || !known {
        return;
    }
    store_four(own, 0u, sum.a, 1.0 / weight);
    store_four(own, 4u, sum.b, 1.0 / weight);
    if FOURS > 2u {
        store_four(own, 8u, sum.c, 1.0 / weight);
    }
    if FOURS > 3u {
        store_four(own, 12u, sum.d, 1.0 / weight);
    }
}

// Attention with a running softmax (Milakov and Gimelshein, 2018; Dao et al., 2022): one invocation is one query of
// one head, eight keys at a time, without a barrier. MOST, the vectors that a head may have, comes from the wrapper.
const KEYS = 8u;

@compute @workgroup_size(SIZE)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let query = item % params.queries;
    let head = item / params.queries % params.heads;
    let picture = item / params.queries / params.heads;
    let width = params.heads * params.size;
    let own = (picture * params.queries + query) * width + head * params.size;
    var q: array<vec4<f32>, MOST>;
    var sums: array<vec4<f32>, MOST>;
    for (var i = 0u; i < params.size; i += 1u) {
        q[i] = queries[own + i] * params.scale;
        sums[i] = vec4(0.0);
    }
    var seen = params.keys;
    if params.causal != 0u {
        seen = min(seen, query + 1u);
    }
    var most = LEAST;
    var weight = 0.0;
    for (var first = 0u; first < seen; first += KEYS) {
        let count = min(KEYS, seen - first);
        let base = (picture * params.keys + first) * 2u * width + head * params.size;
        var scores: array<f32, KEYS>;
        var most_here = most;
        for (var k = 0u; k < count; k += 1u) {
            var score = 0.0;
            for (var i = 0u; i < params.size; i += 1u) {
                score += dot(q[i], pairs[base + k * 2u * width + i]);
            }
            scores[k] = score;
            most_here = max(most_here, score);
        }
        let shrink = exp(most - most_here);
        most = most_here;
        weight *= shrink;
        for (var k = 0u; k < count; k += 1u) {
            scores[k] = exp(scores[k] - most);
            weight += scores[k];
        }
        for (var i = 0u; i < params.size; i += 1u) {
            var sum = sums[i] * shrink;
            for (var k = 0u; k < count; k += 1u) {
                sum += scores[k] * pairs[base + (k * 2u + 1u) * width + i];
            }
            sums[i] = sum;
        }
    }
    for (var i = 0u; i < params.size; i += 1u) {
        result[own + i] = sums[i] / weight;
    }
}

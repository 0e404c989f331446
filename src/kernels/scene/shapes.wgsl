// The objects of a scene, and what a ray meets of them. Distances after Inigo Quilez' articles.
const MARCH_STEPS: u32 = 80u;
const SHADOW_STEPS: u32 = 32u;
const FAR: f32 = 120.0;
const NOTHING: u32 = 0xffffffffu;

struct Object {
    // Centre, and shape: 0 sphere, 1 cube, 2 cylinder, 3 cone, 4 torus.
    place: vec4<f32>,
    // Size, cosine and sine of the turn, and material: 0 matte, 1 shiny, 2 metal, 3 glass.
    form: vec4<f32>,
    // Colour, and the radius of the bounding sphere.
    look: vec4<f32>,
}

@group(0) @binding(2) var<storage, read> objects: array<Object>;

// What a ray meets: 0 sky, 1 ground, 2 an object.
struct Hit {
    kind: u32,
    far: f32,
    which: u32,
}

// The signed distance to an object's surface; exact or a little too short.
fn distance_to(which: u32, point: vec3<f32>) -> f32 {
    let object = objects[which];
    let offset = point - object.place.xyz;
    let s = object.form.x;
    let p = vec3(
        offset.x * object.form.y - offset.z * object.form.z,
        offset.y,
        offset.x * object.form.z + offset.z * object.form.y,
    );
    switch u32(object.place.w) {
        case 0u: {
            return length(p) - s;
        }
        case 1u: {
            let q = abs(p) - vec3(s * 0.74);
            return length(max(q, vec3(0.0))) + min(max(q.x, max(q.y, q.z)), 0.0) - s * 0.06;
        }
        case 2u: {
            let x = sqrt(p.x * p.x + p.z * p.z) - s * 0.66;
            let y = abs(p.y) - s * 0.86;
            return min(max(x, y), 0.0) + length(max(vec2(x, y), vec2(0.0))) - s * 0.04;
        }
        case 3u: {
            let wide = s * 0.86;
            let high = s;
            let out = sqrt(p.x * p.x + p.z * p.z);
            let slope = ((p.y - high) * wide + out * 2.0 * high) / sqrt(4.0 * high * high + wide * wide);
            return max(slope, -high - p.y) - s * 0.02;
        }
        default: {
            let out = sqrt(p.x * p.x + p.z * p.z) - s * 0.72;
            return sqrt(out * out + p.y * p.y) - s * 0.28;
        }
    }
}

// From where to where a ray is inside of a sphere around an object; to before from where it is not.
fn sphere_span(centre: vec3<f32>, origin: vec3<f32>, direction: vec3<f32>, radius: f32) -> vec2<f32> {
    let to = centre - origin;
    let middle = dot(to, direction);
    let inside = radius * radius - (dot(to, to) - middle * middle);
    if inside <= 0.0 {
        return vec2(0.0, -1.0);
    }
    let half = sqrt(inside);
    if middle + half <= 0.0 {
        return vec2(0.0, -1.0);
    }
    return vec2(max(middle - half, 0.0), middle + half);
}

// The first thing along a ray; `skip` is an object that is left out.
fn meet(origin: vec3<f32>, direction: vec3<f32>, skip: u32) -> Hit {
    var to_ground = FAR;
    if direction.y < -1e-4 {
        to_ground = -origin.y / direction.y;
    }
    var near = FAR;
    var end = 0.0;
    var mask = 0u;
    for (var index = 0u; index < params.objects; index++) {
        if index == skip {
            continue;
        }
        let inside = sphere_span(objects[index].place.xyz, origin, direction, objects[index].look.w);
        if inside.y >= inside.x && inside.x < to_ground {
            near = min(near, inside.x);
            end = max(end, inside.y);
            mask |= 1u << index;
        }
    }
    if mask != 0u {
        let stop = min(end, to_ground);
        var far = near;
        for (var step = 0u; step < MARCH_STEPS; step++) {
            let point = origin + direction * far;
            var least = FAR;
            var which = 0u;
            for (var index = 0u; index < params.objects; index++) {
                if (mask & (1u << index)) != 0u {
                    let away = distance_to(index, point);
                    if away < least {
                        least = away;
                        which = index;
                    }
                }
            }
            if least < 0.0015 {
                return Hit(2u, far, which);
            }
            far += least;
            if far > stop {
                break;
            }
        }
    }
    if to_ground < FAR {
        return Hit(1u, to_ground, 0u);
    }
    return Hit(0u, FAR, 0u);
}

// How much of the light gets through, 0 to 1. Near misses darken in part, which makes the edge soft.
fn shadow(origin: vec3<f32>, towards: vec3<f32>) -> f32 {
    var open = 1.0;
    for (var index = 0u; index < params.objects; index++) {
        let centre = objects[index].place.xyz;
        let radius = objects[index].look.w + 0.09 * length(centre - origin);
        let inside = sphere_span(centre, origin, towards, radius);
        if inside.y < inside.x {
            continue;
        }
        var far = max(inside.x, 0.02);
        for (var step = 0u; step < SHADOW_STEPS; step++) {
            let away = distance_to(index, origin + towards * far);
            open = min(open, 0.5 + 0.5 * away / (0.09 * far));
            if open < 0.0 {
                return 0.0;
            }
            far += clamp(away, 0.02, 0.4);
            if far > inside.y {
                break;
            }
        }
    }
    open = max(open, 0.0);
    return open * open * (3.0 - 2.0 * open);
}

// How open the surroundings are, 0 to 1, by three looks along the normal.
fn openness(point: vec3<f32>, normal: vec3<f32>) -> f32 {
    var closed = 0.0;
    var weight = 1.0;
    for (var step = 1u; step <= 3u; step++) {
        let far = 0.14 * f32(step);
        let look = point + normal * far;
        var least = min(look.y, far);
        for (var index = 0u; index < params.objects; index++) {
            let apart = look - objects[index].place.xyz;
            let reach = objects[index].look.w + far;
            if dot(apart, apart) < reach * reach {
                least = min(least, distance_to(index, look));
            }
        }
        closed += (far - max(least, 0.0)) * weight / far;
        weight *= 0.6;
    }
    return clamp(1.0 - closed * 0.45, 0.0, 1.0);
}

// Four looks at the corners of a tetrahedron.
fn normal_of(which: u32, point: vec3<f32>) -> vec3<f32> {
    let e = 0.0015;
    let a = vec3(1.0, -1.0, -1.0);
    let b = vec3(-1.0, -1.0, 1.0);
    let c = vec3(-1.0, 1.0, -1.0);
    let d = vec3(1.0, 1.0, 1.0);
    return normalize(
        a * distance_to(which, point + a * e) + b * distance_to(which, point + b * e)
            + c * distance_to(which, point + c * e) + d * distance_to(which, point + d * e),
    );
}

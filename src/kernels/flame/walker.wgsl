// A walker on a flame's attractor, after Draves & Reckase, "The Fractal Flame Algorithm".
const TRANSFORM_FLOATS: u32 = 18u;
const PI: f32 = 3.14159265;

// Each: the affine map a b c d e f, the share up to which it is chosen, its colour, ten variations' weights.
@group(0) @binding(2) var<storage, read> transforms: array<f32>;

struct Walker {
    key: u32,
    count: u32,
    place: vec2<f32>,
    colour: f32,
}

// The angle of a point from the vertical axis, as the paper has it.
fn angle_of(x: f32, y: f32) -> f32 {
    return atan2(x, y + 1e-9);
}

fn step_by(at: u32, place: vec2<f32>, bits: u32) -> vec2<f32> {
    let px = transforms[at] * place.x + transforms[at + 1u] * place.y + transforms[at + 2u];
    let py = transforms[at + 3u] * place.x + transforms[at + 4u] * place.y + transforms[at + 5u];
    let square = px * px + py * py;
    let radius = sqrt(square);
    let inverse = 1.0 / (square + 1e-6);
    let per_radius = 1.0 / (radius + 1e-6);
    let angle = angle_of(px, py);
    var out = transforms[at + 8u] * vec2(px, py);
    if transforms[at + 9u] != 0.0 {
        out += transforms[at + 9u] * vec2(sin(px), sin(py));
    }
    if transforms[at + 10u] != 0.0 {
        out += transforms[at + 10u] * vec2(px * inverse, py * inverse);
    }
    if transforms[at + 11u] != 0.0 {
        let s = sin(square);
        let c = cos(square);
        out += transforms[at + 11u] * vec2(px * s - py * c, px * c + py * s);
    }
    if transforms[at + 12u] != 0.0 {
        out += transforms[at + 12u] * vec2((px - py) * (px + py) * per_radius, 2.0 * px * py * per_radius);
    }
    if transforms[at + 13u] != 0.0 {
        out += transforms[at + 13u] * vec2(radius * sin(angle + radius), radius * cos(angle - radius));
    }
    if transforms[at + 14u] != 0.0 {
        out += transforms[at + 14u] * vec2(radius * sin(angle * radius), -radius * cos(angle * radius));
    }
    if transforms[at + 15u] != 0.0 {
        let share = angle / PI;
        out += transforms[at + 15u] * vec2(share * sin(PI * radius), share * cos(PI * radius));
    }
    if transforms[at + 16u] != 0.0 {
        out += transforms[at + 16u]
            * vec2(per_radius * (cos(angle) + sin(radius)), per_radius * (sin(angle) - cos(radius)));
    }
    if transforms[at + 17u] != 0.0 {
        let turned = angle * 0.5 + select(PI, 0.0, (bits & 1u) == 0u);
        let root = sqrt(radius);
        out += transforms[at + 17u] * vec2(root * cos(turned), root * sin(turned));
    }
    // A walker that leaves the world comes back in the middle.
    if abs(out.x) < 1e4 && abs(out.y) < 1e4 {
        return out;
    }
    return vec2(0.0);
}

fn walker_of(item: u32) -> Walker {
    let key = hash(params.seed ^ hash(item));
    let place = vec2(unit(hash(key ^ 0x68bc21ebu)), unit(hash(key ^ 0x02e5be93u))) * 2.0 - 1.0;
    return Walker(key, 0u, place, 0.5);
}

fn advance(walker: ptr<function, Walker>) {
    (*walker).count += 1u;
    let bits = hash((*walker).key + (*walker).count * 0x9e3779b9u);
    let drawn = unit(bits);
    var at = 0u;
    let last = (params.transforms - 1u) * TRANSFORM_FLOATS;
    while at < last && drawn >= transforms[at + 6u] {
        at += TRANSFORM_FLOATS;
    }
    (*walker).place = step_by(at, (*walker).place, bits);
    (*walker).colour = 0.5 * ((*walker).colour + transforms[at + 7u]);
}

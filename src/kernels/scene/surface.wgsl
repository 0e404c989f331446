// What the ground and the objects look like.
struct Ground {
    albedo: vec3<f32>,
    normal: vec3<f32>,
    // How much of a mirror it is, before the angle counts.
    mirror: f32,
}

// The ground at a point that is `far` from the eye; fine texture fades with distance, where it would only flicker.
fn ground(point: vec3<f32>, far: f32) -> Ground {
    let x = point.x;
    let z = point.z;
    let seed = params.seed;
    let fine = 1.0 / (1.0 + far * far * 0.01);
    let up = vec3(0.0, 1.0, 0.0);
    switch params.ground {
        case 1u: {
            let patch_tone = fbm(x * 0.5, z * 0.5, seed);
            let blades = noise(x * 22.0, z * 9.0, seed ^ 7u);
            let albedo = mix(vec3(0.09, 0.22, 0.045), vec3(0.24, 0.38, 0.08), patch_tone)
                * mix(1.0, 0.62 + 0.7 * blades, fine);
            return Ground(albedo, up, 0.0);
        }
        case 2u: {
            let bend = fbm(x * 0.6, z * 0.6, seed) * 5.0;
            let phase = z * 9.0 + x * 2.0 + bend * 2.0;
            let grain = noise(x * 60.0, z * 60.0, seed ^ 3u);
            let albedo = vec3(0.62, 0.46, 0.27) * (1.0 + fine * (0.16 * (grain - 0.5) + 0.05 * sin(phase)));
            return Ground(albedo, normalize(vec3(0.05 * fine * cos(phase), 1.0, 0.16 * fine * cos(phase))), 0.0);
        }
        case 3u: {
            let drift = fbm(x * 0.45, z * 0.45, seed);
            let slope = fbm(x * 0.45 + 0.15, z * 0.45, seed) - drift;
            return Ground(
                mix(vec3(0.78, 0.83, 0.90), vec3(0.92, 0.93, 0.95), drift),
                normalize(vec3(-slope * 1.6, 1.0, slope * 0.8)),
                0.0,
            );
        }
        case 4u: {
            let along = cos(x * 2.1 + z * 3.3) * 0.045 + cos(x * 5.3 - z * 4.1 + 1.0) * 0.03 * fine;
            let across = cos(z * 4.7 - x * 1.3 + 2.0) * 0.06 + cos(z * 9.1 + x * 6.7) * 0.025 * fine;
            return Ground(vec3(0.012, 0.07, 0.10), normalize(vec3(along * fine, 1.0, across * fine)), 1.0);
        }
        case 5u: {
            let plank = floor(x * 1.4);
            let inside = x * 1.4 - plank;
            let tone = lattice(i32(plank), 0, seed);
            let rings = noise(x * 13.0 + tone * 40.0, z * 0.9 + tone * 9.0, seed ^ 11u);
            let gap = select(1.0, 0.35, inside < 0.03 || inside > 0.97);
            let albedo = mix(vec3(0.34, 0.19, 0.085), vec3(0.52, 0.33, 0.17), 0.6 * rings + 0.4 * tone)
                * mix(1.0, gap, sqrt(fine));
            return Ground(albedo, up, 0.35);
        }
        case 6u: {
            let even = ((i32(floor(x)) + i32(floor(z))) & 1) == 0;
            return Ground(select(vec3(0.055, 0.06, 0.07), vec3(0.78, 0.77, 0.74), even), up, 0.3);
        }
        default: {
            let tone = 0.95 + 0.1 * fbm(x * 1.3, z * 1.3, seed);
            return Ground(vec3(0.60, 0.57, 0.53) * tone, up, 0.0);
        }
    }
}

fn power5(x: f32) -> f32 {
    return x * x * x * x * x;
}

// The sun's image in a shining surface.
fn sparkle(light: Light, mirrored: vec3<f32>) -> f32 {
    let toward = max(dot(mirrored, light.direction), 0.0);
    let tight = pow(toward, 64.0);
    return 1.1 * tight * tight;
}

// A surface under sun and sky, with shadow, openness, and a highlight of the given strength.
fn lit(
    light: Light,
    point: vec3<f32>,
    normal: vec3<f32>,
    albedo: vec3<f32>,
    shine: f32,
    direction: vec3<f32>,
) -> vec3<f32> {
    let outside = point + normal * 0.012;
    let facing = max(dot(normal, light.direction), 0.0);
    var sun = 0.0;
    if facing > 0.0 {
        sun = facing * shadow(outside, light.direction);
    }
    let open = openness(point, normal);
    // From below comes what the ground gives back of sun and sky.
    let above = 0.5 + 0.5 * normal.y;
    let ambient = mix(light.ambient, light.ambient * 0.35 + light.colour * 0.10, 1.0 - above) * open;
    var colour = albedo * (light.colour * sun + ambient);
    if shine > 0.0 {
        let half = normalize(light.direction - direction);
        colour += light.colour * (shine * sun * pow(max(dot(normal, half), 0.0), 48.0));
    }
    return colour;
}

fn shade_object(
    light: Light,
    which: u32,
    point: vec3<f32>,
    normal: vec3<f32>,
    direction: vec3<f32>,
) -> vec3<f32> {
    let shine = select(0.55, 0.03, u32(objects[which].form.w) == 0u);
    return lit(light, point, normal, objects[which].look.xyz, shine, direction);
}

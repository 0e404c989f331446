// Suns and skies.
struct Light {
    direction: vec3<f32>,
    colour: vec3<f32>,
    ambient: vec3<f32>,
    zenith: vec3<f32>,
    horizon: vec3<f32>,
    // How strong the glow around the sun is.
    glow: f32,
    clouds: f32,
    stars: f32,
}

fn light_of(kind: u32) -> Light {
    switch kind {
        case 1u: {
            return Light(
                vec3(-0.72, 0.24, 0.65), vec3(2.9, 1.35, 0.55), vec3(0.62, 0.46, 0.52),
                vec3(0.16, 0.20, 0.44), vec3(1.25, 0.55, 0.28), 1.0, 0.55, 0.0,
            );
        }
        case 2u: {
            return Light(
                vec3(-0.45, 0.72, -0.52), vec3(0.42, 0.52, 0.80), vec3(0.10, 0.13, 0.22),
                vec3(0.006, 0.010, 0.030), vec3(0.045, 0.065, 0.135), 0.0, 0.0, 1.0,
            );
        }
        case 3u: {
            return Light(
                vec3(-0.35, 0.90, -0.25), vec3(0.55, 0.55, 0.55), vec3(0.78, 0.82, 0.88),
                vec3(0.50, 0.55, 0.62), vec3(0.82, 0.84, 0.86), 0.0, 0.9, 0.0,
            );
        }
        default: {
            return Light(
                vec3(-0.55, 0.68, -0.48), vec3(2.35, 2.15, 1.85), vec3(0.42, 0.54, 0.74),
                vec3(0.12, 0.30, 0.72), vec3(0.62, 0.78, 0.95), 0.25, 0.5, 0.0,
            );
        }
    }
}

// A number from 0 to below 1 for each point of a lattice.
fn lattice(x: i32, z: i32, seed: u32) -> f32 {
    return unit(hash((u32(x) * 0x8da6b343u) ^ (u32(z) * 0xd8163841u) ^ seed));
}

// Value noise, 0 to 1.
fn noise(x: f32, z: f32, seed: u32) -> f32 {
    let cell_x = floor(x);
    let cell_z = floor(z);
    let fx = x - cell_x;
    let fz = z - cell_z;
    let sx = fx * fx * (3.0 - 2.0 * fx);
    let sz = fz * fz * (3.0 - 2.0 * fz);
    let ix = i32(cell_x);
    let iz = i32(cell_z);
    let near = mix(lattice(ix, iz, seed), lattice(ix + 1, iz, seed), sx);
    let far = mix(lattice(ix, iz + 1, seed), lattice(ix + 1, iz + 1, seed), sx);
    return mix(near, far, sz);
}

// Four octaves of noise, 0 to 1.
fn fbm(x_in: f32, z_in: f32, seed: u32) -> f32 {
    var sum = 0.0;
    var weight = 0.5;
    var x = x_in;
    var z = z_in;
    for (var octave = 0u; octave < 4u; octave++) {
        sum += weight * noise(x, z, seed + octave);
        weight *= 0.5;
        // Turned a little from octave to octave, so that the lattices do not line up.
        let turned = x * 1.6 + z * 1.2 + 3.1;
        z = z * 1.6 - x * 1.2 + 1.7;
        x = turned;
    }
    return sum * (1.0 / 0.9375);
}

// The sky in a direction.
fn sky(light: Light, direction: vec3<f32>) -> vec3<f32> {
    let height = max(direction.y, 0.0);
    var colour = mix(light.horizon, light.zenith, sqrt(height));
    let toward = max(dot(direction, light.direction), 0.0);
    let wide = toward * toward * toward * toward;
    colour += light.colour * (light.glow * (0.25 * wide + 0.5 * wide * wide * wide * wide));
    if light.glow > 0.0 {
        colour += light.colour * (4.0 * smoothstep(0.9990, 0.9996, toward));
    }
    if light.clouds > 0.0 && direction.y > 0.01 {
        let x = direction.x / (direction.y + 0.12);
        let z = direction.z / (direction.y + 0.12);
        let thick = smoothstep(0.48, 0.85, fbm(x * 0.9, z * 0.9, params.seed));
        let white = light.horizon * 0.45 + light.colour * 0.22 + light.ambient * 0.35;
        colour = mix(colour, white, thick * light.clouds * smoothstep(0.01, 0.2, direction.y));
    }
    if light.stars > 0.0 && direction.y > 0.0 {
        let x = direction.x / (direction.y + 0.35) * 60.0;
        let z = direction.z / (direction.y + 0.35) * 60.0;
        let cell_x = floor(x);
        let cell_z = floor(z);
        let drawn = lattice(i32(cell_x), i32(cell_z), params.seed ^ 0x51edu);
        if drawn > 0.93 {
            let dx = x - cell_x - 0.5;
            let dz = z - cell_z - 0.5;
            let off = sqrt(dx * dx + dz * dz);
            let bright = (1.0 - smoothstep(0.0, 0.22, off)) * (drawn - 0.93) * 14.0;
            colour += vec3(0.9, 0.95, 1.0) * bright;
        }
    }
    return colour;
}

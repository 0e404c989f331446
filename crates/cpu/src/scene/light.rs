//! Suns and skies.

use super::Params;
use crate::hash;
use crate::unit;
use crate::vector::{V3, mix, smoothstep, v};

pub(super) struct Light {
    pub(super) direction: V3,
    pub(super) colour: V3,
    pub(super) ambient: V3,
    zenith: V3,
    horizon: V3,
    /// How tight and how strong the glow around the sun is.
    glow: f32,
    clouds: f32,
    stars: f32,
}

impl Light {
    pub(super) fn of(kind: u32) -> Self {
        match kind {
            1 => Self {
                direction: v(-0.72, 0.24, 0.65),
                colour: v(2.9, 1.35, 0.55),
                ambient: v(0.62, 0.46, 0.52),
                zenith: v(0.16, 0.20, 0.44),
                horizon: v(1.25, 0.55, 0.28),
                glow: 1.0,
                clouds: 0.55,
                stars: 0.0,
            },
            2 => Self {
                direction: v(-0.45, 0.72, -0.52),
                colour: v(0.42, 0.52, 0.80),
                ambient: v(0.10, 0.13, 0.22),
                zenith: v(0.006, 0.010, 0.030),
                horizon: v(0.045, 0.065, 0.135),
                glow: 0.0,
                clouds: 0.0,
                stars: 1.0,
            },
            3 => Self {
                direction: v(-0.35, 0.90, -0.25),
                colour: v(0.55, 0.55, 0.55),
                ambient: v(0.78, 0.82, 0.88),
                zenith: v(0.50, 0.55, 0.62),
                horizon: v(0.82, 0.84, 0.86),
                glow: 0.0,
                clouds: 0.9,
                stars: 0.0,
            },
            _ => Self {
                direction: v(-0.55, 0.68, -0.48),
                colour: v(2.35, 2.15, 1.85),
                ambient: v(0.42, 0.54, 0.74),
                zenith: v(0.12, 0.30, 0.72),
                horizon: v(0.62, 0.78, 0.95),
                glow: 0.25,
                clouds: 0.5,
                stars: 0.0,
            },
        }
    }
}

/// The sky in a direction.
pub(super) fn sky(light: &Light, params: &Params, direction: V3) -> V3 {
    let height = direction.y.max(0.0);
    let mut colour = light.horizon.mix(light.zenith, height.sqrt());
    let toward = direction.dot(light.direction).max(0.0);
    let wide = toward * toward * toward * toward;
    colour = colour + light.colour * (light.glow * (0.25 * wide + 0.5 * wide * wide * wide * wide));
    if light.glow > 0.0 {
        colour = colour + light.colour * (4.0 * smoothstep(0.9990, 0.9996, toward));
    }
    if light.clouds > 0.0 && direction.y > 0.01 {
        let (x, z) = (direction.x / (direction.y + 0.12), direction.z / (direction.y + 0.12));
        let thick = smoothstep(0.48, 0.85, fbm(x * 0.9, z * 0.9, params.seed));
        let white = light.horizon * 0.45 + light.colour * 0.22 + light.ambient * 0.35;
        colour = colour.mix(white, thick * light.clouds * smoothstep(0.01, 0.2, direction.y));
    }
    if light.stars > 0.0 && direction.y > 0.0 {
        let (x, z) = (direction.x / (direction.y + 0.35) * 60.0, direction.z / (direction.y + 0.35) * 60.0);
        let (cell_x, cell_z) = (x.floor(), z.floor());
        let drawn = lattice(cell_x as i32, cell_z as i32, params.seed ^ 0x51ed);
        if drawn > 0.93 {
            let (dx, dz) = (x - cell_x - 0.5, z - cell_z - 0.5);
            let bright = (1.0 - smoothstep(0.0, 0.22, (dx * dx + dz * dz).sqrt())) * (drawn - 0.93) * 14.0;
            colour = colour + v(0.9, 0.95, 1.0) * bright;
        }
    }
    colour
}

/// A number from 0 to below 1 for each point of a lattice.
pub(super) fn lattice(x: i32, z: i32, seed: u32) -> f32 {
    unit(hash((x as u32).wrapping_mul(0x8da6_b343) ^ (z as u32).wrapping_mul(0xd816_3841) ^ seed))
}

/// Value noise, 0 to 1.
pub(super) fn noise(x: f32, z: f32, seed: u32) -> f32 {
    let (cell_x, cell_z) = (x.floor(), z.floor());
    let (fx, fz) = (x - cell_x, z - cell_z);
    let (sx, sz) = (fx * fx * (3.0 - 2.0 * fx), fz * fz * (3.0 - 2.0 * fz));
    let (ix, iz) = (cell_x as i32, cell_z as i32);
    let near = mix(lattice(ix, iz, seed), lattice(ix + 1, iz, seed), sx);
    let far = mix(lattice(ix, iz + 1, seed), lattice(ix + 1, iz + 1, seed), sx);
    mix(near, far, sz)
}

/// Four octaves of noise, 0 to 1.
pub(super) fn fbm(x: f32, z: f32, seed: u32) -> f32 {
    let mut sum = 0.0;
    let mut weight = 0.5;
    let (mut x, mut z) = (x, z);
    for octave in 0..4 {
        sum += weight * noise(x, z, seed.wrapping_add(octave));
        weight *= 0.5;
        // Turned a little from octave to octave, so that the lattices do not line up.
        (x, z) = (x * 1.6 + z * 1.2 + 3.1, z * 1.6 - x * 1.2 + 1.7);
    }
    sum * (1.0 / 0.9375)
}

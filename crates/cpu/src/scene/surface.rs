//! What the ground and the objects look like.

use super::Params;
use super::light::{Light, fbm, lattice, noise};
use super::shapes::{Object, Shapes};
use crate::elementary::{cos, sin};
use crate::vector::{V3, mix, v};

pub(super) struct Ground {
    pub(super) albedo: V3,
    pub(super) normal: V3,
    /// How much of a mirror it is, before the angle counts.
    pub(super) mirror: f32,
}

/// The ground at a point that is `far` from the eye; fine texture fades with distance, where it would only flicker.
pub(super) fn ground(params: &Params, point: V3, far: f32) -> Ground {
    let (x, z) = (point.x, point.z);
    let seed = params.seed;
    let fine = 1.0 / (1.0 + far * far * 0.01);
    let up = v(0.0, 1.0, 0.0);
    match params.ground {
        1 => {
            let patch = fbm(x * 0.5, z * 0.5, seed);
            let blades = noise(x * 22.0, z * 9.0, seed ^ 7);
            let albedo = v(0.09, 0.22, 0.045).mix(v(0.24, 0.38, 0.08), patch) * mix(1.0, 0.62 + 0.7 * blades, fine);
            Ground { albedo, normal: up, mirror: 0.0 }
        }
        2 => {
            let bend = fbm(x * 0.6, z * 0.6, seed) * 5.0;
            let phase = z * 9.0 + x * 2.0 + bend * 2.0;
            let grain = noise(x * 60.0, z * 60.0, seed ^ 3);
            let albedo = v(0.62, 0.46, 0.27) * (1.0 + fine * (0.16 * (grain - 0.5) + 0.05 * sin(phase)));
            Ground {
                albedo,
                normal: v(0.05 * fine * cos(phase), 1.0, 0.16 * fine * cos(phase)).normalize(),
                mirror: 0.0,
            }
        }
        3 => {
            let drift = fbm(x * 0.45, z * 0.45, seed);
            let slope = fbm(x * 0.45 + 0.15, z * 0.45, seed) - drift;
            Ground {
                albedo: v(0.78, 0.83, 0.90).mix(v(0.92, 0.93, 0.95), drift),
                normal: v(-slope * 1.6, 1.0, slope * 0.8).normalize(),
                mirror: 0.0,
            }
        }
        4 => {
            let along = cos(x * 2.1 + z * 3.3) * 0.045 + cos(x * 5.3 - z * 4.1 + 1.0) * 0.03 * fine;
            let across = cos(z * 4.7 - x * 1.3 + 2.0) * 0.06 + cos(z * 9.1 + x * 6.7) * 0.025 * fine;
            Ground {
                albedo: v(0.012, 0.07, 0.10),
                normal: v(along * fine, 1.0, across * fine).normalize(),
                mirror: 1.0,
            }
        }
        5 => {
            let plank = (x * 1.4).floor();
            let inside = x * 1.4 - plank;
            let tone = lattice(plank as i32, 0, seed);
            let rings = noise(x * 13.0 + tone * 40.0, z * 0.9 + tone * 9.0, seed ^ 11);
            let gap = if !(0.03..=0.97).contains(&inside) { 0.35 } else { 1.0 };
            let albedo =
                v(0.34, 0.19, 0.085).mix(v(0.52, 0.33, 0.17), 0.6 * rings + 0.4 * tone) * mix(1.0, gap, fine.sqrt());
            Ground { albedo, normal: up, mirror: 0.35 }
        }
        6 => {
            let even = ((x.floor() as i32).wrapping_add(z.floor() as i32)) & 1 == 0;
            let albedo = if even { v(0.78, 0.77, 0.74) } else { v(0.055, 0.06, 0.07) };
            Ground { albedo, normal: up, mirror: 0.3 }
        }
        _ => {
            let tone = 0.95 + 0.1 * fbm(x * 1.3, z * 1.3, seed);
            Ground { albedo: v(0.60, 0.57, 0.53) * tone, normal: up, mirror: 0.0 }
        }
    }
}

/// The sun's image in a shining surface.
pub(super) fn sparkle(light: &Light, mirrored: V3) -> f32 {
    let toward = mirrored.dot(light.direction).max(0.0);
    let tight = toward.powi(64);
    1.1 * tight * tight
}

/// A surface under sun and sky, with shadow, openness, and a highlight of the given strength.
pub(super) fn lit(shapes: &Shapes, light: &Light, point: V3, normal: V3, albedo: V3, shine: f32, direction: V3) -> V3 {
    let outside = point + normal * 0.012;
    let facing = normal.dot(light.direction).max(0.0);
    let sun = if facing > 0.0 { facing * shapes.shadow(outside, light.direction) } else { 0.0 };
    let open = shapes.openness(point, normal);
    // From below comes what the ground gives back of sun and sky.
    let above = 0.5 + 0.5 * normal.y;
    let ambient = light.ambient.mix(light.ambient * 0.35 + light.colour * 0.10, 1.0 - above) * open;
    let mut colour = albedo.times(light.colour * sun + ambient);
    if shine > 0.0 {
        let half = (light.direction - direction).normalize();
        colour = colour + light.colour * (shine * sun * normal.dot(half).max(0.0).powi(48));
    }
    colour
}

pub(super) fn shade_object(
    shapes: &Shapes,
    light: &Light,
    object: &Object,
    point: V3,
    normal: V3,
    direction: V3,
) -> V3 {
    let shine = if object.material == 0 { 0.03 } else { 0.55 };
    lit(shapes, light, point, normal, object.colour, shine, direction)
}

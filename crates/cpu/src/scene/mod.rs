//! Ray-marched scenes of signed distances: one camera sample a pixel and dispatch, then a tone map.
//!
//! The distance functions and the soft shadow follow Inigo Quilez' articles on distance functions.

mod light;
mod shapes;
mod surface;

use std::ops::Range;

use crate::elementary::power;
use crate::vector::{V3, v};
use light::{Light, sky};
use shapes::{Object, Shapes};
use surface::{ground, shade_object};

/// Floats of an object in the objects' slice: centre and shape; size, cosine and sine of its turn, and material;
/// colour and the radius of its bounding sphere.
pub const OBJECT_FLOATS: usize = 12;

/// The most objects of a scene.
pub const MOST_OBJECTS: usize = 8;

/// What a dispatch traces; the same words as the shader's uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Params {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Which sample of each pixel.
    pub sample: u32,
    /// How many objects.
    pub objects: u32,
    /// Seed of the textures.
    pub seed: u32,
    /// 0 day, 1 sunset, 2 night, 3 overcast.
    pub sky: u32,
    /// 0 plain, 1 grass, 2 sand, 3 snow, 4 water, 5 wood, 6 checkerboard.
    pub ground: u32,
    /// Samples accumulated, for the tone map.
    pub samples: u32,
    /// Where the camera is; the last is the tangent of half its height's angle.
    pub eye: [f32; 4],
    /// The camera's right.
    pub right: [f32; 4],
    /// The camera's up.
    pub up: [f32; 4],
    /// Where the camera looks.
    pub forward: [f32; 4],
}

/// What a ray meets.
#[derive(Clone, Copy)]
pub(crate) enum Hit {
    Sky,
    Ground(f32),
    Object(f32, usize),
}

/// Adds one sample to each pixel of the span: linear RGB and a weight of 1, four floats a pixel in `sums`.
pub fn trace(span: Range<u32>, params: &Params, objects: &[f32], sums: &mut [f32]) {
    let shapes = Shapes::read(objects, params.objects as usize);
    let light = Light::of(params.sky);
    // Points of the plastic number's sequence (Roberts, 2018): even for any number of samples.
    let jitter_x = (0.5 + params.sample as f32 * 0.754_877_7).fract();
    let jitter_y = (0.5 + params.sample as f32 * 0.569_840_3).fract();
    let of = |a: [f32; 4]| v(a[0], a[1], a[2]);
    let (eye, right, up, forward) = (of(params.eye), of(params.right), of(params.up), of(params.forward));
    let (width, height) = (params.width as f32, params.height as f32);
    for item in span {
        let x = (item % params.width) as f32 + jitter_x;
        let y = (item / params.width) as f32 + jitter_y;
        let across = (2.0 * x - width) / height * params.eye[3];
        let above = (height - 2.0 * y) / height * params.eye[3];
        let direction = (forward + right * across + up * above).normalize();
        let colour = radiance(&shapes, &light, params, eye, direction);
        let at = item as usize * 4;
        if let Some(sum) = sums.get_mut(at..at + 4) {
            sum[0] += colour.x;
            sum[1] += colour.y;
            sum[2] += colour.z;
            sum[3] += 1.0;
        }
    }
}

/// The light that comes along a ray, with one reflection and one look through glass.
fn radiance(shapes: &Shapes, light: &Light, params: &Params, eye: V3, direction: V3) -> V3 {
    match shapes.meet(eye, direction, usize::MAX) {
        Hit::Sky => sky(light, params, direction),
        Hit::Ground(far) => ground_seen(shapes, light, params, eye, direction, far),
        Hit::Object(far, which) => object_seen(shapes, light, params, eye, direction, far, which),
    }
}

fn ground_seen(shapes: &Shapes, light: &Light, params: &Params, eye: V3, direction: V3, far: f32) -> V3 {
    let point = eye + direction * far;
    let surface = ground(params, point, far);
    let mut colour = surface::lit(shapes, light, point, surface.normal, surface.albedo, 0.0, direction);
    if surface.mirror > 0.0 {
        let facing = (-direction).dot(surface.normal).clamp(0.0, 1.0);
        let share = surface.mirror * (0.04 + 0.96 * (1.0 - facing).powi(5));
        let seen =
            once(shapes, light, params, point + surface.normal * 0.01, direction.reflect(surface.normal), usize::MAX);
        colour = colour.mix(seen, share);
    }
    let haze = 1.0 - (-far * 0.018).exp();
    colour.mix(sky(light, params, v(direction.x, 0.02, direction.z).normalize()), haze * haze)
}

fn object_seen(shapes: &Shapes, light: &Light, params: &Params, eye: V3, direction: V3, far: f32, which: usize) -> V3 {
    let point = eye + direction * far;
    let object = &shapes.all[which];
    let normal = object.normal(point);
    let facing = (-direction).dot(normal).clamp(0.0, 1.0);
    let fresnel = (1.0 - facing).powi(5);
    let mirrored = direction.reflect(normal);
    let outside = point + normal * 0.01;
    match object.material {
        1 => {
            let own = shade_object(shapes, light, object, point, normal, direction);
            own.mix(once(shapes, light, params, outside, mirrored, usize::MAX), 0.05 + 0.6 * fresnel)
        }
        2 => {
            let seen = once(shapes, light, params, outside, mirrored, usize::MAX);
            let tint = object.colour.mix(v(1.0, 1.0, 1.0), fresnel);
            let sparkle = surface::sparkle(light, mirrored) * shapes.shadow(outside, light.direction);
            seen.times(tint) * 0.95 + light.colour * sparkle
        }
        3 => {
            let through = refract(direction, normal);
            let behind = once(shapes, light, params, point - normal * 0.02, through, which);
            let mirror = once(shapes, light, params, outside, mirrored, usize::MAX);
            let glow = light.colour * (surface::sparkle(light, mirrored) * shapes.shadow(outside, light.direction));
            behind.times(object.colour.mix(v(1.0, 1.0, 1.0), 0.55)).mix(mirror, 0.06 + 0.94 * fresnel) + glow
        }
        _ => shade_object(shapes, light, object, point, normal, direction),
    }
}

/// Bends a ray a little, as thin glass does; never a total reflection, since it only ever enters.
fn refract(direction: V3, normal: V3) -> V3 {
    let ratio = 1.0 / 1.25;
    let facing = (-direction).dot(normal).clamp(0.0, 1.0);
    let inside = (1.0 - ratio * ratio * (1.0 - facing * facing)).max(0.0).sqrt();
    (direction * ratio + normal * (ratio * facing - inside)).normalize()
}

/// The light along a ray without further reflections; `not` is an object that is looked through.
fn once(shapes: &Shapes, light: &Light, params: &Params, from: V3, direction: V3, not: usize) -> V3 {
    match shapes.meet(from, direction, not) {
        Hit::Sky => sky(light, params, direction),
        Hit::Ground(far) => {
            let point = from + direction * far;
            let surface = ground(params, point, far + 4.0);
            let colour = surface::lit(shapes, light, point, surface.normal, surface.albedo, 0.0, direction);
            let haze = 1.0 - (-far * 0.018).exp();
            colour.mix(sky(light, params, v(direction.x, 0.02, direction.z).normalize()), haze * haze)
        }
        Hit::Object(far, which) => {
            let object: &Object = &shapes.all[which];
            let point = from + direction * far;
            shade_object(shapes, light, object, point, object.normal(point), direction)
        }
    }
}

/// From sums to packed RGBA: the mean, a filmic curve (Narkowicz, 2015), and sRGB's gamma.
pub fn resolve(span: Range<u32>, _: &Params, sums: &[f32], pixels: &mut [u32]) {
    for item in span {
        let at = item as usize * 4;
        let (Some(sum), Some(pixel)) = (sums.get(at..at + 4), pixels.get_mut(item as usize)) else { return };
        let weight = 1.0 / sum[3].max(1.0);
        let channel = |linear: f32| -> u32 {
            let x = (linear * weight).max(0.0) * 0.62;
            let film = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0.0, 1.0);
            (power(film, 1.0 / 2.2) * 255.0 + 0.5) as u32
        };
        *pixel = channel(sum[0]) | channel(sum[1]) << 8 | channel(sum[2]) << 16 | 0xff00_0000;
    }
}

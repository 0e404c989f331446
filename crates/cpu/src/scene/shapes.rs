//! The objects of a scene, and what a ray meets of them.

use super::{Hit, MOST_OBJECTS, OBJECT_FLOATS};
use crate::vector::{V3, v};

const MARCH_STEPS: u32 = 80;
const SHADOW_STEPS: u32 = 32;
const FAR: f32 = 120.0;

#[derive(Clone, Copy, Default)]
pub(super) struct Object {
    centre: V3,
    /// 0 sphere, 1 cube, 2 cylinder, 3 cone, 4 torus.
    shape: u32,
    size: f32,
    cosine: f32,
    sine: f32,
    /// 0 matte, 1 shiny, 2 metal, 3 glass.
    pub(super) material: u32,
    pub(super) colour: V3,
    pub(super) bound: f32,
}

pub(super) struct Shapes {
    pub(super) all: [Object; MOST_OBJECTS],
    count: usize,
}

impl Shapes {
    pub(super) fn read(floats: &[f32], count: usize) -> Self {
        let mut all = [Object::default(); MOST_OBJECTS];
        let mut read = 0;
        for (object, f) in all.iter_mut().zip(floats.chunks_exact(OBJECT_FLOATS)).take(count) {
            *object = Object {
                centre: v(f[0], f[1], f[2]),
                shape: f[3] as u32,
                size: f[4],
                cosine: f[5],
                sine: f[6],
                material: f[7] as u32,
                colour: v(f[8], f[9], f[10]),
                bound: f[11],
            };
            read += 1;
        }
        Self { all, count: read }
    }

    pub(super) fn objects(&self) -> &[Object] {
        &self.all[..self.count]
    }

    /// The first thing along a ray, `not` left out. The ground is met in closed form; objects are marched to, and
    /// only those whose bounding sphere the ray passes, from where it enters the first to where it leaves the last.
    pub(super) fn meet(&self, from: V3, direction: V3, not: usize) -> Hit {
        let to_ground = if direction.y < -1e-4 { -from.y / direction.y } else { FAR };
        let mut near = FAR;
        let mut end = 0.0f32;
        let mut mask = 0u32;
        for (index, object) in self.objects().iter().enumerate() {
            if index == not {
                continue;
            }
            if let Some((enter, leave)) = object.span(from, direction)
                && enter < to_ground
            {
                near = near.min(enter);
                end = end.max(leave);
                mask |= 1 << index;
            }
        }
        if mask != 0 {
            let stop = end.min(to_ground);
            let mut far = near;
            for _ in 0..MARCH_STEPS {
                let point = from + direction * far;
                let mut least = FAR;
                let mut which = 0;
                for (index, object) in self.objects().iter().enumerate() {
                    if mask & (1 << index) != 0 {
                        let distance = object.distance(point);
                        if distance < least {
                            least = distance;
                            which = index;
                        }
                    }
                }
                if least < 0.0015 {
                    return Hit::Object(far, which);
                }
                far += least;
                if far > stop {
                    break;
                }
            }
        }
        if to_ground < FAR { Hit::Ground(to_ground) } else { Hit::Sky }
    }

    /// How much of the light gets through, 0 to 1. Near misses darken in part, which makes the edge soft.
    pub(super) fn shadow(&self, from: V3, towards: V3) -> f32 {
        let mut open = 1.0f32;
        for object in self.objects() {
            let Some((enter, leave)) = object.wide_span(from, towards) else { continue };
            let mut far = enter.max(0.02);
            for _ in 0..SHADOW_STEPS {
                let distance = object.distance(from + towards * far);
                open = open.min(0.5 + 0.5 * distance / (0.09 * far));
                if open < 0.0 {
                    return 0.0;
                }
                far += distance.clamp(0.02, 0.4);
                if far > leave {
                    break;
                }
            }
        }
        let open = open.max(0.0);
        open * open * (3.0 - 2.0 * open)
    }

    /// How open the surroundings are, 0 to 1, by three looks along the normal.
    pub(super) fn openness(&self, point: V3, normal: V3) -> f32 {
        let mut closed = 0.0;
        let mut weight = 1.0;
        for step in 1..=3u32 {
            let far = 0.14 * step as f32;
            let look = point + normal * far;
            let mut least = look.y.min(far);
            for object in self.objects() {
                let apart = look - object.centre;
                let reach = object.bound + far;
                if apart.dot(apart) < reach * reach {
                    least = least.min(object.distance(look));
                }
            }
            closed += (far - least.max(0.0)) * weight / far;
            weight *= 0.6;
        }
        (1.0 - closed * 0.45).clamp(0.0, 1.0)
    }
}

impl Object {
    fn local(&self, point: V3) -> V3 {
        let p = point - self.centre;
        v(p.x * self.cosine - p.z * self.sine, p.y, p.x * self.sine + p.z * self.cosine)
    }

    /// The signed distance to the surface; exact or a little too short.
    pub(super) fn distance(&self, point: V3) -> f32 {
        let p = self.local(point);
        let s = self.size;
        match self.shape {
            0 => p.length() - s,
            1 => {
                let (x, y, z) = (p.x.abs() - s * 0.74, p.y.abs() - s * 0.74, p.z.abs() - s * 0.74);
                v(x.max(0.0), y.max(0.0), z.max(0.0)).length() + x.max(y).max(z).min(0.0) - s * 0.06
            }
            2 => {
                let x = (p.x * p.x + p.z * p.z).sqrt() - s * 0.66;
                let y = p.y.abs() - s * 0.86;
                let (outer_x, outer_y) = (x.max(0.0), y.max(0.0));
                x.max(y).min(0.0) + (outer_x * outer_x + outer_y * outer_y).sqrt() - s * 0.04
            }
            3 => {
                let (wide, high) = (s * 0.86, s * 1.0);
                let out = (p.x * p.x + p.z * p.z).sqrt();
                // To the slope, whose normal is (2·high, wide); to the base; and to the rim in between.
                let slope = ((p.y - high) * wide + out * 2.0 * high) / (4.0 * high * high + wide * wide).sqrt();
                let base = -high - p.y;
                slope.max(base) - s * 0.02
            }
            _ => {
                let out = (p.x * p.x + p.z * p.z).sqrt() - s * 0.72;
                (out * out + p.y * p.y).sqrt() - s * 0.28
            }
        }
    }

    pub(super) fn normal(&self, point: V3) -> V3 {
        // Four looks at the corners of a tetrahedron.
        let e = 0.0015;
        let at = |x: f32, y: f32, z: f32| v(x, y, z) * self.distance(point + v(x, y, z) * e);
        (at(1.0, -1.0, -1.0) + at(-1.0, -1.0, 1.0) + at(-1.0, 1.0, -1.0) + at(1.0, 1.0, 1.0)).normalize()
    }

    /// From where to where a ray is inside of the bounding sphere.
    fn span(&self, from: V3, direction: V3) -> Option<(f32, f32)> {
        self.sphere_span(from, direction, self.bound)
    }

    /// The same for a sphere so wide that the soft edge of the shadow is inside.
    fn wide_span(&self, from: V3, direction: V3) -> Option<(f32, f32)> {
        let far = (self.centre - from).length();
        self.sphere_span(from, direction, self.bound + 0.09 * far)
    }

    fn sphere_span(&self, from: V3, direction: V3, radius: f32) -> Option<(f32, f32)> {
        let to = self.centre - from;
        let middle = to.dot(direction);
        let inside = radius * radius - (to.dot(to) - middle * middle);
        if inside <= 0.0 {
            return None;
        }
        let half = inside.sqrt();
        (middle + half > 0.0).then_some(((middle - half).max(0.0), middle + half))
    }
}

//! From a description to objects with places, and a camera that sees them all.

use gradus_cpu::elementary::{cos, sin};
use gradus_cpu::scene::{OBJECT_FLOATS, Params};

use super::parse::{Described, Description};
use super::words::{COLOURS, Colour, Ground, Material, Relation, Shape, Size, Sky};
use crate::imagegen::random::Random;

/// Room between two objects, in world units.
const GAP: f32 = 0.28;

/// An object with everything decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// What it is.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// How light plays on it.
    pub material: Material,
    /// Half its height, about; world units.
    pub size: f32,
    /// Its centre: right, up, away from the eye.
    pub centre: [f32; 3],
    /// Its turn around the vertical, in radians.
    pub turn: f32,
}

impl Placed {
    /// How far it reaches sideways from its centre.
    #[must_use]
    pub fn reach(&self) -> f32 {
        match self.shape {
            Shape::Sphere | Shape::Torus => self.size,
            // Turned, a cube reaches as far as its corners.
            Shape::Cube => self.size * 1.1,
            Shape::Cylinder => self.size * 0.7,
            Shape::Cone => self.size * 0.88,
        }
    }

    /// From its centre down to what it stands on.
    fn low(&self) -> f32 {
        match self.shape {
            Shape::Sphere => self.size,
            Shape::Cube => self.size * 0.8,
            Shape::Cylinder => self.size * 0.9,
            Shape::Cone => self.size * 1.02,
            Shape::Torus => self.size * 0.28,
        }
    }

    /// From its centre up to where another can stand.
    fn high(&self) -> f32 {
        match self.shape {
            // A ring is open in the middle: what stands on it sinks in a little.
            Shape::Torus => self.size * 0.2,
            _ => self.low(),
        }
    }
}

/// A scene, ready to be traced.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The objects, in the order of the prompt.
    pub objects: Vec<Placed>,
    /// What they stand on.
    pub ground: Ground,
    /// What is above.
    pub sky: Sky,
    eye: [f32; 3],
    look_at: [f32; 3],
    tangent: f32,
}

/// Decides what a description leaves open, by the random row, and places everything.
pub(super) fn place(description: &Description, random: &mut Random, aspect: f32) -> Scene {
    let described = if description.objects.is_empty() { surprise(random) } else { description.objects.clone() };
    let grounds = [Ground::Plain, Ground::Grass, Ground::Sand, Ground::Water, Ground::Checkerboard, Ground::Wood];
    let open = description.objects.is_empty();
    let drawn = random.pick(&grounds).copied().filter(|_| open);
    let ground = description.ground.or(drawn).unwrap_or(Ground::Plain);
    let drawn = random.pick(&[Sky::Day, Sky::Sunset]).copied().filter(|_| open);
    let sky = description.sky.or(drawn).unwrap_or(Sky::Day);
    let mut used: Vec<Colour> = described.iter().filter_map(|object| object.colour).collect();
    let mut objects: Vec<Placed> = described.iter().map(|object| decide(object, random, &mut used)).collect();
    stand(&described, &mut objects, random);
    let (eye, look_at, tangent) = camera(&objects, random, aspect);
    Scene { objects, ground, sky, eye, look_at, tangent }
}

/// Two to four objects, where the prompt names none.
fn surprise(random: &mut Random) -> Vec<Described> {
    let shapes = [Shape::Sphere, Shape::Cube, Shape::Cylinder, Shape::Cone, Shape::Torus];
    let materials = [Material::Matte, Material::Shiny, Material::Metal, Material::Glass];
    let count = 2 + random.bits() as usize % 3;
    let one = |_| Described {
        shape: random.pick(&shapes).copied().unwrap_or(Shape::Sphere),
        colour: None,
        size: random.pick(&[None, None, Some(Size::Small), Some(Size::Large)]).copied().flatten(),
        material: random.pick(&materials).copied(),
        relation: None,
    };
    (0..count).map(one).collect()
}

fn decide(object: &Described, random: &mut Random, used: &mut Vec<Colour>) -> Placed {
    let material = object.material.unwrap_or(Material::Shiny);
    let colour = object.colour.unwrap_or_else(|| {
        // The first ten are colours; a colour that is not there yet is nicer than one that is.
        let start = random.bits() as usize % 8;
        let fresh = (0..8).map(|step| COLOURS[(start + step * 3) % 8].1).find(|colour| !used.contains(colour));
        let plain = if material == Material::Metal { COLOURS[13].1 } else { COLOURS[start].1 };
        if material == Material::Metal { plain } else { fresh.unwrap_or(plain) }
    });
    used.push(colour);
    let size = match object.size {
        Some(Size::Small) => 0.34,
        Some(Size::Large) => 0.92,
        Some(Size::Usual) | None => 0.6,
    };
    Placed { shape: object.shape, colour, material, size, centre: [0.0; 3], turn: random.between(-0.6, 0.6) }
}

/// Related objects are placed around the one they refer to; what is unrelated stands side by side.
fn stand(described: &[Described], objects: &mut [Placed], random: &mut Random) {
    let root_of = |mut index: usize| {
        while let Some((_, of)) = described[index].relation {
            index = of;
        }
        index
    };
    let roots: Vec<usize> = (0..objects.len()).map(root_of).collect();
    // References come later in the text than what refers to them, so from the last to the first.
    let mut placed: Vec<usize> = Vec::new();
    for index in (0..objects.len()).rev() {
        let low = objects[index].low();
        let Some((relation, of)) = described[index].relation else {
            objects[index].centre = [0.0, low, 0.0];
            placed.push(index);
            continue;
        };
        let reference = objects[of];
        let apart = reference.reach() + objects[index].reach() + GAP;
        let (x, z) = (reference.centre[0], reference.centre[2]);
        let (step, mut at) = match relation {
            Relation::Left => ([-1.0, 0.0], [x - apart, low, z]),
            Relation::Right => ([1.0, 0.0], [x + apart, low, z]),
            // A little to the side, so that neither hides the other.
            Relation::Behind => ([0.25, 1.0], [x + 0.35 * apart, low, z + apart]),
            Relation::Front => ([0.25, -1.0], [x + 0.30 * apart, low, z - apart]),
            Relation::On => ([0.0, 0.0], [x, reference.centre[1] + reference.high() + low, z]),
        };
        let cluster: Vec<usize> = placed.iter().copied().filter(|&other| roots[other] == roots[index]).collect();
        for _ in 0..64 {
            let free = cluster.iter().all(|&other| !touch(at, &objects[index], &objects[other]));
            if free {
                break;
            }
            let rise = if relation == Relation::On { 0.2 } else { 0.0 };
            at = [at[0] + step[0] * 0.2, at[1] + rise, at[2] + step[1] * 0.2];
        }
        objects[index].centre = at;
        placed.push(index);
    }
    side_by_side(&roots, objects, random);
}

/// Whether two objects would touch, as standing cylinders.
fn touch(at: [f32; 3], one: &Placed, other: &Placed) -> bool {
    let (dx, dz) = (at[0] - other.centre[0], at[2] - other.centre[2]);
    let near = one.reach() + other.reach() + GAP * 0.5;
    let apart_in_height = at[1] - one.low() >= other.centre[1] + other.high() - 1e-3
        || other.centre[1] - other.low() >= at[1] + one.high() - 1e-3;
    (dx * dx + dz * dz).sqrt() < near && !apart_in_height
}

/// Clusters from left to right in one or two rows, each moved as a whole.
fn side_by_side(roots: &[usize], objects: &mut [Placed], random: &mut Random) {
    // By the place in the text of what the others refer to, so that a group stands together.
    let order: Vec<usize> = (0..roots.len()).filter(|root| roots.contains(root)).collect();
    let rows = if order.len() > 4 { 2 } else { 1 };
    let in_row = order.len().div_ceil(rows);
    let mut z = 0.0;
    for row in order.chunks(in_row.max(1)) {
        let members = |root: usize| (0..roots.len()).filter(move |&index| roots[index] == root);
        let extent = |objects: &[Placed], root: usize, axis: usize| {
            members(root).fold((f32::MAX, f32::MIN), |(low, high), index| {
                let (at, reach) = (objects[index].centre[axis], objects[index].reach());
                (low.min(at - reach), high.max(at + reach))
            })
        };
        let mut x = 0.0;
        let mut deep = 0.0f32;
        let mut moved = Vec::new();
        for &root in row {
            let (left, right) = extent(objects, root, 0);
            let (near, far) = extent(objects, root, 2);
            let sway = random.between(-0.18, 0.18);
            for index in members(root) {
                objects[index].centre[0] += x - left;
                objects[index].centre[2] += z - near + sway;
                moved.push(index);
            }
            x += right - left + GAP + random.between(0.0, 0.3);
            deep = deep.max(far - near);
        }
        for index in moved {
            objects[index].centre[0] -= (x - GAP) * 0.5;
        }
        z += deep + 0.5;
    }
    let middle = z * 0.5;
    objects.iter_mut().for_each(|object| object.centre[2] -= middle);
}

/// An eye a little above, so far away that all objects are well inside of the picture.
fn camera(objects: &[Placed], random: &mut Random, aspect: f32) -> ([f32; 3], [f32; 3], f32) {
    let tangent = 0.36f32;
    let top = objects.iter().map(|object| object.centre[1] + object.size).fold(0.8, f32::max);
    let look_at = [0.0, top * 0.42, 0.0];
    let (turn, rise) = (random.between(-0.10, 0.10), random.between(0.26, 0.34));
    let away = [sin(turn) * cos(rise), sin(rise), -cos(turn) * cos(rise)];
    let mut far = 3.2f32;
    for object in objects {
        let offset = [object.centre[0], object.centre[1] - look_at[1], object.centre[2]];
        // Towards the eye counts fully, as nearer things look larger.
        let toward = offset[0] * away[0] + offset[1] * away[1] + offset[2] * away[2];
        let wide = (offset[0].abs() + object.reach() + 0.15) / (tangent * aspect.min(2.2));
        let above = offset[1] * cos(rise) + offset[2] * sin(rise);
        let high = (above.abs() + object.size * 1.15 + 0.15) / tangent;
        far = far.max(wide.max(high) * 1.04 + toward);
    }
    (std::array::from_fn(|axis| look_at[axis] + away[axis] * far), look_at, tangent)
}

impl Scene {
    /// The objects as the kernels read them.
    #[must_use]
    pub fn floats(&self) -> Vec<f32> {
        let mut floats = Vec::with_capacity(self.objects.len() * OBJECT_FLOATS);
        for object in &self.objects {
            let bound = object.size * if object.shape == Shape::Cube { 1.40 } else { 1.36 };
            floats.extend(object.centre);
            floats.extend([object.shape as u32 as f32, object.size, cos(object.turn), sin(object.turn)]);
            floats.push(object.material as u32 as f32);
            floats.extend(object.colour);
            floats.push(bound);
        }
        floats
    }

    /// What the kernels are told, for a picture of this size.
    #[must_use]
    pub fn params(&self, width: u32, height: u32, seed: u32) -> Params {
        let forward = unit(sub(self.look_at, self.eye));
        let right = unit(cross([0.0, 1.0, 0.0], forward));
        let up = cross(forward, right);
        let four = |a: [f32; 3], last: f32| [a[0], a[1], a[2], last];
        Params {
            width,
            height,
            sample: 0,
            objects: self.objects.len() as u32,
            seed,
            sky: self.sky as u32,
            ground: self.ground as u32,
            samples: 0,
            eye: four(self.eye, self.tangent),
            right: four(right, 0.0),
            up: four(up, 0.0),
            forward: four(forward, 0.0),
        }
    }

    /// Where a point of the world is in the picture: 0 to 1 from the left and from the top.
    #[must_use]
    pub fn project(&self, point: [f32; 3], aspect: f32) -> [f32; 2] {
        let params = self.params(1, 1, 0);
        let offset = sub(point, self.eye);
        let along = |axis: [f32; 4]| offset[0] * axis[0] + offset[1] * axis[1] + offset[2] * axis[2];
        let far = along(params.forward) * self.tangent;
        [0.5 + 0.5 * along(params.right) / far / aspect, 0.5 - 0.5 * along(params.up) / far]
    }
}

fn sub(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn cross(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn unit(a: [f32; 3]) -> [f32; 3] {
    let length = (a[0] * a[0] + a[1] * a[1] + a[2] * a[2]).sqrt().max(1e-9);
    [a[0] / length, a[1] / length, a[2] / length]
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn scene(prompt: &str, seed: u64) -> Scene {
        place(&parse(prompt), &mut Random::new(seed, prompt), 1.0)
    }

    #[test]
    fn nothing_overlaps_and_everything_is_seen() {
        let prompts = [
            "eight balls",
            "three cubes left of a ball",
            "a ball on a cube and a cone on a cylinder",
            "a ball behind a cube in front of a cone",
            "two rings on a large box",
            "a small ball on a ring",
            "",
        ];
        for prompt in prompts {
            for seed in 0..40 {
                let scene = scene(prompt, seed);
                for (index, one) in scene.objects.iter().enumerate() {
                    for other in &scene.objects[index + 1..] {
                        assert!(!touch(one.centre, one, other), "{prompt} {seed}: {one:?} {other:?}");
                    }
                    let [x, y] = scene.project(one.centre, 1.0);
                    assert!((0.03..0.97).contains(&x) && (0.03..0.97).contains(&y), "{prompt} {seed}: {x} {y}");
                }
            }
        }
    }

    #[test]
    fn relations_hold_in_the_picture() {
        for seed in 0..40 {
            let at = |prompt: &str, index: usize| {
                let scene = scene(prompt, seed);
                (scene.project(scene.objects[index].centre, 1.0), scene.objects[index].centre)
            };
            let left = "a red cube left of a blue ball";
            assert!(at(left, 0).0[0] < at(left, 1).0[0], "{seed}");
            let right = "a red cube right of a blue ball";
            assert!(at(right, 0).0[0] > at(right, 1).0[0], "{seed}");
            for (prompt, side) in [("a ball right of three cubes", 1.0), ("a ball left of three cubes", -1.0)] {
                for cube in 1..4 {
                    assert!((at(prompt, 0).0[0] - at(prompt, cube).0[0]) * side > 0.0, "{prompt} {seed}");
                }
            }
            let behind = "a red cube behind a blue ball";
            assert!(at(behind, 0).1[2] > at(behind, 1).1[2], "{seed}");
            assert!(at(behind, 0).0[1] < at(behind, 1).0[1], "{seed}: farther is higher");
            let front = "a red cube in front of a blue ball";
            assert!(at(front, 0).1[2] < at(front, 1).1[2], "{seed}");
            let on = "a red ball on a blue cube";
            assert!(at(on, 0).1[1] > at(on, 1).1[1], "{seed}");
        }
    }
}

//! From a prompt to a description.

use super::words::{Colour, Ground, Material, Meaning, Relation, Shape, Size, Sky, meaning};

/// The most objects of a scene.
pub const MOST_OBJECTS: usize = gradus_cpu::scene::MOST_OBJECTS;

/// An object as it was described; what is `None` was left open.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Described {
    /// What it is.
    pub shape: Shape,
    /// Its colour.
    pub colour: Option<Colour>,
    /// How large it is.
    pub size: Option<Size>,
    /// How light plays on it.
    pub material: Option<Material>,
    /// Where it is as seen from another object, by its index; always a later one.
    pub relation: Option<(Relation, usize)>,
}

/// A prompt, understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// The objects in the order of the prompt.
    pub objects: Vec<Described>,
    /// The ground, where it was named.
    pub ground: Option<Ground>,
    /// The sky, where it was named.
    pub sky: Option<Sky>,
    /// Words that are not known, as they were written, without doubles.
    pub unknown: Vec<String>,
    /// Objects that were described beyond [`MOST_OBJECTS`].
    pub too_many: usize,
}

/// Adjectives on their way to their noun.
#[derive(Default)]
struct Pending {
    colour: Option<Colour>,
    size: Option<Size>,
    material: Option<Material>,
    count: Option<usize>,
}

/// Reads a prompt. Any word order gives something; adjectives belong to the noun that follows.
///
/// ```
/// use gradus::imagegen::scene::{Relation, Shape, parse};
/// let scene = parse("a red cube left of two balls on grass");
/// assert_eq!(scene.objects.len(), 3);
/// assert_eq!(scene.objects[0].relation, Some((Relation::Left, 1)));
/// ```
#[must_use]
pub fn parse(prompt: &str) -> Description {
    let mut scene = Description::default();
    let mut pending = Pending::default();
    // The relation that was read last, with the objects it is said of.
    let mut relation: Option<(Relation, std::ops::Range<usize>)> = None;
    let mut group = 0..0;
    for written in gradus_unicode::words(prompt) {
        let Some(meaning) = meaning(&written.to_ascii_lowercase()) else {
            if !scene.unknown.iter().any(|known| known.eq_ignore_ascii_case(&written)) {
                scene.unknown.push(written);
            }
            continue;
        };
        match meaning {
            Meaning::Colour(colour) => pending.colour = Some(colour),
            Meaning::Size(size) => pending.size = Some(size),
            Meaning::Material(material) => pending.material = Some(material),
            Meaning::Count(count) => pending.count = Some(count),
            Meaning::Sky(sky) => scene.sky = Some(sky),
            Meaning::Ground(ground) => {
                scene.ground = Some(ground);
                // "on grass": what stands on the ground is related to no object.
                if matches!(relation, Some((Relation::On, _))) {
                    relation = None;
                }
            }
            Meaning::Relation(said) => {
                // "on the left of": the more exact word counts.
                if said != Relation::On || relation.is_none() {
                    relation = (!group.is_empty()).then(|| (said, group.clone()));
                }
            }
            Meaning::Filler => {}
            Meaning::Shape(shape) => {
                let described = std::mem::take(&mut pending);
                let count = described.count.unwrap_or(1);
                let first = scene.objects.len();
                let taken = count.min(MOST_OBJECTS - first);
                scene.too_many += count - taken;
                scene.objects.extend(std::iter::repeat_n(
                    Described {
                        shape,
                        colour: described.colour,
                        size: described.size,
                        material: described.material,
                        relation: None,
                    },
                    taken,
                ));
                if taken == 0 {
                    continue;
                }
                group = first..first + taken;
                if let Some((said, subjects)) = relation.take() {
                    // Right of a group is right of its last, which stands rightmost.
                    let reference = if said == Relation::Right { first + taken - 1 } else { first };
                    for object in &mut scene.objects[subjects] {
                        object.relation.get_or_insert((said, reference));
                    }
                }
            }
        }
    }
    scene
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shapes by letter, with relations as "L>1"; then ground, sky, and unknown words.
    fn words(scene: &Description) -> String {
        let one = |object: &Described| {
            let mut text = format!("{:?}", object.shape)[..2].to_lowercase();
            if let Some(size) = object.size {
                text += &format!("{size:?}")[..1].to_lowercase();
            }
            if let Some(material) = object.material {
                text += &format!("+{material:?}")[..3].to_lowercase();
            }
            if let Some((relation, of)) = object.relation {
                text += &format!("{:?}>{of}", relation);
            }
            text
        };
        let objects: Vec<String> = scene.objects.iter().map(one).collect();
        let ground = scene.ground.map_or(String::new(), |ground| format!(" {ground:?}"));
        let sky = scene.sky.map_or(String::new(), |sky| format!(" {sky:?}"));
        let unknown = if scene.unknown.is_empty() { String::new() } else { format!(" ?{}", scene.unknown.join(",")) };
        format!("{}{ground}{sky}{unknown}", objects.join(" "))
    }

    #[test]
    fn prompts() {
        let check = |prompt: &str, expected: &str| assert_eq!(words(&parse(prompt)), expected, "{prompt}");
        check("", "");
        check("a sphere", "sp");
        check("A RED SPHERE!", "sp");
        check("sphere sphere", "sp sp");
        check("two balls", "sp sp");
        check("2 balls", "sp sp");
        check("three small boxes", "cus cus cus");
        check("a large metal cone", "col+me");
        check("a glass torus", "to+gl");
        check("tori", "to");
        check("donuts", "to");
        check("a shiny cylinder on a cube", "cy+shOn>1 cu");
        check("a ball on grass", "sp Grass");
        check("a ball on top of a box on sand at sunset", "spOn>1 cu Sand Sunset");
        check("a red cube left of a blue sphere", "cuLeft>1 sp");
        check("a red cube to the left of a blue sphere", "cuLeft>1 sp");
        check("a red cube on the left of a blue sphere", "cuLeft>1 sp");
        check("a cone in front of a cube behind a ball", "coFront>1 cuBehind>2 sp");
        check("two cubes right of a ball", "cuRight>2 cuRight>2 sp");
        check("snow at night", " Snow Night");
        check("a wooden floor, overcast", " Wood Overcast");
        check("a checkered floor under a cloudy sky", " Checkerboard Overcast");
        check("left of a cube", "cu");
        check("a ball right of two cubes", "spRight>2 cu cu");
        check("a ball left of two cubes", "spLeft>1 cu cu");
        check("a cat on a box", "cu ?cat");
        check("Cat cat CAT", " ?Cat");
        check("мяч 🦄 كرة", " ?мяч,كرة");
        check("<script>alert(1)</script>", " ?script,alert");
        check("ball, box; cone/ring", "sp cu co to");
        check("99 balls", "sp sp sp sp sp sp sp sp");
        check("seven balls and three cubes", "sp sp sp sp sp sp sp cu");
        check("a big red shiny ball and a tiny green matte cube on water at night", "spl+sh cus+ma Water Night");
    }

    #[test]
    fn what_is_beyond_eight_is_counted() {
        assert_eq!(parse("seven balls and three cubes").too_many, 2);
        assert_eq!(parse("99 balls on a cube").too_many, 92);
    }

    #[test]
    fn every_colour_has_a_word_and_reaches_its_object() {
        for (name, colour) in super::super::words::COLOURS {
            assert_eq!(parse(&format!("a {name} ball")).objects[0].colour, Some(colour), "{name}");
        }
    }

    #[test]
    fn relations_point_to_later_objects() {
        let scene = parse("a ball behind a cube on a cone left of a ring in front of a cylinder");
        for (index, object) in scene.objects.iter().enumerate() {
            assert!(object.relation.is_none_or(|(_, of)| of > index), "{index}");
        }
    }
}

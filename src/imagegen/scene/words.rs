//! The vocabulary, as data.

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A ball.
    Sphere,
    /// A box with equal sides.
    Cube,
    /// A standing cylinder.
    Cylinder,
    /// A standing cone.
    Cone,
    /// A lying ring.
    Torus,
}

/// How light plays on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Material {
    /// No highlight.
    Matte,
    /// A highlight and a faint mirror.
    Shiny,
    /// A coloured mirror.
    Metal,
    /// One looks through.
    Glass,
}

/// How large an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Half the usual.
    Small,
    /// The usual.
    Usual,
    /// Half as large again.
    Large,
}

/// What the objects stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A plain floor, where the prompt names none.
    Plain,
    /// A meadow.
    Grass,
    /// A beach.
    Sand,
    /// A snowfield.
    Snow,
    /// A lake.
    Water,
    /// Planks.
    Wood,
    /// A checkerboard.
    Checkerboard,
}

/// What is above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sky {
    /// A blue sky with a few clouds.
    Day,
    /// A low, red sun.
    Sunset,
    /// Stars and moonlight.
    Night,
    /// Clouds everywhere.
    Overcast,
}

/// Where an object is, as seen from the one it is related to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Left of it.
    Left,
    /// Right of it.
    Right,
    /// Farther from the eye.
    Behind,
    /// Nearer to the eye.
    Front,
    /// On top of it.
    On,
}

/// A linear colour, its parts from 0 to 1.
pub type Colour = [f32; 3];

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    /// An object.
    Shape(Shape),
    /// An object's colour.
    Colour(Colour),
    /// An object's size.
    Size(Size),
    /// An object's material.
    Material(Material),
    /// The ground.
    Ground(Ground),
    /// The sky.
    Sky(Sky),
    /// A relation to the object that follows.
    Relation(Relation),
    /// How many.
    Count(usize),
    /// A word that is known and changes nothing.
    Filler,
}

/// The colours by their first name; more names are in [`WORDS`].
pub const COLOURS: [(&str, Colour); 14] = [
    ("red", [0.72, 0.035, 0.03]),
    ("orange", [0.90, 0.28, 0.03]),
    ("yellow", [0.90, 0.66, 0.05]),
    ("green", [0.06, 0.42, 0.09]),
    ("cyan", [0.05, 0.58, 0.62]),
    ("blue", [0.035, 0.11, 0.66]),
    ("purple", [0.30, 0.06, 0.52]),
    ("pink", [0.88, 0.27, 0.46]),
    ("brown", [0.24, 0.11, 0.045]),
    ("white", [0.86, 0.86, 0.86]),
    ("grey", [0.30, 0.30, 0.31]),
    ("black", [0.025, 0.025, 0.028]),
    ("gold", [0.86, 0.56, 0.13]),
    ("silver", [0.72, 0.73, 0.76]),
];

/// Words of more than one kind of meaning are not here: a table has one row for a word.
const WORDS: &[(&str, Meaning)] = &[
    ("sphere ball orb globe marble", Meaning::Shape(Shape::Sphere)),
    ("cube box block dice crate", Meaning::Shape(Shape::Cube)),
    ("cylinder tube can barrel column pillar", Meaning::Shape(Shape::Cylinder)),
    ("cone pyramid", Meaning::Shape(Shape::Cone)),
    ("torus tori donut doughnut ring", Meaning::Shape(Shape::Torus)),
    ("small tiny little mini", Meaning::Size(Size::Small)),
    ("large big huge giant", Meaning::Size(Size::Large)),
    ("matte dull rough", Meaning::Material(Material::Matte)),
    ("shiny glossy polished plastic", Meaning::Material(Material::Shiny)),
    ("metal metallic chrome steel mirror", Meaning::Material(Material::Metal)),
    ("glass glassy transparent crystal", Meaning::Material(Material::Glass)),
    ("grass meadow lawn", Meaning::Ground(Ground::Grass)),
    ("sand sandy beach desert", Meaning::Ground(Ground::Sand)),
    ("snow snowy ice", Meaning::Ground(Ground::Snow)),
    ("water sea ocean lake", Meaning::Ground(Ground::Water)),
    ("wood wooden planks table", Meaning::Ground(Ground::Wood)),
    ("checkerboard chessboard checkered checkers", Meaning::Ground(Ground::Checkerboard)),
    ("day daylight daytime sunny noon morning", Meaning::Sky(Sky::Day)),
    ("sunset sunrise dusk dawn evening", Meaning::Sky(Sky::Sunset)),
    ("night midnight moonlight stars starry", Meaning::Sky(Sky::Night)),
    ("overcast cloudy clouds rainy foggy", Meaning::Sky(Sky::Overcast)),
    ("left", Meaning::Relation(Relation::Left)),
    ("right", Meaning::Relation(Relation::Right)),
    ("behind", Meaning::Relation(Relation::Behind)),
    ("front before", Meaning::Relation(Relation::Front)),
    ("on above atop", Meaning::Relation(Relation::On)),
    ("a an one single", Meaning::Count(1)),
    ("two pair couple", Meaning::Count(2)),
    ("three", Meaning::Count(3)),
    ("four", Meaning::Count(4)),
    ("five", Meaning::Count(5)),
    ("six", Meaning::Count(6)),
    ("seven", Meaning::Count(7)),
    ("eight", Meaning::Count(8)),
    ("turquoise teal aqua", Meaning::Colour(COLOURS[4].1)),
    ("violet lilac", Meaning::Colour(COLOURS[6].1)),
    ("magenta rose", Meaning::Colour(COLOURS[7].1)),
    ("gray", Meaning::Colour(COLOURS[10].1)),
    ("golden", Meaning::Colour(COLOURS[12].1)),
    (
        "the and with of to in at is are there this that it its by near next beside under sky scene picture image photo \
         render view standing sitting lying floor ground top side some very light time colored coloured material made \
         from field surface please i want draw show me",
        Meaning::Filler,
    ),
];

/// What a word means, in the singular or the plural; `None` for a word that is not known.
///
/// ```
/// use gradus::imagegen::scene::{Meaning, Shape, meaning};
/// assert_eq!(meaning("boxes"), Some(Meaning::Shape(Shape::Cube)));
/// assert_eq!(meaning("quixotic"), None);
/// ```
#[must_use]
pub fn meaning(word: &str) -> Option<Meaning> {
    let exact = |word: &str| {
        let colour = COLOURS.iter().find(|(name, _)| *name == word).map(|(_, colour)| Meaning::Colour(*colour));
        let listed = || WORDS.iter().find(|(names, _)| names.split_whitespace().any(|name| name == word));
        colour.or_else(|| listed().map(|(_, meaning)| *meaning))
    };
    let digits = || word.parse().ok().filter(|count| (1..=99).contains(count)).map(Meaning::Count);
    let singular = |ending: &str| {
        let noun = word.strip_suffix(ending).and_then(exact);
        noun.filter(|meaning| matches!(meaning, Meaning::Shape(_)))
    };
    exact(word).or_else(digits).or_else(|| singular("es")).or_else(|| singular("s"))
}

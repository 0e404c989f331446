"""The language of the model: what a caption can say, and how a caption is drawn by a seed.

The words are a part of what the library's scene parser understands (src/imagegen/scene/words.rs), so each
caption gives a rendering and, later, a generated picture.

    python captions.py --state STATE      writes the rows of each set into STATE, and here held_out.txt (what training
                                          never shows, and the examination's captions) and words.txt (all words)
"""

import argparse
import json
import os
import random

SHAPES = {"sphere": ["sphere", "ball", "orb"], "cube": ["cube", "box", "block"], "cylinder": ["cylinder", "pillar", "column"], "cone": ["cone"]}
COLOURS = ["red", "orange", "yellow", "green", "cyan", "blue", "purple", "white"]
SIZES = {"small": ["small", "tiny", "little"], "usual": [""], "large": ["large", "big", "huge"]}
MATERIALS = {"": [""], "matte": ["matte", "dull"], "shiny": ["shiny", "glossy"]}
GROUNDS = {
    "plain": ["", "on the floor"],
    "grass": ["on grass", "on the grass", "on a meadow", "on a lawn"],
    "sand": ["on sand", "on the sand", "on a beach", "in the desert"],
    "snow": ["on snow", "in the snow", "on ice"],
    "water": ["on water", "on the water", "on a lake", "in the sea"],
    "wood": ["on wood", "on a wooden floor", "on a wooden table", "on planks"],
    "checkerboard": ["on a checkerboard", "on a chessboard", "on a checkered floor"],
}
SKIES = {
    "day": ["", "by day", "in daylight", "at noon"],
    "sunset": ["at sunset", "at dusk", "in the evening", "at sunrise"],
    "night": ["at night", "at midnight", "under the stars", "in moonlight"],
    "overcast": ["under an overcast sky", "under a cloudy sky", "under clouds"],
}
RELATIONS = {"left": ["left of", "to the left of", "on the left of"], "right": ["right of", "to the right of", "on the right of"], "and": ["and", "next to", "beside"]}

# Never seen in training: pairs of a colour and a shape on one object, and of a ground and a sky. Chosen before
# training; each colour, shape, ground and sky is seen in other company.
HELD_OUT_OBJECTS = {("red", "cone"), ("yellow", "cube"), ("blue", "sphere"), ("white", "cylinder")}
HELD_OUT_PLACES = {("snow", "night"), ("wood", "sunset"), ("water", "overcast")}


def words():
    """Every word that a caption can have, sorted."""
    seen = {"a", "an"} | set(COLOURS)
    for table in (SHAPES, SIZES, MATERIALS, GROUNDS, SKIES, RELATIONS):
        for phrases in table.values():
            for phrase in phrases:
                seen.update(phrase.split())
    seen.discard("")
    return sorted(seen)


def draw_scene(rng, two):
    """The attributes of a scene with one or two objects; two have different colours."""
    colours = rng.sample(COLOURS, 2)
    count = 2 if two else 1
    objects = [
        {
            "shape": rng.choice(list(SHAPES)),
            "colour": colours[index],
            "size": rng.choice(["small", "usual", "usual", "large"]),
            "material": rng.choice(["", "", "", "matte", "shiny"]),
        }
        for index in range(count)
    ]
    relation = rng.choice(["left", "left", "right", "right", "and"]) if two else ""
    ground = rng.choice(list(GROUNDS))
    sky = rng.choice(list(SKIES))
    return {"objects": objects, "relation": relation, "ground": ground, "sky": sky}


def unseen(scene):
    """Whether the scene has a combination that training never shows."""
    return (scene["ground"], scene["sky"]) in HELD_OUT_PLACES or any(
        (o["colour"], o["shape"]) in HELD_OUT_OBJECTS for o in scene["objects"]
    )


def phrase(scene, rng, canonical):
    """The scene in words. A canonical caption takes the first phrase of each list."""

    def one(options):
        return options[0] if canonical else rng.choice(options)

    def noun(o):
        parts = [one(SIZES[o["size"]]), one(MATERIALS[o["material"]]), o["colour"], one(SHAPES[o["shape"]])]
        text = " ".join(part for part in parts if part)
        return ("an " if text[0] in "aeiou" else "a ") + text

    text = noun(scene["objects"][0])
    if len(scene["objects"]) == 2:
        text += " " + one(RELATIONS[scene["relation"]]) + " " + noun(scene["objects"][1])
    for part in (one(GROUNDS[scene["ground"]]), one(SKIES[scene["sky"]])):
        text += " " + part if part else ""
    return text


def left_to_right(scene):
    """The objects as they stand in the picture."""
    return scene["objects"][::-1] if scene["relation"] == "right" else scene["objects"]


def rows(seed, count, wanted, taken=()):
    """`count` scenes with their captions, `wanted` saying of which kind: "seen" or "unseen"."""
    rng = random.Random(seed)
    made, known = [], set(taken)
    while len(made) < count:
        scene = draw_scene(rng, two=rng.random() < 0.5)
        if unseen(scene) != (wanted == "unseen"):
            continue
        caption = phrase(scene, rng, canonical=rng.random() < 0.7)
        # Examination captions differ from every training caption.
        if taken and caption in known:
            continue
        if taken:
            known.add(caption)
        made.append((rng.randrange(2**31), caption, scene))
    return made


def write(path, made):
    with open(path, "w") as file:
        for seed, caption, scene in made:
            file.write(f"{seed}\t{caption}\t{json.dumps(scene)}\n")


def read(path):
    with open(path) as file:
        split = (line.rstrip("\n").split("\t") for line in file)
        return [(int(seed), caption, json.loads(scene)) for seed, caption, scene in split]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--count", type=int, default=49152)
    args = parser.parse_args()
    os.makedirs(args.state, exist_ok=True)
    train = rows(1, args.count, "seen")
    # Rows beyond these came later; diffusion.py leaves out of them whatever the examination asks.
    captions = {caption for _, caption, _ in train[:16384]}
    write(f"{args.state}/train.tsv", train)
    write(f"{args.state}/validation.tsv", rows(2, 512, "seen"))
    exam = rows(3, 333, "seen", captions) + rows(4, 167, "unseen", captions)
    write(f"{args.state}/exam.tsv", exam)
    with open("words.txt", "w") as file:
        file.write("\n".join(words()) + "\n")
    with open("held_out.txt", "w") as file:
        file.write("# On one object, never in training\n")
        file.writelines(f"{colour} {shape}\n" for colour, shape in sorted(HELD_OUT_OBJECTS))
        file.write("# In one scene, never in training\n")
        file.writelines(f"{ground} {sky}\n" for ground, sky in sorted(HELD_OUT_PLACES))
        file.write("# The examination: seed, caption, and whether a combination of it is never in training\n")
        file.writelines(f"{seed}\t{caption}\t{'unseen' if unseen(scene) else 'seen'}\n" for seed, caption, scene in exam)
    # The classifier must know the unseen combinations, else it could not judge them.
    write(f"{args.state}/classifier.tsv", rows(5, 4096, "unseen"))

"""A small classifier that reads a picture's attributes; trained on renderings only, it judges what is generated.

    python classifier.py --state STATE --steps 1600 [--device cuda]      trains; resumes from STATE/classifier.pt
"""

import argparse
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import captions
from device import adamw, argument, autocast, prepare
from pictures import Pictures

HEADS = {
    "count": [1, 2],
    "ground": list(captions.GROUNDS),
    "sky": list(captions.SKIES),
    **{f"{what}_{place}": options for place in ("left", "right") for what, options in
       (("shape", list(captions.SHAPES)), ("colour", captions.COLOURS), ("size", list(captions.SIZES)))},
}
# Pictures of a step: a quarter from the combinations that the diffusion is never shown.
SHARES = {"cpu": (36, 12), "cuda": (144, 48)}
# A single object is read by the heads of the left one.
SINGLE = ("count", "ground", "sky", "shape_left", "colour_left", "size_left")


def labels(scene):
    """The index of each head's answer; −1 where there is nothing to answer."""
    objects = captions.left_to_right(scene)
    told = {"count": len(objects), "ground": scene["ground"], "sky": scene["sky"]}
    for place, one in zip(("left", "right"), objects):
        told.update({f"{what}_{place}": one[what] for what in ("shape", "colour", "size")})
    return [options.index(told[head]) if head in told else -1 for head, options in HEADS.items()]


class Block(nn.Module):
    def __init__(self, narrow, wide):
        super().__init__()
        self.first = nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(wide), nn.BatchNorm2d(wide)])

    def forward(self, x):
        x = F.relu(self.norms[0](self.first(x)))
        return F.relu(x + self.norms[1](self.second(x)))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(3, 24), Block(24, 48), Block(48, 96), Block(96, 128), Block(128, 128))
        # The place in the picture matters for left and right: no pooling over places.
        self.hidden = nn.Linear(128 * 4 * 4, 256)
        self.heads = nn.ModuleList([nn.Linear(256, len(options)) for options in HEADS.values()])

    def forward(self, pictures):
        """Logits of each head for N × 3 × 256 × 256 pictures from −1 to 1; seen at half the size."""
        x = self.blocks(F.avg_pool2d(pictures, 2))
        x = F.relu(self.hidden(x.flatten(1)))
        return [head(x) for head in self.heads]


@torch.no_grad()
def read(model, pictures):
    """The answers' indices, N × heads."""
    model.eval()
    answers = [torch.stack([o.argmax(1) for o in model(batch)], 1) for batch in pictures.split(64)]
    return torch.cat(answers)


def loss_of(model, pictures, truth):
    with autocast(pictures.device):
        told = model(pictures)
    parts = [F.cross_entropy(o.float(), truth[:, i], ignore_index=-1, label_smoothing=0.02, reduction="sum") for i, o in enumerate(told)]
    return sum(parts) / len(pictures)


def soften(rng, pictures):
    """Some pictures blurred, noisy or a little brighter: a judge of shapes and colours, not of sharpness."""
    if rng.random() < 0.4:
        small = F.interpolate(pictures, scale_factor=float(rng.uniform(0.4, 0.9)), mode="bilinear", antialias=True)
        pictures = F.interpolate(small, size=pictures.shape[-2:], mode="bilinear")
    pictures = pictures * float(rng.uniform(0.95, 1.05)) + float(rng.uniform(-0.04, 0.04))
    return pictures + float(rng.uniform(0, 0.05)) * torch.randn_like(pictures)


def accuracy(answers, truth):
    return {head: round((answers[:, i] == truth[:, i])[truth[:, i] >= 0].float().mean().item(), 4) for i, head in enumerate(HEADS)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--steps", type=int, default=1600)
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    torch.manual_seed(3)
    sets = []
    for name in ("train", "classifier"):
        pictures = Pictures(args.state, name, device)
        rows = captions.read(f"{args.state}/{name}.tsv")[: len(pictures)]
        sets.append((pictures, torch.tensor([labels(scene) for _, _, scene in rows], device=device)))
    held_out = Pictures(args.state, "validation", device)
    held_out_truth = torch.tensor([labels(scene) for _, _, scene in captions.read(f"{args.state}/validation.tsv")], device=device)[: len(held_out)]
    held_out = held_out.batch(range(len(held_out)))
    model = Classifier().to(device, memory_format=torch.channels_last)
    optimizer = adamw(model.parameters(), device, lr=2e-3, weight_decay=0.02)
    path, step, used = f"{args.state}/classifier.pt", 0, 0.0
    if os.path.exists(path):
        saved = torch.load(path, device)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step, used = saved["step"], saved["used"]
    rng = np.random.default_rng(step + 3)
    last = time.time()
    while step < args.steps:
        done = step / args.steps
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * min(1, done)))
        batch, truth = [], []
        for (pictures, answers), count in zip(sets, SHARES[args.device]):
            chosen = rng.integers(0, len(pictures), count)
            batch.append(pictures.batch(chosen))
            truth.append(answers[torch.from_numpy(chosen).to(device)])
        model.train()
        loss = loss_of(model, soften(rng, torch.cat(batch).contiguous(memory_format=torch.channels_last)), torch.cat(truth))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step, now = step + 1, time.time()
        used, last = used + now - last, now
        if step % 200 == 0 or step == args.steps:
            row = {"step": step, "seconds": round(used), "loss": loss.item(), **accuracy(read(model, held_out), held_out_truth)}
            print(json.dumps(row), flush=True)
            with open(f"{args.state}/classifier.jsonl", "a") as curve:
                curve.write(json.dumps(row) + "\n")
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "used": used}, path + ".new")
            os.replace(path + ".new", path)


if __name__ == "__main__":
    main()

"""Encodes the rendered pictures once, and stores how the latents are spread.

    python encode.py --state STATE        writes train.latents.npy, validation.latents.npy (float16) and latents.json
"""

import argparse
import json

import numpy as np
import torch

from autoencoder import build
from pictures import Pictures


@torch.no_grad()
def encode(model, pictures):
    made = []
    for first in range(0, len(pictures), 16):
        batch = pictures.batch(range(first, min(first + 16, len(pictures))))
        with torch.autocast("cpu", torch.bfloat16):
            made.append(model.encoder(batch).float().contiguous().numpy().astype(np.float16))
    return np.concatenate(made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = build().to(memory_format=torch.channels_last)
    model.load_state_dict(torch.load(f"{args.state}/autoencoder.pt")["model"])
    for name in ("validation", "train"):
        latents = encode(model, Pictures(args.state, name))
        np.save(f"{args.state}/{name}.latents.npy", latents)
    latents = latents.astype(np.float32)
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    spread = {"mean": mean.tolist(), "deviation": deviation.tolist(), "scaling_factor": float(1 / latents.std())}
    with open(f"{args.state}/latents.json", "w") as file:
        json.dump(spread, file, indent=2)
    print(json.dumps(spread, indent=2))

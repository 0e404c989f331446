"""Encodes the rendered pictures once, and stores how the latents are spread. Goes on where an earlier run ended.

    python encode.py --state STATE [--device cuda]

writes train.latents (float16, 16 × 16 × 16 a picture) and latents.json
"""

import argparse
import json
import os

import numpy as np
import torch

from autoencoder import LATENT_CHANNELS, build
from device import argument, autocast, prepare
from pictures import Pictures

SHAPE = (LATENT_CHANNELS, 16, 16)
# Enough to know the spread, so that the diffusion can start while the rest is encoded.
SPREAD = 1024


def open_latents(state):
    """N × 16 × 16 × 16, float16, as many as there are by now."""
    path = f"{state}/train.latents"
    count = os.path.getsize(path) // (2 * int(np.prod(SHAPE)))
    return np.memmap(path, np.float16, "r", shape=(count, *SHAPE))


def store_spread(state):
    latents = np.array(open_latents(state)[:SPREAD], np.float32)
    spread = {
        "mean": latents.mean((0, 2, 3)).tolist(),
        "deviation": latents.std((0, 2, 3)).tolist(),
        # To a mean square of 1; the autoencoder's training has kept the means at 0.
        "scaling_factor": float(1 / np.sqrt((latents**2).mean())),
    }
    with open(f"{state}/latents.json", "w") as file:
        json.dump(spread, file, indent=2)
    print(json.dumps(spread))


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    model = build().to(device, memory_format=torch.channels_last)
    model.load_state_dict(torch.load(f"{args.state}/autoencoder.pt", device)["model"])
    pictures = Pictures(args.state, device=device)
    size = 16 if args.device == "cpu" else 256
    with open(f"{args.state}/train.latents", "ab") as file:
        done = file.tell() // (2 * int(np.prod(SHAPE)))
        file.truncate(done * 2 * int(np.prod(SHAPE)))
        for first in range(done, len(pictures), size):
            batch = pictures.batch(range(first, min(first + size, len(pictures))))
            with autocast(device):
                latents = model.encoder(batch).float().contiguous().cpu().numpy().astype(np.float16)
            file.write(latents.tobytes())
            file.flush()
            if first < SPREAD <= first + size:
                store_spread(args.state)
    if done < SPREAD and len(pictures) < SPREAD:
        store_spread(args.state)


if __name__ == "__main__":
    main()

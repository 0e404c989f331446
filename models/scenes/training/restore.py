"""Makes a state to train on from out of the committed checkpoint, where the state of its training is gone.

The optimizer starts anew. Render and encode again afterwards; the pictures come out the same.

    python restore.py --model .. --state state
"""

import argparse
import os
import shutil

import torch

import text
from autoencoder import build
from diffusion import Model
from generate import Checkpoint

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="..")
    parser.add_argument("--state", default="state")
    args = parser.parse_args()
    for name in ("autoencoder", "diffusion"):
        if os.path.exists(f"{args.state}/{name}.pt"):
            raise SystemExit(f"{args.state}/{name}.pt is there already; move it away to start from the checkpoint.")
    os.makedirs(args.state, exist_ok=True)
    checkpoint = Checkpoint(args.model)
    shutil.copytree(f"{args.model}/tokenizer", f"{args.state}/tokenizer", dirs_exist_ok=True)
    model = Model(text.tokenizer_of(args.state))
    model.text.load_state_dict(checkpoint.text.state_dict())
    model.unet.load_state_dict(checkpoint.unet.state_dict())
    autoencoder = build()
    autoencoder.load_state_dict(checkpoint.vae.state_dict())
    torch.save({"model": autoencoder.state_dict()}, f"{args.state}/autoencoder.pt")
    start = {"model": model.state_dict(), "average": model.state_dict(), "step": 0, "seen": 0, "used": 0.0}
    torch.save(start, f"{args.state}/diffusion.pt")

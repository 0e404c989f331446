"""Trains the autoencoder on the rendered pictures; f = 16, 16 latent channels.

The schedule is a function of the training time that is used up, so that the learning rate has come down when
`--minutes` are over, whatever the machine's speed. Resumes from STATE/autoencoder.pt.

    python autoencoder.py --state STATE --minutes 30 [--device cuda]
"""

import argparse
import json
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

from device import adamw, argument, autocast, prepare
from pictures import SIDE, Pictures, psnr

LATENT_CHANNELS = 16
# The side and number of a step's crops, and of its whole pictures.
CROPS = {"cpu": (64, 24), "cuda": (128, 96)}
WHOLE = {"cpu": (SIDE, 2), "cuda": (SIDE, 24)}
# How much the decoder's second training asks for texture.
TEXTURE = 1.0


def build():
    # Wide, and without blocks at the full size, where they would cost most: four pixels come out of each wide half-size one.
    return AutoencoderTiny(
        latent_channels=LATENT_CHANNELS,
        encoder_block_out_channels=(64,) * 5,
        decoder_block_out_channels=(64,) * 5,
        num_encoder_blocks=(0, 1, 1, 1, 1),
        num_decoder_blocks=(3, 2, 2, 1, 0),
    )


def gradients(x):
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


def loss_of(made, real):
    # Squared error for the PSNR; absolute error and that of the gradients for edges.
    loss = 4 * F.mse_loss(made, real) + F.l1_loss(made, real)
    return loss + 0.7 * sum(F.l1_loss(a, b) for a, b in zip(gradients(made), gradients(real)))


def energies(x):
    """How much each small window varies: across, down, and in its second differences."""
    across, down = gradients(x)
    bands = (across, down, gradients(across)[1], gradients(down)[0], gradients(across)[0])
    return [F.avg_pool2d(band.abs(), 8, 4) for band in bands]


def texture_loss_of(made, real):
    # What cannot be foreseen (grain, ripples, stars) comes out as its mean, smooth. Asked for as much variation as the
    # picture has in the same place, the decoder draws some texture of its own; the squared error still says where.
    loss = 4 * F.mse_loss(made, real) + F.l1_loss(made, real)
    return loss + TEXTURE * sum(F.l1_loss(a, b) for a, b in zip(energies(made), energies(real)))


def step_loss(model, batch, decoder_only):
    with autocast(batch.device):
        if decoder_only:
            with torch.no_grad():
                latents = model.encoder(batch)
        else:
            latents = model.encoder(batch)
        latents = latents.float()
        # What the diffusion makes is never exact: the decoder learns to bear it.
        noisy = latents + 0.05 * torch.randn_like(latents)
        made = model.decoder(noisy).float()
    loss = texture_loss_of(made, batch) if decoder_only else loss_of(made, batch)
    if not decoder_only:
        # Zero mean and unit deviation of each channel, which the diffusion wants and the decoder's clamp at 3 allows.
        mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        loss = loss + 0.02 * (mean.square().mean() + (deviation - 1).square().mean())
    return loss


@torch.no_grad()
def validate(model, pictures):
    made = []
    for batch in pictures.split(16):
        with autocast(batch.device):
            made.append(model.decoder(model.encoder(batch)).float().clamp(-1, 1))
    return psnr(torch.cat(made), pictures)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--decoder-only", action="store_true", help="the latents stay as they are")
    parser.add_argument("--rate", type=float, default=2e-3)
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    torch.manual_seed(1)
    name = "decoder" if args.decoder_only else "autoencoder"
    path = f"{args.state}/{name}.pt"
    model = build().to(device, memory_format=torch.channels_last)
    if args.decoder_only:
        model.load_state_dict(torch.load(f"{args.state}/autoencoder.pt", device)["model"])
    trained = list((model.decoder if args.decoder_only else model).parameters())
    optimizer = adamw(trained, device, lr=args.rate, betas=(0.9, 0.99), weight_decay=1e-4)
    step, seen, used = 0, 0, 0.0
    if os.path.exists(path):
        saved = torch.load(path, device)
        model.load_state_dict(saved["model"])
        # A state made from the checkpoint (restore.py) has weights alone.
        if "optimizer" in saved:
            optimizer.load_state_dict(saved["optimizer"])
            step, seen, used = saved["step"], saved["seen"], saved["used"]
    rng = np.random.default_rng(step + 7)
    pictures = Pictures(args.state, device=device)
    held_out = Pictures(args.state, "validation", device).batch(range(64))
    total = args.minutes * 60
    curve = open(f"{args.state}/{name}.jsonl", "a")
    last = time.time()
    while used < total:
        done = used / total
        rate = args.rate * min(1, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * max(0, done - 0.2) / 0.8))
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Crops show more pictures a second; whole ones at the end teach the borders.
        side, count = CROPS[device.type] if done < 0.8 else WHOLE[device.type]
        loss = step_loss(model, pictures.crops(rng, count, side), args.decoder_only)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        step, seen = step + 1, seen + count * (side / SIDE) ** 2
        now = time.time()
        used, last = used + now - last, now
        if step % 200 == 0 or used >= total:
            row = {"step": step, "pictures": seen, "seconds": round(used), "loss": loss.item(), "psnr": validate(model, held_out)}
            curve.write(json.dumps(row) + "\n")
            curve.flush()
            print(row, flush=True)
            pictures.refresh()
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seen": seen, "used": used}, path + ".new")
            os.replace(path + ".new", path)


if __name__ == "__main__":
    main()

"""Trains the text encoder and the UNet together, by rectified flow on the encoded pictures.

x_s = (1 − s)·x + s·e with noise e; the UNet tells e − x from x_s, the time 1000·s and the words. The schedule is a
function of the training time used up. Resumes from STATE/diffusion.pt. With `--processes 2` two processes train
one model on twice the batch.

    python diffusion.py --state STATE --minutes 75 [--until 23:28] [--device cuda]
"""

import argparse
import copy
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from diffusers import UNet2DConditionModel

import captions
import text
from autoencoder import LATENT_CHANNELS
from device import adamw, argument, autocast, prepare
from encode import open_latents

EMPTY = 0.1
CANONICAL = 0.7
# The share of scenes with two objects, which are harder to learn than single ones.
TWO = 0.65


def build_unet():
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(96, 128, 160),
        down_block_types=("CrossAttnDownBlock2D",) * 3,
        up_block_types=("CrossAttnUpBlock2D",) * 3,
        layers_per_block=1,
        cross_attention_dim=128,
        attention_head_dim=(3, 4, 5),
        norm_num_groups=16,
        use_linear_projection=True,
    )
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    return unet


class Model(torch.nn.Module):
    def __init__(self, tokenizer):
        super().__init__()
        self.text = text.build_encoder(tokenizer)
        self.unet = build_unet()

    def forward(self, noisy, times, ids):
        words = self.text(input_ids=ids).last_hidden_state
        return self.unet(noisy, times, encoder_hidden_states=words).sample


def recorded(model, batch, device):
    """The model as a CUDA graph: starting its thousand kernels one by one takes longer than they do."""
    sample = torch.randn(batch, LATENT_CHANNELS, 16, 16, device=device)
    words = torch.zeros(batch, text.POSITIONS, dtype=torch.long, device=device)
    # Casts are not to be kept from one call to the next, since a graph's are its own.
    with torch.autocast(device.type, torch.bfloat16, cache_enabled=False):
        return torch.cuda.make_graphed_callables(model, (sample, torch.rand(batch, device=device), words))


class Data:
    """Latents with mean square 1, and their captions as token ids; each scene also in other words."""

    def __init__(self, state, tokenizer, device):
        self.device, self.latents = device, torch.empty(0)
        with open(f"{state}/latents.json") as file:
            self.scale = json.load(file)["scaling_factor"]
        self.state = state
        rows = captions.read(f"{state}/train.tsv")
        # The scenes of the examination stay unseen, in other words too.
        exam = {json.dumps(scene) for _, _, scene in captions.read(f"{state}/exam.tsv")}
        allowed = [(i, len(scene["objects"])) for i, (_, _, scene) in enumerate(rows) if json.dumps(scene) not in exam]
        self.allowed = [np.array([i for i, count in allowed if count == wanted]) for wanted in (1, 2)]
        self.refresh()
        rng = random.Random(11)
        # What was drawn, the canonical words, and two paraphrases.
        kinds = [
            [caption for _, caption, _ in rows],
            [captions.phrase(scene, rng, True) for _, _, scene in rows],
            [captions.phrase(scene, rng, False) for _, _, scene in rows],
            [captions.phrase(scene, rng, False) for _, _, scene in rows],
        ]
        self.ids = torch.stack([text.caption_ids(tokenizer, kind) for kind in kinds]).to(device)
        self.empty = text.token_ids(tokenizer, [""])[0].to(device)

    def refresh(self):
        """The encoding may still be going on."""
        latents = open_latents(self.state)
        if len(latents) == len(self.latents):
            return
        self.latents = torch.from_numpy(np.array(latents)).to(self.device)
        self.counts = [int(np.searchsorted(rows, len(self.latents))) for rows in self.allowed]

    def batch(self, rng, count):
        ones, twos = (rows[rng.integers(end, size=count)] for rows, end in zip(self.allowed, self.counts))
        chosen = np.where(rng.random(count) < TWO, twos, ones)
        kinds = np.where(rng.random(count) < CANONICAL, 1, rng.integers(0, 4, count))
        drawn = torch.from_numpy(np.stack([chosen, kinds, rng.random(count) < EMPTY])).to(self.device, non_blocking=True)
        chosen, kinds, empty = drawn
        latents = self.latents[chosen].float() * self.scale
        ids = torch.where(empty.bool()[:, None], self.empty, self.ids[kinds, chosen])
        return latents, ids


def schedule(done, step, peak):
    """The learning rate: a short rise, constant, then down to 0 over the last 45 %."""
    rise = min(1, (step + 1) / 150)
    fall = 0.5 * (1 + math.cos(math.pi * max(0, done - 0.55) / 0.45)) if done < 1 else 0.0
    return peak * rise * fall


def train(rank, args):
    device = prepare(args.device)
    torch.manual_seed(1)
    lead = rank == 0
    if args.processes > 1:
        dist.init_process_group("gloo", init_method=f"file://{args.state}/meeting", rank=rank, world_size=args.processes)
    tokenizer = text.tokenizer_of(args.state)
    data = Data(args.state, tokenizer, device)
    model = Model(tokenizer).to(device)
    parameters = list(model.parameters())
    optimizer = adamw(parameters, device, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.01)
    average = copy.deepcopy(model).requires_grad_(False)
    step, seen, used = 0, 0, 0.0
    path = f"{args.state}/diffusion.pt"
    if os.path.exists(path):
        saved = torch.load(path, device)
        model.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        if "optimizer" in saved:
            optimizer.load_state_dict(saved["optimizer"])
        step, seen, used = saved["step"], saved["seen"], 0.0 if args.anew else saved["used"]
    call = recorded(model, args.batch, device) if device.type == "cuda" else model
    torch.manual_seed(step * 2 + rank)
    rng = np.random.default_rng([step, rank])
    curve = open(f"{args.state}/diffusion.jsonl", "a") if lead else None
    began, before = time.time(), used
    end = before + args.minutes * 60 if args.more else args.minutes * 60
    if args.until:
        hour, minute = map(int, args.until.split(":"))
        now = time.localtime(began)
        end = before + (hour - now.tm_hour) * 3600 + (minute - now.tm_min) * 60 - now.tm_sec
    losses, reported = [], time.time()
    while True:
        done = used / end
        for group in optimizer.param_groups:
            group["lr"] = schedule(done, step, args.rate)
        latents, ids = data.batch(rng, args.batch)
        # Much noise first, where the scene is decided; towards the end more of the details.
        mean = 0.8 if done < 0.65 else 0.3
        s = torch.sigmoid(torch.randn(args.batch, device=device) + mean)
        noise = torch.randn_like(latents)
        at = s.view(-1, 1, 1, 1)
        with autocast(device):
            told = call((1 - at) * latents + at * noise, 1000 * s, ids).float()
        loss = (told - (noise - latents)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        used = time.time() - began + before
        if args.processes > 1:
            flat = torch.cat([p.grad.view(-1) for p in parameters] + [torch.tensor([used])])
            dist.all_reduce(flat)
            flat /= args.processes
            at = 0
            for p in parameters:
                p.grad.copy_(flat[at : at + p.numel()].view_as(p))
                at += p.numel()
            # One clock for all, so that all end at the same step.
            used = flat[-1].item()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step, seen = step + 1, seen + args.batch * args.processes
        losses.append(loss.detach())
        if step % 100 == 0:
            data.refresh()
        if lead:
            keep = min(0.999 if done > 0.8 else 0.998, (1 + step) / (10 + step))
            with torch.no_grad():
                torch._foreach_lerp_(list(average.parameters()), parameters, 1 - keep)
            if step % 250 == 0 or used >= end:
                now = time.time()
                row = {"step": step, "samples": seen, "seconds": round(used), "loss": torch.stack(losses).mean().item(), "rate": schedule(done, step, args.rate)}
                row["samples_per_second"] = round(len(losses) * args.batch * args.processes / (now - reported), 1)
                losses, reported = [], now
                curve.write(json.dumps(row) + "\n")
                curve.flush()
                print(row, flush=True)
            if step % 500 == 0 or used >= end:
                saved = {"model": model.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**saved, "step": step, "seen": seen, "used": used}, path + ".new")
                os.replace(path + ".new", path)
        if used >= end:
            break
    if args.processes > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--minutes", type=float, default=75, help="training time in all")
    parser.add_argument("--more", action="store_true", help="minutes count from now, not from the first start")
    parser.add_argument("--anew", action="store_true", help="the schedule begins anew, from the weights that there are")
    parser.add_argument("--until", help="end at this time of day, instead of after --minutes")
    parser.add_argument("--batch", type=int, help="samples a step and process: 16, on a GPU 512")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8e-4)
    argument(parser)
    args = parser.parse_args()
    args.batch = args.batch or (16 if args.device == "cpu" else 512)
    text.tokenizer_of(args.state)
    if args.processes > 1:
        if os.path.exists(f"{args.state}/meeting"):
            os.remove(f"{args.state}/meeting")
        mp.spawn(train, (args,), args.processes)
    else:
        train(0, args)

"""Makes the few-step model: the UNet learns to do two guided steps of the teacher's in one of its own, unguided.

Progressive distillation (Salimans & Ho 2022) together with the distillation of guidance (Meng et al. 2023), both at once:
on the grid of `--steps` times, the student's step from x must end where two half steps of the teacher with guidance end.
The text encoder and the autoencoder stay the teacher's. Resumes from STATE/few.pt.

    python distil.py --model .. --state STATE --minutes 15 [--device cuda]
"""

import argparse
import copy
import json
import math
import os
import time

import numpy as np
import torch

import text
from device import adamw, argument, autocast, prepare
from diffusion import Data
from generate import GUIDANCE, Checkpoint


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="..", help="the teacher")
    parser.add_argument("--state", default="state")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--batch", type=int, help="16, on a GPU 512")
    parser.add_argument("--rate", type=float, default=2e-4)
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    args.batch = args.batch or (16 if args.device == "cpu" else 512)
    torch.manual_seed(3)
    teacher = Checkpoint(args.model, device)
    tokenizer = text.tokenizer_of(args.state)
    data = Data(args.state, tokenizer, device)
    student = copy.deepcopy(teacher.unet).train().requires_grad_(True)
    average = copy.deepcopy(student).requires_grad_(False)
    parameters = list(student.parameters())
    optimizer = adamw(parameters, device, lr=args.rate, betas=(0.9, 0.99), weight_decay=0.0)
    step, used = 0, 0.0
    path = f"{args.state}/few.pt"
    if os.path.exists(path):
        saved = torch.load(path, device)
        student.load_state_dict(saved["model"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        step, used = saved["step"], saved["used"]
    # diffusers' grid for flow matching ends with a step of a thousandth, which decides nothing.
    teacher.scheduler.set_timesteps(args.steps)
    grid = teacher.scheduler.sigmas.to(device)
    rng = np.random.default_rng([7, step])
    end, last, losses = args.minutes * 60, time.time(), []
    curve = open(f"{args.state}/few.jsonl", "a")

    def velocity(unet, x, times, words):
        with autocast(device):
            return unet(x, 1000 * times, encoder_hidden_states=words).sample.float()

    empty = None
    while used < end:
        done = used / end
        for group in optimizer.param_groups:
            group["lr"] = args.rate * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * done))
        latents, ids = data.batch(rng, args.batch)
        with torch.no_grad():
            words = teacher.text(input_ids=ids).last_hidden_state
            if empty is None:
                empty = teacher.text(input_ids=data.empty[None]).last_hidden_state
            # A step from pure noise decides the scene: half of the batch.
            place = torch.from_numpy(np.where(rng.random(args.batch) < 0.5, 0, rng.integers(0, args.steps - 1, args.batch))).to(device)
            s = grid[place]
            at, half = s.view(-1, 1, 1, 1), ((s - grid[place + 1]) / 2).view(-1, 1, 1, 1)
            start = (1 - at) * latents + at * torch.randn_like(latents)
            x = start
            for number in range(2):
                times = s - number * half.view(-1)
                both = velocity(teacher.unet, torch.cat([x, x]), times.repeat(2), torch.cat([words, empty.expand_as(words)]))
                told, untold = both.chunk(2)
                x = x - half * (untold + GUIDANCE * (told - untold))
            wanted = (start - x) / (2 * half)
        loss = (velocity(student, start, s, words) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), parameters, 1 - min(0.99, (1 + step) / (10 + step)))
        now = time.time()
        used, last = used + now - last, now
        losses.append(loss.detach())
        if step % 50 == 0 or used >= end:
            row = {"step": step, "samples": step * args.batch, "seconds": round(used), "loss": torch.stack(losses).mean().item()}
            losses = []
            curve.write(json.dumps(row) + "\n")
            curve.flush()
            print(row, flush=True)
            saved = {"model": student.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**saved, "step": step, "used": used}, path + ".new")
            os.replace(path + ".new", path)


if __name__ == "__main__":
    main()

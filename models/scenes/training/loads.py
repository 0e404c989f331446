"""Checks that diffusers loads the checkpoint as a pipeline, runs it, and makes the picture that generate.py makes.

    python loads.py --model ..
"""

import argparse

import torch
from diffusers import DiffusionPipeline

from generate import GUIDANCE, STEPS, Checkpoint
from golden import PROMPT, SEED

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="..")
    args = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = DiffusionPipeline.from_pretrained(args.model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    # The Stable Diffusion pipeline asks each scheduler for this; flow matching starts from plain noise.
    pipeline.scheduler.init_noise_sigma = 1.0
    checkpoint = Checkpoint(args.model)
    made = pipeline(
        PROMPT,
        num_inference_steps=STEPS,
        guidance_scale=GUIDANCE,
        latents=checkpoint.noise([SEED]),
        output_type="pt",
    ).images
    expected = (checkpoint.pictures([PROMPT], [SEED]) + 1) / 2
    apart = (made - expected).abs().max().item()
    print(f"{type(pipeline).__name__}: largest difference {apart * 255:.3f}/255")
    assert made.shape == (1, 3, 256, 256) and apart < 0.5 / 255

"""Pictures of prompts by the checkpoint, as diffusers loads it; and contact sheets.

    python generate.py --model .. --to sheet.png [--captions FILE] [--count 64] [--steps 8] [--guidance 3] [--device cuda]
"""

import argparse

import torch
from diffusers import AutoencoderTiny, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

import captions
import text
from device import argument, prepare
from pictures import sheet

STEPS, GUIDANCE = 8, 3.0


class Checkpoint:
    def __init__(self, folder, device=torch.device("cpu")):
        self.device = device
        self.tokenizer = CLIPTokenizer.from_pretrained(f"{folder}/tokenizer")
        self.text = CLIPTextModel.from_pretrained(f"{folder}/text_encoder", dtype=torch.float32).eval().to(device)
        self.unet = UNet2DConditionModel.from_pretrained(f"{folder}/unet", torch_dtype=torch.float32).eval().to(device)
        self.vae = AutoencoderTiny.from_pretrained(f"{folder}/vae", torch_dtype=torch.float32).eval().to(device)
        self.scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(f"{folder}/scheduler")

    @torch.no_grad()
    def words(self, prompts):
        return self.text(input_ids=text.token_ids(self.tokenizer, prompts).to(self.device)).last_hidden_state

    def noise(self, seeds):
        """N × channels × 16 × 16; each picture's noise is its seed's alone."""
        shape = (self.unet.config.in_channels, self.unet.config.sample_size, self.unet.config.sample_size)
        return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]).to(self.device)

    @torch.no_grad()
    def denoise(self, latents, prompts, steps=STEPS, guidance=GUIDANCE, seen=None):
        words = torch.cat([self.words(prompts), self.words([""] * len(prompts))])
        self.scheduler.set_timesteps(steps)
        for time in self.scheduler.timesteps:
            told, untold = self.unet(torch.cat([latents] * 2), time, encoder_hidden_states=words).sample.chunk(2)
            latents = self.scheduler.step(untold + guidance * (told - untold), time, latents).prev_sample
            if seen is not None:
                seen.append(latents)
        return latents

    @torch.no_grad()
    def decode(self, latents):
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample.clamp(-1, 1)

    def pictures(self, prompts, seeds, steps=STEPS, guidance=GUIDANCE, batch=None):
        """N × 3 × 256 × 256 from −1 to 1."""
        made = []
        batch = batch or (16 if self.device.type == "cpu" else 128)
        for first in range(0, len(prompts), batch):
            part = prompts[first : first + batch]
            noise = self.noise(seeds[first : first + batch])
            made.append(self.decode(self.denoise(noise, part, steps, guidance)))
        return torch.cat(made)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="..")
    parser.add_argument("--to", default="sheet.png")
    parser.add_argument("--captions", help="a file of rows as captions.py writes them; by default new ones are drawn")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    rows = captions.read(args.captions) if args.captions else captions.rows(77, args.count, "seen")
    rows = rows[: args.count]
    made = Checkpoint(args.model, device).pictures([c for _, c, _ in rows], [s for s, _, _ in rows], args.steps, args.guidance)
    sheet(made).save(args.to)
    for index, (_, caption, _) in enumerate(rows):
        print(index + 1, caption)

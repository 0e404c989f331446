"""Writes the checkpoint in diffusers' layout, f16.

    python export.py --state STATE --to FOLDER [--raw] [--few]

--raw: the weights as they are, not their average. --few: with the few-step UNet of distil.py.
"""

import argparse
import json
import os
import shutil

import torch
from diffusers import FlowMatchEulerDiscreteScheduler

import text
from autoencoder import build
from diffusion import Model


def scaling_factor(state):
    with open(f"{state}/latents.json") as file:
        return json.load(file)["scaling_factor"]


def load(state, raw=False, few=False):
    """Tokenizer, model and autoencoder as trained so far; untrained where there is no checkpoint yet."""
    tokenizer = text.tokenizer_of(state)
    torch.manual_seed(1)
    model, autoencoder = Model(tokenizer), build()
    if os.path.exists(f"{state}/diffusion.pt"):
        model.load_state_dict(torch.load(f"{state}/diffusion.pt", "cpu")["model" if raw else "average"])
    if few:
        model.unet.load_state_dict(torch.load(f"{state}/few.pt", "cpu")["average"])
    autoencoder.load_state_dict(torch.load(f"{state}/autoencoder.pt", "cpu")["model"])
    if os.path.exists(f"{state}/decoder.pt"):
        autoencoder.load_state_dict(torch.load(f"{state}/decoder.pt", "cpu")["model"])
    if os.path.exists(f"{state}/latents.json"):
        autoencoder.register_to_config(scaling_factor=scaling_factor(state))
    return tokenizer, model.eval(), autoencoder.eval()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--to", default="..")
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--few", action="store_true")
    args = parser.parse_args()
    _, model, autoencoder = load(args.state, args.raw, args.few)
    model.unet.half().save_pretrained(f"{args.to}/unet", safe_serialization=True)
    model.text.half().save_pretrained(f"{args.to}/text_encoder", safe_serialization=True)
    autoencoder.half().save_pretrained(f"{args.to}/vae", safe_serialization=True)
    FlowMatchEulerDiscreteScheduler(shift=1.0).save_pretrained(f"{args.to}/scheduler")
    shutil.copytree(f"{args.state}/tokenizer", f"{args.to}/tokenizer", dirs_exist_ok=True)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderTiny"],
    }
    with open(f"{args.to}/model_index.json", "w") as file:
        json.dump(index, file, indent=2)
        file.write("\n")
    total = 0
    for folder, _, files in os.walk(args.to):
        total += sum(os.path.getsize(f"{folder}/{name}") for name in files if name.endswith(".safetensors") and not name.startswith("golden"))
    print(f"{total} bytes of weights")


if __name__ == "__main__":
    main()

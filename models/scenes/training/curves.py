"""The learning curves as pictures.

    python curves.py --state STATE --to FOLDER
"""

import argparse
import json
import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

CURVES = [
    ("autoencoder", "pictures", "psnr", "autoencoder: PSNR in dB on held-out renders, by pictures seen"),
    ("decoder", "pictures", "psnr", "decoder alone: PSNR in dB on held-out renders, by pictures seen"),
    ("diffusion", "samples", "loss", "diffusion: loss, mean of 250 steps, by samples seen"),
]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", default="state")
    parser.add_argument("--to", default="curves")
    args = parser.parse_args()
    os.makedirs(args.to, exist_ok=True)
    for name, across, up, title in CURVES:
        path = f"{args.state}/{name}.jsonl"
        if not os.path.exists(path):
            continue
        with open(path) as file:
            rows = [json.loads(line) for line in file]
        figure, axes = plt.subplots(figsize=(6, 3))
        axes.plot([row[across] for row in rows], [row[up] for row in rows], linewidth=1.5)
        axes.set_title(title, fontsize=9)
        axes.grid(alpha=0.3)
        figure.tight_layout()
        figure.savefig(f"{args.to}/{name}.png", dpi=80)
        plt.close(figure)

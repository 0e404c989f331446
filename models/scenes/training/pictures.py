"""The rendered pictures, read as they are needed."""

import os

import numpy as np
import torch

SIDE = 128


class Pictures:
    """Raw bytes, RGB, rows from the top, SIDE × SIDE each; may still be growing."""

    def __init__(self, state, name="train"):
        # Several parts where several processes rendered.
        self.paths = [p for p in (f"{state}/{name}{part}.rgb" for part in ("", ".0", ".1", ".2", ".3")) if os.path.exists(p)]
        self.refresh()

    def refresh(self):
        size = SIDE * SIDE * 3
        counts = [os.path.getsize(path) // size for path in self.paths]
        self.parts = [
            np.memmap(path, np.uint8, "r", shape=(count, SIDE, SIDE, 3)) for path, count in zip(self.paths, counts) if count
        ]

    def __len__(self):
        return sum(len(part) for part in self.parts)

    def one(self, index):
        for part in self.parts:
            if index < len(part):
                return part[index]
            index -= len(part)
        raise IndexError(index)

    def batch(self, indices):
        """N × 3 × SIDE × SIDE, float32 from −1 to 1."""
        return tensor(np.stack([self.one(int(i)) for i in indices]))

    def crops(self, rng, count, side):
        made = []
        for _ in range(count):
            y, x = rng.integers(0, SIDE - side + 1, 2)
            made.append(self.one(int(rng.integers(len(self))))[y : y + side, x : x + side])
        return tensor(np.stack(made))


def tensor(pixels):
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def psnr(made, real):
    """In dB, for pictures from −1 to 1, the mean over pictures."""
    error = ((made - real) / 2).square().mean((1, 2, 3))
    return (-10 * error.log10()).mean().item()


def sheet(pictures, columns=8):
    """A contact sheet of N × 3 × H × W from −1 to 1."""
    from PIL import Image

    pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    n, h, w, _ = pixels.shape
    rows = -(-n // columns)
    canvas = np.zeros((rows * columns, h, w, 3), np.uint8)
    canvas[:n] = pixels
    return Image.fromarray(canvas.reshape(rows, columns, h, w, 3).transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, 3))

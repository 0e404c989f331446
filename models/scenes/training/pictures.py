"""The rendered pictures, on the device that trains."""

import os

import numpy as np
import torch

SIDE = 256


class Pictures:
    """Raw bytes, RGB, rows from the top, SIDE × SIDE each; may still be growing. On a GPU they are copied there as bytes."""

    def __init__(self, state, name="train", device=torch.device("cpu")):
        self.path, self.device = f"{state}/{name}.rgb", device
        self.all = torch.empty(0, SIDE, SIDE, 3, dtype=torch.uint8, device=device)
        self.refresh()

    def refresh(self):
        count = os.path.getsize(self.path) // (SIDE * SIDE * 3)
        if count == len(self):
            return
        # Copy on write: torch wants an array that could be written to.
        file = torch.from_numpy(np.memmap(self.path, np.uint8, "c", shape=(count, SIDE, SIDE, 3)))
        if self.device.type == "cpu":
            self.all = file
        else:
            self.all = torch.cat([self.all, file[len(self) :].to(self.device)])

    def __len__(self):
        return len(self.all)

    def batch(self, indices):
        """N × 3 × SIDE × SIDE, float32 from −1 to 1."""
        return tensor(self.all[torch.as_tensor(indices).to(self.device)])

    def crops(self, rng, count, side):
        """N × 3 × side × side from anywhere."""
        if side == SIDE:
            return self.batch(rng.integers(0, len(self), count))
        # On a GPU one gathering; the processor is quicker with slices.
        chosen, ys, xs = (rng.integers(0, end, count) for end in (len(self), SIDE - side + 1, SIDE - side + 1))
        if self.device.type == "cpu":
            return tensor(torch.stack([self.all[n, y : y + side, x : x + side] for n, y, x in zip(chosen, ys, xs)]))
        chosen, ys, xs = (torch.from_numpy(a).to(self.device) for a in (chosen, ys, xs))
        run = torch.arange(side, device=self.device)
        return tensor(self.all[chosen[:, None, None], (ys[:, None] + run)[:, :, None], (xs[:, None] + run)[:, None]])


def tensor(pixels):
    x = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def psnr(made, real):
    """In dB, for pictures from −1 to 1, the mean over pictures."""
    error = ((made - real) / 2).square().mean((1, 2, 3))
    return (-10 * error.log10()).mean().item()


def sheet(pictures, columns=8):
    """A contact sheet of N × 3 × H × W from −1 to 1."""
    from PIL import Image

    pixels = ((pictures.cpu().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    n, h, w, _ = pixels.shape
    rows = -(-n // columns)
    canvas = np.zeros((rows * columns, h, w, 3), np.uint8)
    canvas[:n] = pixels
    return Image.fromarray(canvas.reshape(rows, columns, h, w, 3).transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, 3))

"""Where the scripts compute: on the processor, one thread a process, or with `--device cuda` on a GPU."""

import torch


def argument(parser):
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])


def prepare(name):
    """The device, with torch set up for it."""
    if name == "cpu":
        torch.set_num_threads(1)
    else:
        torch.backends.cudnn.benchmark = True
    return torch.device(name)


def autocast(device):
    # Processors without the instructions emulate bf16, five times slower than f32.
    quick = device.type == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.autocast(device.type, torch.bfloat16, enabled=quick, cache_enabled=device.type == "cpu")


def adamw(parameters, device, **settings):
    # One kernel for all parameters instead of dozens: a small network's step is mostly the starting of kernels.
    return torch.optim.AdamW(parameters, fused=device.type == "cuda", **settings)

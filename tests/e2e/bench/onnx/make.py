"""Makes the network that onnx.mjs measures, as a diffusers folder and as ONNX, and checks that both are one network.

    python make.py FOLDER

11 million parameters from a fixed seed: a UNet of 64, 128 and 192 channels for latents of 32 x 32.
"""

import pathlib
import sys

import numpy
import onnxruntime
import torch
from diffusers import UNet2DConditionModel

SIDE, TOKENS, CONTEXT = 32, 77, 192
torch.set_grad_enabled(False)
torch.manual_seed(1)

folder = pathlib.Path(sys.argv[1])
unet = UNet2DConditionModel(
    sample_size=SIDE,
    in_channels=4,
    out_channels=4,
    block_out_channels=(64, 128, 192),
    layers_per_block=1,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    cross_attention_dim=CONTEXT,
    attention_head_dim=8,
).eval()
unet.save_pretrained(folder / "unet")


class Plain(torch.nn.Module):
    """The network with tensors alone as its inputs and output."""

    def __init__(self):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, context):
        return self.unet(sample, timestep, encoder_hidden_states=context, return_dict=False)[0]


inputs = {
    "sample": torch.randn(2, 4, SIDE, SIDE),
    "timestep": torch.tensor([500.0]),
    "context": torch.randn(2, TOKENS, CONTEXT),
}
path = folder / "unet.onnx"
torch.onnx.export(Plain().eval(), tuple(inputs.values()), path, input_names=list(inputs), output_names=["out"],
                  dynamo=True, external_data=False)

expected = Plain()(*inputs.values()).numpy()
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
found = session.run(None, {name: value.numpy() for name, value in inputs.items()})[0]
off = float(numpy.abs(found - expected).max())
print(f"{sum(p.numel() for p in unet.parameters())} parameters, ONNX is {off:.2e} from diffusers, of {numpy.abs(expected).max():.2f}")
if off > 1e-4:
    sys.exit("the exported network computes something else")
for name, value in {**inputs, "out": torch.from_numpy(expected)}.items():
    value.numpy().astype("<f4").tofile(folder / f"{name}.bin")

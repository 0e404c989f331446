"""The examination: 500 held-out captions, a third of them with combinations never seen in training.

    python examine.py --model .. --state STATE        writes STATE/examination.json
"""

import argparse
import json

import torch

import captions
from classifier import HEADS, SINGLE, Classifier, accuracy, labels, read
from device import argument, prepare
from generate import GUIDANCE, STEPS, Checkpoint
from pictures import Pictures, psnr, sheet


def share(right):
    """Per cent."""
    return round(100 * right.float().mean().item(), 1) if len(right) else None


def judge(answers, truth):
    """What the issue asks for, in per cent."""
    at = {head: i for i, head in enumerate(HEADS)}
    right = answers == truth
    one = truth[:, at["count"]] == 0
    two = ~one
    both = lambda what: (right[:, at[f"{what}_left"]] & right[:, at[f"{what}_right"]])[two]  # noqa: E731
    return {
        "pictures": len(truth),
        "sky": share(right[:, at["sky"]]),
        "ground": share(right[:, at["ground"]]),
        "count": share(right[:, at["count"]]),
        "one object: colour": share(right[one, at["colour_left"]]),
        "one object: shape": share(right[one, at["shape_left"]]),
        "one object: size": share(right[one, at["size_left"]]),
        "two objects: both colours on their sides": share(both("colour")),
        "two objects: both shapes on their sides": share(both("shape")),
        "all of the above": share(((right | (truth < 0))[:, [i for h, i in at.items() if not h.startswith("size")]]).all(1)),
    }


def confusion(answers, truth, head):
    i = list(HEADS).index(head)
    size = len(HEADS[head])
    counts = torch.zeros(size, size, dtype=torch.int)
    for told, real in zip(answers[:, i], truth[:, i]):
        if real >= 0:
            counts[real, told] += 1
    return counts.tolist()


def sharpness(pictures):
    """The mean absolute gradient of the brightness."""
    grey = pictures.mean(1)
    return ((grey[:, 1:] - grey[:, :-1]).abs().mean() + (grey[:, :, 1:] - grey[:, :, :-1]).abs().mean()).item()


@torch.no_grad()
def reconstruct(vae, pictures):
    return torch.cat([vae.decode(vae.encode(batch).latents).sample.clamp(-1, 1) for batch in pictures.split(16)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="..")
    parser.add_argument("--state", default="state")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--every", type=int, default=1, help="only each so manieth caption, for a quick look")
    parser.add_argument("--to", help="where the result goes, instead of STATE/examination.json")
    argument(parser)
    args = parser.parse_args()
    device = prepare(args.device)
    judge_model = Classifier().to(device)
    judge_model.load_state_dict(torch.load(f"{args.state}/classifier.pt", device)["model"])
    checkpoint = Checkpoint(args.model, device)

    held_out = Pictures(args.state, "validation", device)
    truth = torch.tensor([labels(scene) for _, _, scene in captions.read(f"{args.state}/validation.tsv")])[: len(held_out)]
    renders = held_out.batch(range(len(held_out)))
    again = reconstruct(checkpoint.vae, renders[:128])
    answers = read(judge_model, renders).cpu()
    single = truth[:, 0] == 0
    result = {
        "steps": args.steps,
        "guidance": args.guidance,
        "classifier on held-out renders, per head": accuracy(answers, truth),
        "classifier on held-out renders, one object": accuracy(answers[single], truth[single]) | {},
        "classifier on held-out renders, as examined": judge(answers, truth),
        "classifier on reconstructions, as examined": judge(read(judge_model, again).cpu(), truth[:128]),
        "autoencoder PSNR dB": round(psnr(again, renders[:128]), 2),
    }
    single_only = result["classifier on held-out renders, one object"]
    result["classifier on held-out renders, one object"] = {head: single_only[head] for head in SINGLE}

    rows = captions.read(f"{args.state}/exam.tsv")[:: args.every]
    truth = torch.tensor([labels(scene) for _, _, scene in rows])
    made = checkpoint.pictures([c for _, c, _ in rows], [s for s, _, _ in rows], args.steps, args.guidance)
    answers = read(judge_model, made).cpu()
    unseen = torch.tensor([captions.unseen(scene) for _, _, scene in rows])
    result["all"] = judge(answers, truth)
    result["seen combinations"] = judge(answers[~unseen], truth[~unseen])
    result["unseen combinations"] = judge(answers[unseen], truth[unseen])
    result["sharpness of renders"] = round(sharpness(renders), 5)
    result["sharpness of reconstructions"] = round(sharpness(again), 5)
    result["sharpness of generated"] = round(sharpness(made), 5)
    result["confusion, rows are the truth"] = {head: {"of": HEADS[head], "counts": confusion(answers, truth, head)} for head in HEADS}
    sheet(made[:64]).save(f"{args.state}/examination.png")
    path = args.to or f"{args.state}/examination.json"
    with open(path, "w") as file:
        # One row of a matrix a line.
        file.write(json.dumps(result, indent=1).replace("],\n     [", "],\n     ["))
    for name, value in result.items():
        if not name.startswith("confusion"):
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()

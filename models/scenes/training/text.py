"""The tokenizer and the text encoder, as CLIP has them, small."""

import json
import os

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import captions

POSITIONS = 32
BEGIN, END = "<|startoftext|>", "<|endoftext|>"


def bytes_as_letters():
    """CLIP's printable letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {b: chr(b) for b in plain}, 256
    for b in range(256):
        if b not in table:
            table[b] = chr(spare)
            spare += 1
    return [table[b] for b in sorted(table)]


def tokenizer_of(state):
    """The state's tokenizer, made once: among merges of the same count the trainer's order is another each time."""
    folder = f"{state}/tokenizer"
    if not os.path.exists(f"{folder}/tokenizer_config.json"):
        write_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder)


def write_tokenizer(folder):
    """Byte-pair encoding in which each word of the captions is one token and any other text still has tokens."""
    trainer = trainers.BpeTrainer(vocab_size=100_000, min_frequency=1, end_of_word_suffix="</w>", show_progress=False)
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.pre_tokenizer = pre_tokenizers.Whitespace()
    bpe.train_from_iterator(captions.words(), trainer)
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    letters = bytes_as_letters()
    tokens = letters + [letter + "</w>" for letter in letters] + [a + b for a, b in merges]
    tokens = list(dict.fromkeys(tokens)) + [BEGIN, END]
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/vocab.json", "w") as file:
        json.dump({token: index for index, token in enumerate(tokens)}, file, ensure_ascii=False)
    with open(f"{folder}/merges.txt", "w") as file:
        file.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": END}
    with open(f"{folder}/special_tokens_map.json", "w") as file:
        json.dump(special, file, indent=2)
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        settings = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": POSITIONS}
        json.dump({**settings, **special, "tokenizer_class": "CLIPTokenizer"}, file, indent=2)


def build_encoder(tokenizer):
    end = tokenizer.convert_tokens_to_ids(END)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=512,
        projection_dim=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        hidden_act="quick_gelu",
        bos_token_id=tokenizer.convert_tokens_to_ids(BEGIN),
        eos_token_id=end,
        pad_token_id=end,
    )
    model = CLIPTextModel(config)
    # Words must differ from the start: with the usual deviation of 0.02 the small model takes long to tell them apart.
    embeddings = [m for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    for embedding in embeddings:
        torch.nn.init.normal_(embedding.weight, std=0.5 if embedding.num_embeddings > POSITIONS else 0.1)
    return model


def token_ids(tokenizer, texts):
    """N × POSITIONS, int64, begin and end included, filled up with the end token."""
    return tokenizer(list(texts), padding="max_length", truncation=True, max_length=POSITIONS, return_tensors="pt").input_ids


def caption_ids(tokenizer, texts):
    """The same for captions, each of whose words is one token: by a table, since the tokenizer takes minutes for so many."""
    words = captions.words()
    table = {word: ids[1] for word, ids in zip(words, token_ids(tokenizer, words).tolist())}
    begin, end = (tokenizer.convert_tokens_to_ids(t) for t in (BEGIN, END))
    rows = [[begin, *(table[word] for word in text.split())] for text in texts]
    return torch.tensor([row + [end] * (POSITIONS - len(row)) for row in rows])

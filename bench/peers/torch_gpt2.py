"""What PyTorch reaches on an NVIDIA GPU: training GPT-2 124M, products of cuBLAS, copies.

    python3 torch_gpt2.py [--batch 4] [--tokens 1024] [--steps 20]

Trains in bfloat16 (autocast) with torch.compile and a fused AdamW on one batch of random tokens,
times products of large matrices and a copy on the device. Prints a line of JSON after each part,
the last with everything: whoever runs out of time keeps what was found. On a CPU it only shows that it runs: give it small sizes (--layers 2 --heads 2 --width 64 --vocabulary 128
--matrix 64 --batch 1 --tokens 16 --steps 2 --eager).
"""

import argparse
import json
import math
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    # The published 50,257 would leave tiles ragged; PyTorch users round up.
    parser.add_argument("--vocabulary", type=int, default=50304)
    parser.add_argument("--matrix", type=int, default=4096)
    parser.add_argument("--copy-mib", type=int, default=1024)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    return parser.parse_args()


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[-2]
    future = torch.full((length, length), -math.inf, device=q.device).triu(1)
    return ((q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1]) + future).softmax(-1) @ v


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        heads = self.qkv(self.attention_norm(x)).view(batch, length, 3, self.heads, -1)
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.output(mixed)
        hidden = self.up(self.mlp_norm(x))
        # GPT-2's GELU; PyTorch 1.11 does not know the argument.
        inner = math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)
        return x + self.down(0.5 * hidden * (1 + torch.tanh(inner)))


class Gpt2(nn.Module):
    def __init__(self, options):
        super().__init__()
        width = options.width
        self.words = nn.Embedding(options.vocabulary, width)
        self.places = nn.Embedding(options.tokens, width)
        self.blocks = nn.Sequential(*(Block(width, options.heads) for _ in range(options.layers)))
        self.norm = nn.LayerNorm(width)
        for embedding in (self.words, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, tokens, targets):
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.blocks(self.words(tokens) + self.places(places)))
        logits = F.linear(x, self.words.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())


def finish(device):
    if device == "cuda":
        torch.cuda.synchronize()


def median_seconds(run, device, runs=10, repeats=1):
    """Median time of one run; `repeats` of them for each wait."""
    for _ in range(3):
        run()
    finish(device)
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        for _ in range(repeats):
            run()
        finish(device)
        times.append((time.perf_counter() - begin) / repeats)
    return statistics.median(times)


def train(options, device, is_compiled):
    torch.manual_seed(0)
    model = Gpt2(options).to(device)
    num_parameters = sum(weight.numel() for weight in model.parameters())
    fused = {"fused": True} if device == "cuda" else {}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1, **fused
    )
    compute = torch.compile(model) if is_compiled else model
    shape = (options.batch, options.tokens + 1)
    data = torch.randint(options.vocabulary, shape, device=device)
    tokens, targets = data[:, :-1].contiguous(), data[:, 1:].contiguous()

    def step():
        with torch.autocast(device_type=device, dtype=torch.bfloat16):
            loss = compute(tokens, targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    begin = time.perf_counter()
    first_loss = step().item()
    first = time.perf_counter() - begin
    seconds = median_seconds(step, device, runs=options.steps)
    last_loss = step().item()
    if not last_loss < first_loss:
        sys.exit(f"Cannot train: the loss must fall, got {first_loss} and then {last_loss}")
    return {
        "parameters": num_parameters,
        "batch": options.batch,
        "tokens": options.tokens,
        "compiled": is_compiled,
        "firstMs": 1e3 * first,
        "msPerStep": 1e3 * seconds,
        "tokensPerSecond": options.batch * options.tokens / seconds,
        "losses": [first_loss, last_loss],
    }


def products(options, device):
    """TFLOP/s of square products; f32 without TF32, then with it."""
    size = options.matrix
    rates = {}
    kinds = [("f32", torch.float32, False), ("f16", torch.float16, False)]
    kinds += [("bf16", torch.bfloat16, False), ("tf32", torch.float32, True)]
    for name, dtype, has_tf32 in kinds:
        if device != "cuda" and name in ("f16", "tf32"):
            continue
        torch.backends.cuda.matmul.allow_tf32 = has_tf32
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        c = torch.empty(size, size, device=device, dtype=dtype)
        seconds = median_seconds(lambda: torch.mm(a, b, out=c), device, repeats=10)
        rates[name] = 2 * size**3 / seconds / 1e12
    torch.backends.cuda.matmul.allow_tf32 = False
    return {"size": size, "tflops": rates}


def copy_rate(options, device):
    """GB/s of a copy on the device, read and written bytes together."""
    source = torch.ones(options.copy_mib * 2**18, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), device, repeats=10)
    return 2 * 4 * source.numel() / seconds / 1e9


def main():
    options = arguments()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    result = {
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "matmul": products(options, device),
        "copyGBs": copy_rate(options, device),
    }
    print(json.dumps(result), flush=True)
    result["training"] = train(options, device, is_compiled=False)
    print(json.dumps(result), flush=True)
    if not options.eager and hasattr(torch, "compile"):
        result["trainingEager"] = result["training"]
        result["training"] = train(options, device, is_compiled=True)
    if device == "cuda":
        result["peakMiB"] = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps(result), flush=True)


main()

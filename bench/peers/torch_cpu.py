"""Products, attention and the small GPT's training step in PyTorch on the CPU.

    OMP_NUM_THREADS=2 python3 torch_cpu.py TASK FOLDER

Prints what measure_engine.ts prints.
"""

import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

WARMUP_RUNS = 2
LEAST_RUNS = 3
MOST_RUNS = 15
BUDGET_S = 1.5

task, folder = sys.argv[1:3]
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


def numbers(name, dtype):
    with open(os.path.join(folder, name), "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype)


def time_runs(run):
    times = []
    start = time.perf_counter()
    for index in range(-WARMUP_RUNS, MOST_RUNS):
        begin = time.perf_counter()
        run()
        end = time.perf_counter()
        if index >= 0:
            times.append(1e3 * (end - begin))
        if len(times) >= LEAST_RUNS and end - start > BUDGET_S:
            break
    return times


def measure(run):
    """`run()` returns results by name."""
    begin = time.perf_counter()
    results = run()
    first = 1e3 * (time.perf_counter() - begin)
    error = 0.0
    for name, values in results.items():
        expected = numbers(f"{name}.f64", torch.float64)
        distance = (expected - values.detach().double().reshape(-1)).abs().max()
        error = max(error, (distance / expected.abs().max()).item())
    return {"error": error, "firstMs": first, "timesMs": time_runs(run)}


def matmul():
    a, b = (numbers(f"{name}.f32", torch.float32) for name in "ab")
    size = math.isqrt(len(a))
    a, b = a.view(size, size), b.view(size, size)
    return measure(lambda: {"c": a @ b})


def attend(q, k, v, mask):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    return (scores + mask).softmax(-1) @ v


def future(length):
    return torch.full((length, length), -math.inf).triu(1)


def attention(is_backward, num_heads=8, seq_len=256, head_dim=64):
    inputs = []
    for name in ("q", "k", "v", "dy"):
        values = numbers(f"{name}.f32", torch.float32).view(1, seq_len, num_heads, head_dim)
        inputs.append(values.transpose(1, 2).contiguous())
    mask = future(seq_len)
    q, k, v, dy = inputs
    if not is_backward:
        return measure(lambda: {"y": attend(q, k, v, mask).transpose(1, 2)})
    for tensor in (q, k, v):
        tensor.requires_grad_()

    def run():
        gradients = torch.autograd.grad(attend(q, k, v, mask), (q, k, v), dy)
        return {f"d{name}": dx.transpose(1, 2) for name, dx in zip("qkv", gradients)}

    return measure(run)


def training():
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    d_model, num_heads, head_dim = config["dModel"], config["numHeads"], config["headDim"]
    weights = {}
    for name in config["names"]:
        values = numbers(f"{name}.f32", torch.float32)
        columns = config["dHidden"] if "down_proj" in name else d_model
        shape = (columns,) if name.endswith("norm.weight") else (-1, columns)
        weights[name.replace("model.", "", 1)] = values.view(shape).requires_grad_()
    length = config["maxSeqLen"]
    tokens, targets = (
        numbers(f"{name}.u32", torch.int32).long().view(-1, length) for name in ("tokens", "targets")
    )
    losses = numbers("losses.f64", torch.float64).tolist()
    mask = future(length)

    def normalize(x, gain):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + config["eps"]) * gain

    def forward():
        x = F.embedding(tokens, weights["embed_tokens.weight"])
        x = x + weights["embed_positions.weight"]
        for block in range(config["numBlocks"]):

            def weight(part):
                return weights[f"layers.{block}.{part}.weight"]

            h = normalize(x, weight("input_layernorm"))
            q, k, v = (
                F.linear(h, weight(f"self_attn.{part}_proj"))
                .view(-1, length, num_heads, head_dim)
                .transpose(1, 2)
                for part in "qkv"
            )
            mixed = attend(q, k, v, mask).transpose(1, 2).reshape(-1, length, d_model)
            x = x + F.linear(mixed, weight("self_attn.o_proj"))
            h = normalize(x, weight("post_attention_layernorm"))
            x = x + F.linear(F.silu(F.linear(h, weight("mlp.up_proj"))), weight("mlp.down_proj"))
        return F.linear(normalize(x, weights["norm.weight"]), weights["lm_head.weight"])

    optimizer = torch.optim.AdamW(
        weights.values(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
    )

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward().view(-1, config["vocabSize"]), targets.view(-1))
        loss.backward()
        optimizer.step()
        return loss.item()

    begin = time.perf_counter()
    got = [step()]
    first = 1e3 * (time.perf_counter() - begin)
    got += [step() for _ in losses[1:]]
    error = max(abs(a - b) for a, b in zip(got, losses))
    return {"error": error, "firstMs": first, "timesMs": time_runs(step)}


if task.startswith("matmul"):
    report = matmul()
elif task == "training":
    report = training()
else:
    report = attention(task == "attentionBackward")
print(json.dumps({**report, "note": f"PyTorch {torch.__version__}"}))

"""A small PyTorch program for assay trace on a machine with a GPU; it knows nothing of Assay.

    assay trace -- python3 tests/gpu_trace.py
    assay trace --iteration step --stages encoder,decoder,replay -- python3 tests/gpu_trace.py

It does STEPS steps, and then starts itself once more as a child. A step is an encoder (4 products), a decoder (24 small
products and as many sums) and the replay of a captured decoder. What CUDA's own events say of each is printed, so that
it can be compared with what comes out: encoder, decoder and replay have the work of two processes, and nothing but the
preparation (weights, warming up, capturing) stands outside of a stage.
"""

import subprocess
import sys

import torch
from torch.cuda import nvtx

STEPS, WIDTH, LAYERS, TOKENS = 5, 2048, 24, 512


def encode(x, w):
    for _ in range(4):
        x = torch.relu(x @ w)
    return x


def decode(x, w):
    for _ in range(LAYERS):
        x = x + x @ w
    return x


def capture(x, w):
    graph = torch.cuda.CUDAGraph()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        decode(x, w)  # libraries make their workspaces before they are captured
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        decode(x, w)
    return graph


class Timer:
    """Milliseconds between two events of the stream, summed by name."""

    def __init__(self):
        self.pairs = []

    def run(self, name, work):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        with nvtx.range(name):
            begin.record()
            out = work()
            end.record()
        self.pairs.append((name, begin, end))
        return out

    def print(self):
        sums = {}
        for name, begin, end in self.pairs:
            sums[name] = sums.get(name, 0) + begin.elapsed_time(end)
        print("CUDA's events:", ", ".join(f"{name} {ms:.3f} ms" for name, ms in sums.items()), flush=True)


def main(is_child):
    options = {"device": "cuda", "dtype": torch.bfloat16}
    w = torch.randn(WIDTH, WIDTH, **options) / WIDTH
    many, one = torch.randn(TOKENS, WIDTH, **options), torch.randn(1, WIDTH, **options)
    encode(many, w), decode(one, w)
    graph = capture(one, w)
    torch.cuda.synchronize()
    timer = Timer()
    for _ in range(STEPS):
        with nvtx.range("step"):
            timer.run("encoder", lambda: encode(many, w))
            timer.run("decoder", lambda: decode(one, w))
            timer.run("replay", graph.replay)
            torch.cuda.synchronize()
    timer.print()
    if not is_child:
        subprocess.run([sys.executable, __file__, "child"], check=True)


main(len(sys.argv) > 1)

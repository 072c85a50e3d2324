#!/usr/bin/env python3
"""The same operations through PyTorch: torch_reference.py FOLDER prints rows as measure.hpp describes them.

Matrix products (the library's choice, and where Triton is installed a tiled kernel written in it, checked against the library's result),
attention through scaled_dot_product_attention, RMSNorm; and, into FOLDER, a Kineto trace of a two-layer decoder step (kineto.json.gz), for
`rooftrace trace import --format kineto`. Times are CUDA events, three warm-ups, median, minimum
and p90 of up to 25; cold: the inputs rotate among copies that together exceed twice the L2.
"""

import gzip
import json
import pathlib
import sys

import torch
import torch.nn.functional as functional

try:
    import triton
    import triton.language as tl
except ImportError:  # PyTorch's wheels for Linux bring it; others do not.
    triton = None

WARM_UPS = 3
L2_BYTES = torch.cuda.get_device_properties(0).L2_cache_size


def row(kind, case, quantity, times, unit, state):
    times = sorted(times)
    middle = times[len(times) // 2] if len(times) % 2 else (times[len(times) // 2 - 1] + times[len(times) // 2]) / 2
    print(f"{kind},{case},{quantity},{middle:.9g},{times[0]:.9g},{times[(len(times) - 1) * 9 // 10]:.9g},{len(times)},{unit},{state}", flush=True)


def timed(work, copies, repeats=15):
    """Microseconds per call of work(copy)."""
    for i in range(WARM_UPS):
        work(i % copies)
    times = []
    for i in range(repeats):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        work(i % copies)
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3)
    return times


def copies_of(each):
    return max(1, min(64, 2 * L2_BYTES // each + 1))


def gemms():
    for n, k in ((4096, 4096), (14336, 4096), (8192, 8192), (28672, 8192)):
        for m in (1, 64, 2048, 8192):
            copies = copies_of(2 * (m * k + n * k + m * n))
            a = [torch.randn(m, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            b = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            row("gemm", f"dtype=bf16 m={m} n={n} k={k} kernel=torch", "time_us", timed(lambda i: a[i] @ b[i].T, copies), "us", "cold")


# Tiles: as Triton's own examples choose them on GPUs since sm_80; a row of tiles of 8 goes through the L2 together.
TRITON_TILE = {"tile_m": 128, "tile_n": 128, "tile_k": 64, "group": 8}
TRITON_LAUNCH = {"num_warps": 8, "num_stages": 3}

if triton is not None:

    @triton.jit
    def triton_gemm_kernel(a, b, c, m, n, k, tile_m: tl.constexpr, tile_n: tl.constexpr, tile_k: tl.constexpr, group: tl.constexpr):
        """c[m, n] = a[m, k] b[n, k]^T, all row-major; k a multiple of tile_k."""
        block = tl.program_id(0)
        across = tl.cdiv(n, tile_n)
        first = block // (group * across) * group
        rows = min(tl.cdiv(m, tile_m) - first, group)
        at_m = first + block % (group * across) % rows
        at_n = block % (group * across) // rows
        i = (at_m * tile_m + tl.arange(0, tile_m)) % m  # Beyond the edge: some row again; it is not stored.
        j = (at_n * tile_n + tl.arange(0, tile_n)) % n
        step = tl.arange(0, tile_k)
        sums = tl.zeros((tile_m, tile_n), dtype=tl.float32)
        from_a = a + i[:, None].to(tl.int64) * k + step[None, :]
        from_b = b + j[None, :].to(tl.int64) * k + step[:, None]
        for _ in range(0, k, tile_k):
            sums = tl.dot(tl.load(from_a), tl.load(from_b), sums)
            from_a += tile_k
            from_b += tile_k
        i = at_m * tile_m + tl.arange(0, tile_m)
        j = at_n * tile_n + tl.arange(0, tile_n)
        to = c + i[:, None].to(tl.int64) * n + j[None, :]
        tl.store(to, sums.to(tl.bfloat16), mask=(i[:, None] < m) & (j[None, :] < n))


def triton_gemms():
    if triton is None:
        print("no triton: its matrix product is left out", file=sys.stderr)
        return
    print(f"triton {triton.__version__}, tiles {TRITON_TILE}, {TRITON_LAUNCH}", file=sys.stderr)
    for n, k in ((4096, 4096), (14336, 4096)):
        for m in (64, 2048, 8192):
            copies = copies_of(2 * (m * k + n * k + m * n))
            a = [torch.randn(m, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            b = [torch.randn(n, k, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            c = [torch.empty(m, n, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
            grid = (triton.cdiv(m, TRITON_TILE["tile_m"]) * triton.cdiv(n, TRITON_TILE["tile_n"]),)

            def call(i):
                triton_gemm_kernel[grid](a[i], b[i], c[i], m, n, k, **TRITON_TILE, **TRITON_LAUNCH)

            call(0)
            wanted = (a[0] @ b[0].T).float()
            # Both round sums of k products to bf16: 2^-8 of the result, which is about sqrt(k).
            if not torch.allclose(c[0].float(), wanted, rtol=2**-7, atol=2**-7 * k**0.5):
                raise RuntimeError(f"triton: m={m} n={n} k={k} is wrong by up to {(c[0].float() - wanted).abs().max().item():.3g}")
            row("gemm", f"dtype=bf16 m={m} n={n} k={k} kernel=triton", "time_us", timed(call, copies), "us", "cold")


def attention():
    for batch, tokens, stage in ((1, 2048, "prefill"), (1, 8192, "prefill"), (1, 16384, "decode"), (32, 4096, "decode")):
        length = tokens if stage == "prefill" else 1
        copies = copies_of(4 * batch * 8 * tokens * 128)
        q = torch.randn(batch, 32, length, 128, device="cuda", dtype=torch.bfloat16)
        keys = [torch.randn(batch, 8, tokens, 128, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
        values = [torch.randn(batch, 8, tokens, 128, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]

        def call(i):
            return functional.scaled_dot_product_attention(q, keys[i], values[i], is_causal=stage == "prefill", enable_gqa=True)

        row("attention", f"stage={stage} kernel=sdpa dtype=bf16 batch={batch} q_heads=32 kv_heads=8 head_dim=128 q_len={length} kv_len={tokens}",
            "time_us", timed(call, copies), "us", "cold")


def norms():
    for rows, cols in ((64, 4096), (8192, 4096), (8192, 8192)):
        copies = copies_of(4 * rows * cols)
        x = [torch.randn(rows, cols, device="cuda", dtype=torch.bfloat16) for _ in range(copies)]
        weight = torch.randn(cols, device="cuda", dtype=torch.bfloat16)
        row("elementwise", f"op=rmsnorm dtype=bf16 rows={rows} cols={cols} kernel=torch", "time_us",
            timed(lambda i: functional.rms_norm(x[i], (cols,), weight), copies), "us", "cold")


def kineto(folder):
    width, heads = 1024, 8

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = torch.nn.Linear(width, 3 * width), torch.nn.Linear(width, width)
            self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

        def forward(self, x):
            q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in self.qkv(functional.rms_norm(x, (width,))).chunk(3, -1))
            x = x + self.out(functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
            return x + self.down(functional.silu(self.up(functional.rms_norm(x, (width,)))))

    model = torch.nn.Sequential(Layer(), Layer()).cuda().bfloat16()
    x = torch.randn(2, 128, width, device="cuda", dtype=torch.bfloat16)
    with torch.no_grad():
        model(x)
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities, record_shapes=True) as profile:
            model(x)
            torch.cuda.synchronize()
    path = pathlib.Path(folder) / "kineto.json"
    profile.export_chrome_trace(str(path))
    json.loads(path.read_text())  # Whole, or an error here.
    (pathlib.Path(folder) / "kineto.json.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def main():
    print("kind,case,quantity,median,min,p90,repeats,unit,l2_state")
    print(f"torch {torch.__version__}, CUDA {torch.version.cuda}", file=sys.stderr)
    failed = 0
    for part in (gemms, triton_gemms, attention, norms, lambda: kineto(sys.argv[1])):
        try:
            part()
        except Exception as error:  # One part less; the others are worth having.
            print(f"{getattr(part, '__name__', part)}: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""validation/gpu/torch_reference.py without PyTorch, Triton and a GPU: it does without Triton, and its Triton kernel, run block by block on
NumPy, is a matrix product, edges included.

Environment: ROOFTRACE_SOURCE_DIR is the repository.
"""

import contextlib
import importlib.util
import io
import os
import pathlib
import sys
import types
import unittest
import unittest.mock

import numpy as np

ROOT = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
SCRIPT = ROOT / "validation/gpu/torch_reference.py"


def fake_torch():
    torch = types.ModuleType("torch")
    torch.nn = types.ModuleType("torch.nn")
    torch.nn.functional = types.ModuleType("torch.nn.functional")
    torch.cuda = types.SimpleNamespace(get_device_properties=lambda _: types.SimpleNamespace(L2_cache_size=1 << 20))
    return {"torch": torch, "torch.nn": torch.nn, "torch.nn.functional": torch.nn.functional}


class Array(np.ndarray):
    def to(self, kind):
        return self.astype(kind)


class Pointer:
    """A flat array and places in it."""

    def __init__(self, memory, at=0):
        self.memory, self.at = memory, at

    def __add__(self, other):
        return Pointer(self.memory, self.at + other)


def fake_triton(block):
    tl = types.ModuleType("triton.language")
    tl.constexpr, tl.float32, tl.bfloat16, tl.int64 = int, np.float32, np.float32, np.int64
    tl.cdiv = lambda a, b: -(-a // b)
    tl.program_id = lambda axis: block[axis]
    tl.arange = lambda begin, end: np.arange(begin, end).view(Array)
    tl.zeros = lambda shape, dtype: np.zeros(shape, dtype).view(Array)
    tl.load = lambda pointer: pointer.memory[pointer.at]
    tl.dot = lambda a, b, sums: sums + a @ b

    def store(pointer, values, mask):
        at, values = np.broadcast_to(pointer.at, mask.shape)[mask], values[mask]
        assert np.isnan(pointer.memory[at]).all(), "stored twice"
        pointer.memory[at] = values

    tl.store = store
    triton = types.ModuleType("triton")
    triton.jit, triton.cdiv, triton.language, triton.__version__ = (lambda f: f), tl.cdiv, tl, "none"
    return {"triton": triton, "triton.language": tl}


def load(modules):
    with unittest.mock.patch.dict(sys.modules, modules):
        spec = importlib.util.spec_from_file_location("torch_reference", SCRIPT)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


class TorchReference(unittest.TestCase):
    def test_without_triton_its_part_is_left_out(self):
        module = load({**fake_torch(), "triton": None})
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            module.triton_gemms()
        self.assertIn("no triton", said.getvalue())

    def test_the_triton_kernel_is_a_matrix_product(self):
        block = [0]
        module = load({**fake_torch(), **fake_triton(block)})
        random = np.random.default_rng(1)
        # Tiles of 16 x 8: whole ones, edges on both sides, fewer rows of tiles than a group, and a last group that is not full.
        for m, n, k, group in ((32, 16, 16, 2), (33, 20, 24, 2), (7, 50, 8, 8), (100, 9, 16, 3)):
            a, b = (random.standard_normal((rows, k)).astype(np.float32) for rows in (m, n))
            c = np.full(m * n, np.nan, np.float32)
            for block[0] in range(-(-m // 16) * -(-n // 8)):
                module.triton_gemm_kernel(Pointer(a.reshape(-1)), Pointer(b.reshape(-1)), Pointer(c), m, n, k, 16, 8, 8, group)
            np.testing.assert_allclose(c.reshape(m, n), a @ b.T, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""Machine code of the kernels with the empty tracing policy, compared with the same source without any tracing in it.

    check_sass.py --nvcc NVCC --root REPOSITORY --arch sm_80 --arch sm_90a

Compiles sass_check.cu twice per architecture into cubins and compares, kernel by kernel, the bytes of the code sections (every
instruction with its control bits; stricter than comparing a disassembly, and it needs no disassembler). Where cuobjdump is beside nvcc
its -sass text is compared as well. Exit codes: 0 the same; 1 different, with the kernels' names; 77 no nvcc.
"""

import argparse
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

KERNELS = {  # name in the mangled symbol -> instances in sass_check.cu
    "rms_norm": 1, "swiglu": 1, "silu": 1, "multiply": 1, "rope": 1, "reduce_splits": 1, "prefill": 1, "gemm_mma": 1, "moe_gemm": 1,
    "gemm_tma": 1, "paged_decode": 2,
}


def code_sections(path):
    """{kernel name, instance: bytes} of a cubin (64-bit ELF)."""
    data = path.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        sys.exit(f"{path}: not a 64-bit ELF file")
    offset, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, offset + i * size) for i in range(count)]
    names_at = headers[names][4]
    found = {}
    for header in headers:
        end = data.index(b"\0", names_at + header[0])
        name = data[names_at + header[0]:end].decode()
        match = re.match(r"\.text\._ZN9rooftrace7capture\d+([a-z_]+?)(?:E|I(?:Lj(\d+)E)?)", name)
        if match:
            found[(match[1], match[2] or "")] = data[header[4]:header[4] + header[5]]
    return found


def compiled(nvcc, root, arch, folder, flags):
    out = pathlib.Path(folder) / f"{arch}{''.join(flags)}.cubin"
    command = [nvcc, "-std=c++20", f"-I{root}", "-cubin", "-gencode", f"arch={arch.replace('sm', 'compute')},code={arch}", *flags,
               str(root / "traces/capture/sass_check.cu"), "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return out


def disassembly(nvcc, cubin):
    tool = pathlib.Path(nvcc).resolve().parent / "cuobjdump"
    if not tool.exists():
        return None
    text = subprocess.run([tool, "-sass", cubin], capture_output=True, text=True, check=True).stdout
    parts = {}
    for part in text.split("Function : ")[1:]:
        head, _, body = part.partition("\n")
        match = re.match(r"_ZN9rooftrace7capture\d+([a-z_]+?)(?:E|I(?:Lj(\d+)E)?)", head)
        parts[(match[1], match[2] or "")] = body.split("..........")[0]
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", required=True)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--arch", action="append", required=True)
    arguments = parser.parse_args()
    if not pathlib.Path(arguments.nvcc).exists():
        print(f"skipped: no nvcc at {arguments.nvcc}")
        return 77
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        for arch in arguments.arch:
            plain = compiled(arguments.nvcc, arguments.root, arch, folder, [])
            stripped = compiled(arguments.nvcc, arguments.root, arch, folder, ["-DROOFTRACE_STRIP_TRACE"])
            with_policy, without = code_sections(plain), code_sections(stripped)
            for name, instances in KERNELS.items():
                keys = [key for key in with_policy if key[0] == name]
                if len(keys) != instances:
                    bad.append(f"{arch} {name}: {len(keys)} instances found, {instances} expected")
                for key in keys:
                    if with_policy[key] != without.get(key):
                        bad.append(f"{arch} {name}{key[1]}: {len(with_policy[key])} B of code, {len(without.get(key, b''))} B without tracing")
            texts = disassembly(arguments.nvcc, plain), disassembly(arguments.nvcc, stripped)
            if texts[0] != texts[1]:
                bad.append(f"{arch}: cuobjdump -sass differs")
            print(f"{arch}: {len(with_policy)} kernels, {sum(map(len, with_policy.values()))} B of code"
                  f"{', also as cuobjdump prints it' if texts[0] else ''}")
    print("\n".join(bad) if bad else "the same machine code with the empty policy and without tracing")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

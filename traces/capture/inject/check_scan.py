#!/usr/bin/env python3
"""Whether code_scan.cpp names the instructions of scan_check.cu rightly: check_scan.py --nvcc NVCC --root REPOSITORY --scan PROGRAM

Compiles it for sm_90a and lets rooftrace-scan-cubin count; each kernel's name says what it must hold. Exit codes: 0; 1: a wrong count; 77: no
nvcc.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", required=True)
    parser.add_argument("--root", required=True, type=pathlib.Path)
    parser.add_argument("--scan", required=True)
    arguments = parser.parse_args()
    if not pathlib.Path(arguments.nvcc).exists():
        print(f"skipped: no nvcc at {arguments.nvcc}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        cubin = pathlib.Path(folder) / "check.cubin"
        source = arguments.root / "traces/capture/inject/scan_check.cu"
        subprocess.run([arguments.nvcc, "-std=c++20", "-cubin", "-gencode", "arch=compute_90a,code=sm_90a", str(source), "-o", str(cubin)], check=True)
        text = subprocess.run([arguments.scan, str(cubin)], check=True, capture_output=True, text=True).stdout
    pattern = re.compile(r"sm_90 (\w+): \d+ instructions, (\d+) global, (\d+) async, (\d+) tensor, (\d+) bulk; (.*)")
    found = {match[1]: match for match in map(pattern.match, text.splitlines())}
    wrong = [] if len(found) == 20 else [f"{len(found)} kernels, 20 expected"]
    for name, match in sorted(found.items()):
        counts = dict(zip(("global", "async", "tensor", "bulk"), map(int, match.groups()[1:5])))
        kind = name.split("_")[0]
        expected = {key: int(key == kind) for key in counts}
        # An atomic on a generic address is several instructions: the hardware asks which space it is.
        good = counts[kind] >= 1 and {**counts, kind: 1} == expected if kind != "none" else not any(counts.values())
        says = "tensor copies" in match[6] if kind == "tensor" else "not patched" in match[6] if kind == "bulk" else match[6] == "complete"
        if not good or not says:
            wrong.append(f"{name}: {counts}; {match[6]}")
    print("\n".join(wrong) if wrong else f"{len(found)} kernels counted rightly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

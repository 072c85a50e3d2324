#!/usr/bin/python3
"""Imports from outside: every format becomes a trace file that is sound and simulates; what is wrong is one line and exit code 2.

Environment: ROOFTRACE is the program, ROOFTRACE_SOURCE_DIR the repository.
"""

import gzip
import json
import lzma
import os
import pathlib
import re
import resource
import struct
import subprocess
import sys
import unittest
import zlib

from _program_case import ProgramCase

SOURCE = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
ACCELSIM = SOURCE / "tests/fixtures/accelsim"
KINETO = SOURCE / "tests/fixtures/kineto"
SAMPLES = SOURCE / "traces/capture/samples"
CSV = """block,step,op,address,bytes,kernel,role
0,0,load,0x10000000,4096,"gemm, tiled",weights
0,0,store,0x20000000,4096,"gemm, tiled",activations
1,0,load,0x10001000,4096,"gemm, tiled",weights
"""


def zstd_frame(data):
    """One frame of one uncompressed block (RFC 8878): single segment, content size in four bytes."""
    return struct.pack("<IBI", 0xFD2FB528, 0b10100000, len(data)) + (1 | len(data) << 3).to_bytes(3, "little") + data


def tracez(head, blocks):
    """blocks: [(x, [lines of warp 0, ...])]; one sub-chunk a warp."""
    out = head.encode() + b"\0" + struct.pack("<II", 0, 1000)
    index = struct.pack("<I", len(blocks))
    for x, warps in blocks:
        index += struct.pack("<11I", x, *[0] * 9, len(warps))
        for lines in warps:
            index += struct.pack("<IIQI", len(lines), 1, len(out), len(lines))
            frame = zstd_frame("".join(line + "\n" for line in lines).encode())
            out += struct.pack("<III", len(lines), 1, len(frame)) + frame
    return out + index + struct.pack("<Q", len(out))


class ImportCase(ProgramCase):
    def take(self, form, path, *more, out="t.trace.h5"):
        """Imports, checks, simulates; the import's report and the simulation's JSON."""
        report = self.run_program("trace", "import", "--format", form, path, "-o", out, *more).stdout
        self.assertIn("sound", self.run_program("trace", "check", out).stdout)
        simulated = self.run_program("simulate", "--trace", out, "--hardware", "h100-sxm", "--format", "json").stdout
        return report, json.loads(simulated)

    def refuse(self, form, path, *more):
        done = self.run_program("trace", "import", "--format", form, path, "-o", "no.trace.h5", *more, code=2)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertFalse((self.folder / "no.trace.h5").exists())
        self.assertEqual([f for f in os.listdir(self.folder) if f.endswith(".tmp")], [])
        return done.stderr

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


class AccelSim(ImportCase):
    def test_the_list(self):
        report, _ = self.take("accelsim", ACCELSIM / "kernelslist.g")
        # 2 x 4 + 4 x 2 x 8 + 5 + 2 x (7 + 3 x 3) instructions.
        self.assertIn("5 kernels, 10 blocks, 109 warp instructions", report)
        # Loads (those of the copy engine are not counted): kernel-1: 64 sectors; kernel-2: 8 warps x 2 x
        # 128 B; kernel-3: 15 distinct places 64 B apart, one sector each; kernel-4: 16 rows x 128 B, and two bulk copies of 256 B.
        loads = 64 * 32 + 8 * 2 * 128 + 15 * 32 + 16 * 128 + 2 * 256
        # Stores: 2 x 128; 8 x 128; one sector; 2 x 256. Atomics: one sector.
        stores = 2 * 128 + 8 * 128 + 32 + 2 * 256
        self.assertIn(f"loads {loads / 1000:.3g} kB, stores {stores / 1000:.3g} kB, atomics 32 B", report)
        self.assertRegex(report, r"local memory +1 records, 16 B")
        self.assertRegex(report, r"shared memory +16 records, 2.05 kB")
        self.assertIn("left out                     local memory (spills; assumed to stay in L1): 1 (16 B)", report)
        self.assertIn("lines of the list that are no kernel and no MemcpyHtoD: 1", report)
        # Eight HGMMA a quarter of 64 x 128 x 16 each, 256 lanes of FFMA.
        self.assertIn("tensor 5.243e+05 FLOP, CUDA cores 512 FLOP", report)
        self.assertIn("import.left_out", self.run_program("trace", "info", "t.trace.h5").stdout)

    def test_packed_forms_are_the_same(self):
        reports = []
        for number in (1, 2, 3, 4):
            text = (ACCELSIM / f"kernel-{number}.traceg").read_text()
            self.write("k.traceg.xz", lzma.compress(text.encode()))
            head = text[: text.index("\n#")]
            blocks = []
            for body in text.split("#BEGIN_TB")[1:]:
                warps = [w.split("\n")[2:] for w in body.split("#END_TB")[0].split("warp = ")[1:]]
                x = int(re.search(r"thread block = (\d+)", body)[1])
                blocks.append((x, [[line for line in w if line] for w in warps]))
            self.write("k.tracez", tracez(head, list(reversed(blocks))))
            plain, plain_result = self.take("accelsim", ACCELSIM / f"kernel-{number}.traceg")
            for packed in ("k.traceg.xz", "k.tracez"):
                report, result = self.take("accelsim", packed)
                self.assertEqual(report, plain)
                self.assertEqual(result["stages"], plain_result["stages"])
            reports.append(plain)
        self.assertEqual(len(set(reports)), 4)

    def test_l1_is_an_option(self):
        line = "0010 ffffffff 1 R2 LDG.E 1 R4 4 1 0x7f4000000000 4 0\n"
        head = (ACCELSIM / "kernel-1.traceg").read_text().split("#")[0]
        self.write("twice.traceg", head + "#BEGIN_TB\nthread block = 0,0,0\nwarp = 0\ninsts = 2\n" + 2 * line + "#END_TB\n")
        self.assertIn("loads 128 B", self.take("accelsim", "twice.traceg")[0])
        self.assertIn("loads 256 B", self.take("accelsim", "twice.traceg", "--l1", "0")[0])
        self.assertIn("blocks not captured", self.take("accelsim", "twice.traceg")[0])

    def test_mistakes(self):
        self.assertIn("no such file", self.refuse("accelsim", "missing.g"))
        self.write("kernelslist.g", "kernel-9.traceg\n")
        self.assertIn("kernel-9.traceg: no such file", self.refuse("accelsim", "kernelslist.g"))
        self.write("kernelslist.g", "kernel-1.trace\n")
        self.assertIn("is no trace by its name", self.refuse("accelsim", "kernelslist.g"))
        self.write("kernelslist.g", "kernel/../../etc/passwd\n")
        self.assertIn("kernelslist.g:1:1:", self.refuse("accelsim", "kernelslist.g"))
        text = (ACCELSIM / "kernel-2.traceg").read_text()
        self.write("k.traceg", text.replace("insts = 8", "insts = 4000000000", 1))
        self.assertRegex(self.refuse("accelsim", "k.traceg"), r"k\.traceg:\d+:1: warp 0 has 8 instructions, not the 4000000000")
        self.write("k.traceg", text.replace("LDG.E 1 R4", "LDG.E 1 Q4", 1))
        self.assertRegex(self.refuse("accelsim", "k.traceg"), r'k\.traceg:23:31: "Q4" is not a register')
        self.write("k.traceg", text[: len(text) // 2])
        self.assertRegex(self.refuse("accelsim", "k.traceg"), r"k\.traceg:\d+:\d+: ")
        packed = lzma.compress(text.encode())
        self.write("k.traceg.xz", packed[: len(packed) // 2])
        self.assertIn("k.traceg.xz: byte", self.refuse("accelsim", "k.traceg.xz"))

    def test_a_bomb_stays_small(self):
        head = (ACCELSIM / "kernel-1.traceg").read_text().split("#")[0].encode()
        self.write("bomb.traceg.xz", lzma.compress(head + b"x" * (256 << 20), preset=0))
        # Unpacked whole, the text alone would take more than the limit.
        limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (192 << 20, 192 << 20))
        done = self.run_program("trace", "import", "--format", "accelsim", "bomb.traceg.xz", "-o", "b.trace.h5", "--threads", "1", code=2,
                                preexec_fn=limit)
        self.assertIn("the line is longer than 1024 KiB", done.stderr)


class Others(ImportCase):
    def test_kineto_names_every_kernel(self):
        made = subprocess.run([sys.executable, "-B", KINETO / "make_two_layers.py"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(made, (KINETO / "two_layers.json").read_text(), "the fixture is not what its script makes")
        report, _ = self.take("kineto", KINETO / "two_layers.json")
        profile = json.loads(made)
        ran = [e for e in profile["traceEvents"] if e.get("cat") in ("kernel", "gpu_memcpy", "gpu_memset")]
        for event in ran:
            self.assertIn(event["name"], report)
        self.assertIn("operator mylib::secret_sauce: 2", report)
        dump = self.run_program("trace", "info", "t.trace.h5", "--format", "json").stdout
        for event in ran:
            self.assertIn(json.dumps(event["name"])[1:-1], report + dump)

    def test_kineto_packed_is_the_same(self):
        plain = (KINETO / "two_layers.json").read_bytes()
        self.write("p.json.gz", gzip.compress(plain))
        report, _ = self.take("kineto", "p.json.gz")
        self.assertEqual(report, self.take("kineto", KINETO / "two_layers.json")[0])
        self.write("p.json.gz", gzip.compress(plain)[:-100])
        self.assertRegex(self.refuse("kineto", "p.json.gz"), r"p\.json\.gz: byte \d+: ends in the middle: the \.gz file is cut off")
        # 2 GiB of blanks: refused long before they are all read, in little memory.
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        bomb = b"".join(packer.compress(b" " * (1 << 24)) for _ in range(128)) + packer.flush()
        self.write("bomb.json.gz", bomb)
        limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))  # noqa: E731
        done = self.run_program("trace", "import", "--format", "kineto", "bomb.json.gz", "-o", "no.trace.h5", code=2, preexec_fn=limit)
        self.assertIn("unpacks to more than 300 times its size", done.stderr)

    def test_kineto_mistakes(self):
        self.write("p.json", '{"traceEvents": [\n{"ph": "X" "cat"}]}')
        self.assertRegex(self.refuse("kineto", "p.json"), r"p\.json:2:\d+: is not JSON")
        self.write("p.json", "{}")
        self.assertIn("has no \"traceEvents\"", self.refuse("kineto", "p.json"))

    def test_captures(self):
        for sample in sorted(SAMPLES.glob("*.rtcap")):
            report, _ = self.take("rooftrace-capture", sample)
            self.assertIn("imported rooftrace-capture", report)
        damaged = bytearray(sample.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        self.write("d.rtcap", bytes(damaged))
        self.assertIn("d.rtcap: byte 0: the checksum does not fit", self.refuse("rooftrace-capture", "d.rtcap"))
        self.write("d.rtcap", sample.read_bytes()[:-8])
        self.assertIn("cut off, or damaged", self.refuse("rooftrace-capture", "d.rtcap"))

    def test_csv(self):
        self.write("t.csv", CSV)
        report, result = self.take("csv", "t.csv")
        self.assertIn("1 kernels, 2 blocks, 3 rows, 2 steps, 3 accesses", report)
        self.assertIn("loads 8.19 kB, stores 4.1 kB", report)
        self.assertIn("gemm, tiled", report)
        self.assertTrue(result["stages"])
        self.write("t.csv", CSV.replace("store", "stroe"))
        self.assertIn('t.csv:3:5: op "stroe" is not load, store or reduce; did you mean "store"?', self.refuse("csv", "t.csv"))

    def test_what_touches_more_than_the_memory_does_not_fit(self):
        # 64 blocks that load 1 MiB each on a machine of 60 MB.
        self.write("t.csv", "block,step,op,address,bytes\n" + "".join(f"{b},0,load,{b << 20},1048576\n" for b in range(64)))
        self.take("csv", "t.csv")
        said = self.run_program("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--set", "hardware.hbm.capacity=60 MB", code=2).stderr
        self.assertIn('t.trace.h5: kernel 0 ("kernel") touches 67.1 MB, more than the 60 MB of h100-sxm', said)

    def test_the_same_bytes_every_time(self):
        self.take("accelsim", ACCELSIM / "kernelslist.g", "--threads", "1", out="a.trace.h5")
        first = (self.folder / "a.trace.h5").read_bytes()
        self.take("accelsim", ACCELSIM / "kernelslist.g", "--threads", "1", out="a.trace.h5")
        self.assertEqual(first, (self.folder / "a.trace.h5").read_bytes())

    def test_command_lines(self):
        self.write("t.csv", CSV)
        run = lambda *words: self.run_program("trace", "import", *words, code=2).stderr
        self.assertIn("which format?", run("t.csv", "-o", "x.h5"))
        self.assertIn('did you mean "csv"?', run("--format", "cvs", "t.csv", "-o", "x.h5"))
        self.assertIn("which file?", run("--format", "csv", "-o", "x.h5"))
        self.assertIn("where to?", run("--format", "csv", "t.csv"))
        self.assertIn("--l1", run("--format", "csv", "t.csv", "-o", "x.h5", "--l1", "256 KB/s"))
        self.assertIn("--sms", run("--format", "csv", "t.csv", "-o", "x.h5", "--sms", "0"))
        self.assertIn("does not take it", run("--format", "csv", "t.csv", "-o", "x.h5", "--batch", "3"))
        help_text = self.run_program("trace", "--help").stdout
        for word in ("accelsim", "kineto", "rooftrace-capture", "csv", "--sms", "--l1", "--depth"):
            self.assertIn(word, help_text)


if __name__ == "__main__":
    unittest.main()

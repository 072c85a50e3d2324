#!/usr/bin/python3
"""Trace files from outside: generated, inspected, checked, simulated like the scenario itself, read and written by h5py, and damaged.

Environment: ROOFTRACE is the program, ROOFTRACE_SOURCE_DIR the repository.
"""

import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import unittest

import h5py
import numpy as np
from _program_case import PROGRAM, ProgramCase

SOURCE = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
SAMPLES = SOURCE / "traces/samples"
LLAMA = ["--hardware", "h100-sxm", "--model", "llama-3.1-8b"]
SMALL = LLAMA + ["--set", "model.layers=3", "--stage", "decode", "--context", "512"]


class TraceCase(ProgramCase):
    def generate(self, *options, name="t.trace.h5"):
        self.run_program("trace", "generate", *options, "-o", name)
        return self.folder / name

    def refused(self, *arguments):
        """The one line of an error."""
        said = self.run_program(*arguments, code=2)
        self.assertEqual(said.stdout, "")
        self.assertEqual(said.stderr.count("\n"), 1, said.stderr)
        return said.stderr


class LikeTheScenario(TraceCase):
    def same(self, options, run=()):
        """Everything in the report but its provenance, kernels included (in result.h5)."""
        self.generate(*options)
        hardware = options[options.index("--hardware") + 1]
        reports = []
        for arguments in (["--trace", "t.trace.h5", "--hardware", hardware], options):
            report = json.loads(self.run_program("simulate", *arguments, *run, "--format", "json", "-o", "r.h5").stdout)
            for key in ("command", "config"):
                del report[key]
            reports.append(report)
            with h5py.File(self.folder / "r.h5") as file:
                found = {}
                # Host time is not a result.
                file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) and "wall" not in name else None)
            reports.append(found)
        self.assertEqual(reports[0], reports[2])
        self.assertEqual(reports[1].keys(), reports[3].keys())
        for name, values in reports[1].items():
            np.testing.assert_array_equal(values, reports[3][name], err_msg=name)

    def test_decode_and_prefill(self):
        self.same(LLAMA + ["--set", "model.layers=4", "--context", "1024", "--prompt", "256"])

    def test_every_layer_and_a_warm_cache(self):
        self.same(SMALL + ["--batch", "3"], ["--layers", "exact", "--start", "warm"])

    def test_tensor_parallel(self):
        self.same(["--hardware", "h200-sxm", "--model", "llama-3.1-70b", "--set", "model.layers=3", "--tp", "8", "--weights", "fp8",
                   "--context", "256", "--prompt", "128"])

    def test_offload(self):
        self.same(LLAMA + ["--set", "model.layers=4", "--offload", "weights=0.5,kv=0.5", "--context", "512", "--prompt", "64"])

    def test_without_time(self):
        self.same(SMALL, ["--fidelity", "cache"])
        self.same(SMALL, ["--fidelity", "bound"])

    def test_another_machine_runs_the_same_trace(self):
        self.generate(*SMALL)
        report = json.loads(self.run_program("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--set",
                                             "hardware.l2.capacity=96 MiB", "--set", "hardware.l2.effective=90 MiB", "--format", "json").stdout)
        self.assertIn("trace: t.trace.h5", report["config"])
        self.assertIn("96 MiB", report["config"])


class TheFile(TraceCase):
    def test_storing_layers_once_changes_nothing_but_the_size(self):
        self.generate(*SMALL, name="once.trace.h5")
        self.generate(*SMALL, "--layers", "exact", name="all.trace.h5")
        dumps = [re.sub(r" repeats \d+", "", self.run_program("trace", "dump", name).stdout) for name in ("once.trace.h5", "all.trace.h5")]
        self.assertEqual(dumps[0], dumps[1])
        self.assertGreater(len(dumps[0]), 1_000_000)
        blocks = [json.loads(self.run_program("trace", "info", name, "--format", "json").stdout)["records"]["blocks"]
                  for name in ("once.trace.h5", "all.trace.h5")]
        self.assertLess(blocks[0], blocks[1])

    def test_the_same_bytes_at_any_number_of_threads(self):
        options = LLAMA + ["--set", "model.layers=1", "--stage", "prefill", "--prompt", "1024", "--kernel", "ffn_up"]
        bytes_of = []
        for threads in ("1", "2", "5"):
            # Columns, because the command line with its --threads is in the file too.
            self.run_program("trace", "generate", *options, "--threads", threads, "-o", "t.trace.h5")
            with h5py.File(self.folder / "t.trace.h5") as file:
                bytes_of.append({name: file[name][()].tobytes() for name in ("access/address", "access/shape", "step/kind")})
            size = (self.folder / "t.trace.h5").stat().st_size
            self.assertLess(size, 400_000)
        self.assertEqual(bytes_of[0], bytes_of[1])
        self.assertEqual(bytes_of[0], bytes_of[2])

    def test_a_whole_decode_step_is_small(self):
        path = self.generate(*LLAMA, "--stage", "decode", "--layers", "exact")
        self.assertLess(path.stat().st_size, 20_000_000)  # all 32 layers stored
        info = json.loads(self.run_program("trace", "info", path, "--format", "json").stdout)
        self.assertEqual(info["stages"][0]["kernels"], len(info["stages"][0]["kernel_list"]))
        loaded = {(entry["role"], entry["op"]): entry["bytes"] for entry in info["stages"][0]["bytes"]}
        # Weights of 32 layers, LM head and norms are read once, two bytes each: 8,030,261,248 parameters less the embedding's 128,256 x
        # 4,096 but one row.
        self.assertEqual(loaded["weights", "load"], 2 * (8_030_261_248 - 128_256 * 4096 + 4096))

    def test_info_dump_and_check(self):
        self.generate(*SMALL)
        text = self.run_program("trace", "info", "t.trace.h5").stdout
        for word in ("ffn_down", "weights", "source: rooftrace", "command: rooftrace trace generate", "decode: 1 tokens, llama-3.1-8b"):
            self.assertIn(word, text)
        self.assertIn("sound:", self.run_program("trace", "check", "t.trace.h5").stdout)
        dump = self.run_program("trace", "dump", "t.trace.h5", "--kernel", "attention", "--block", "1").stdout.splitlines()
        self.assertTrue(all(line.split()[1] == "1" for line in dump if line.startswith("block")))
        self.assertTrue(any(re.match(r"  load kv local 0x[0-9a-f]+ rows 1 of 4096 B", line) for line in dump))

    def test_h5py_reads_it_as_the_readme_says(self):
        self.generate(*SMALL)
        with h5py.File(self.folder / "t.trace.h5") as file:
            text = file["text/byte"][()].tobytes()
            at, size = file["kernel/label_at"][()], file["kernel/label_bytes"][()]
            labels = [text[a:a + n].decode() for a, n in zip(at, size)]
            self.assertIn("rope + kv write", labels)
            shape = file["access/shape"][()]
            loaded = file["access_shape/rows"][()].astype(np.int64) * file["access_shape/row_bytes"][()]
            self.assertGreater(loaded[shape].sum(), 10 ** 9)
            for name in ("kernel/grid", "access/address", "step_kind/tensor_work"):
                data = file[name]
                self.assertTrue(data.shuffle and data.fletcher32 and data.compression == "gzip" and data.compression_opts == 1, name)
            self.assertEqual(file["access/address"].chunks, (65536,))

    def test_the_readme_names_every_column(self):
        readme = (SOURCE / "traces/README.md").read_text()
        self.generate(*SMALL)
        with h5py.File(self.folder / "t.trace.h5") as file:
            for table in file:
                section = re.search(rf"^#### /{table}\n(.*?)(?=^#|\Z)", readme, re.M | re.S)
                self.assertIsNotNone(section, table)
                described = set(re.findall(r"^\| `(\w+)`", section.group(1), re.M))
                self.assertEqual(described, set(file[table]), table)

    def test_a_file_that_h5py_wrote(self):
        """The same columns, written by somebody else: other chunks, the library's own filters."""
        self.generate(*SMALL)
        with h5py.File(self.folder / "t.trace.h5") as ours, h5py.File(self.folder / "theirs.trace.h5", "w", libver="v110") as theirs:
            for name, value in ours.attrs.items():
                kind = "S15" if name == "format" else np.uint32
                theirs.attrs.create(name, value, dtype=kind)
            for table in ours:
                for column in ours[table]:
                    theirs.create_dataset(f"{table}/{column}", data=ours[table][column][()], chunks=(1000,), maxshape=(None,), shuffle=True,
                                          compression="gzip", compression_opts=6, fletcher32=True)
        dumps = [self.run_program("trace", "dump", name).stdout for name in ("t.trace.h5", "theirs.trace.h5")]
        self.assertEqual(dumps[0], dumps[1])


class Samples(TraceCase):
    def test_each_is_sound_and_made_by_the_script(self):
        subprocess.run([SAMPLES / "generate", PROGRAM, self.folder], check=True)
        names = sorted(path.name for path in SAMPLES.glob("*.trace.h5"))
        self.assertEqual(names, sorted(path.name for path in self.folder.glob("*.trace.h5")))
        self.assertGreaterEqual(len(names), 12)
        self.assertLess(sum((SAMPLES / name).stat().st_size for name in names), 3_000_000)
        for name in names:
            self.run_program("trace", "check", SAMPLES / name)
            # Not byte by byte: another zlib may compress otherwise.
            for arguments in (["dump"], ["info", "--format", "json"]):
                texts = []
                for folder in (SAMPLES, self.folder):
                    text = self.run_program("trace", arguments[0], folder / name, *arguments[1:]).stdout
                    texts.append(re.sub(r'"(file|bytes)": [^{}\[\]]*?,\n', "", text, count=2) if arguments[0] == "info" else text)
                self.assertEqual(texts[0], texts[1], name)


class Mistakes(TraceCase):
    def test_options(self):
        self.generate(*SMALL)
        for arguments, words in {
            ("trace",): "One of generate, import, info, check, dump",
            ("trace", "inof", "t.trace.h5"): 'did you mean "info"',
            ("trace", "info"): "which file",
            ("trace", "info", "absent.trace.h5"): "absent.trace.h5",
            ("trace", "generate", *SMALL): "-o NAME.trace.h5",
            ("trace", "generate", *SMALL, "-o", "absent/t.trace.h5"): 'the folder "absent" does not exist',
            ("trace", "generate", *SMALL, "--kernel", "atention", "-o", "u.trace.h5"): 'did you mean "attention"',
            ("trace", "check", "t.trace.h5", "--batch", "2"): "--batch",
            ("trace", "dump", "t.trace.h5", "--kernel", "999"): "there is no kernel 999",
            ("trace", "dump", "t.trace.h5", "--stage", "prefill"): "no prefill stage",
            ("simulate", "--trace", "t.trace.h5"): "which hardware",
            ("simulate", "main", "--trace", "t.trace.h5", "--hardware", "h100-sxm"): "a scenario beside --trace",
            ("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--batch", "2"): "--batch",
            ("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--set", "batch=2"): "hardware.",
            ("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--stage", "prefill"): "no prefill stage",
            ("simulate", "--trace", SOURCE / "README.md", "--hardware", "h100-sxm"): "no HDF5 signature",
        }.items():
            if arguments[:2] == ("trace", "dump"):
                said = self.run_program(*arguments, code=2).stderr
            else:
                said = self.refused(*arguments)
            self.assertIn(words, said, arguments)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["t.trace.h5"])

    def test_a_disk_that_is_full(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

        said = self.run_program("trace", "generate", *SMALL, "-o", "t.trace.h5", code=2, preexec_fn=small_files).stderr
        self.assertIn('cannot write "t.trace.h5"', said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_trace_of_more_gpus_than_the_machine_has(self):
        self.generate(*SMALL, "--tp", "8")
        self.assertIn("traced on 8 GPUs", self.refused("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--set", "hardware.node.gpus=4"))

    def test_a_trace_of_a_job_that_does_not_fit(self):
        # 16.1 GB of weights and little more, made for a machine that has room, on one that has 16 GB; the scenario itself says the same.
        whole = [*LLAMA, "--stage", "decode", "--context", "512", "--kernel", "lm_head"]
        self.generate(*whole)
        small = ["--hardware", "h100-sxm", "--set", "hardware.hbm.capacity=16 GB"]
        said = self.refused("simulate", "--trace", "t.trace.h5", *small)
        self.assertRegex(said, r"t\.trace\.h5: llama-3\.1-8b decode does not fit h100-sxm: weights 16\.1 GB \+ KV .* per GPU, memory 16 GB")
        self.assertIn("does not fit h100-sxm: weights 16.1 GB + KV", self.refused("simulate", *LLAMA, "--stage", "decode", "--context", "512", *small[2:]))
        self.run_program("simulate", "--trace", "t.trace.h5", "--hardware", "h100-sxm", "--set", "hardware.hbm.capacity=17 GB", "--fidelity", "bound")
        # Half of a 70B in host memory: more than a node with 64 GB of it keeps for all.
        self.generate("--hardware", "h200-sxm", "--model", "llama-3.1-70b", "--stage", "decode", "--context", "512", "--offload", "weights=0.5",
                      "--kernel", "lm_head", name="host.trace.h5")
        said = self.refused("simulate", "--trace", "host.trace.h5", "--hardware", "h200-sxm", "--set", "hardware.host.capacity=64 GB")
        self.assertIn("per GPU in host memory, which holds 64 GB for 1 GPU", said)

    def test_memory_notes_that_lie(self):
        self.generate(*SMALL)

        def rewrite(text):
            """The note's text in place: as long as it was."""
            shutil.copy(self.folder / "t.trace.h5", self.folder / "bad.trace.h5")
            with h5py.File(self.folder / "bad.trace.h5", "r+") as file:
                byte = file["text/byte"][()]
                at = byte.tobytes().index(b"weights=")
                byte[at:at + len(text)] = np.frombuffer(text.encode(), dtype="u1")
                file["text/byte"][...] = byte
            return self.refused("simulate", "--trace", "bad.trace.h5", "--hardware", "h100-sxm", "--fidelity", "bound")

        self.assertIn('note memory.0: "weighty=', rewrite("weighty="))
        self.assertIn("is not WORD=BYTES", rewrite("weights=x"))
        self.assertIn("is not WORD=BYTES", rewrite("weights=9999999999999999"))

    def change(self, edit):
        shutil.copy(SAMPLES / "gemm_decode.trace.h5", self.folder / "bad.trace.h5")
        with h5py.File(self.folder / "bad.trace.h5", "r+") as file:
            edit(file)
        return self.refused("trace", "info", "bad.trace.h5")

    def test_absurd_files(self):
        def replace(file, name, **more):
            data = file[name][()]
            del file[name]
            file.create_dataset(name, **{"data": data, "chunks": (1024,), "maxshape": (None,), "shuffle": True, "compression": "gzip",
                                         "fletcher32": True, **more})

        cases = [
            (lambda f: f.attrs.modify("format_version", np.uint32(2)), "format_version: 2, but this rooftrace reads version 1 only"),
            (lambda f: f.attrs.modify("format", np.bytes_("rooftrace-tracf")), 'it is not the text "rooftrace-trace"'),
            (lambda f: f.__delitem__("kernel/grid"), "/kernel/grid: missing"),
            (lambda f: f["access/address"].resize((1 << 60,)), "/access/address: 1152921504606846976 rows"),
            (lambda f: f["step/kind"].resize((f["step/kind"].shape[0] + 70000,)), "/step/kind: "),
            (lambda f: replace(f, "kernel/grid", data=np.zeros(1, np.float64)), "/kernel/grid: its elements are of another type"),
            (lambda f: replace(f, "kernel/grid", data=np.zeros((1, 1), np.uint32), chunks=(1, 1), maxshape=(None, None)),
             "/kernel/grid: it does not have one dimension"),
            (lambda f: replace(f, "kernel/grid", compression=None), "/kernel/grid: its filters are not shuffle, deflate, fletcher32"),
            (lambda f: replace(f, "kernel/grid", chunks=(1 << 21,), data=np.zeros(1, np.uint32)), "/kernel/grid: chunks of 2097152 rows"),
            (lambda f: (f.__delitem__("kernel/grid"), f.__setitem__("kernel/grid", h5py.ExternalLink("other.h5", "/x"))),
             "/kernel/grid: it is a link to elsewhere"),
        ]
        for edit, words in cases:
            self.assertIn(words, self.change(edit))

    def test_damage_is_an_error_on_one_line(self):
        sound = (SAMPLES / "attention_window.trace.h5").read_bytes()
        chance = random.Random(5)
        refused = 0
        for i in range(60):
            damaged = bytearray(sound)
            at = chance.randrange(len(damaged))
            if i % 3 == 0:
                del damaged[at:]
            else:
                damaged[at] ^= 1 << chance.randrange(8)
            (self.folder / "bad.trace.h5").write_bytes(damaged)
            done = subprocess.run([PROGRAM, "simulate", "--trace", "bad.trace.h5", "--hardware", "h100-sxm", "--quiet"], cwd=self.folder,
                                  capture_output=True, text=True, check=False, timeout=60)
            self.assertIn(done.returncode, (0, 2), (i, done.stderr))
            if done.returncode == 2:
                refused += 1
                self.assertIn("bad.trace.h5", done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertGreater(refused, 20)


if __name__ == "__main__":
    unittest.main()

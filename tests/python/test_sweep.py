#!/usr/bin/python3
"""Sweeps from outside: the file in xarray's hands, the same bytes however the points were run, kills, signals, full disks, frontiers.

Environment: ROOFTRACE is the program, ROOFTRACE_SOURCE_DIR the repository.
"""

import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

import numpy as np
import xarray as xr

SOURCE = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("ROOFTRACE")
SWEEP = """
base: main
set: {stages: [decode], fidelity: bound, context: 1024}
axes:
  - {key: hardware.hbm.bandwidth, values: [2 TB/s, 3.352 TB/s, 8 TB/s]}
  - zip:
      - {key: hardware.l2.capacity, values: [50 MiB, 100 MiB]}
      - {key: hardware.l2.effective, values: [45 MiB, 90 MiB]}
  - {key: batch, range: {from: 1, to: 8, scale: log2}}
"""
# Points long enough that a signal arrives between two of them.
SLOW = SWEEP.replace("fidelity: bound", "fidelity: des, model.layers: 2").replace("8 TB/s]", "8 TB/s, 4 TB/s, 5 TB/s, 6 TB/s]")


@unittest.skipUnless(PROGRAM, "ROOFTRACE is not set")
class SweepCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rooftrace_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("sweep.yaml", SWEEP)
        self.write("slow.yaml", SLOW)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def run_program(self, *arguments, code=0, **more):
        done = subprocess.run([PROGRAM, *arguments], cwd=self.folder, capture_output=True, text=True, check=False, **more)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr}")
        return done

    def bytes(self, name):
        return (self.folder / name).read_bytes()


class TheFile(SweepCase):
    def test_xarray_selects_by_coordinate(self):
        self.run_program("sweep", "sweep.yaml", "-o", "sweep.h5")
        for engine in ("h5netcdf", "netcdf4"):
            with xr.open_dataset(self.folder / "sweep.h5", engine=engine) as sweep:
                self.assertEqual(dict(sweep.sizes), {"hbm_bandwidth": 3, "l2_capacity": 2, "batch": 4, "stage": 1, "level": 4, "role": 5,
                                                     "message": 1})
                self.assertEqual(list(sweep.batch.values), [1, 2, 4, 8])
                self.assertEqual(sweep.hbm_bandwidth.attrs["units"], "byte s-1")
                self.assertIn("l2_effective", sweep.coords)
                self.assertTrue((sweep.status == 2).all())
                one = sweep.sel(batch=8, hbm_bandwidth=8e12, l2_capacity=100 * 2**20, stage="decode")
                self.assertEqual(one.bound.shape, ())
                self.assertGreater(float(one.ceiling), 0)
                self.assertTrue(np.isnan(one.latency))

    def test_numbers_are_those_of_simulate(self):
        self.run_program("sweep", "slow.yaml", "-o", "sweep.h5", "--where", "batch == 4 and l2_capacity == 100 MiB and hbm_bandwidth == 5 TB/s")
        said = self.run_program("simulate", "main", "--set", "stages=[decode]", "--set", "model.layers=2", "--set", "context=1024", "--set",
                                "hardware.hbm.bandwidth=5 TB/s", "--set", "hardware.l2.capacity=100 MiB", "--set",
                                "hardware.l2.effective=90 MiB", "--set", "batch=4", "--format", "json").stdout
        stage = json.loads(said)["stages"][0]
        with xr.open_dataset(self.folder / "sweep.h5") as sweep:
            self.assertEqual(int((sweep.status == 2).sum()), 1)
            self.assertEqual(int((sweep.status == 1).sum()), 47)  # 6 x 2 x 4 points, all but one left out
            one = sweep.sel(batch=4, hbm_bandwidth=5e12, l2_capacity=100 * 2**20, stage="decode")
            for name, key in (("latency", "latency_s"), ("bound", "bound_s"), ("ceiling", "ceiling_tokens_per_s"),
                              ("tokens_per_s", "tokens_per_s")):
                self.assertEqual(float(one[name]), stage[key], name)
            for level in ("l2", "hbm", "nvlink", "pcie"):
                expected = sum(cell["bytes"] for cell in stage["total"].get("byte_counts", stage["byte_counts"]) if cell["level"] == level)
                self.assertEqual(float(one.q.sel(level=level).sum()), expected, level)

    def test_a_sample_has_one_dimension(self):
        self.write("sample.yaml", SWEEP.replace("scale: log2", "steps: 8").replace(", steps: 8", "") +
                   "sample: {kind: latin_hypercube, points: 16, seed: 3}\n")
        self.run_program("sweep", "sample.yaml", "-o", "a.h5")
        with xr.open_dataset(self.folder / "a.h5") as sweep:
            self.assertEqual(sweep.sizes["point"], 16)
            for name in ("hbm_bandwidth", "l2_effective", "batch"):
                self.assertEqual(sweep[name].dims, ("point",))
            # A Latin hypercube of 16 points over 2 values has 8 of each.
            self.assertEqual(int((sweep.l2_capacity == 50 * 2**20).sum()), 8)

    def test_points_that_fail_are_recorded(self):
        self.write("bad.yaml", "base: main\nset: {fidelity: bound}\naxes:\n  - {key: tp, values: [1, 3, 2]}\n")
        said = self.run_program("sweep", "bad.yaml", "-o", "bad.h5", code=3)
        self.assertIn("1 of 3 points failed", said.stderr)
        with xr.open_dataset(self.folder / "bad.h5") as sweep:
            self.assertEqual(list(sweep.status.values), [2, 3, 2])
            self.assertIn("3", str(sweep.message.values[int(sweep.message_id[1])]))
            self.assertTrue(np.isnan(sweep.bound[1]).all())
            self.assertEqual(list(sweep.stage.values), ["decode", "prefill"])
        self.run_program("sweep", "bad.yaml", "-o", "bad.h5", "--resume", code=3)


class TheSameBytes(SweepCase):
    def test_threads_shards_and_a_repeated_shard(self):
        self.run_program("sweep", "sweep.yaml", "-o", "one.h5", "--threads", "1")
        self.run_program("sweep", "sweep.yaml", "-o", "four.h5", "--threads", "4")
        self.assertEqual(self.bytes("one.h5"), self.bytes("four.h5"))
        for i in (0, 1, 2, 1):
            self.run_program("sweep", "sweep.yaml", "-o", f"shard{i}.h5", "--shard", f"{i}/3", "--resume")
        self.run_program("merge", "shard1.h5", "shard0.h5", "shard2.h5", "-o", "merged.h5")
        self.assertEqual(self.bytes("one.h5"), self.bytes("merged.h5"))

    def test_merge_names_what_is_missing_and_never_mixes(self):
        for i in (0, 3, 4):
            self.run_program("sweep", "sweep.yaml", "-o", f"shard{i}.h5", "--shard", f"{i}/5")
        said = self.run_program("merge", "shard0.h5", "shard3.h5", "shard4.h5", "-o", "merged.h5", code=4)
        self.assertIn("--array=1-2", said.stderr)
        self.assertFalse((self.folder / "merged.h5").exists())
        self.write("sweep.yaml", SWEEP.replace("1024", "1025"))
        self.run_program("sweep", "sweep.yaml", "-o", "other.h5", "--shard", "1/5")
        said = self.run_program("merge", "shard0.h5", "other.h5", "-o", "merged.h5", code=2)
        self.assertIn("not of the same sweep", said.stderr)

    def test_killed_at_random_moments(self):
        self.run_program("sweep", "slow.yaml", "-o", "whole.h5", "--threads", "2")
        seed = random.randrange(1 << 30)
        print("seed", seed, file=sys.stderr)
        draw = random.Random(seed)
        kept = 0
        for _ in range(4):
            child = subprocess.Popen([PROGRAM, "sweep", "slow.yaml", "-o", "killed.h5", "--resume", "--threads", "2", "--quiet"], cwd=self.folder)
            time.sleep(draw.uniform(0.05, 0.4))
            child.kill()
            child.wait()
            if (self.folder / "killed.h5").exists():
                break
            # Nothing that was there is lost, a torn last line aside.
            part = self.folder / "killed.h5.part"
            lines = part.read_bytes().count(b"\n") if part.exists() else 0
            self.assertGreaterEqual(lines, kept)
            kept = lines
        self.run_program("sweep", "slow.yaml", "-o", "killed.h5", "--resume", "--threads", "2")
        self.assertEqual(self.bytes("whole.h5"), self.bytes("killed.h5"))
        self.assertFalse((self.folder / "killed.h5.part").exists())

    def test_a_torn_line_is_run_again(self):
        self.run_program("sweep", "slow.yaml", "-o", "whole.h5")
        child = self.stopped(signal.SIGTERM)
        self.assertEqual(child, 75)
        part = self.folder / "stopped.h5.part"
        text = part.read_bytes()
        part.write_bytes(text[:-7])
        self.run_program("sweep", "slow.yaml", "-o", "stopped.h5", "--resume")
        self.assertEqual(self.bytes("whole.h5"), self.bytes("stopped.h5"))

    def stopped(self, number):
        """Sends the signal once a point is on disk; returns the exit code."""
        child = subprocess.Popen([PROGRAM, "sweep", "slow.yaml", "-o", "stopped.h5", "--threads", "1", "--quiet"], cwd=self.folder)
        part = self.folder / "stopped.h5.part"
        while child.poll() is None and (not part.exists() or part.read_bytes().count(b"\n") < 2):
            time.sleep(0.002)
        child.send_signal(number)
        return child.wait()

    def test_signals_end_cleanly(self):
        for number, code in ((signal.SIGTERM, 75), (signal.SIGINT, 130)):
            self.assertEqual(self.stopped(number), code)
            self.assertFalse((self.folder / "stopped.h5").exists())
            said = self.run_program("sweep", "slow.yaml", "-o", "stopped.h5", code=2)
            self.assertIn("--resume", said.stderr)
            (self.folder / "stopped.h5.part").unlink()


class Memory(SweepCase):
    def largest(self, points):
        """Bytes that a sweep of so many points had in memory at most."""
        self.write("many.yaml", "base: main\nset: {stages: [decode], fidelity: bound, model.layers: 1}\naxes:\n"
                   f"  - {{key: hardware.hbm.bandwidth, range: {{from: 2 TB/s, to: 8 TB/s, steps: {points // 100}}}}}\n"
                   "  - {key: hardware.l2.bandwidth, range: {from: 4 TB/s, to: 10 TB/s, steps: 100}}\n")
        child = subprocess.Popen([PROGRAM, "sweep", "many.yaml", "-o", "many.h5", "--threads", "1", "--quiet"], cwd=self.folder)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(child.returncode, 0)
        (self.folder / "many.h5").unlink()
        return usage.ru_maxrss * 1024

    def test_is_bounded_by_points_in_flight(self):
        # 9 bytes and a little of the axes for each point are 0.3 MB; records would be 30,000 x 350 bytes = 10.5 MB.
        self.assertLess(self.largest(40000) - self.largest(10000), 3e6)


class OtherSchedulers(SweepCase):
    """What configs/sweeps/CLUSTER.md says about schedulers that are not here, run as it stands there."""

    def setUp(self):
        super().setUp()
        self.run_program("sweep", "sweep.yaml", "-o", "whole.h5")
        self.environment = dict(os.environ, PATH=f"{pathlib.Path(PROGRAM).resolve().parent}:{os.environ['PATH']}")

    def code_below(self, heading):
        """The first block of code below a heading of the page."""
        text = (SOURCE / "configs/sweeps/CLUSTER.md").read_text()
        return text.split(f"\n## {heading}", 1)[1].split("```\n", 2)[1]

    def bash(self, script, folder, **more):
        done = subprocess.run(["bash", script], cwd=folder, env=dict(self.environment, **more), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_pbs_script(self):
        """PBS starts the script once for each member of the array, in a folder of its own choice, and names the member and the folder that
        qsub was called in."""
        self.write("shards.pbs", self.code_below("PBS"))
        self.write("merge.sh", "rooftrace merge shards/shard-*.h5 -o sweep.h5\n")
        with tempfile.TemporaryDirectory() as elsewhere:
            for member in range(64):
                self.bash(self.folder / "shards.pbs", elsewhere, PBS_O_WORKDIR=str(self.folder), PBS_ARRAY_INDEX=str(member))
            (self.folder / "shards/shard-7.h5").unlink()
            said = self.run_program("merge", *sorted((self.folder / "shards").iterdir()), "-o", "sweep.h5", code=4)
            self.assertIn("--array=7", said.stderr)
            self.bash(self.folder / "shards.pbs", elsewhere, PBS_O_WORKDIR=str(self.folder), SHARD="7")
        self.bash("merge.sh", self.folder)
        self.assertEqual(self.bytes("whole.h5"), self.bytes("sweep.h5"))

    @unittest.skipUnless(shutil.which("parallel"), "GNU parallel is not installed")
    def test_gnu_parallel(self):
        self.write("nodes", ":\n")
        self.write("run.sh", self.code_below("GNU parallel"))
        self.bash("run.sh", self.folder)
        self.assertEqual(self.bytes("whole.h5"), self.bytes("sweep.h5"))


class Refusals(SweepCase):
    def test_a_full_disk_keeps_what_was_reported(self):
        def little():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

        said = self.run_program("sweep", "sweep.yaml", "-o", "full.h5", code=2, preexec_fn=little)
        self.assertIn("cannot write \"full.h5.part\"", said.stderr)
        self.assertFalse((self.folder / "full.h5").exists())
        self.run_program("sweep", "sweep.yaml", "-o", "full.h5", "--resume")
        self.run_program("sweep", "sweep.yaml", "-o", "whole.h5")
        self.assertEqual(self.bytes("whole.h5"), self.bytes("full.h5"))

    def test_two_writers_of_one_file(self):
        first = subprocess.Popen([PROGRAM, "sweep", "slow.yaml", "-o", "one.h5", "--threads", "1", "--quiet"], cwd=self.folder)
        while first.poll() is None and not (self.folder / "one.h5.part").exists():
            time.sleep(0.002)
        said = self.run_program("sweep", "slow.yaml", "-o", "one.h5", "--resume", code=2)
        self.assertIn("another rooftrace is writing it", said.stderr)
        self.assertEqual(first.wait(), 0)

    def test_mistakes_are_one_line(self):
        cases = {
            "base: man\naxes:\n  - {key: batch, values: [1]}\n": "no scenario \"man\"",
            "base: main\naxes:\n  - {key: batch, vales: [1]}\n": "values",
            "base: main\naxes:\n  - {key: batch, values: [1]}\nwhere: bach > 1\n": "did you mean \"batch\"",
            "base: main\naxes:\n  - {key: batch, values: [1]}\n  - {key: hardware.latency, values: [1]}\n": "another name",
            "base: main\naxes:\n  - {key: batch, range: {from: 1, to: 2 GB, steps: 2}}\n": "not of one kind",
            "base: main\naxes:\n  - zip: [{key: batch, values: [1, 2]}, {key: tp, values: [1]}]\n": "equally many",
        }
        for text, expected in cases.items():
            self.write("wrong.yaml", text)
            said = self.run_program("sweep", "wrong.yaml", "-o", "wrong.h5", code=2)
            self.assertEqual(said.stderr.count("\n"), 1, said.stderr)
            self.assertIn(expected, said.stderr)
            self.assertFalse((self.folder / "wrong.h5").exists())
        self.run_program("sweep", "sweep.yaml", "-o", "x.h5", "--shard", "4/4", code=2)
        self.run_program("merge", "sweep.yaml", "-o", "x.h5", code=2)


class Shipped(SweepCase):
    def test_every_shipped_sweep_runs(self):
        for path in sorted((SOURCE / "configs" / "sweeps").glob("*.yaml")):
            with self.subTest(path.name):
                said = self.run_program("sweep", str(path), "--dry-run", "--threads", "1")
                self.assertNotIn("failed", said.stdout)
                self.assertNotIn("changes nothing", said.stderr)

    def test_an_axis_that_changes_nothing_is_noted(self):
        self.write("idle.yaml", SWEEP.replace("stages: [decode], ", "").replace("context: 1024", "layers: auto"))
        said = self.run_program("sweep", "idle.yaml", "-o", "idle.h5")
        self.assertRegex(said.stderr, r'idle\.yaml:9:\d+: axis "batch" changes nothing')


class Frontier(SweepCase):
    def test_text_json_and_picture(self):
        self.run_program("sweep", "sweep.yaml", "-o", "sweep.h5")
        said = self.run_program("pareto", "sweep.h5", "--max", "ceiling", "--min", "hbm_bandwidth", "--format", "json", "-o", "p.svg")
        report = json.loads(said.stdout)
        # For each of three bandwidths the largest batch gives the most tokens/s; both L2 sizes are equal there or one beats the other.
        self.assertEqual({entry["settings"]["batch"] for entry in report["frontier"]}, {"8"})
        self.assertEqual({entry["values"]["hbm_bandwidth"] for entry in report["frontier"]}, {2e12, 3.352e12, 8e12})
        root = xml.etree.ElementTree.fromstring(self.bytes("p.svg"))
        circles = root.findall("{http://www.w3.org/2000/svg}circle")
        self.assertEqual(len(circles), 24 + len(report["frontier"]))
        said = self.run_program("pareto", "sweep.h5", "--max", "ceiling", "--min", "hbm_bandwidth")
        self.assertIn("points are on the frontier", said.stdout)
        said = self.run_program("pareto", "sweep.h5", "--max", "celing", code=2)
        self.assertIn("did you mean \"ceiling\"", said.stderr)


if __name__ == "__main__":
    unittest.main()

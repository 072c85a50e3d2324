#!/usr/bin/python3
"""`rooftrace slurm` on a real Slurm of four nodes: the merged file must be the one-process file, whatever happens in between.

Environment: ROOFTRACE is the program. Skipped, with a line that says so, where Slurm and munge are not installed (`./dev test --slurm`
installs them).
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from _slurm_cluster import Cluster, kill, missing_programs, wait_for  # noqa: E402

PROGRAM = os.environ.get("ROOFTRACE")
# Twelve points of about 0.1 s in each of four shards, all different (a stage with a batch of its own would not hear of the axis): long enough
# to be in the way of.
BASE = """\
hardware: h100-sxm
model: {name: llama-3.1-8b, layers: 1}
stages: [decode]
context: 512
"""
SWEEP = """\
base: base.yaml
axes:
  - {key: batch, values: [1, 2, 4]}
  - {key: hardware.hbm.bandwidth, range: {from: 2 TB/s, to: 8 TB/s, steps: 16}}
"""
SHARDS = 4


def why_not():
    if not PROGRAM:
        return "ROOFTRACE is not set"
    if missing_programs():
        return f"not installed: {' '.join(missing_programs())} (./dev test --slurm installs Slurm and munge)"
    if os.geteuid() != 0:
        return "slurmd of several nodes on one machine is tried as root only"
    return ""


class SlurmCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rooftrace sweep's_")  # Blank and quote: scripts must bear them.
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "base.yaml").write_text(BASE)
        cls.sweep = cls.folder / "sweep.yaml"
        cls.sweep.write_text(SWEEP)
        subprocess.run([PROGRAM, "sweep", cls.sweep, "-o", cls.folder / "alone.h5", "--quiet"], check=True, stdin=subprocess.DEVNULL)
        cls.expected = (cls.folder / "alone.h5").read_bytes()
        cls.cluster = Cluster(nodes=SHARDS)
        cls.addClassCleanup(cls.cluster.stop)  # Before the folder goes: cleanups run backwards.
        try:
            cls.cluster.start()
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cls.cluster.logs()}") from error

    def slurm(self, *words, code=0):
        done = subprocess.run([PROGRAM, "slurm", *words], env=self.cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, code, f"slurm {words}: {done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def submit(self, name, *options, code=0):
        self.run_folder = self.folder / name
        return self.slurm("submit", self.sweep, "--nodes", str(SHARDS), "--dir", self.run_folder, *options, code=code)

    def status(self, code=None):
        """As JSON; 75 unless the merged file is there."""
        done = subprocess.run([PROGRAM, "slurm", "status", self.run_folder, "--format", "json"], env=self.cluster.environment,
                              stdout=subprocess.PIPE, text=True, check=False, timeout=60)
        status = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0 if status["merged"] else 75)
        if code is not None:
            self.assertEqual(done.returncode, code)
        return status

    def finished(self, shard):
        """Points that a running shard has on disk; None when its file is there."""
        part = self.run_folder / "shards" / f"shard-{shard}.h5.part"
        try:
            return max(part.read_bytes().count(b"\n") - 1, 0)
        except FileNotFoundError:
            return None if part.with_suffix("").exists() else 0

    def wait_mid_way(self, shard):
        wait_for(lambda: self.finished(shard) is None or self.finished(shard) >= 2, f"two points of shard {shard}", 120)
        self.assertIsNotNone(self.finished(shard), "the shard ended before anybody could disturb it")

    def wait_for_end(self, seconds=180):
        """Until nothing of this folder waits or runs."""

        def ended():
            status = self.status()
            jobs = [entry["job"] for entry in status["shards"] if "job" in entry] + status["merges"]
            over = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
            return status if jobs and status["merges"] and all(job["state"] in over for job in jobs) else None

        try:
            return wait_for(ended, "the end of the jobs", seconds)
        except AssertionError as error:
            logs = "\n".join(f"{path.name}: {path.read_text()}" for path in sorted((self.run_folder / "logs").iterdir()))
            raise AssertionError(f"{error}\n{self.slurm('status', self.run_folder, code=75)}\n{logs}\n{self.cluster.logs()}") from error

    def assert_complete(self):
        status = self.status(code=0)
        self.assertEqual({entry["status"] for entry in status["shards"]}, {"done"})
        self.assertEqual(status["missing"], "")
        self.assertEqual((self.run_folder / "sweep.h5").read_bytes(), self.expected)
        self.assertEqual(sorted(os.listdir(self.run_folder / "shards")), [f"shard-{i}.h5" for i in range(SHARDS)])
        return status

    def test_array_and_merge_give_the_file_of_one_process(self):
        said = self.submit("plain")  # Without --threads: a node for each shard.
        self.assertRegex(said, r"submitted: shards 0-3 as job \d+, the merge as job \d+\n")
        self.assertIn("still wait or run", self.submit("plain", code=2))
        self.wait_for_end()
        status = self.assert_complete()
        self.assertEqual([job["state"] for job in status["merges"]], ["COMPLETED"])
        self.assertGreater(len({entry["job"]["nodes"] for entry in status["shards"]} - {""}), 1)
        self.assertIn("done already", self.submit("plain", code=2))
        self.assertIn("shards: 4 (4 done)\n", self.slurm("status", self.run_folder))

    def test_a_killed_task_is_named_and_can_be_submitted_again(self):
        self.submit("killed", "--threads", "1")
        self.wait_mid_way(1)
        for pid in self.cluster.processes("SLURM_ARRAY_TASK_ID=1"):
            if pathlib.Path("/proc", str(pid), "comm").read_text().strip() in ("rooftrace", "slurm_script", "bash"):
                kill(pid)
        before = self.finished(1)
        self.assertGreaterEqual(before, 2)
        status = self.wait_for_end()
        self.assertEqual(status["missing"], "1")
        self.assertFalse((self.run_folder / "sweep.h5").exists())
        self.assertEqual(status["shards"][1]["job"]["state"], "FAILED")
        self.assertEqual(status["shards"][1]["points"], before)
        self.assertIn("shards 1 of 4; run them again, as in --array=1", (self.run_folder / "logs" / "merge.log").read_text())
        text = self.slurm("status", self.run_folder, code=75)
        self.assertIn("missing: 1\n", text)

        command = text.split("resubmit them with: ", 1)[1].splitlines()[0]
        done = subprocess.run(["sh", "-c", command], env=self.cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("submitted: shards 1 as job", done.stdout)
        self.wait_for_end()
        self.assert_complete()

    def test_a_task_that_runs_out_of_time_goes_on_later(self):
        self.submit("late", "--threads", "1", "--time", "5", "--partition", "main", "--sbatch", "--mem=100 --nice=1")
        self.wait_mid_way(2)
        job = self.status()["shards"][2]["job"]["id"]
        said = self.cluster.ask("scancel", "--signal=USR1", "--batch", job)  # What --signal=B:USR1@90 sends near the limit.
        self.assertEqual(said.returncode, 0, said.stdout)
        self.wait_for_end()
        self.assertEqual(self.assert_complete()["shards"][2]["job"]["restarts"], 1)
        self.assertIn("--resume goes on", (self.run_folder / "logs" / "shard-2.log").read_text())

    def test_a_cancelled_task_stays_cancelled_until_submitted_again(self):
        self.submit("cancelled")
        self.wait_mid_way(3)
        said = self.cluster.ask("scancel", self.status()["shards"][3]["job"]["id"])
        self.assertEqual(said.returncode, 0, said.stdout)
        status = self.wait_for_end()
        self.assertEqual(status["missing"], "3")
        self.assertEqual(status["shards"][3]["job"]["state"], "CANCELLED")
        self.assertIn("submitted: shards 3 as job", self.submit("cancelled"))
        self.wait_for_end()
        self.assert_complete()

    def test_a_lost_node_costs_nothing_but_time(self):
        self.submit("node")
        self.wait_mid_way(0)
        node = self.status()["shards"][0]["job"]["nodes"]
        self.assertIn(node, self.cluster.names)
        self.cluster.lose_node(node)
        self.assertGreaterEqual(self.finished(0), 2)
        try:
            self.wait_for_end()
            status = self.assert_complete()
            self.assertEqual(status["shards"][0]["job"]["restarts"], 1)
            self.assertNotEqual(status["shards"][0]["job"]["nodes"], node)
        finally:
            self.cluster.start_node(node)
            self.cluster.wait_for_nodes()

    def test_a_controller_that_restarts_forgets_nothing(self):
        self.submit("controller")
        self.wait_mid_way(0)
        self.cluster.end("slurmctld", signal.SIGTERM)
        text = self.slurm("status", self.run_folder, code=75)  # Slurm does not answer: the files still do.
        self.assertIn("slurm: job", text)
        self.cluster.start_controller()
        self.wait_for_end()
        self.assert_complete()


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(0)
    unittest.main(verbosity=2)

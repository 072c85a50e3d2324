#!/usr/bin/python3
"""Sweeps that are disturbed: killed at random moments, a full disk, a read-only folder, two writers, other people's files. Nothing that was
finished is lost, no file is half, and what is wrong is said in one line.

Environment: ROOFTRACE is the program; ROOFTRACE_SEED repeats a run.
"""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

PROGRAM = os.environ.get("ROOFTRACE")
SEED = int(os.environ.get("ROOFTRACE_SEED", random.SystemRandom().randrange(2**31)))
BASE = """\
hardware: h100-sxm
model: {name: llama-3.1-8b, layers: 2}
stages: [{stage: decode, batch: 1, context: 512}]
fidelity: bound
"""
# 6,000 points, of which 2,000 fail (a context that the model does not hold): failures must survive as well.
SWEEP = """\
base: base.yaml
axes:
  - {key: context, values: [512, 2048, 99999999]}
  - {key: hardware.hbm.bandwidth, range: {from: 1 TB/s, to: 8 TB/s, steps: 2000}}
"""
POINTS = 6000
FAILED = 3  # The exit code when some points failed.


def lines_of(part):
    """Whole lines of a journal after its first."""
    try:
        return part.read_bytes().split(b"\n")[1:-1]
    except FileNotFoundError:
        return []


@unittest.skipUnless(PROGRAM, "ROOFTRACE is not set")
class CrashCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"ROOFTRACE_SEED={SEED}", flush=True)
        folder = tempfile.TemporaryDirectory(prefix="rooftrace_crash_")
        cls.addClassCleanup(folder.cleanup)
        cls.common = pathlib.Path(folder.name)
        (cls.common / "base.yaml").write_text(BASE)
        cls.sweep = cls.common / "sweep.yaml"
        cls.sweep.write_text(SWEEP)
        start = time.monotonic()
        done = cls.run_sweep(cls.common / "alone.h5")
        cls.seconds = time.monotonic() - start
        assert done.returncode == FAILED, done.stderr
        cls.expected = (cls.common / "alone.h5").read_bytes()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rooftrace_crash_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "sweep.h5"
        self.part = self.folder / "sweep.h5.part"
        self.random = random.Random(f"{SEED} {self.id()}")

    @classmethod
    def command(cls, output, *options):
        return [PROGRAM, "sweep", cls.sweep, "-o", output, "--threads", "2", *options]

    @classmethod
    def run_sweep(cls, output, *options, **how):
        return subprocess.run(cls.command(output, *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False, timeout=120, **how)

    def start(self, *options):
        child = subprocess.Popen(self.command(self.output, *options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.reap, child)
        return child

    @staticmethod
    def reap(child):
        if child.poll() is None:
            child.kill()
        child.communicate()

    def wait_for_points(self, child, count):
        end = time.monotonic() + 60
        while len(lines_of(self.part)) < count and child.poll() is None and time.monotonic() < end:
            time.sleep(0.002)
        self.assertIsNone(child.poll(), "it ended before it could be disturbed")

    def assert_one_line(self, text, pattern):
        self.assertRegex(text, pattern)
        self.assertEqual(text.count("\n"), 1, text)

    def assert_resumes(self):
        done = self.run_sweep(self.output, "--resume")
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertEqual(self.output.read_bytes(), self.expected)
        return done

    def test_killed_at_random_moments(self):
        """Every life finishes something or nothing, but never undoes what a former one has on disk."""
        before, kills = [], 0
        for _ in range(12):
            child = self.start("--resume")
            time.sleep(self.random.uniform(0, self.seconds / 3))
            child.send_signal(signal.SIGKILL)
            child.communicate()
            if self.output.exists():
                break
            kills += 1
            now = lines_of(self.part)
            self.assertEqual(now[: len(before)], before)
            before = now
        self.assertGreater(kills, 0)
        self.assert_resumes()
        self.assertEqual(self.leftovers(), ["sweep.h5"])

    def leftovers(self):
        """What is in the folder, less the temporaries of killed writers (the header of atomic_file.hpp owns up to these)."""
        return sorted(name for name in os.listdir(self.folder) if not name.startswith(".rooftrace-"))

    def test_a_last_line_that_is_cut_off_does_not_count(self):
        child = self.start()
        self.wait_for_points(child, 20)
        child.kill()
        child.communicate()
        whole = self.part.read_bytes()
        self.part.write_bytes(whole[: whole.rindex(b"\n") - self.random.randrange(1, 20)])
        self.assert_resumes()

    def test_a_damaged_line_is_run_again(self):
        child = self.start()
        self.wait_for_points(child, 20)
        child.kill()
        child.communicate()
        damaged = bytearray(self.part.read_bytes())
        start = damaged.index(b"\n") + 1
        at = self.random.randrange(start, damaged.index(b"\n", start))
        damaged[at] ^= 1
        self.part.write_bytes(damaged)
        self.assert_resumes()

    def test_sigterm_ends_cleanly_and_asks_for_more(self):
        child = self.start()
        self.wait_for_points(child, 20)
        child.terminate()
        _, said = child.communicate()
        self.assertEqual(child.returncode, 75, said)
        self.assertIn("--resume goes on", said)
        self.assertFalse(self.output.exists())
        self.assertTrue(self.part.read_bytes().endswith(b"\n"))
        left = POINTS - len(lines_of(self.part))
        self.assertIn(f"stopped with {left} points left", said)
        self.assertEqual(self.run_sweep(self.output).returncode, 2)  # Not without --resume: points would be lost.
        self.assertEqual(left, POINTS - len(lines_of(self.part)))
        self.assert_resumes()

    def test_killed_between_the_file_and_the_end_of_its_journal(self):
        child = self.start()
        self.wait_for_points(child, 20)
        child.terminate()
        child.communicate()
        journal = self.part.read_bytes()
        self.assert_resumes()
        self.part.write_bytes(journal)
        self.assertIn("is complete already", self.assert_resumes().stderr)
        self.assertEqual(self.leftovers(), ["sweep.h5"])

    def test_two_writers_of_one_file(self):
        first = self.start()
        self.wait_for_points(first, 5)
        first.send_signal(signal.SIGSTOP)
        second = self.run_sweep(self.output, "--resume")
        first.send_signal(signal.SIGCONT)
        self.assertEqual(second.returncode, 2)
        self.assert_one_line(second.stderr, r"another rooftrace is writing it")
        first.communicate()
        self.assertEqual(first.returncode, FAILED)
        self.assertEqual(self.output.read_bytes(), self.expected)
        self.assertEqual(self.leftovers(), ["sweep.h5"])

    def test_a_full_disk_keeps_what_was_finished(self):
        disk = self.folder / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "rooftrace_test", disk], stderr=subprocess.PIPE, check=False)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a small tmpfs here")
        self.addCleanup(self.unmount, disk)
        self.output, self.part = disk / "sweep.h5", disk / "sweep.h5.part"
        done = self.run_sweep(self.output)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r'rooftrace: cannot write "[^"]*sweep.h5(\.part)?": No space left on device\n$')
        self.assertEqual(os.listdir(disk), ["sweep.h5.part"])
        kept = lines_of(self.part)
        self.assertGreater(len(kept), 10)
        again = self.run_sweep(self.output, "--resume")
        self.assertEqual(again.returncode, 2, again.stderr)
        self.assertEqual(lines_of(self.part)[: len(kept)], kept)
        subprocess.run(["mount", "-o", "remount,size=16m", disk], check=True)
        self.assert_resumes()
        self.assertEqual(os.listdir(disk), ["sweep.h5"])

    def unmount(self, disk):
        """Before the folder is removed (cleanups run backwards); when it fails, the folder must stay."""
        for _ in range(50):
            if subprocess.run(["umount", disk], stderr=subprocess.PIPE, check=False).returncode == 0 or not os.path.ismount(disk):
                return
            time.sleep(0.1)
        raise RuntimeError(f"cannot unmount {disk}")

    def test_a_full_disk_at_the_very_end(self):
        """The journal fits, the file does not: the points stay."""
        disk = self.folder / "disk"
        disk.mkdir()
        blocks = (len(self.expected) + self.journal_size() + 65536) // 1024
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={blocks}k", "rooftrace_test", disk], stderr=subprocess.PIPE,
                                 check=False)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a small tmpfs here")
        self.addCleanup(self.unmount, disk)
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (len(self.expected) // 2 + 65536))
        self.output, self.part = disk / "sweep.h5", disk / "sweep.h5.part"
        done = self.run_sweep(self.output)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, r'rooftrace: cannot write "[^"]*sweep.h5": No space left on device\n$')
        self.assertEqual(sorted(os.listdir(disk)), ["ballast", "sweep.h5.part"])
        self.assertEqual(len(lines_of(self.part)), POINTS)
        ballast.unlink()
        self.assert_resumes()
        self.assertEqual(os.listdir(disk), ["sweep.h5"])

    def journal_size(self):
        """Of a complete sweep: measured by one that is stopped, and stretched."""
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            output = pathlib.Path(folder) / "x.h5"
            child = subprocess.Popen(self.command(output), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            part = pathlib.Path(folder) / "x.h5.part"
            largest = 0
            while child.poll() is None:
                try:
                    largest = max(largest, part.stat().st_size)
                except FileNotFoundError:
                    pass
                time.sleep(0.001)
            return largest

    def test_a_read_only_folder(self):
        """Root may write into every folder: a read-only mount is what stops everybody."""
        locked = self.folder / "locked"
        locked.mkdir()
        if os.geteuid() == 0:
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "rooftrace_test", locked], stderr=subprocess.PIPE,
                                     check=False)
            if mounted.returncode != 0:
                self.skipTest("cannot mount here")
            self.addCleanup(self.unmount, locked)
        else:
            locked.chmod(0o500)
            self.addCleanup(locked.chmod, 0o700)
        done = self.run_sweep(locked / "sweep.h5")
        self.assertEqual(done.returncode, 2)
        self.assert_one_line(done.stderr, r'^rooftrace: cannot write "[^"]*/locked/sweep.h5": ')
        self.assertEqual(os.listdir(locked), [])

    def test_a_folder_that_is_not_there(self):
        done = self.run_sweep(self.folder / "no" / "sweep.h5")
        self.assertEqual(done.returncode, 2)
        self.assert_one_line(done.stderr, r'the folder "[^"]*/no" does not exist')

    def test_other_peoples_files_are_left_alone(self):
        """A .part that is none of ours, or of another sweep, is not touched."""
        for text in (b"my thesis, the only copy\n", b"x", b"deadbeef rooftrace-sweep-journal/1 0123\n"):
            for options in ((), ("--resume",)):
                with self.subTest(text=text, options=options):
                    self.part.write_bytes(text)
                    done = self.run_sweep(self.output, *options)
                    self.assertEqual(done.returncode, 2, done.stderr)
                    self.assert_one_line(done.stderr, r"sweep\.h5\.part")
                    self.assertEqual(self.part.read_bytes(), text)
                    self.assertFalse(self.output.exists())

    def test_another_sweep_does_not_go_on_with_these_points(self):
        child = self.start()
        self.wait_for_points(child, 5)
        child.terminate()
        child.communicate()
        held = self.part.read_bytes()
        other = self.folder / "other"
        other.mkdir()
        shutil.copy(self.common / "base.yaml", other)
        (other / "sweep.yaml").write_text(SWEEP.replace("8 TB/s", "9 TB/s"))
        done = subprocess.run([PROGRAM, "sweep", other / "sweep.yaml", "-o", self.output, "--resume"], stdin=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assert_one_line(done.stderr, "holds points of another sweep")
        self.assertEqual(self.part.read_bytes(), held)

    def test_merge_never_writes_half_a_sweep(self):
        for shard in (0, 2):
            self.assertEqual(self.run_sweep(self.folder / f"{shard}.h5", "--shard", f"{shard}/3").returncode, FAILED)
        merge = [PROGRAM, "merge", "0.h5", "2.h5", "-o", "sweep.h5"]
        done = subprocess.run(merge, cwd=self.folder, stderr=subprocess.PIPE, text=True, check=False)
        self.assertNotIn(done.returncode, (0, 2, FAILED))
        self.assert_one_line(done.stderr, r"2000 of 6000 points are missing: shards 1 of 3; .*--array=1$")
        self.assertFalse(self.output.exists())
        self.assertEqual(self.run_sweep(self.folder / "1.h5", "--shard", "1/3").returncode, FAILED)
        done = subprocess.run([*merge[:2], "1.h5", *merge[2:]], cwd=self.folder, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertEqual(self.output.read_bytes(), self.expected)


if __name__ == "__main__":
    unittest.main()

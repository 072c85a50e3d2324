"""A test case that runs the program in a folder of its own."""

import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("ROOFTRACE")


@unittest.skipUnless(PROGRAM, "ROOFTRACE is not set")
class ProgramCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rooftrace_")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_program(self, *arguments, code=0, **more):
        done = subprocess.run([PROGRAM, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False, **more)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}{done.stderr}")
        return done

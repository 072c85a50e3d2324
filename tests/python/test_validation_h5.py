#!/usr/bin/python3
"""report.h5 of `rooftrace validate -o` in the hands of other people's readers, and its numbers against --rows and the JSON report.

Environment: ROOFTRACE is the program.
"""

import csv
import json
import math
import os
import pathlib
import subprocess
import tempfile
import unittest

import netCDF4
import xarray as xr

PROGRAM = os.environ.get("ROOFTRACE")
SUITE = """id,hardware,path,direction,host_memory,bytes,quantity,value,low,high,flag
a,h100-sxm,pcie,h2d,pinned,1048576,bandwidth_GBps,40,38,42,
b,h100-sxm,pcie,h2d,pinned,67108864,bandwidth_GBps,50,,,
"c, ""quoted"" d",no-such-gpu,pcie,h2d,pageable,67108864,bandwidth_GBps,20,,,
d,no-such-gpu,pcie,h2d,pinned,1048576,bandwidth_GBps,20,,,
e,a100-sxm-80gb,pcie,d2h,pinned,1048576,bandwidth_GBps,20,,,driver too old
"""
COLUMNS = ["id", "kind", "hardware", "quantity", "measured", "low", "high", "simulated", "bound", "roofline_baseline", "rel_error", "status",
           "reason"]


def number(cell):
    return float(cell) if cell else math.nan


@unittest.skipUnless(PROGRAM, "ROOFTRACE is not set")
class ValidationCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rooftrace_")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.top = pathlib.Path(cls.folder.name)
        (cls.top / "transfer.csv").write_text(SUITE, encoding="utf-8")
        cls.scores = json.loads(cls.validate("-o", "report.h5", "--rows", "rows.csv", "--plots", "plots", "--format", "json").stdout)

    @classmethod
    def validate(cls, *options, code=0):
        done = subprocess.run([PROGRAM, "validate", "--suite", "transfer.csv", *options], cwd=cls.top, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != code:
            raise AssertionError(f"exit {done.returncode}: {done.stderr}")
        return done

    def test_every_row_is_in_the_file(self):
        with open(self.top / "rows.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(list(rows[0])[:len(COLUMNS)], COLUMNS)
        for engine in ("netcdf4", "h5netcdf"):
            with xr.open_dataset(self.top / "report.h5", engine=engine) as data:
                self.assertEqual(dict(data.sizes), {"row": 5})
                for column in COLUMNS + ["group", "tool_baseline"]:
                    self.assertEqual(data[column].dims, ("row",), column)
                    for ours, cell in zip(data[column].values, (row[column] for row in rows)):
                        if data[column].dtype.kind != "f":
                            self.assertEqual(ours, cell)
                        elif cell:
                            self.assertAlmostEqual(ours, float(cell), delta=1e-8 * abs(float(cell)))
                        else:
                            self.assertTrue(math.isnan(ours), column)
                self.assertIn("wave", data)
                self.assertEqual(list(data.status.values), ["ok", "ok", "skipped", "skipped", "flagged"])

    def test_scores_are_those_of_the_report(self):
        with xr.open_dataset(self.top / "report.h5", group="summary") as data:
            groups = self.scores["groups"]
            self.assertEqual(dict(data.sizes), {"group": len(groups)})
            for i, group in enumerate(groups):
                self.assertEqual(str(data.group[i].values), f"{group['kind']}: {group['group']}, {group['hardware']}")
                self.assertEqual(int(data.rows[i]), group["rows"])
                self.assertEqual(int(data.flagged[i]), group["flagged"])
                for name in ("median", "mean", "p90", "max", "bias", "rank"):
                    theirs = group["simulated"][name]
                    ours = float(data[name][i])
                    self.assertTrue(math.isnan(ours) if theirs is None else ours == theirs, name)

    def test_provenance_is_there(self):
        with netCDF4.Dataset(self.top / "report.h5") as file:
            self.assertIn("--suite transfer.csv -o report.h5", file.history)
            self.assertRegex(file.suites, r"^transfer\.csv [0-9a-f]{40}$")
            self.assertRegex(file.config_sha1, "^[0-9a-f]{40}$")
            self.assertIn("h100-sxm:\n  title:", file.config)
            self.assertEqual((file.schema, int(file.rows), int(file.rows_skipped)), ("rooftrace-validation/1", 5, 2))

    def test_same_rows_same_bytes(self):
        first = {path.name: path.read_bytes() for path in (self.top / "plots").iterdir()}
        report = (self.top / "report.h5").read_bytes()
        self.assertEqual(sorted(first), ["transfer-curve.svg", "transfer.svg"])
        self.validate("-o", "report.h5", "--rows", "rows.csv", "--plots", "plots", "--format", "json")
        self.assertEqual(report, (self.top / "report.h5").read_bytes())
        self.assertEqual(first, {path.name: path.read_bytes() for path in (self.top / "plots").iterdir()})

    def test_nothing_is_written_where_it_cannot_be(self):
        said = self.validate("-o", "nowhere/report.h5", code=2)
        self.assertEqual(said.stderr.count("\n"), 1)
        said = self.validate("--plots", "transfer.csv", code=2)
        self.assertIn("transfer.csv", said.stderr)
        self.assertEqual(said.stdout, "")


if __name__ == "__main__":
    unittest.main()

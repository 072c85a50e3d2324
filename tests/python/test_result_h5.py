#!/usr/bin/python3
"""result.h5 in the hands of other people's readers: h5py, xarray with both engines, netCDF4 (reading and appending), ncdump, pandas;
and its numbers against the JSON report of the same run.

Environment: ROOFTRACE is the program. Without it ROOFTRACE_RESULT may name a result file; then only the readers are tested.
"""

import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import netCDF4
import numpy as np
import pandas as pd
import xarray as xr

SOURCE = pathlib.Path(os.environ.get("ROOFTRACE_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
sys.dont_write_bytecode = True
sys.path.insert(0, str(SOURCE / "analysis" / "python"))
import rooftrace_result  # noqa: E402

PROGRAM = os.environ.get("ROOFTRACE")
SCENARIO = ["--hardware", "h100-sxm", "--model", "llama-3.1-8b", "--stage", "decode"]
needs_program = unittest.skipUnless(PROGRAM, "ROOFTRACE is not set")


def simulate(output, *options):
    """Runs the program in the output's folder, so that the command in the file does not name that folder; returns what it printed."""
    command = [PROGRAM, "simulate", *SCENARIO, *options, "-o", output.name]
    done = subprocess.run(command, cwd=output.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
    return done.stdout


class ResultCase(unittest.TestCase):
    """A folder, and in it one result (fidelity bound: readers do not care how the numbers came about)."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="rooftrace_")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.path = pathlib.Path(cls.folder.name) / "result.h5"
        if PROGRAM:
            simulate(cls.path, "--fidelity", "bound", "--quiet")
        elif os.environ.get("ROOFTRACE_RESULT"):
            shutil.copy(os.environ["ROOFTRACE_RESULT"], cls.path)
        else:
            raise AssertionError("set ROOFTRACE to the program, or ROOFTRACE_RESULT to a result file")
        with h5py.File(cls.path, "r") as file:
            cls.groups = list(file)

    def everything(self):
        """(group, name) -> array, by h5py, which shows whatever there is."""
        with h5py.File(self.path, "r") as file:
            return {
                (group, name): dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
                for group in file
                for name, dataset in file[group].items()
            }


class Readers(ResultCase):
    def test_h5py_sees_units_and_dimensions(self):
        self.assertIn("machine", self.groups)
        self.assertIn("decode", self.groups)
        with h5py.File(self.path, "r") as file:
            self.assertEqual(file["decode/q"].attrs["units"], "byte")
            self.assertEqual(
                [dimension.label or dimension[0].name for dimension in file["decode/q"].dims],
                [f"/decode/{name}" for name in ("kernel", "level", "role", "direction", "cause")],
            )
            for name in self.groups:
                for variable, dataset in file[name].items():
                    self.assertTrue(dataset.attrs["long_name"], variable)
                    for i, dimension in enumerate(dataset.dims):
                        if h5py.h5ds.is_scale(dataset.id):
                            continue
                        self.assertEqual(len(dimension), 1, f"{name}/{variable}")
                        self.assertEqual(dimension[0].shape, (dataset.shape[i],))
                        self.assertTrue(h5py.h5ds.is_attached(dataset.id, dimension[0].id, i))

    def test_xarray_opens_every_group_with_both_engines(self):
        expected = self.everything()
        for engine in ("h5netcdf", "netcdf4"):
            with xr.open_dataset(self.path, engine=engine) as root:
                self.assertEqual(root.attrs["schema"], rooftrace_result.SCHEMA)
                self.assertEqual(root.attrs["Conventions"], "CF-1.8")
            for group in self.groups:
                with self.subTest(engine=engine, group=group), xr.open_dataset(self.path, engine=engine, group=group) as dataset:
                    self.assertEqual(set(dataset.variables), {name for g, name in expected if g == group})
                    self.assertFalse([name for name in dataset.dims if name not in dataset.coords])
                    for name, variable in dataset.variables.items():
                        wanted = expected[group, name]
                        np.testing.assert_array_equal(variable.values, wanted, err_msg=f"{group}/{name}")
                        if np.asarray(wanted).dtype != object:  # Nothing was decoded into times or promoted.
                            self.assertEqual(variable.dtype, np.asarray(wanted).dtype, name)

    def test_xarray_selects_by_name(self):
        expected = self.everything()
        with xr.open_dataset(self.path, group="decode") as decode:
            read = decode.q.sel(level="hbm", direction="read").sum(["role", "cause"])
            self.assertEqual(read.dims, ("kernel",))
            np.testing.assert_array_equal(read.values, expected["decode", "q"][:, 1, :, 0, :].sum(axis=(1, 2)))
            self.assertEqual(int(decode.class_q.sel({"class": "attention", "level": "hbm", "direction": "read"})),
                             int(read.where(decode.class_id == 4, 0).sum()))
            self.assertEqual(int(read.sum()), int(decode.total_q.sel(level="hbm", direction="read")))
            self.assertIsInstance(decode[["q"]].to_dataframe(), pd.DataFrame)

    def test_netcdf4_reads_and_appends(self):
        expected = self.everything()
        copy = self.path.with_name("copy.h5")
        shutil.copy(self.path, copy)
        with netCDF4.Dataset(copy) as file:
            self.assertEqual(set(file.groups), set(self.groups))
            for group in self.groups:
                self.assertEqual(set(file[group].variables), {name for g, name in expected if g == group})
                self.assertFalse([name for name in file[group].dimensions if name.startswith("phony")])
        with netCDF4.Dataset(copy, "a") as file:
            file["decode"].setncattr("remark", "mine")
            mine = file["decode"].createVariable("mine", "f8", ("level",))
            mine[:] = [1, 2, 3, 4]
        with xr.open_dataset(copy, group="decode") as decode:
            self.assertEqual(decode.attrs["remark"], "mine")
            self.assertEqual(float(decode.mine.sel(level="hbm")), 2)
            np.testing.assert_array_equal(decode.q.values, expected["decode", "q"])

    def test_ncdump(self):
        header = subprocess.run(["ncdump", "-h", self.path], stdout=subprocess.PIPE, text=True, check=True).stdout
        for line in ("group: decode {", "uint64 q(kernel, level, role, direction, cause) ;", 'string q:units = "byte" ;', "level = 4 ;"):
            self.assertIn(line, header)
        whole = subprocess.run(["ncdump", self.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
        self.assertEqual(whole.stderr, "")
        self.assertIn('"l2", "hbm", "nvlink", "pcie"', whole.stdout)

    def test_every_name_is_documented(self):
        page = (SOURCE / "analysis" / "README.md").read_text(encoding="utf-8")
        with h5py.File(self.path, "r") as file:
            names = [*file.attrs, *(name for group in self.groups for name in file[group])]
        self.assertEqual([name for name in names if f"`{name}`" not in page and f"`{name}(" not in page], [])

    def test_a_flipped_bit_is_noticed(self):
        damaged = bytearray(self.path.read_bytes())
        with h5py.File(self.path, "r") as file:
            chunk = file["decode/q"].id.get_chunk_info(0)
        damaged[chunk.byte_offset + chunk.size // 2] ^= 4
        copy = self.path.with_name("damaged.h5")
        copy.write_bytes(damaged)
        with h5py.File(copy, "r") as file, self.assertRaises(OSError):
            file["decode/q"][()]


class Loader(ResultCase):
    def test_tables(self):
        expected = self.everything()
        tables = rooftrace_result.load(self.path)
        self.assertEqual(tables["run"]["schema"], rooftrace_result.SCHEMA)
        kernels = tables["decode/kernel"]
        self.assertEqual(len(kernels), len(expected["decode", "kernel"]))
        self.assertEqual(list(kernels["label"]), list(expected["decode", "label"][expected["decode", "label_id"]]))
        self.assertEqual(set(kernels.columns) & {"class", "label", "layer", "bound_time", "binding"},
                         {"class", "label", "layer", "bound_time", "binding"})
        self.assertEqual(kernels.attrs["units"]["bound_time"], "s")
        q = tables["decode/kernel,level,role,direction,cause"]["q"]
        self.assertEqual(q.sum(), expected["decode", "q"].sum())
        self.assertEqual(int(q.loc[2, "hbm", "weights", "read", "compulsory"]), int(expected["decode", "q"][2, 1, 0, 0, 1]))
        by_level = rooftrace_result.q_by_level(tables, "decode")
        self.assertEqual(by_level["hbm", "read"].sum(), expected["decode", "total_q"][1, 0])
        self.assertEqual(tables["decode"]["tokens"], 1)

    def test_refuses_other_files(self):
        other = self.path.with_name("other.h5")
        with h5py.File(other, "w") as file:
            file["x"] = [1]
        with self.assertRaisesRegex(rooftrace_result.NotAResult, "schema is ''"):
            rooftrace_result.load(other)


@needs_program
class AgainstTheJsonReport(ResultCase):
    def test_same_run_same_numbers(self):
        path = self.path.with_name("des.h5")
        report = json.loads(simulate(path, "--format", "json"))
        tables = rooftrace_result.load(path)
        run = tables["run"]
        for key in ("seed", "hardware", "model", "weights", "kv", "tp", "batch", "context", "prompt", "fidelity", "layers", "start_state",
                    "config"):
            self.assertEqual(run[key], report[key], key)
        self.assertEqual(run["history"], report["command"])
        self.assertEqual(len(report["stages"]), 1)
        stage = report["stages"][0]
        totals = tables["decode"]
        for ours, theirs in (("tokens", "tokens"), ("latency", "latency_s"), ("bound", "bound_s"), ("bound_from", "bound_from"),
                             ("longest_path", "longest_path_s"), ("ceiling_time", "ceiling_s"), ("ceiling_binding", "ceiling_binding"),
                             ("tokens_per_s", "tokens_per_s"), ("ceiling_tokens_per_s", "ceiling_tokens_per_s"),
                             ("bound_reached", "bound_reached"), ("ceiling_reached", "ceiling_reached")):
            self.assertEqual(totals[ours], stage[theirs], ours)
        self.assertGreater(totals["latency"], 0)

        q = tables["decode/kernel,level,role,direction,cause"]["q"].groupby(["level", "role", "direction", "cause"]).sum()
        listed = {(c["level"], c["role"], c["direction"], c["cause"]): c["bytes"] for c in stage["byte_counts"]}
        self.assertEqual({cell: value for cell, value in q.items() if value}, listed)
        self.assertGreater(len(listed), 4)

        classes = tables["decode/class"]
        by_class = tables["decode/class,level,direction"]["class_q"]
        self.assertEqual(list(classes.index[classes["class_kernels"] > 0]),
                         sorted((c["kernel_class"] for c in stage["classes"]), key=list(classes.index).index))
        for entry in stage["classes"]:
            row = classes.loc[entry["kernel_class"]]
            self.assertEqual(row["class_kernels"], entry["kernels"])
            self.assertEqual(row["class_time"], entry["simulated_s"])
            self.assertEqual(row["class_kernel_bounds"], entry["bound_s"])
            self.assertEqual(row["class_binding"], entry["binding"] or "none")
            for level in ("l2", "hbm", "nvlink", "pcie"):
                for direction in ("read", "write"):
                    self.assertEqual(by_class[entry["kernel_class"], level, direction], entry[f"{level}_{direction}_bytes"])

    def test_a_stage_without_time_says_so(self):
        tables = rooftrace_result.load(self.path)
        self.assertEqual(tables["run"]["fidelity"], "bound")
        self.assertTrue(math.isnan(tables["decode"]["latency"]))
        self.assertTrue(tables["decode/kernel"]["end"].isna().all())
        self.assertGreater(tables["decode"]["bound"], 0)


@needs_program
class Writing(ResultCase):
    def test_same_command_same_bytes(self):
        with tempfile.TemporaryDirectory(prefix="rooftrace_") as elsewhere:
            again = pathlib.Path(elsewhere) / "result.h5"
            simulate(again, "--fidelity", "bound", "--quiet")
            self.assertEqual(again.read_bytes(), self.path.read_bytes())

    def test_nothing_but_the_file_is_left(self):
        with tempfile.TemporaryDirectory(prefix="rooftrace_") as elsewhere:
            simulate(pathlib.Path(elsewhere) / "result.h5", "--fidelity", "bound", "--quiet")
            self.assertEqual(os.listdir(elsewhere), ["result.h5"])

    def test_an_output_that_cannot_be_written_is_refused_at_once(self):
        command = [PROGRAM, "simulate", *SCENARIO, "-o", "/none/such/result.h5"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r'^[^\n]*cannot write "/none/such/result.h5": the folder "/none/such" does not exist\n$')


if __name__ == "__main__":
    unittest.main()

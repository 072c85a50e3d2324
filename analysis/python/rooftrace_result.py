#!/usr/bin/python3
"""Opens a result of rooftrace as pandas tables.

    import rooftrace_result
    tables = rooftrace_result.load("result.h5")
    tables["run"]["config"]                                        # who made it, from what
    tables["decode/kernel"][["label", "class", "start", "end"]]    # one row per kernel
    tables["decode/kernel,level,role,direction,cause"]["q"]        # Q, by all of its dimensions
    tables["decode"]["tokens_per_s"]                               # numbers of the whole stage

load() knows nothing of the schema but its rules: variables that share their dimensions share a table, the index is the dimensions'
coordinates, enumerations (flag_values) become categories, and X_id becomes a category X by way of the dimension X. Units are in
frame.attrs["units"]. The schema itself is in analysis/README.md. Needs h5py, numpy and pandas; xarray.open_dataset(file, group="decode")
opens the same file without this module.

As a program: prints what is in the files that it is given.
"""

import signal
import sys

import h5py
import numpy as np
import pandas as pd

SCHEMA = "rooftrace-result/1"


class NotAResult(ValueError):
    """The file is HDF5, but not a result that this module knows."""


def load(path):
    """All tables of a result file: a dict of name -> pandas.DataFrame, or pandas.Series for "run" and for numbers of a whole group."""
    with h5py.File(path, "r") as file:
        schema = file.attrs.get("schema", "")
        if schema != SCHEMA:
            raise NotAResult(f"{path}: schema is {schema!r}, not {SCHEMA!r}")
        tables = {"run": pd.Series(dict(file.attrs), dtype=object, name="run")}
        for name, group in file.items():
            tables.update(_tables_of_group(name, group))
        return tables


def q_by_level(tables, stage):
    """Q of a stage in bytes: one row per kernel class that moved any, one column per (level, direction)."""
    q = tables[f"{stage}/class,level,direction"]["class_q"].unstack(["level", "direction"])
    return q[(q != 0).any(axis=1)]


def _tables_of_group(name, group):
    scalars, units, columns = {}, {}, {}
    for variable, dataset in group.items():
        unit = dataset.attrs.get("units", "")
        if dataset.ndim == 0:
            scalars[variable] = _scalar(dataset)
            units[variable] = unit
        elif not h5py.h5ds.is_scale(dataset.id):
            columns.setdefault(_dimensions(dataset), {})[variable] = dataset
    tables = {}
    if scalars:
        tables[name] = pd.Series(scalars, dtype=object, name=name)  # Counts stay integers.
        tables[name].attrs["units"] = units
    for dimensions, datasets in columns.items():
        index = [_coordinate(group[dimension]) for dimension in dimensions]
        index = pd.Index(index[0], name=dimensions[0]) if len(index) == 1 else pd.MultiIndex.from_product(index, names=dimensions)
        frame = pd.DataFrame({variable: _column(dataset) for variable, dataset in datasets.items()}, index=index)
        frame.attrs["units"] = {variable: dataset.attrs.get("units", "") for variable, dataset in datasets.items()}
        for variable in [v for v in frame.columns if v.endswith("_id")]:
            dimension = variable[: -len("_id")]
            frame.insert(0, dimension, pd.Categorical.from_codes(group[variable][()], _coordinate(group[dimension])))
            del frame[variable]
        tables[f"{name}/{','.join(dimensions)}"] = frame
    return tables


def _dimensions(dataset):
    return tuple(dimension[0].name.rsplit("/", 1)[1] for dimension in dataset.dims)


def _coordinate(dataset):
    return dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]


def _meanings(dataset):
    meanings = dataset.attrs.get("flag_meanings")
    return None if meanings is None else meanings.split(" ")


def _scalar(dataset):
    meanings = _meanings(dataset)
    return dataset[()] if meanings is None else meanings[dataset[()]]


def _column(dataset):
    values = np.ravel(dataset[()])
    meanings = _meanings(dataset)
    return values if meanings is None or dataset.name.endswith("_id") else pd.Categorical.from_codes(values, meanings)


def main(paths):
    for path in paths:
        for name, table in load(path).items():
            print(f"\n{path}: {name}\n{table.head(10).to_string() if isinstance(table, pd.DataFrame) else table.to_string()}")
    return 0 if paths else "usage: rooftrace_result.py FILE.h5 ..."


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" is no error.
    sys.exit(main(sys.argv[1:]))

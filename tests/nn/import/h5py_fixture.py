"""Makes the HDF5 files of these tests with the HDF5 library itself.

pip install h5py; python h5py_fixture.py FOLDER
"""

import pathlib
import sys

import h5py
import numpy as np

FOLDER = pathlib.Path(sys.argv[1])
LAYERS = {
    "conv1_conv": {"kernel": ((7, 7, 3, 64), "f4"), "bias": ((64,), "f4")},
    "conv1_bn": {
        "gamma": ((64,), "f4"),
        "beta": ((64,), "f4"),
        "moving_mean": ((64,), "f8"),
        "moving_variance": ((64,), "f4"),
    },
    "conv2_block1_1_conv": {"kernel": ((1, 1, 2, 2), "f4")},
}

# A few layers of ResNet-50 as Keras 2 lays them out.
with h5py.File(FOLDER / "h5py.h5", "w") as file:
    file.attrs["layer_names"] = np.array([name.encode() for name in LAYERS])
    file.attrs["backend"] = np.bytes_("tensorflow")
    for name, variables in LAYERS.items():
        group = file.create_group(name)
        group.attrs["weight_names"] = [f"{name}/{variable}:0".encode() for variable in variables]
        for variable, (shape, kind) in variables.items():
            # Constant and packed, so that the file stays small.
            packed = {"chunks": shape, "compression": "gzip"} if np.prod(shape) > 1000 else {}
            group.create_dataset(f"{name}/{variable}:0", data=np.full(shape, 0.5, kind), **packed)

# A group that holds itself.
with h5py.File(FOLDER / "loop.h5", "w", libver="latest") as file:
    group = file.create_group("conv1_conv")
    group["conv1_conv"] = group

# Datasets that claim what no file holds.
with h5py.File(FOLDER / "huge.h5", "w", libver="latest") as file:
    file.create_dataset("conv1_conv/conv1_conv/kernel:0", (1 << 40, 7, 3, 64), "f4", chunks=(1, 7, 3, 64))
    file.create_dataset("conv1_bn/conv1_bn/beta:0", (64,), "f4", maxshape=(None,), chunks=(1 << 28,))

"""Writes a synthetic data set as large as the paper's, for timing `recovnet check-data`:

    python benches/data_set.py FOLDER [--images 124616] [--side 64] [--copies 50]
    /usr/bin/time -v recovnet check-data --data FOLDER --json report.json

Every image is a chest of its own (lungs, ribs, vessels, heart at random); the last ones are cropped copies of the
first with another gamma, of other groups, so that some of them lie in another part. Needs numpy.
"""

import argparse
import csv
import struct
import zlib
from pathlib import Path

import numpy as np


def chest(number: int, side: int) -> np.ndarray:
    """A grey chest of `side` rows and columns, 0 to 255."""
    rng = np.random.default_rng(number)
    v, u = (np.mgrid[0:side, 0:side] + 0.5) / side
    grey = rng.uniform(120, 190) + rng.uniform(-40, 40) * (u - 0.5) + rng.uniform(-40, 40) * (v - 0.5)

    def soft(distance):
        return 1 / (1 + np.exp(np.clip((distance - 1) * 12, -50, 50)))

    for x in (0.3, 0.7):
        cx, cy = x + rng.uniform(-0.05, 0.05), 0.48 + rng.uniform(-0.06, 0.06)
        rx, ry, tilt = rng.uniform(0.11, 0.18), rng.uniform(0.26, 0.38), rng.uniform(-0.25, 0.25)
        grey -= 85 * soft(np.hypot((u - cx - tilt * (v - cy)) / rx, (v - cy) / ry))
    cx, cy = 0.54 + rng.uniform(-0.06, 0.06), 0.62 + rng.uniform(-0.06, 0.06)
    grey += 45 * soft(np.hypot((u - cx) / rng.uniform(0.1, 0.18), (v - cy) / rng.uniform(0.1, 0.2)))
    ribs = (v + rng.uniform(0.2, 0.9) * (u - 0.5) ** 2) / rng.uniform(0.06, 0.1) + rng.uniform()
    grey += 11 * np.sin(2 * np.pi * ribs)
    # Vessels: random heights on a coarse and on a fine grid.
    for cells, height in ((8, 14), (20, 10)):
        field = rng.normal(size=(cells + 1, cells + 1))
        at = np.linspace(0, cells, side, endpoint=False)
        low, share = at.astype(int), at - at.astype(int)
        rows = field[low] * (1 - share[:, None]) + field[low + 1] * share[:, None]
        grey += height * (rows[:, low] * (1 - share) + rows[:, low + 1] * share)
    return np.clip(grey, 0, 255).round().astype(np.uint8)


def copy_of(picture: np.ndarray) -> np.ndarray:
    """The picture without 5 % at each side, with another gamma."""
    edge = round(0.05 * len(picture))
    inner = picture[edge:-edge, edge:-edge]
    return (255 * (inner / 255.0) ** 1.5).round().astype(np.uint8)


def png(picture: np.ndarray) -> bytes:
    """An eight-bit grey PNG file."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = picture.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), picture], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 1)) + chunk(b"IEND", b"")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=124_616)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--copies", type=int, default=50)
    arguments = parser.parse_args()
    labels = ("normal", "covid", "bacterial", "viral", "other-thoracic")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with open(arguments.folder / "manifest.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "label", "group", "source", "view"))
        for number in range(arguments.images):
            original = number - (arguments.images - arguments.copies)
            picture = chest(number, arguments.side) if original < 0 else copy_of(chest(original, arguments.side))
            name = f"{number // 1000:03}/{number:06}.png"
            path = arguments.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png(picture))
            table.writerow((name, labels[number % 5], f"patient-{number}", f"made-{number % 3}", "frontal"))


if __name__ == "__main__":
    main()

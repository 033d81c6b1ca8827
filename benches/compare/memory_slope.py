#!/usr/bin/env python3
"""Whether `predict` keeps memory: its resident memory over many different pictures, and the slope of it.

    python3 benches/compare/memory_slope.py [--pictures 3000] [--json slope.json] [--svg docs/memory.svg]

The pictures are phantoms of different seeds, predicted in one process with the cache off (`--no-cache`). Memory (VmRSS)
is read after every picture. The first tenth is left out, because buffers are made then; the rest is averaged in
blocks, since neighbouring values are not independent, and a line is fitted to the blocks. Zero within noise means that
the slope is less than two of its standard errors, or too small to matter: less than 1 MiB over all pictures.

Needs Linux, for /proc; and matplotlib for --svg only. Exit code: 0 no slope, 1 a slope, 2 it could not be measured.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCKS = 40
LEFT_OUT = 0.1
TOO_SMALL_KIB = 1024.0


def make_pictures(arguments, folder):
    for seed in range(1, arguments.pictures + 1):
        size = str(arguments.size)
        file = str(folder / f"{seed:05}.png")
        command = [arguments.program, "phantom", file, "--seed", str(seed), "--width", size, "--height", size]
        subprocess.run(command, check=True)


def resident_kib(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def watch(arguments, folder):
    """Resident memory in KiB after every picture."""
    command = [arguments.program, "predict", str(folder), "--no-cache", "--json", "-"]
    command += ["--weights", arguments.weights] if arguments.weights else []
    command += ["--threads", str(arguments.threads)] if arguments.threads else []
    seen = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            if "error" in json.loads(line):
                process.kill()
                raise SystemExit(f"a picture failed: {line.strip()}")
            try:
                seen.append(resident_kib(process))
            except (OSError, StopIteration):
                pass  # it ended right after its last line
    if process.returncode:
        raise SystemExit(f"predict ended with {process.returncode}; run it by hand on one phantom to see why")
    return seen


def fit(values):
    """Slope a picture, its standard error, and the mean, of the values after the first tenth."""
    kept = values[int(len(values) * LEFT_OUT) :]
    length = max(1, len(kept) // BLOCKS)
    starts = range(0, len(kept) - length + 1, length)
    xs = [start + (length - 1) / 2 for start in starts]
    ys = [sum(kept[start : start + length]) / length for start in starts]
    n, mean_x, mean_y = len(xs), sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys)) / spread
    rest = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in zip(xs, ys))
    return slope, math.sqrt(rest / (n - 2) / spread), mean_y


def draw(path, values, slope, error):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot(range(1, len(values) + 1), [value / 1024 for value in values], linewidth=0.8)
    axes.set(xlabel="pictures predicted", ylabel="resident memory, MiB", ylim=(0, None))
    axes.set_title(f"predict --no-cache: {1024 * slope:+.0f} ± {1024 * error:.0f} bytes a picture", fontsize=10)
    axes.grid(alpha=0.3)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/release/recovnet")
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--size", type=int, default=320, help="side of the pictures (%(default)s)")
    parser.add_argument("--weights", help="folder searched first for weights")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", metavar="FILE", help="where everything that was measured goes")
    parser.add_argument("--svg", metavar="FILE", help="where the figure goes")
    arguments = parser.parse_args()
    if arguments.pictures < 50:
        parser.error("--pictures: at least 50, or the slope says nothing")
    if not Path("/proc/self/status").exists():
        parser.error("this system has no /proc")
    if not Path(arguments.program).is_file():
        parser.error(f"{arguments.program}: no such program; build it with cargo build --release, or name it with --program")
    with tempfile.TemporaryDirectory(prefix="slope-") as folder:
        make_pictures(arguments, Path(folder))
        values = watch(arguments, Path(folder))
    slope, error, mean = fit(values)
    grown = slope * len(values)
    is_zero = abs(slope) < 2 * error or abs(grown) < TOO_SMALL_KIB
    print(f"{len(values)} pictures of {arguments.size} x {arguments.size} pixels, {mean / 1024:.1f} MiB on average")
    print(f"slope {1024 * slope:+.1f} bytes a picture, standard error {1024 * error:.1f}: {grown / 1024:+.2f} MiB over all")
    print("zero within noise" if is_zero else "the memory grows")
    if arguments.json:
        content = {"pictures": len(values), "size": arguments.size, "slope_bytes": 1024 * slope}
        content |= {"standard_error_bytes": 1024 * error, "mean_kib": mean, "is_zero": is_zero, "resident_kib": values}
        Path(arguments.json).write_text(json.dumps(content) + "\n")
    if arguments.svg:
        draw(arguments.svg, values, slope, error)
    return 0 if is_zero else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.CalledProcessError) as problem:
        print(problem, file=sys.stderr)
        sys.exit(2)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            sys.exit(2)
        raise

#!/usr/bin/env python3
"""Times reading and decoding a radiograph of each transfer syntax beside pydicom's decoders and dcmtk.

    benches/decoding.py make FOLDER [--side 3000]        one file a transfer syntax, of the synthetic phantom (dcmtk, gdcmconv)
    benches/decoding.py run FILES... [--rounds 7] [--program PATH] [--threads N]

Every system reads the file and makes the stored values of its first frame. In one interleaved run, the order rotated from
round to round:

- recovnet bench --serve --work opening: a process that holds the file's name and opens it anew each round;
- pydicom with pylibjpeg, and pydicom with GDCM, in this process: dcmread and the decoder of that plugin;
- dcmtk: dcmdjpeg, dcmdjpls or dcmdrle to a file on a memory disk, a process each, less what starting it takes.

Prints a table: medians in milliseconds, and ours over the fastest of the others. Needs pydicom, pylibjpeg with its codecs,
python-gdcm, numpy and dcmtk; what is not there is left out.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = {
    "1.2.840.10008.1.2": "implicit little endian", "1.2.840.10008.1.2.1": "explicit little endian",
    "1.2.840.10008.1.2.2": "explicit big endian", "1.2.840.10008.1.2.1.99": "deflated",
    "1.2.840.10008.1.2.5": "RLE", "1.2.840.10008.1.2.4.50": "JPEG baseline", "1.2.840.10008.1.2.4.51": "JPEG 12 bit",
    "1.2.840.10008.1.2.4.57": "JPEG lossless .57", "1.2.840.10008.1.2.4.70": "JPEG lossless .70",
    "1.2.840.10008.1.2.4.80": "JPEG-LS", "1.2.840.10008.1.2.4.81": "JPEG-LS near",
    "1.2.840.10008.1.2.4.90": "JPEG 2000", "1.2.840.10008.1.2.4.91": "JPEG 2000 lossy",
    "1.2.840.10008.1.2.4.201": "HTJ2K", "1.2.840.10008.1.2.4.202": "HTJ2K RPCL", "1.2.840.10008.1.2.4.203": "HTJ2K lossy",
}
DCMTK = {".50": "dcmdjpeg", ".51": "dcmdjpeg", ".57": "dcmdjpeg", ".70": "dcmdjpeg", ".80": "dcmdjpls", ".81": "dcmdjpls",
         "1.2.5": "dcmdrle"}


class Ours:
    name = "recovnet"

    def __init__(self, program: str, file: Path, threads: int):
        self.process = subprocess.Popen(
            [program, "bench", "--serve", "--work", "opening", "--device", "cpu", "--threads", str(threads),
             "--networks", "resnet50", "--batch", "1", "--data", str(file)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = json.loads(self.process.stdout.readline())
        if "error" in ready:
            raise RuntimeError(ready["error"])
        self.stages: list[dict] = []

    def round(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = json.loads(self.process.stdout.readline())
        if "error" in line:
            raise RuntimeError(line["error"])
        self.stages.append(line.get("stages", {}))
        return line["ms"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Pydicom:
    def __init__(self, plugin: str, file: Path):
        from pydicom import dcmread
        from pydicom.pixels import pixel_array
        self.name, self.plugin, self.file = f"pydicom {plugin}".strip(), plugin, file
        self.read, self.array = dcmread, pixel_array
        self.round()

    def round(self) -> float:
        start = time.perf_counter()
        data = self.read(self.file)
        options = {"decoding_plugin": self.plugin} if self.plugin else {}
        self.array(data, index=0, raw=True, **options)
        return 1000 * (time.perf_counter() - start)

    def close(self) -> None:
        pass


class Dcmtk:
    name = "dcmtk"

    def __init__(self, tool: str, file: Path):
        self.tool, self.file = tool, file
        shm = Path("/dev/shm")
        self.folder = tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None)
        self.out = Path(self.folder.name) / "out.dcm"
        self.start = min(self.time([tool, "--version"]) for _ in range(5))
        self.round()

    @staticmethod
    def time(command: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return 1000 * (time.perf_counter() - start)

    def round(self) -> float:
        return self.time([self.tool, str(self.file), str(self.out)]) - self.start

    def close(self) -> None:
        self.folder.cleanup()


def systems(program: str, file: Path, threads: int) -> list:
    from pydicom import dcmread
    uid = str(dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID)
    compressed = uid.startswith("1.2.840.10008.1.2.4") or uid == "1.2.840.10008.1.2.5"
    found = [Ours(program, file, threads)]
    for plugin in ["pylibjpeg", "gdcm"] if compressed else [""]:
        try:
            found.append(Pydicom(plugin, file))
        except Exception as error:  # a plugin that is not there, or cannot do it
            print(f"  {file.name}: pydicom {plugin}: {str(error).splitlines()[0]}", file=sys.stderr)
    tool = next((tool for end, tool in DCMTK.items() if uid.endswith(end)), None)
    if tool:
        try:
            found.append(Dcmtk(tool, file))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"  {file.name}: {tool}: {error}", file=sys.stderr)
    return found


def run(args: argparse.Namespace) -> int:
    from pydicom import dcmread
    print(f"{'file':<34} {'syntax':<24} {'recovnet':>9} {'fastest other':>26} {'ratio':>6}   all, ms")
    for file in args.files:
        uid = str(dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID)
        try:
            every = systems(args.program, file, args.threads)
        except RuntimeError as error:
            print(f"{file.name:<34} {error}")
            continue
        times: dict[str, list[float]] = {system.name: [] for system in every}
        for number in range(args.rounds):
            turn = number % len(every)
            for system in every[turn:] + every[:turn]:
                times[system.name].append(system.round())
        for system in every:
            system.close()
        medians = {name: statistics.median(values) for name, values in times.items()}
        ours = medians.pop("recovnet")
        rest = min(medians.items(), key=lambda item: item[1], default=("-", float("nan")))
        listed = ", ".join(f"{name} {value:.1f}" for name, value in medians.items())
        print(f"{file.name:<34} {NAMES.get(uid, uid):<24} {ours:>9.1f} {rest[0] + f' {rest[1]:.1f}':>26} "
              f"{ours / rest[1]:>6.2f}   {listed}", flush=True)
        stages = every[0].stages
        if stages and stages[0]:
            parts = {name: statistics.median(stage[name] for stage in stages) for name in stages[0]}
            print("  " + ", ".join(f"{name} {value:.1f} ms" for name, value in parts.items()))
    return 0


MAKERS = {
    "explicit": ["dcmconv", "+te"], "implicit": ["dcmconv", "+ti"], "big": ["dcmconv", "+tb"], "deflated": ["dcmconv", "+td"],
    "rle": ["dcmcrle"], "jpeg12": ["dcmcjpeg", "+ee", "+q", "95"], "lossless57": ["dcmcjpeg", "+el"],
    "lossless70": ["dcmcjpeg", "+e1"], "jpegls": ["dcmcjpls"], "jpegls_near": ["dcmcjpls", "+en"], "j2k": ["gdcmconv", "--j2k"],
}


def make(args: argparse.Namespace) -> int:
    args.folder.mkdir(parents=True, exist_ok=True)
    source = args.folder / "phantom.dcm"
    side = str(args.side)
    subprocess.run([args.program, "phantom", str(source), "--width", side, "--height", side], check=True)
    missing = 0
    for name, command in MAKERS.items():
        try:
            subprocess.run([*command, str(source), str(args.folder / f"{name}.dcm")], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name}: not made: {error}", file=sys.stderr)
            missing += 1
    source.unlink()
    return missing > 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    timing = commands.add_parser("run")
    timing.add_argument("files", nargs="+", type=Path)
    timing.add_argument("--rounds", type=int, default=7)
    timing.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    timing.add_argument("--program", default="target/release/recovnet")
    timing.set_defaults(run=run)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--side", type=int, default=3000)
    making.add_argument("--program", default="target/release/recovnet")
    making.set_defaults(run=make)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Times header-only indexing of a folder beside dcmdump and pydicom, in one interleaved run.

    benches/index.py make FOLDER [--files 10000]      small DICOM files: 1 patient a study, 2 series of 2 images each
    benches/index.py run FOLDER [--rounds 5] [--program PATH]

Every round runs, in an order that is rotated from round to round:

- recovnet index, into a new database (reads all headers) and into the one that is there (reads none);
- dcmdump, which prints the elements that the index keeps, stopping before the pixels (--stop-after-elem), in one
  process for many files, and in two processes side by side;
- pydicom, dcmread(stop_before_pixels=True) and the same attributes, in one process and in two.

The files lie in the page cache: a first pass over them is not counted. Needs dcmtk, pydicom and numpy.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROCESSES = os.cpu_count() or 1
STOP: list[str] = []
TAGS = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
    "StudyDescription", "AccessionNumber", "SeriesInstanceUID", "SeriesNumber", "Modality", "SeriesDescription",
    "BodyPartExamined", "SOPInstanceUID", "SOPClassUID", "InstanceNumber", "ViewPosition", "NumberOfFrames", "Rows",
    "Columns",
]


def make(folder: Path, files: int) -> None:
    """Writes DX files of 128 x 128 pixels with a header as long as a real one's (about 90 elements)."""
    import numpy as np
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    pixels = (np.arange(128 * 128, dtype=np.uint16) % 4096).tobytes()
    for number in range(files):
        study, rest = divmod(number, 4)
        series, image = divmod(rest, 2)
        data = Dataset()
        data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        data.SOPInstanceUID = f"2.25.7.{number}"
        data.PatientName, data.PatientID = f"Synthetic^Number{study}", f"S{study:06}"
        data.PatientBirthDate, data.PatientSex = "19700101", "FM"[study % 2]
        data.StudyInstanceUID, data.SeriesInstanceUID = f"2.25.8.{study}", f"2.25.9.{study}.{series}"
        data.StudyDate, data.StudyTime = f"2024{1 + study % 12:02}{1 + study % 28:02}", "101500"
        data.StudyDescription, data.SeriesDescription = "Chest PA and lateral", "PA" if series == 0 else "Lateral"
        data.SeriesNumber, data.InstanceNumber = series + 1, image + 1
        data.Modality, data.BodyPartExamined = "DX", "CHEST"
        data.ViewPosition = "PA" if series == 0 else "LL"
        data.AccessionNumber, data.StudyID = f"A{study}", str(study)
        for tag in range(0x0010, 0x003a):
            data.add_new((0x0019, 0x1000 + tag), "LO", "private value of a vendor")
        data.add_new((0x0019, 0x0010), "LO", "VENDOR")
        data.ReferencedStudySequence = [Dataset(), Dataset()]
        for item in data.ReferencedStudySequence:
            item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", "2.25.1"
        data.Rows = data.Columns = 128
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.WindowCenter, data.WindowWidth = 2048, 4096
        data.PixelData = pixels
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        path = folder / f"{study % 100:02}" / f"{number:06}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        data.save_as(path, enforce_file_format=True)
        # As if written an hour ago: what is fresh is read again by recovnet, in case it is still being written.
        old = time.time() - 3600
        os.utime(path, (old, old))


def recovnet(program: str, folder: Path, database: Path) -> dict:
    command = [program, "index", str(folder), "--db", str(database), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def dcmdump(files: list[Path]) -> int:
    """Prints what the index keeps; dcmdump takes as many files as fit into a command line."""
    count = 0
    wanted = [option for tag in TAGS for option in ("+P", tag)]
    for start in range(0, len(files), 1000):
        batch = [str(path) for path in files[start : start + 1000]]
        command = ["dcmdump", "-q", *STOP, *wanted, *batch]
        shown = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout
        count += shown.count("(0008,0018)")
    return count


def stop_options() -> list[str]:
    text = subprocess.run(["dcmdump", "--help"], capture_output=True, text=True).stdout
    return ["--stop-after-elem", "0028,0011"] if "--stop-after-elem" in text else []


def pydicom_headers(files: list[Path]) -> int:
    import pydicom

    count = 0
    for path in files:
        data = pydicom.dcmread(path, stop_before_pixels=True)
        count += bool([data.get(tag) for tag in TAGS])
    return count


def halves(files: list[Path]) -> list[list[Path]]:
    return [files[number::PROCESSES] for number in range(PROCESSES)]


def run(folder: Path, rounds: int, program: str) -> None:
    STOP[:] = stop_options()
    files = sorted(path for path in folder.rglob("*.dcm"))
    for path in files:
        path.read_bytes()
    with tempfile.TemporaryDirectory() as scratch, multiprocessing.Pool(PROCESSES) as pool:
        pool.map(pydicom_headers, [files[:10]] * PROCESSES)
        kept = Path(scratch) / "kept.sqlite"
        recovnet(program, folder, kept)
        fresh = iter(range(10**6))
        inside = {}

        def ours(new: bool) -> int:
            database = Path(scratch) / f"{next(fresh)}.sqlite" if new else kept
            told = recovnet(program, folder, database)
            assert told["read"] == (len(files) if new else 0), told
            inside.setdefault(new, []).append(told["seconds"])
            return told["instances"]

        threads = ThreadPoolExecutor(PROCESSES)
        cases = {
            "recovnet index, new database": lambda: ours(True),
            "recovnet index, nothing changed": lambda: ours(False),
            "dcmdump, 1 process": lambda: dcmdump(files),
            f"dcmdump, {PROCESSES} processes": lambda: sum(threads.map(dcmdump, halves(files))),
            "pydicom, 1 process": lambda: pydicom_headers(files),
            f"pydicom, {PROCESSES} processes": lambda: sum(pool.map(pydicom_headers, halves(files))),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        names = list(cases)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                begin = time.perf_counter()
                count = cases[name]()
                times[name].append(time.perf_counter() - begin)
                assert count == len(files), (name, count)
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.strip()
    dcmtk = subprocess.run(["dcmdump", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    import pydicom

    print(f"{len(files)} files, {rounds} rounds, {PROCESSES} processors, {platform.machine()}")
    print(f"{version}; {dcmtk}; pydicom {pydicom.__version__}, Python {platform.python_version()}")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(f"{name:34} {middle:7.2f} s ({spread})  {len(files) / middle:9.0f} files/s")
    for new, seconds in inside.items():
        what = "new database" if new else "nothing changed"
        print(f"  without the start of the process, {what}: {statistics.median(seconds):.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--files", type=int, default=10_000)
    running = commands.add_parser("run")
    running.add_argument("folder", type=Path)
    running.add_argument("--rounds", type=int, default=5)
    running.add_argument("--program", default="recovnet")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments.folder, arguments.files)
    else:
        run(arguments.folder, arguments.rounds, arguments.program)


if __name__ == "__main__":
    sys.exit(main())

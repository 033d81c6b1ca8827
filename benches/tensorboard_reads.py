"""Reads runs' TensorBoard files with TensorBoard itself and compares every scalar with what the run wrote beside them
(`events.jsonl` for steps, `metrics.jsonl` for epochs): by its reader, and by its web server with both of the loaders
that it has:

    python benches/tensorboard_reads.py RUN [RUN ...]

Prints what agrees; exits with 1 on a difference. Needs tensorboard (2.21 was tried).
"""

import argparse
import json
import math
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

OF_STEP = ("loss", "rate", "images_per_second", "waited", "gradient_norm", "memory_mib", "gpu_mib")
OF_EPOCH = ("train_loss", "validation_loss", "rate", "images_per_second", "size")

Scalars = dict[str, list[tuple[int, float]]]


def single(value: float) -> float:
    """As a file of events holds it."""
    return struct.unpack("f", struct.pack("f", value))[0]


def expected(run: Path) -> Scalars:
    """Tag to steps and values, from the run's own lines; of a resumed run without the steps that were made again."""
    scalars: Scalars = {}
    steps_per_epoch = 1

    def add(step: int, tag: str, value: float | None) -> None:
        if value is not None:
            scalars.setdefault(tag, []).append((step, single(value)))

    for line in map(json.loads, (run / "events.jsonl").read_text().splitlines()):
        if line["event"] == "started":
            steps_per_epoch = max(line["steps_per_epoch"], 1)
            if place := line.get("resumed_from"):
                first = place["epochs"] * steps_per_epoch + place["steps"] + 1
                scalars = {tag: [at for at in values if at[0] < first] for tag, values in scalars.items()}
        elif line["event"] == "step":
            for name in OF_STEP:
                add(line["done"], f"step/{name}", line.get(name))
    for record in map(json.loads, (run / "metrics.jsonl").read_text().splitlines()):
        step = record["epoch"] * steps_per_epoch
        for name in OF_EPOCH:
            add(step, f"epoch/{name}", record[name])
        if record["metric"] != "loss":
            add(step, f"epoch/validation_{record['metric']}", record["validation_score"])
        for metric in record["validation"]:
            add(step, f"epoch/validation_{metric['name']}", metric["value"])
    return {tag: values for tag, values in scalars.items() if values}


def by_reader(run: Path) -> Scalars:
    """What TensorBoard's reader finds, none left out."""
    accumulator = EventAccumulator(str(run), size_guidance={SCALARS: 0})
    accumulator.Reload()
    tags = accumulator.Tags()[SCALARS]
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in tags}


def by_server(run: Path, patience: float, fast: bool) -> Scalars:
    """What TensorBoard's web server answers; the fast loader is a program of its own (tensorboard_data_server)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "run").symlink_to(run.resolve())
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", folder, "--host", "127.0.0.1"]
        command += ["--port", str(port), "--samples_per_plugin", "scalars=1000000", "--load_fast", str(fast).lower()]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def ask(path: str):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{path}", timeout=10) as answer:
                return json.load(answer)

        try:
            until = time.monotonic() + patience
            while True:
                # It answers before it has read the files.
                try:
                    if "run" in ask("runs") and (tags := ask("plugin/scalars/tags").get("run")):
                        break
                except (urllib.error.URLError, ConnectionError):
                    pass
                if time.monotonic() > until or server.poll() is not None:
                    raise SystemExit(f"{run}: TensorBoard's server shows no run")
                time.sleep(0.2)
            time.sleep(1)
            scalars = {}
            for tag in tags:
                query = urllib.parse.urlencode({"run": "run", "tag": tag})
                scalars[tag] = [(step, value) for _, step, value in ask(f"plugin/scalars/scalars?{query}")]
            return scalars
        finally:
            server.terminate()
            server.wait()


def differences(there: Scalars, found: Scalars) -> list[str]:
    """In words; none where tags, steps and values agree. Epochs' lines keep seven digits."""
    words = [f"no {tag}" for tag in there.keys() - found.keys()]
    words += [f"{tag} was not written" for tag in found.keys() - there.keys()]
    for tag in sorted(there.keys() & found.keys()):
        close = 1e-6 if tag.startswith("epoch/") else 0.0
        if [step for step, _ in there[tag]] != [step for step, _ in found[tag]]:
            words.append(f"{tag}: {len(found[tag])} steps that are not the {len(there[tag])} of the run")
        elif worst := [
            (step, one, other)
            for (step, one), (_, other) in zip(there[tag], found[tag])
            if not math.isclose(one, other, rel_tol=close)
        ]:
            words.append(f"{tag}: {len(worst)} values differ, the first {worst[0]}")
    return words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--patience", type=float, default=60, help="seconds the server has to show a run")
    arguments = parser.parse_args()
    failed = False
    for run in arguments.runs:
        there = expected(run)
        ways = (
            ("reader", by_reader(run)),
            ("server", by_server(run, arguments.patience, False)),
            ("server with the fast loader", by_server(run, arguments.patience, True)),
        )
        for way, found in ways:
            words = differences(there, found)
            failed |= bool(words)
            values = sum(len(values) for values in there.values())
            print(f"{run.name}, {way}: " + ("; ".join(words) or f"{len(there)} tags, {values} values agree"))
    sys.exit(failed)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Times the product side by side with PyTorch and onnxruntime, in one interleaved run.

    pip install -r benches/compare/requirements.txt
    cargo build --release
    python3 benches/compare/compare.py REFERENCE [--json compare.json]
    python3 benches/compare/compare.py REFERENCE --device cuda:0 [--goldens target/release/deps/nn-HASH]

REFERENCE is the folder with recovnet_ref.py, the networks in PyTorch. Every system is a process of its own that holds
one case, warm, and waits: one round at a time is asked of one system at a time, in an order that rotates from round
to round, so that whatever disturbs the machine disturbs them alike. Times are medians of at least 15 rounds; a ratio
below 1 means that the product is faster, or smaller. Memory is the most that each process ever had resident (VmHWM),
everything among it: program, libraries, weights.

Systems on the CPU: recovnet, torch (eager), torch-channels-last, torch-compile (channels last, inference frozen), and
onnxruntime for inference. On a GPU: recovnet, torch (eager, f32 without TF32), torch-amp (channels last, bf16
autocast, cudnn.benchmark) and torch-compile (the same, compiled). A system that cannot run a case is named with its
reason, and the others go on. A training step is forward, loss, backward and Adam on 224 x 224 pixels.

With a GPU everything ends within --limit-s (540 s): what there was no time for is named. --goldens runs the golden
tests and those of the CUDA operations on the GPU first, with the test program `nn` that
`cargo test --release --features cuda --no-run --test nn` builds.

Exit code: 0 all good; 1 the product, a golden or an operation failed; 2 it was called wrongly, or there is no such GPU.
"""

import argparse
import json
import os
import platform
import queue
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "recovnet"
CPU_SYSTEMS = [OURS, "torch", "torch-channels-last", "torch-compile", "onnxruntime"]
GPU_SYSTEMS = [OURS, "torch", "torch-amp", "torch-compile"]
BACKBONES = ["resnet50", "densenet121", "inception_v3", "inception_resnet_v2"]
TRAINED = ["resnet50", "densenet121", "segmenter-resnet50", "segmenter-densenet121"]
NETWORKS = BACKBONES + [f"segmenter-{backbone}" for backbone in BACKBONES]
FEWEST_ROUNDS = 15
WARM_UP = (2, 5, 1.0)  # at least, at most rounds, and seconds after which it ends
REST_S = 0.3  # between two systems: a runtime whose threads spin for more work still holds the cores for a while


class Unavailable(Exception):
    """A system cannot run a case; the text says why."""


class System:
    """A process that holds one case and runs a round for every line it is sent."""

    def __init__(self, name, command, env, timeout_s):
        self.name, self.timeout_s = name, timeout_s
        self.times, self.peak_mib, self.gpu_peak_mib = [], None, None
        self.errors = tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen(
                command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
            )
        except OSError as error:
            raise Unavailable(str(error)) from None
        self.answers = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def read(self):
        """The next answer."""
        try:
            line = self.answers.get(timeout=self.timeout_s)
        except queue.Empty:
            raise Unavailable(f"no answer within {self.timeout_s:.0f} s") from None
        if line is None:
            raise Unavailable(f"ended with {self.process.wait()}: {self._last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Unavailable(answer["error"])
        return answer

    def _last_words(self):
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors if line.strip()]
        told = [line for line in lines if "rror" in line]
        return (told or lines or ["no message"])[-1][:300]

    def round(self):
        """One round, in milliseconds."""
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended; its last answer says why
        answer = self.read()
        self.peak_mib = answer.get("peak_mib")
        self.gpu_peak_mib = answer.get("gpu_peak_mib")
        return answer["ms"]

    def warm_up(self):
        least, most, enough_s = WARM_UP
        start = time.monotonic()
        for done in range(1, most + 1):
            self.round()
            if done >= least and time.monotonic() - start > enough_s:
                break

    def close(self):
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def result(self):
        rounded = lambda number: None if number is None else round(number, 3)
        return {
            "median_ms": round(statistics.median(self.times), 3),
            "min_ms": round(min(self.times), 3),
            "peak_mib": rounded(self.peak_mib),
            "gpu_peak_mib": rounded(self.gpu_peak_mib),
            "times_ms": [round(ms, 3) for ms in self.times],
        }


def command_of(name, case, arguments, exports):
    """How a system's process is started for a case."""
    settings = [
        "--work", case["work"], "--networks", case["network"], "--batch", str(case["batch"]),
        "--threads", str(case["threads"]), "--device", arguments.device,
    ]  # fmt: skip
    if name == OURS:
        return [arguments.program, "bench", "--serve", *settings, "--precision", arguments.precision]
    worker = [sys.executable, str(HERE / "worker.py"), arguments.reference, "--system", name, "--exports", exports]
    return [*worker, *settings]


def measure(case, arguments, exports, deadline):
    """All systems on one case; whoever fails is left out with its reason."""
    env = os.environ | {"OMP_NUM_THREADS": str(case["threads"]), "MKL_NUM_THREADS": str(case["threads"])}
    running, reasons = [], {}
    order = [name for name in arguments.systems if case["work"] == "inference" or name != "onnxruntime"]
    try:
        for name in order:
            system = None
            try:
                system = System(name, command_of(name, case, arguments, exports), env, arguments.timeout_s)
                system.read()
                system.warm_up()
                running.append(system)
            except Unavailable as reason:
                reasons[name] = str(reason)
                if system:
                    system.close()
        for number in range(arguments.rounds):
            if deadline and time.monotonic() > deadline:
                break
            turn = number % max(1, len(running))
            for system in running[turn:] + running[:turn]:
                if system.name in reasons:
                    continue
                time.sleep(REST_S)
                try:
                    system.times.append(system.round())
                except Unavailable as reason:
                    reasons[system.name] = str(reason)
        done = {s.name: s.result() for s in running if s.times and s.name not in reasons}
        for system in running:
            if not system.times:
                reasons.setdefault(system.name, "no time left for a round")
    finally:
        for system in running:
            system.close()
    return case | {"device": arguments.device, "systems": done, "unavailable": reasons, **ratios(done)}


def ratios(done):
    """The product's time and memory over its peers'."""
    ours = done.get(OURS)
    peers = {name: result for name, result in done.items() if name != OURS}
    found = {"best_peer": None, "time_over_best": None, "time_over_onnxruntime": None}
    found |= {"memory_over_torch": None, "memory_over_best": None}
    if not ours or not peers:
        return found
    over = lambda key, name: ours[key] / peers[name][key] if ours[key] and peers[name][key] else None
    best = min(peers, key=lambda name: peers[name]["median_ms"])
    found["best_peer"], found["time_over_best"] = best, over("median_ms", best)
    if "onnxruntime" in peers:
        found["time_over_onnxruntime"] = over("median_ms", "onnxruntime")
    if "torch" in peers:
        found["memory_over_torch"] = over("peak_mib", "torch")
    found["memory_over_best"] = over("peak_mib", best)
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}


def tell(result):
    """One case as it was measured."""
    print(f"\n{result['work']} {result['network']}, batch {result['batch']}, {result['threads']} threads, {result['device']}")
    for name, seen in result["systems"].items():
        rate = result["batch"] * 1000 / seen["median_ms"]
        memory = "" if seen["peak_mib"] is None else f"  peak {seen['peak_mib']:7.0f} MiB"
        gpu = "" if seen["gpu_peak_mib"] is None else f"  on the GPU {seen['gpu_peak_mib']:7.0f} MiB"
        print(
            f"  {name:20} {seen['median_ms']:9.2f} ms  min {seen['min_ms']:9.2f}  {rate:8.1f} images/s{memory}{gpu}"
            f"  {len(seen['times_ms'])} rounds"
        )
    for name, reason in result["unavailable"].items():
        print(f"  {name:20} not measured: {reason}")
    sys.stdout.flush()


def summary(results):
    """Ratios of all cases; below 1 the product is faster or smaller."""
    number = lambda value: f"{value:10.3f}" if value is not None else f"{'-':>10}"
    print(f"\n{'':52} {'time over':>31} {'memory over':>21}")
    titles = ["best peer", "best", "onnxrt", "torch", "best"]
    print(f"{'work':10} {'network':28} {'batch':>5} {'threads':>7} {titles[0]:>20}" + "".join(f" {t:>10}" for t in titles[1:]))
    for result in results:
        name = f"{result['work']:10} {result['network']:28} {result['batch']:5} {result['threads']:7}"
        print(
            f"{name} {result['best_peer'] or '-':>20} {number(result['time_over_best'])}"
            f" {number(result['time_over_onnxruntime'])} {number(result['memory_over_torch'])}"
            f" {number(result['memory_over_best'])}"
        )


def goldens(arguments, seconds):
    """Runs the golden tests and, on a GPU, those of the CUDA operations; whether they pass."""
    env = os.environ | {"RECOVNET_GOLDEN_DEVICE": arguments.device, "CI": "true"}
    numbers = Path(arguments.reference) / "open"
    if numbers.is_dir():
        env["RECOVNET_REFERENCE"] = str(numbers.resolve())
    # A test runs if its path has one of these words in it.
    command = [arguments.goldens, "golden", "cuda::", "--test-threads=1"]
    start = time.monotonic()
    try:
        run = subprocess.run(command, env=env, text=True, capture_output=True, timeout=seconds, check=False)
        passed, output = run.returncode == 0, run.stdout + run.stderr
    except subprocess.TimeoutExpired:
        passed, output = False, f"no end within {seconds:.0f} s"
    except OSError as error:
        passed, output = False, f"{arguments.goldens}: {error}"
    print(f"goldens on {arguments.device}: {'passed' if passed else 'FAILED'}, {time.monotonic() - start:.0f} s")
    lines = [line for line in output.splitlines() if line.startswith("test ")]
    print("\n".join("  " + line for line in (lines if passed else output.splitlines()[-40:])))
    return {"passed": passed, "device": arguments.device, "tests": lines}


def facts(arguments):
    """The machine, as the product tells it, and the peers' versions."""
    found = {"python": platform.python_version(), "rounds": arguments.rounds}
    for package in ("torch", "torchvision", "timm", "onnxruntime", "numpy"):
        try:
            from importlib.metadata import version

            found[package] = version(package)
        except ImportError:
            found[package] = None
    doctor = subprocess.run([arguments.program, "doctor"], text=True, capture_output=True, check=False)
    found["doctor"] = doctor.stdout.splitlines()[:4]
    return found


def gpu_missing(device):
    """Why PyTorch cannot use a GPU, or None if it can."""
    ask = (
        "import sys, torch\n"
        "n = int(sys.argv[1])\n"
        "print('' if torch.cuda.is_available() and n < torch.cuda.device_count() else\n"
        "      f'PyTorch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices')"
    )
    ordinal = device.partition(":")[2]
    answer = subprocess.run([sys.executable, "-c", ask, ordinal], text=True, capture_output=True, check=False)
    if answer.returncode:
        return (answer.stderr.strip().splitlines() or ["PyTorch cannot be imported"])[-1]
    return answer.stdout.strip() or None


def cases(arguments):
    """Every combination of what was asked for."""
    gpu = arguments.device != "cpu"
    found = []
    for work in arguments.work:
        networks = arguments.networks or (BACKBONES if work == "inference" else TRAINED)
        if work == "inference":
            batches = arguments.inference_batch or ([1, 64] if gpu else [1, 32])
        else:
            batches = arguments.training_batch or ([64] if gpu else [8, 32])
        for batch in batches:
            # On one thread only what somebody waits for is measured: single pictures.
            few = arguments.threads if batch == 1 and work == "inference" and not gpu else arguments.threads[:1]
            for threads in few:
                found += [{"work": work, "network": n, "batch": batch, "threads": threads} for n in networks]
    return found


def words(allowed):
    """Parses a list of names."""

    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(allowed)}")
        return names

    return parse


def numbers(text):
    """Parses a list of whole numbers from 1 on."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of whole numbers from 1 on")
    return found


def device(text):
    name, _, ordinal = text.partition(":")
    if text != "cpu" and not (name == "cuda" and ordinal.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is neither cpu nor cuda:N")
    return text


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", help="folder with recovnet_ref.py")
    parser.add_argument("--program", default="target/release/recovnet", help="the product (%(default)s)")
    parser.add_argument("--device", type=device, default="cpu", help="cpu or cuda:N (%(default)s)")
    parser.add_argument("--precision", choices=["f32", "bf16"], help="of recovnet; default: f32 on the CPU, bf16 on a GPU")
    parser.add_argument("--work", type=words(["inference", "training"]), default=["inference", "training"])
    parser.add_argument("--networks", type=words(NETWORKS), help="default: four classifiers; training: v1, v2 and their segmenters")
    parser.add_argument("--inference-batch", type=numbers, help="default: 1,32; on a GPU 1,64")
    parser.add_argument("--training-batch", type=numbers, help="default: 8,32; on a GPU 64")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser.add_argument("--threads", type=numbers, default=sorted({cores, 1}, reverse=True), help="the first is used for all, the others for batch 1 (%(default)s)")
    parser.add_argument("--rounds", type=int, default=FEWEST_ROUNDS, help="of each case (%(default)s)")
    parser.add_argument("--systems", type=words(sorted({*CPU_SYSTEMS, *GPU_SYSTEMS})), help="default: all of the device")
    parser.add_argument("--goldens", metavar="TESTPROGRAM", help="test program nn, whose goldens and CUDA operations run on the device first")
    parser.add_argument("--timeout-s", type=float, default=300.0, help="for one answer of a system (%(default)s)")
    parser.add_argument("--limit-s", type=float, help="for everything (default: none; on a GPU 540)")
    parser.add_argument("--json", metavar="FILE", help="where everything that was measured goes")
    arguments = parser.parse_args()
    arguments.precision = arguments.precision or ("f32" if arguments.device == "cpu" else "bf16")
    systems = CPU_SYSTEMS if arguments.device == "cpu" else GPU_SYSTEMS
    arguments.systems = arguments.systems or systems
    if wrong := [name for name in arguments.systems if name not in systems]:
        parser.error(f"{', '.join(wrong)}: not on {arguments.device}; there are {', '.join(systems)}")
    if arguments.rounds < 1:
        parser.error("--rounds: at least 1")
    if not (Path(arguments.reference) / "recovnet_ref.py").is_file():
        parser.error(f"{arguments.reference}: no recovnet_ref.py in this folder")
    if not os.access(arguments.program, os.X_OK):
        parser.error(f"{arguments.program}: no such program; build it with cargo build --release, or name it with --program")
    if arguments.device != "cpu" and arguments.limit_s is None:
        arguments.limit_s = 540.0
    return arguments


def write_json(path, content):
    """Appears whole or not at all."""
    target = Path(path)
    beside = target.with_name(target.name + ".part")
    beside.write_text(json.dumps(content, indent=1) + "\n")
    beside.replace(target)


def main():
    start = time.monotonic()
    arguments = parse_arguments()
    if arguments.device != "cpu" and (reason := gpu_missing(arguments.device)):
        print(f"{arguments.device} is not here: {reason}. Run this on a machine with a GPU, or with --device cpu.", file=sys.stderr)
        return 2
    if arguments.rounds < FEWEST_ROUNDS:
        print(f"Fewer than {FEWEST_ROUNDS} rounds: a trial, not a measurement.", file=sys.stderr)
    deadline = start + arguments.limit_s if arguments.limit_s else None
    content = {"facts": facts(arguments), "goldens": None, "cases": [], "left_out": []}
    print("\n".join(content["facts"]["doctor"]))
    versions = [f"{name} {content['facts'][name]}" for name in ("torch", "onnxruntime")]
    print(f"{', '.join(versions)}; {arguments.rounds} rounds a case, medians")
    if arguments.goldens:
        content["goldens"] = goldens(arguments, (arguments.limit_s or 1200.0) / 2)
    with tempfile.TemporaryDirectory(prefix="compare-") as exports:
        for case in cases(arguments):
            if deadline and time.monotonic() > deadline:
                content["left_out"].append(case)
                continue
            result = measure(case, arguments, exports, deadline)
            tell(result)
            content["cases"].append(result)
            if arguments.json:
                write_json(arguments.json, content)
    summary(content["cases"])
    for case in content["left_out"]:
        print(f"no time left for {case['work']} {case['network']}, batch {case['batch']}, {case['threads']} threads")
    if arguments.json:
        write_json(arguments.json, content)
    ours_failed = any(OURS in result["unavailable"] for result in content["cases"])
    golden_failed = content["goldens"] is not None and not content["goldens"]["passed"]
    return int(ours_failed or golden_failed)


if __name__ == "__main__":
    sys.exit(main())

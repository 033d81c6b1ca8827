#!/usr/bin/env python3
"""Draws throughput against batch size and threads, as `recovnet bench` measured it.

    recovnet bench --work inference --batch 1,2,4,8,16,32 --threads 1,2 --device cpu --json scaling.json
    python3 benches/compare/plot.py scaling.json docs/throughput.svg

One panel for batch sizes (on the most threads), one for threads (batch 1, dashed the largest). The ending of the
figure's name decides its format: .svg or .png. Needs matplotlib.
"""

import argparse
import json
import sys
from pathlib import Path


def read(path, work, device):
    """The machine, and images a second by network, batch and threads."""
    machine, rates = {}, {}
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            raise SystemExit(f"{path}: line {number} is no JSON; this is not what recovnet bench --json writes") from None
        machine = entry.get("machine", machine)
        if entry.get("work") == work and entry.get("device") == device and "median_ms" in entry:
            key = (entry["network"], entry["batch"], entry["threads"])
            rates[key] = entry["batch"] * 1000 / entry["median_ms"]
    if not rates:
        raise SystemExit(f"{path}: no measurement of {work} on {device}")
    return machine, rates


def draw(path, machine, rates, work):
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "recovnet"
    from matplotlib import pyplot

    networks = sorted({network for network, _, _ in rates})
    batches = sorted({batch for _, batch, _ in rates})
    threads = sorted({number for _, _, number in rates})
    figure, (by_batch, by_threads) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")

    def line(axes, points, **style):
        points = [(x, rates[key]) for x, key in points if key in rates]
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=3.5, **style)

    for index, network in enumerate(networks):
        colour = f"C{index}"
        line(by_batch, [(b, (network, b, threads[-1])) for b in batches], color=colour, label=network)
        line(by_threads, [(t, (network, batches[0], t)) for t in threads], color=colour)
        if len(batches) > 1:
            line(by_threads, [(t, (network, batches[-1], t)) for t in threads], color=colour, linestyle="--")
    by_batch.set(xlabel=f"images in a batch ({threads[-1]} threads)", ylabel=f"{work}, images/s", ylim=(0, None))
    by_batch.set_xscale("log", base=2)
    by_batch.set_xticks(batches, [str(batch) for batch in batches])
    largest = f", dashed {batches[-1]}" if len(batches) > 1 else ""
    by_threads.set(xlabel=f"threads (batch {batches[0]}{largest})", ylim=(0, None))
    by_threads.set_xticks(threads)
    for axes in (by_batch, by_threads):
        axes.grid(alpha=0.3)
    by_batch.legend(fontsize=8)
    facts = f"{machine.get('cpu', 'unknown CPU')}, recovnet {machine.get('version', '?')} ({machine.get('commit', '?')})"
    figure.suptitle(facts, fontsize=9)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measured", help="lines of recovnet bench --json")
    parser.add_argument("figure", help="FILE.svg or FILE.png")
    parser.add_argument("--work", choices=["inference", "training"], default="inference")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if not arguments.figure.endswith((".svg", ".png")):
        parser.error(f"{arguments.figure}: the name must end in .svg or .png")
    machine, rates = read(arguments.measured, arguments.work, arguments.device)
    draw(arguments.figure, machine, rates, arguments.work)
    return 0


if __name__ == "__main__":
    sys.exit(main())

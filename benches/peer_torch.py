#!/usr/bin/env python3
"""Times the product's networks in PyTorch on the CPU: the peer of `cargo bench`.

    python3 benches/peer_torch.py PATH_TO_REFERENCE [--threads 2] [--runs 30]

PATH_TO_REFERENCE is the folder with recovnet_ref.py (PyTorch reference of the networks; needs torch,
torchvision, timm and numpy). One picture of 224 x 224, float32; medians in milliseconds, eager and with
channels last.
"""

import argparse
import statistics
import sys
import time


def median_ms(torch, network, image, runs):
    """Median time of one evaluation after three to warm up."""
    with torch.inference_mode():
        for _ in range(3):
            network(image)
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            network(image)
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference", help="folder with recovnet_ref.py")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=30)
    arguments = parser.parse_args()
    sys.path.insert(0, arguments.reference)
    import torch
    import recovnet_ref as reference

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    print(f"torch {torch.__version__}, {arguments.threads} threads, 1 x 3 x 224 x 224, {arguments.runs} runs")
    for task, make in NETWORKS.items():
        for layout in ("contiguous", "channels_last"):
            network = make(reference).eval()
            image = torch.randn(1, 3, 224, 224)
            if layout == "channels_last":
                network = network.to(memory_format=torch.channels_last)
                image = image.contiguous(memory_format=torch.channels_last)
            print(f"{task:10} {layout:14} {median_ms(torch, network, image, arguments.runs):8.1f} ms")


NETWORKS = {
    "segment": lambda reference: reference.Segmenter("densenet121"),
    "classify": lambda reference: reference.ReCovNet("densenet121"),
}

if __name__ == "__main__":
    main()

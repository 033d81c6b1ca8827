#!/usr/bin/env python3
"""One system of compare.py: PyTorch or onnxruntime in a process that holds one case.

It builds the case, says `{"device": …}`, then runs one round for every line on standard input and answers with
`{"ms": …, "peak_mib": …}`: what `recovnet bench --serve` does. `{"error": …}` is its last word where a case cannot be
run. Started by compare.py; see there.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

SIZE = 224


def process_mib(entry):
    """Memory of this process (VmHWM: most, VmRSS: now); None where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    values = [line.split()[1] for line in lines if line.startswith(entry + ":")]
    return int(values[0]) / 1024 if values else None


def make_network(reference, name):
    """A network of recovnet_ref.py by the product's name; a segmenter gives logits at the input's size."""
    if name.startswith("segmenter-"):
        return reference.Segmenter(name.removeprefix("segmenter-"))
    return reference.ReCovNet(name)


def output_of(network, images):
    """Logits: a segmenter gives them at its own size, too."""
    logits = network(images)
    return logits[1] if isinstance(logits, tuple) else logits


def torch_setup(arguments):
    """PyTorch as the case wants it, and the reference networks."""
    sys.path.insert(0, arguments.reference)
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = arguments.system != "torch"
    import recovnet_ref as reference

    return torch, reference


def place(torch, arguments, network, images):
    """Network and images on the device, in the layout of the system."""
    network, images = network.to(arguments.device), images.to(arguments.device)
    if arguments.system != "torch":
        network = network.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    return network, images


def mixed(torch, arguments):
    """bf16 where a GPU computes and the system is not the plain one."""
    on = arguments.device != "cpu" and arguments.system != "torch"
    return torch.autocast("cuda", dtype=torch.bfloat16, enabled=on)


def finish(torch, arguments):
    if arguments.device != "cpu":
        torch.cuda.synchronize(arguments.device)


def torch_inference(arguments):
    torch, reference = torch_setup(arguments)
    network = make_network(reference, arguments.network).eval()
    images = torch.randn(arguments.batch, 3, SIZE, SIZE)
    network, images = place(torch, arguments, network, images)
    segments = arguments.network.startswith("segmenter-")

    def forward(images):
        logits = output_of(network, images)
        return logits.float().sigmoid() if segments else logits.float()

    if arguments.system == "torch-compile":
        import torch._inductor.config as inductor

        inductor.freezing = True
        forward = torch.compile(forward)

    def round_():
        with torch.no_grad(), mixed(torch, arguments):
            forward(images)
        finish(torch, arguments)

    return round_


def torch_training(arguments):
    torch, reference = torch_setup(arguments)
    network = make_network(reference, arguments.network).train()
    images = torch.randn(arguments.batch, 3, SIZE, SIZE)
    if arguments.device != "cpu":
        # A batch comes from the host at every step, as in the product's loop.
        images = images.pin_memory()
    network, _ = place(torch, arguments, network, images[:1])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    segments = arguments.network.startswith("segmenter-")
    if segments:
        target = torch.from_numpy(reference.rule_mask(arguments.batch, SIZE, SIZE)).float()
    else:
        target = torch.nn.functional.one_hot(torch.arange(arguments.batch) % 2, 2).float()
    target = target.to(arguments.device)
    forward = torch.compile(network) if arguments.system == "torch-compile" else network
    layout = torch.contiguous_format if arguments.system == "torch" else torch.channels_last

    def round_():
        batch = images.to(arguments.device, non_blocking=True).contiguous(memory_format=layout)
        optimiser.zero_grad(set_to_none=True)
        with mixed(torch, arguments):
            logits = output_of(forward, batch)
        logits = logits.float()
        loss = reference.hybrid(logits.sigmoid(), target) if segments else reference.cce(logits, target)
        loss.backward()
        optimiser.step()
        loss.item()
        finish(torch, arguments)

    return round_


def export(arguments, path):
    """Writes the network as ONNX."""
    torch, reference = torch_setup(arguments)
    network = make_network(reference, arguments.network).eval()

    class Prediction(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, images):
            logits = output_of(self.network, images)
            return logits.sigmoid() if logits.dim() == 4 else logits

    images = torch.randn(arguments.batch, 3, SIZE, SIZE)
    with torch.no_grad():
        torch.onnx.export(Prediction(), (images,), str(path), dynamo=True, input_names=["images"])


def onnxruntime_inference(arguments):
    import numpy
    import onnxruntime

    path = Path(arguments.exports) / f"{arguments.network}-{arguments.batch}.onnx"
    if not path.exists():
        export(arguments, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rng = numpy.random.default_rng(1)
    images = rng.standard_normal((arguments.batch, 3, SIZE, SIZE), dtype=numpy.float32)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: images})


def build(arguments):
    if arguments.system == "onnxruntime":
        if arguments.work != "inference":
            raise ValueError("onnxruntime does not train")
        return onnxruntime_inference(arguments)
    return torch_training(arguments) if arguments.work == "training" else torch_inference(arguments)


def gpu_peak_mib(device):
    if device == "cpu":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference")
    parser.add_argument("--system", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--networks", dest="network", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--exports", required=True, help="folder for exported networks")
    arguments = parser.parse_args()
    # Libraries write where they like: the answers keep standard output to themselves.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        round_ = build(arguments)
        say({"device": arguments.device, "loaded_mib": process_mib("VmRSS")})
        for _ in sys.stdin:
            start = time.perf_counter()
            round_()
            ms = 1000 * (time.perf_counter() - start)
            say({"ms": ms, "peak_mib": process_mib("VmHWM"), "gpu_peak_mib": gpu_peak_mib(arguments.device)})
    except Exception as error:  # whatever a library throws ends this case only
        reason = " ".join(str(error).split())[:300]
        say({"error": f"{type(error).__name__}: {reason}"})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures the window itself: how long a large radiograph takes from being chosen to being drawn, and how many frames a
second a window/level drag over it draws.

    benches/window.py [--program PATH] [--side 3000] [--size 1280x800] [--seconds 6] [--file DICOM]

Starts the program in a display of its own (Xvfb, so a software renderer draws, unless --display names another) on nine
uncompressed 16-bit pictures, goes to the last, which nothing has decoded ahead, and to its neighbour, then drags across the middle with 100 moves of the mouse a
second. Reads what the program says of itself with RECOVNET_TRACE=1. Needs Xvfb and xdotool.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


class Window:
    def __init__(self, program: str, files: list[Path], display: str, home: Path, size: tuple[int, int]):
        self.env = {**os.environ, "DISPLAY": display, "HOME": str(home), "XDG_RUNTIME_DIR": str(home),
                    "RECOVNET_TRACE": "1"}
        self.env.pop("WAYLAND_DISPLAY", None)
        self.process = subprocess.Popen([program, *map(str, files)], env=self.env, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        threading.Thread(target=self.listen, daemon=True).start()
        self.size = size

    def ready(self) -> None:
        """Waits for the first picture, gives the window its size and the keyboard."""
        self.wait("drawn", 1)
        window = self.xdotool("search", "--onlyvisible", "--name", ".").split()[-1]
        self.xdotool("windowmove", window, "0", "0", "windowsize", window, *map(str, self.size), "windowfocus", window)
        time.sleep(1.5)

    def listen(self) -> None:
        for line in self.process.stderr:
            self.lines.append(line.strip())

    def xdotool(self, *words: str) -> str:
        return subprocess.run(["xdotool", *words], env=self.env, check=True, capture_output=True, text=True).stdout

    def wait(self, word: str, count: int) -> None:
        end = time.monotonic() + 60
        while sum(word in line for line in self.lines) < count:
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError(f"the window says no {word!r}: {self.lines}")
            time.sleep(0.01)

    def opened(self) -> float:
        """Milliseconds from choosing the picture that was chosen last to its being drawn."""
        found = re.search(r"drawn ([0-9.]+)(ms|s|µs) after", [line for line in self.lines if "drawn" in line][-1])
        return float(found[1]) * {"ms": 1, "s": 1000, "µs": 0.001}[found[2]]

    def drag(self, seconds: float) -> list[float]:
        """Frames a second, of every second of a drag."""
        before = len(self.lines)
        x, y = self.size[0] // 2, self.size[1] // 2
        moves = ["mousemove", str(x), str(y), "mousedown", "1"]
        for step in range(int(seconds * 100)):
            moves += ["mousemove", str(x + abs(step % 300 - 150)), str(y + abs(step % 200 - 100)), "sleep", "0.01"]
        self.xdotool(*moves, "mouseup", "1")
        return [float(found[1]) for line in self.lines[before:] if (found := re.search(r"([0-9.]+) frames a second", line))]


def measure(window: Window, has_several: bool, seconds: float) -> None:
    window.ready()
    times = [window.opened()]
    for key in ["End", "Page_Up"] if has_several else []:
        window.xdotool("key", key)
        window.wait("drawn", len(times) + 1)
        times.append(window.opened())
        time.sleep(1)
    names = ["when the window opens", "the last", "its neighbour, decoded ahead"]
    print("chosen to drawn: " + ", ".join(f"{name} {each:.0f} ms" for name, each in zip(names, times)))
    frames = window.drag(seconds)
    if not frames:
        raise RuntimeError("no whole second of dragging was measured; --seconds gives it more time")
    print(f"drag: median {statistics.median(frames):.1f} frames a second ({', '.join(f'{each:.1f}' for each in frames)})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="target/debug/recovnet")
    parser.add_argument("--side", type=int, default=3000)
    parser.add_argument("--size", default="1280x800")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--file", type=Path, action="append", help="in place of the phantoms; once for each")
    parser.add_argument("--display", help="such as :0")
    args = parser.parse_args()
    size = tuple(int(side) for side in args.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        files = args.file or []
        if not files:
            for seed in range(9):
                files.append(Path(folder) / f"phantom{seed}.dcm")
                subprocess.run([args.program, "phantom", str(files[-1]), "--width", str(args.side), "--height",
                                str(args.side), "--seed", str(seed)], check=True, stdout=subprocess.DEVNULL)
        server = None
        if not args.display:
            read, write = os.pipe()
            server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", f"{args.size}x24", "-nolisten", "tcp"],
                                      pass_fds=[write], stderr=subprocess.DEVNULL)
            os.close(write)
            args.display = ":" + os.fdopen(read).readline().strip()
        window = Window(args.program, files, args.display, Path(folder), size)
        try:
            measure(window, len(files) > 1, args.seconds)
        finally:
            window.process.kill()
            if server:
                server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How much longer the whole way of a sheet takes than the search for its text alone: fetching, decoding, covering ...

    python benchmarks/overlap.py [--shared ../shared] [--sheets 8] [--rounds 3] [--detector union]

Detection alone: the sheets lie decoded in memory, and as many workers as there are cores search them. Then the same
sheets by `naflora redact` (from disk) and by `naflora fetch --redact` (from a server on loopback, a process of its own,
without limits that would hide the speed), with the same workers and the networks loaded before. The three take turns;
the ratios are of neighbours in one round, their medians stand last. Above 1.15 the rest is not hidden behind detection.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from naflora_etl.fetching.options import FetchOptions
from naflora_etl.fetching.receipt import fetch_list
from naflora_etl.imaging.decode import decode_image
from naflora_etl.imaging.detectors import open_detector
from naflora_etl.imaging.files import redact_files
from naflora_etl.recipe import HttpOptions, ImagesOptions

ROOT = Path(__file__).resolve().parents[1]


def chosen_sheets(shared: Path, count: int) -> list[Path]:
    """Return so many of the large sheets of the New York Botanical Garden, spread over all."""
    folder = shared / "data/images/nybg_aocr"
    verified = json.loads((folder / "verified_word_boxes.json").read_text())["images"]
    large = [name for name in sorted(verified) if max(verified[name]["width"], verified[name]["height"]) > 3000]
    return [folder / "sheets" / f"{Path(name).stem}.jpg" for name in large[:: max(1, len(large) // count)][:count]]


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback from a process of its own; yield its root."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and the CPU seconds of this process that some work takes."""
    began, before = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - began, time.process_time() - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--sheets", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--detector", choices=["union", "craft", "ppocr"], default="union")
    chosen = parser.parse_args()
    sheets = chosen_sheets(chosen.shared, chosen.sheets)
    options = ImagesOptions(redact=chosen.detector)
    detector = open_detector(options)
    assert detector is not None
    workers = os.cpu_count() or 1
    pixels = [
        decode_image(path.read_bytes(), need_px=options.detect_px, max_pixels=options.max_source_pixels).pixels
        for path in sheets
    ]

    def detect() -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(detector.find, pixels))

    detector.find(pixels[0])  # the networks are loaded
    temporary = Path(tempfile.mkdtemp(prefix="overlap"))
    try:
        with served(sheets[0].parent) as root:
            listed = temporary / "urls.csv"
            listed.write_text("key,url\n" + "".join(f"{path.stem},{root}/{path.name}\n" for path in sheets))
            manners = {"concurrency": 16, "per_second": 10_000}
            http = HttpOptions.model_validate({"default": manners, "allow_private_hosts": [root.split("/")[2]]})

            def redact() -> None:
                made = redact_files(sheets, temporary / "redacted", options, lambda *_: None)
                assert all(one.made is not None for one in made)

            def fetch() -> None:
                shutil.rmtree(temporary / "fetched", ignore_errors=True)
                how = FetchOptions(images=options)
                told = fetch_list(listed, temporary / "fetched", options=how, http=http, progress=lambda *_: None)
                assert told.images == len(sheets), told.issues

            ways = {"detection": detect, "naflora redact": redact, "naflora fetch": fetch}
            ratios: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
            for number in range(chosen.rounds):
                took = {way: timed(work) for way, work in ways.items()}
                for way, (wall, cpu) in took.items():
                    ratios[way].append((wall / took["detection"][0], cpu / took["detection"][1]))
                told = ", ".join(f"{way} {wall:.1f} s ({cpu:.1f} CPU)" for way, (wall, cpu) in took.items())
                sys.stdout.write(f"round {number + 1}, {len(sheets)} sheets, {workers} workers: {told}\n")
            for way, found in ratios.items():
                wall, cpu = (statistics.median(values) for values in zip(*found, strict=True))
                sys.stdout.write(f"{way:<16} {wall:.2f} of detection's wall, {cpu:.2f} of its CPU\n")
    finally:
        shutil.rmtree(temporary)


if __name__ == "__main__":
    main()

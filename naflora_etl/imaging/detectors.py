"""The detector that a recipe asks for, opened."""

from __future__ import annotations

from naflora_etl.imaging.barcodes import find_barcodes
from naflora_etl.imaging.craft import CraftNetwork
from naflora_etl.imaging.detect import Network, TextDetector
from naflora_etl.imaging.faint import FaintScout
from naflora_etl.imaging.ppocr import PpocrNetwork, SmallPrint
from naflora_etl.imaging.seals import find_seals
from naflora_etl.imaging.search import Finder, SheetSearch
from naflora_etl.imaging.sessions import sums_bytes_exactly
from naflora_etl.imaging.weights import find_eight_bit, find_ppocr, find_weights
from naflora_etl.recipe import ImagesOptions


def open_detector(options: ImagesOptions, *, threads: int = 1) -> TextDetector | None:
    """Return the recipe's text detector, or None when the recipe covers nothing.

    CRAFT is taken in floats where the recipe says so, on a GPU, or where the processor cannot sum bytes without loss.
    Raises Fault, which names the command to run, when its weights are absent or not the genuine ones.
    """
    if options.redact == "none":
        return None
    close: list[Network] = []
    scouts: list[Network] = []
    if options.redact in ("union", "craft"):
        batch = options.gpu_batch
        eight_bit = options.eight_bit and not batch and sums_bytes_exactly()
        weights = find_eight_bit() if eight_bit else find_weights()
        close.append(CraftNetwork(weights, threads=threads, batch=max(1, batch), gpu=batch > 0, even=options.faint))
    if options.redact == "easyocr":
        from naflora_etl.imaging.easyocr import EasyocrNetwork

        close.append(EasyocrNetwork())
    elif options.coarse_px or options.redact != "craft":
        ppocr = PpocrNetwork(find_ppocr(), threads=threads)
        scouts += [ppocr, FaintScout(ppocr)] if options.faint else [ppocr]
        if not options.coarse_px:
            close.append(ppocr)
        elif options.redact == "ppocr":
            close.append(SmallPrint(ppocr))
    return SheetSearch(
        close,
        scouts=scouts,
        trusted=scouts if options.redact != "craft" else [],
        finders=_finders(options),
        detect_px=options.detect_px,
        coarse_px=options.coarse_px,
    )


def _finders(options: ImagesOptions) -> dict[str, Finder]:
    finders: dict[str, Finder] = {}
    if options.barcodes:
        finders["barcode"] = find_barcodes
    if options.seals:
        finders["seal"] = find_seals
    return finders

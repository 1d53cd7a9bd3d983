"""Where the images of a release may lie: in WebDataset tars, in a folder a class, or as the competition laid them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import IO, Any, Literal, Protocol

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.kaggle import file_name
from naflora_etl.publishing.tar import KEY, LABEL, LabelKind, SampleTar, Span

Create = Callable[[str], AbstractContextManager[IO[bytes]]]
"""Open a file of the output by name, to be written whole."""
LayoutName = Literal["webdataset", "imagefolder", "competition"]
SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,89}\.tar")


class Layout(Protocol):
    """Takes images in order of shard and offset, and says where each lies now."""

    def add(self, row: Mapping[str, Any], jpeg: bytes) -> tuple[str, Span]:
        """Write an image; return the name of its file and its place there."""

    def close(self) -> None:
        """End the last file."""


class TarLayout:
    """The tars of the release, each with the samples it had."""

    def __init__(self, create: Create, label: LabelKind = "json") -> None:
        self.create = create
        self.label: LabelKind = label
        self.shard = ""
        self._tar: SampleTar | None = None
        self._open = ExitStack()

    def add(self, row: Mapping[str, Any], jpeg: bytes) -> tuple[str, Span]:
        if row["shard"] != self.shard:
            self.close()
            self.shard = legal_shard(row["shard"])
            self._tar = SampleTar(self._open.enter_context(self.create(self.shard)), label=self.label)
        assert self._tar is not None
        facts = {"key": row["image_key"]} | {name: row[name] for name in LABEL}
        return self.shard, self._tar.add(row["image_key"], jpeg, facts)

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._tar = None
        self._open.close()


class ImageFolderLayout:
    """train/00002-viola-odorata/<key>.jpg, as torchvision's ImageFolder and `imagefolder` of datasets read it."""

    def __init__(self, create: Create) -> None:
        self.create = create

    def add(self, row: Mapping[str, Any], jpeg: bytes) -> tuple[str, Span]:
        if not KEY.fullmatch(row["image_key"]):
            raise Fault(f'"{row["image_key"]}" cannot be the name of an image; `naflora verify` tells what is wrong.')
        name = f"{row['part']}/{class_folder(row['class_id'], row['taxon_name'])}/{row['image_key']}.jpg"
        return _write(self.create, name, jpeg)

    def close(self) -> None:
        pass


class CompetitionLayout:
    """train_images/000/26/00026__004.jpg and test_images/008/test-008005.jpg, as Herbarium 2022 had them."""

    def __init__(self, create: Create) -> None:
        self.create = create

    def add(self, row: Mapping[str, Any], jpeg: bytes) -> tuple[str, Span]:
        return _write(self.create, f"{row['part']}_images/{file_name(row['image_id'])}", jpeg)

    def close(self) -> None:
        pass


def make_layout(name: LayoutName, create: Create, label: LabelKind = "json") -> Layout:
    """Return the layout of this name."""
    if name == "webdataset":
        return TarLayout(create, label)
    return ImageFolderLayout(create) if name == "imagefolder" else CompetitionLayout(create)


def class_folder(class_id: int, taxon_name: str) -> str:
    """Return a folder's name for a class: its number, so that folders sort as classes do, and its name in ASCII."""
    plain = unicodedata.normalize("NFKD", taxon_name.replace("×", "x")).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    return f"{class_id:05d}-{words[:80]}".rstrip("-")


def _write(create: Create, name: str, jpeg: bytes) -> tuple[str, Span]:
    with create(name) as stream:
        stream.write(jpeg)
    return name, Span(0, len(jpeg))


def legal_shard(name: str) -> str:
    """Return the name of a shard; Fault for one that could lead out of a folder."""
    if not SHARD.fullmatch(name):
        raise Fault(f'"{name[:60]}" cannot be the name of a shard; `naflora verify` tells what is wrong.')
    return name

"""Where a release may be published: a folder, or an S3 bucket. Files are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from naflora_etl.engine.faults import Fault
from naflora_etl.publishing.checksums import sum_stream

UNFINISHED = ".partial-"
PART_BYTES = 64 << 20
MOST_PARTS = 9000
"""S3 takes 10,000 parts of one file at most; a larger file gets larger parts."""
Tell = Callable[[int], None]


class Target(Protocol):
    """A place of one release; names are relative to it, with slashes."""

    where: str

    def sizes(self) -> dict[str, int]:
        """Return the sizes in bytes of the files that are there, by name."""

    def holds(self, name: str, sha256: str) -> bool:
        """Return whether a file is there with these bytes."""

    def put(self, name: str, path: Path, sha256: str, tell: Tell) -> None:
        """Bring a local file there; `tell` hears of every block of bytes that went."""

    def create(self, name: str, data: bytes) -> bool:
        """Write a small file; return False, and leave it, when one of that name is there already."""

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a small file; None when it is not there."""

    def remove(self, name: str) -> None:
        """Remove a file."""


class FolderTarget:
    """A local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)

    def sizes(self) -> dict[str, int]:
        if not self.folder.exists():
            return {}
        paths = [path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(UNFINISHED)]
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in sorted(paths)}

    def holds(self, name: str, sha256: str) -> bool:
        path = self.folder / name
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return sum_stream(stream).sha256 == sha256

    def put(self, name: str, path: Path, sha256: str, tell: Tell) -> None:
        with self._beside(name) as beside:
            with path.open("rb") as given, beside.open("wb") as stream:
                shutil.copyfileobj(given, stream, 1 << 20)
                stream.flush()
                os.fsync(stream.fileno())
            beside.replace(self.folder / name)
        tell(path.stat().st_size)

    def create(self, name: str, data: bytes) -> bool:
        with self._beside(name) as beside:
            beside.write_bytes(data)
            try:
                (self.folder / name).hardlink_to(beside)  # appears whole, and never over another
            except FileExistsError:
                return False
        return True

    def read(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)

    @contextmanager
    def _beside(self, name: str) -> Iterator[Path]:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f"{UNFINISHED}{path.name}")
        try:
            yield beside
        finally:
            beside.unlink(missing_ok=True)


class S3Target:
    """A prefix of a bucket. What was sent of a large file stays at the server, and the next run sends the rest."""

    def __init__(self, url: str, part_bytes: int = PART_BYTES) -> None:
        try:
            import s3fs  # botocore takes half a second to load
        except ImportError:
            raise Fault(f"{url}: for S3 the package s3fs is needed; pip install 'naflora-etl[s3]'.") from None
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not bucket or not prefix.strip("/"):
            raise Fault(f"{url} names no place in a bucket; write it as s3://bucket/name-of-the-release.")
        self.where = url.rstrip("/")
        self.bucket, self.prefix, self.part_bytes = bucket, prefix.strip("/"), part_bytes
        self.fs = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def sizes(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for page in self._pages(
            "list_objects_v2", "ContinuationToken", "NextContinuationToken", Prefix=self.prefix + "/"
        ):
            for entry in page.get("Contents", ()):
                found[entry["Key"].removeprefix(self.prefix + "/")] = int(entry["Size"])
        return found

    def holds(self, name: str, sha256: str) -> bool:
        try:
            found = self._call("head_object", Key=self._key(name))
        except FileNotFoundError:
            return False
        return bool(found.get("Metadata", {}).get("sha256") == sha256)

    def put(self, name: str, path: Path, sha256: str, tell: Tell) -> None:
        about = {"Key": self._key(name), "Metadata": {"sha256": sha256}}
        if path.stat().st_size <= self.part_bytes:
            self._call("put_object", Body=path.read_bytes(), **about)
            tell(path.stat().st_size)
        else:
            self._put_parts(path, about, tell)

    def _put_parts(self, path: Path, about: dict[str, Any], tell: Tell) -> None:
        key, size = about["Key"], path.stat().st_size
        part_bytes = max(self.part_bytes, -(-size // MOST_PARTS))
        upload = self._begun_upload(key) or self._call("create_multipart_upload", **about)["UploadId"]
        there, parts = self._sent_parts(key, upload), []
        with path.open("rb") as stream:
            for number in range(1, -(-size // part_bytes) + 1):
                body = stream.read(part_bytes)
                etag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
                if there.get(number) != etag:
                    sent = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=body)
                    etag = sent["ETag"]
                parts.append({"PartNumber": number, "ETag": etag})
                tell(len(body))
        self._call("complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts})

    def _begun_upload(self, key: str) -> str | None:
        """Return the last upload of this file that was begun and not ended; a run that was killed left it."""
        found = [entry for entry in self._call("list_multipart_uploads", Prefix=key).get("Uploads", ())
                 if entry["Key"] == key]  # fmt: skip
        return max(found, key=lambda entry: entry["Initiated"])["UploadId"] if found else None

    def _sent_parts(self, key: str, upload: str) -> dict[int, str]:
        pages = self._pages("list_parts", "PartNumberMarker", "NextPartNumberMarker", Key=key, UploadId=upload)
        return {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", ())}

    def create(self, name: str, data: bytes) -> bool:
        try:
            self._call("put_object", Key=self._key(name), Body=data, IfNoneMatch="*")
        except FileExistsError:
            return False
        except OSError as error:
            if "PreconditionFailed" in str(error) or "pre-conditions" in str(error):
                return False
            raise
        return True

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self.fs.cat_file(f"{self.bucket}/{self._key(name)}"))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        self._call("delete_object", Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}"

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        return dict(self.fs.call_s3(method, Bucket=self.bucket, **arguments))

    def _pages(self, method: str, ask: str, told: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        page = self._call(method, **arguments)
        yield page
        while page.get("IsTruncated") and page.get(told):
            page = self._call(method, **arguments, **{ask: page[told]})
            yield page


def open_target(to: str) -> Target:
    """Return the target that a path or an s3:// URL names; Fault for any other URL."""
    if to.startswith("s3://"):
        return S3Target(to)
    if "://" in to:
        raise Fault(f"{to}: releases are published to a folder or to s3://; docs/publish.md tells of other places.")
    return FolderTarget(Path(to))

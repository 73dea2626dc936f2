"""The landing: every page as received, compressed, sealed, and resumable.

One folder per landing: `<system>/<dataset>/<landing id>/page-000001.bin …` and, when the window
is complete, `manifest.bin`; `unreadable-1.bin …` are answers that no page could be made of,
kept for evidence, newest last. A page file is self-contained (a small header travels inside the
sealed bytes), so an interrupted pull needs no database to know where to go on. Any fsspec URL
works; a local folder is the default, s3:// serves several workers.

Nothing here decodes a page, and no file holds a readable value: the manifest is sealed too, since
with key-set paging a cursor is a key, and its bounds decide how far a dataset's cursor moves.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import fsspec
import zstandard

from tongban.kernel.errors import EnvelopeBroken, Fatal
from tongban.kernel.records import Page

Seal = Callable[[str, bytes], bytes]
_HEADER = struct.Struct(">I")
MANIFEST = "manifest.bin"
_SUFFIX = ".bin"
_DEPTH = 4  # system, dataset, landing, file
UNREADABLE_KEPT = 20  # a source that fails all night must not fill the disk
_COMPRESSION_LEVEL = 1  # pages are read once or twice; speed counts more than size


class LandingMissing(Fatal):
    """The landing is gone or incomplete; the window has to be pulled again."""

    code = "fatal.landing_missing"


@dataclass(frozen=True, slots=True)
class LandedPage:
    """What is known about one landed page without opening its body.

    Attributes:
        digest: SHA-256 of the body as received, lower hex; this is what evidence refers to.
    """

    number: int
    cursor: str
    next_cursor: str | None
    declared_total: int | None
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The complete landing: pages in order, the source's declared total, one digest over all."""

    landing_id: str
    system: str
    dataset: str
    since: str | None
    until: str
    pages: tuple[LandedPage, ...]
    declared_total: int | None
    digest: str


class Landing:
    """One landing folder: append pages, close it, read it back."""

    def __init__(
        self,
        fs: Any,
        folder: str,
        *,
        system: str,
        dataset: str,
        landing_id: str,
        seal: Seal,
        unseal: Seal,
    ) -> None:
        self._fs = fs
        self._folder = folder
        self._seal = seal
        self._unseal = unseal
        self.system = system
        self.dataset = dataset
        self.landing_id = landing_id

    def append(self, page: Page) -> LandedPage:
        """Keep one page; the file appears whole or not at all."""
        landed = LandedPage(
            number=page.number,
            cursor=page.cursor,
            next_cursor=page.next_cursor,
            declared_total=page.declared_total,
            digest=hashlib.sha256(page.body).hexdigest(),
            size=len(page.body),
        )
        header = json.dumps(asdict(landed), separators=(",", ":")).encode()
        packed = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(page.body)
        plain = _HEADER.pack(len(header)) + header + packed
        self._write(self._page_path(page.number), self._seal(self._context(page.number), plain))
        return landed

    def last(self) -> LandedPage | None:
        """The last page of the unbroken run 1, 2, 3 …, or None."""
        last = self._unbroken()
        return self._open(last)[0] if last else None

    def close(self, *, since: str | None, until: str) -> Manifest:
        """Write the manifest of a complete window; doing it again gives the same.

        A page file behind a gap is of an older reading, and no page of this window.
        """
        pages = tuple(self._open(number)[0] for number in range(1, self._unbroken() + 1))
        totals = [p.declared_total for p in pages if p.declared_total is not None]
        whole = hashlib.sha256("".join(page.digest for page in pages).encode()).hexdigest()
        manifest = Manifest(
            landing_id=self.landing_id,
            system=self.system,
            dataset=self.dataset,
            since=since,
            until=until,
            pages=pages,
            declared_total=totals[-1] if totals else None,
            digest=whole,
        )
        text = json.dumps(asdict(manifest), separators=(",", ":")).encode()
        self._write(f"{self._folder}/{MANIFEST}", self._seal(self._context(MANIFEST), text))
        return manifest

    def manifest(self) -> Manifest:
        """The manifest of a complete landing.

        Raises:
            LandingMissing: The landing was never closed, or its folder is gone.
            EnvelopeBroken: The manifest was changed, or is another landing's.
        """
        path = f"{self._folder}/{MANIFEST}"
        if not self._fs.exists(path):
            raise LandingMissing(
                f"landing {self.landing_id} of {self.system}/{self.dataset} has no manifest; "
                "pull the window again",
                landing_id=self.landing_id,
            )
        data = json.loads(self._unseal(self._context(MANIFEST), self._fs.cat_file(path)))
        pages = tuple(LandedPage(**page) for page in data.pop("pages"))
        return Manifest(pages=pages, **data)

    def pages(self) -> Iterator[Page]:
        """Every page in order, its body checked against the manifest's digest.

        Raises:
            LandingMissing: No manifest, or a page file is gone.
            EnvelopeBroken: A page file was changed.
        """
        for expected in self.manifest().pages:
            landed, body = self._open(expected.number)
            if landed != expected or hashlib.sha256(body).hexdigest() != expected.digest:
                raise EnvelopeBroken(
                    f"landing {self.landing_id}: page {expected.number} is not the page of the "
                    "manifest; restore the folder or pull again",
                    page=expected.number,
                )
            yield Page(
                number=landed.number,
                body=body,
                cursor=landed.cursor,
                next_cursor=landed.next_cursor,
                declared_total=landed.declared_total,
            )

    def delete(self) -> None:
        """Remove the folder (retention); removing what is not there is fine."""
        if self._fs.exists(self._folder):
            self._fs.rm(self._folder, recursive=True)

    def keep_unreadable(self, body: bytes) -> None:
        """Keep an answer that could not be read, once; past the limit only the first are kept."""
        kept = list(self.unreadable())
        if body in kept or len(kept) >= UNREADABLE_KEPT:
            return
        number = len(kept) + 1
        packed = zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(body)
        sealed = self._seal(self._context(f"unreadable-{number}"), packed)
        self._write(f"{self._folder}/unreadable-{number}.bin", sealed)

    def unreadable(self) -> Iterator[bytes]:
        """Answers of this landing that could not be read, in the order they came."""
        for number in range(1, UNREADABLE_KEPT + 1):
            path = f"{self._folder}/unreadable-{number}.bin"
            if not self._fs.exists(path):
                return
            packed = self._unseal(self._context(f"unreadable-{number}"), self._fs.cat_file(path))
            yield zstandard.ZstdDecompressor().decompress(packed)

    def _open(self, number: int) -> tuple[LandedPage, bytes]:
        """Header and body of one page file."""
        path = self._page_path(number)
        try:
            sealed = self._fs.cat_file(path)
        except FileNotFoundError:
            raise LandingMissing(
                f"landing {self.landing_id}: page {number} is gone; pull the window again",
                page=number,
            ) from None
        plain = self._unseal(self._context(number), sealed)
        (length,) = _HEADER.unpack_from(plain)
        start = _HEADER.size
        landed = LandedPage(**json.loads(plain[start : start + length]))
        return landed, zstandard.ZstdDecompressor().decompress(plain[start + length :])

    def _unbroken(self) -> int:
        """Number of the last page of the run 1, 2, 3 … that has no gap; 0 without a first one."""
        numbers = set(self._numbers())
        last = 0
        while last + 1 in numbers:
            last += 1
        return last

    def _numbers(self) -> list[int]:
        """Numbers of the page files that are there."""
        if not self._fs.exists(self._folder):
            return []
        self._fs.invalidate_cache()
        names = (str(path).rsplit("/", 1)[-1] for path in self._fs.ls(self._folder, detail=False))
        return [
            int(name[5:-4]) for name in names if name.startswith("page-") and name[-4:] == ".bin"
        ]

    def _page_path(self, number: int) -> str:
        return f"{self._folder}/page-{number:06d}.bin"

    def _context(self, number: int | str) -> str:
        """Binds a sealed page to its place: it opens nowhere else."""
        return f"landing|{self.system}|{self.dataset}|{self.landing_id}|{number}"

    def _write(self, path: str, data: bytes) -> None:
        """Write under another name first, so that a reader never sees half a file."""
        self._fs.makedirs(self._folder, exist_ok=True)
        if "file" in _protocols(self._fs):
            part = f"{path}.part"
            with open(part, "wb") as stream:  # noqa: PTH123 - fsspec gives plain paths
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(part, path)  # noqa: PTH105 - fsspec gives plain paths
        else:
            self._fs.pipe_file(path, data)


def _protocols(fs: Any) -> tuple[str, ...]:
    """Names of the filesystem's protocol, always as a tuple."""
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


class SealedFile:
    """One file of a landing as it lies there, for changing its key; it is not opened here."""

    def __init__(self, landing: Landing, fs: Any, path: str, context: str) -> None:
        self._landing = landing
        self._fs = fs
        self._path = path
        self.context = context

    def read(self, length: int | None = None) -> bytes | None:
        """The file, or its first bytes; None when retention was quicker."""
        try:
            data: bytes = self._fs.cat_file(self._path, start=0 if length else None, end=length)
        except FileNotFoundError:
            return None
        return data

    def replace(self, data: bytes) -> None:
        """Put other bytes in its place; a reader sees the old ones or the new ones."""
        self._landing._write(self._path, data)  # noqa: SLF001 - the same module


class LandingStore:
    """All landings below one fsspec URL."""

    def __init__(self, url: str, *, seal: Seal, unseal: Seal) -> None:
        self._fs, self._base = fsspec.core.url_to_fs(url)
        self._seal = seal
        self._unseal = unseal

    def folders(self) -> Iterator[tuple[str, str, str]]:
        """System, dataset and id of every landing that is there, complete or not."""
        base = self._base.rstrip("/")
        if not self._fs.exists(base):
            return
        self._fs.invalidate_cache()
        for path in self._fs.glob(f"{base}/*/*/*"):
            system, dataset, landing_id = str(path).rstrip("/").rsplit("/", 3)[1:]
            yield system, dataset, landing_id

    def landing(self, system: str, dataset: str, landing_id: str) -> Landing:
        """The landing of that id, new or old."""
        return Landing(
            self._fs,
            f"{self._base.rstrip('/')}/{system}/{dataset}/{landing_id}",
            system=system,
            dataset=dataset,
            landing_id=landing_id,
            seal=self._seal,
            unseal=self._unseal,
        )

    def sealed_files(self) -> Iterator[SealedFile]:
        """Every sealed file of every landing, in the order of their paths."""
        base = self._base.rstrip("/")
        if not self._fs.exists(base):
            return
        self._fs.invalidate_cache()
        for path in sorted(str(found) for found in self._fs.find(base)):
            parts = path[len(base) :].strip("/").split("/")
            if len(parts) != _DEPTH or not parts[-1].endswith(_SUFFIX):
                continue
            landing = self.landing(*parts[:3])
            name = parts[-1].removesuffix(_SUFFIX)
            number: int | str = int(name[5:]) if name.startswith("page-") else name
            whole = MANIFEST if parts[-1] == MANIFEST else number
            yield SealedFile(landing, self._fs, path, landing._context(whole))  # noqa: SLF001 - the same module

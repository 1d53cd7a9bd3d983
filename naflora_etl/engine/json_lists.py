"""Lists in a JSON file, item by item, so that a million of them need no memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import IO, Any

BLOCK_BYTES = 1 << 20
BLANKS = " \t\r\n"
NUMBER_TAIL = len("e+1")
"""Letters behind a number without which it cannot be told whether it goes on."""


def read_lists(stream: IO[bytes]) -> Iterator[tuple[str, Iterator[Any]]]:
    """Yield the key and the items of each list of an object whose values are lists; of a list alone, "" and its items.

    Items that were not taken are passed over, and have to be JSON all the same. ValueError, telling where, for anything
    else than such a file.
    """
    text = _Text(stream)
    if text.peek() == "[":
        yield from _pass_over("", _read_list(text))
    else:
        text.expect("{")
        while text.peek() != "}":
            key = text.value()
            if not isinstance(key, str):
                raise text.fault("a key is no text")
            text.expect(":")
            yield from _pass_over(key, _read_list(text))
            if text.peek() != "}":
                text.expect(",")
                if text.peek() == "}":
                    raise text.fault("a key is missing")
        text.expect("}")
    if text.peek():
        raise text.fault("something follows the end")


def _pass_over(key: str, items: Iterator[Any]) -> Iterator[tuple[str, Iterator[Any]]]:
    yield key, items
    for _ in items:
        pass


def _read_list(text: _Text) -> Iterator[Any]:
    text.expect("[")
    is_first = True
    while is_first or text.peek() == ",":
        if is_first and text.peek() == "]":
            break
        if not is_first:
            text.expect(",")
        yield text.value()
        is_first = False
    text.expect("]")


class _Text:
    """A file's text, of which a block and the item that is being read are in memory."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.scan = json.JSONDecoder().raw_decode
        self.text, self.place, self.passed, self.is_whole = "", 0, 0, False

    def fault(self, what: str) -> ValueError:
        return ValueError(f"{what} at letter {self.passed + self.place}")

    def peek(self) -> str:
        """Return the next letter that is no blank, and stay before it; nothing at the end."""
        while True:
            while self.place < len(self.text):
                if self.text[self.place] not in BLANKS:
                    return self.text[self.place]
                self.place += 1
            if not self._fill():
                return ""

    def expect(self, letter: str) -> None:
        found = self.peek()
        if found != letter:
            raise self.fault(f"{found or 'the end'} stands where {letter} is due")
        self.place += 1

    def value(self) -> Any:
        """Return the next value, however long."""
        self.peek()
        while True:
            try:
                value, end = self.scan(self.text, self.place)
            except json.JSONDecodeError as error:
                if self._fill():
                    continue
                raise self.fault(error.msg) from None
            if end + NUMBER_TAIL < len(self.text) or not self._fill():
                self.place = end
                return value

    def _fill(self) -> bool:
        """Read on, and forget what was passed; False at the end."""
        if self.is_whole:
            return False
        rest = self.text[self.place :]
        block = self.stream.read(max(BLOCK_BYTES, 4 * len(rest)))
        self.is_whole = not block
        self.passed += self.place
        self.text, self.place = rest + self.decoder.decode(block, final=self.is_whole), 0
        return True

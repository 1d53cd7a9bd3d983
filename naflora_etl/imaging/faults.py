"""The fault of a single image, for which its row is set aside."""

from __future__ import annotations


class ImageFault(Exception):
    """An image that cannot be used: `issue` is a name out of naflora_etl/issues.py, the text a sentence about it."""

    def __init__(self, issue: str, sentence: str) -> None:
        super().__init__(sentence)
        self.issue = issue

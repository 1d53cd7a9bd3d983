"""What all sections of a recipe share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """What all sections share: frozen, strict about keys, documented by the string under each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

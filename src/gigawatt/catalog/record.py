"""What every record has: an id, a name, where it comes from."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import ModelWrapValidatorHandler, field_validator, model_validator

from gigawatt.catalog.quantity import Strict, inherit
from gigawatt.core.datum import KINDS
from gigawatt.core.errors import nearest


class Record(Strict):
    """The head of a record.

    `kind`, `source`, `as_of` are inherited by every value that does not state its own. `notes` are for readers.
    """

    folder: ClassVar[str] = ""

    id: str
    name: str = ""
    kind: str = ""
    source: str = ""
    source_url: str = ""
    as_of: str = ""
    notes: tuple[str, ...] = ()

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if value and value not in KINDS:
            near = nearest(value, KINDS)
            hint = f" (did you mean '{near}'?)" if near else ""
            raise ValueError(f"kind '{value}' is none of {', '.join(KINDS)}{hint}")
        return value

    @field_validator("as_of", mode="before")
    @classmethod
    def _date(cls, value: Any) -> Any:
        """A year may be written as a number."""
        return str(value) if isinstance(value, int) else value

    @field_validator("notes", mode="before")
    @classmethod
    def _one_note(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="wrap")
    @classmethod
    def _inherit(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        record = handler(data)
        return inherit(record, f"{cls.folder}/{record.id}")

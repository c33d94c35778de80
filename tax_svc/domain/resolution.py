"""What the tax authority's service says of an address."""

from dataclasses import dataclass, fields

from kernel.address import Address


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing about an address.

    Attributes:
        part: The field of the address, as kernel.address names it; empty when it is about the whole.
        message: For a person.
        is_error: Whether the address cannot be used as it is.
    """

    part: str
    message: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of an address.

    Attributes:
        address: As the post would write it; None when it cannot be placed.
        remarks: What is wrong with it, or was changed.
    """

    address: Address | None
    remarks: tuple[Remark, ...]

    def is_valid(self) -> bool:
        """Say whether the address can be used as it was asked about."""
        return self.address is not None and not any(remark.is_error for remark in self.remarks)


def changes(asked: Address, resolved: Address) -> tuple[Remark, ...]:
    """Return a remark for each part that is another now; capitals and blanks alone do not count."""
    return tuple(
        Remark(part.name, "is written differently by the post; check that it is what was meant", is_error=False)
        for part in fields(Address)
        if _plain(getattr(asked, part.name)) != _plain(getattr(resolved, part.name))
    )


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()

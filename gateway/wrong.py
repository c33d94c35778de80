"""What the JSON readers raise: every field that is wrong, its path growing as the error travels outwards."""

from collections.abc import Iterator, Sequence

from kernel.errors import FieldViolation, Reason, Refusal


class Wrong(Exception):
    """A JSON value does not fit where it stands.

    Attributes:
        violations: The fields beneath the value that are wrong; their paths begin with "." or "[", or are empty for
            the value itself.
    """

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        super().__init__(violations)
        self.violations = violations

    @classmethod
    def value(cls, description: str) -> "Wrong":
        """Return the error that the value itself is wrong."""
        return cls((FieldViolation("", description),))

    def under(self, step: str) -> Iterator[FieldViolation]:
        """Yield the violations as seen from one level further out."""
        for violation in self.violations:
            yield FieldViolation(step + violation.field, violation.description)


def refusal(violations: Sequence[FieldViolation]) -> Refusal:
    """Return the refusal of a request whose fields are wrong, with paths as a person writes them."""
    fields = tuple(FieldViolation(v.field.removeprefix(".") or "body", v.description) for v in violations)
    first = f"{fields[0].field}: {fields[0].description}"
    more = f" ({len(fields) - 1} more)" if len(fields) > 1 else ""
    return Refusal(Reason.VALIDATION_FAILED, f"{first}{more}", fields=fields)

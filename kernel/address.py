"""A postal address, as far as tax and delivery need it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where something goes.

    Attributes:
        line1: Street and number.
        line2: Flat, floor, company; may be empty.
        locality: City or town.
        administrative_area: State or province by its ISO 3166-2 suffix ("CA"); empty where the country has none.
        postal_code: May be empty where the country has none.
        region_code: ISO 3166-1 alpha-2, in capitals.
    """

    line1: str
    line2: str
    locality: str
    administrative_area: str
    postal_code: str
    region_code: str

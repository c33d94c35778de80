"""Which addresses a line is taxed by, and whether they make sense."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sandbox.avatax.errors import AvataxError, tax_error
from sandbox.avatax.places import Place, country_code, region_code, regions_of_postal_code

Json = dict[str, Any]

_BY_REGION = {"US", "CA"}


class AddressBook:
    """The addresses of one document: each distinct one once, destination before origin, as AvaTax numbers them."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self._wrong: dict[str, list[tuple[str, str]]] = {}

    def locate(self, line_number: str, line: Json, document: Json) -> tuple[int, int]:
        """Return the positions of a line's destination and origin.

        Raises:
            AvataxError: there are not both, or one makes no sense.
        """
        addresses = line.get("addresses") or document.get("addresses") or {}
        if not addresses:
            description = "Please provide at least one address, or an origin and a destination, for every line."
            raise AvataxError(400, "MissingAddress", "You must specify a valid address.", description)
        single = addresses.get("singleLocation")
        destination = addresses.get("shipTo") or single
        origin = addresses.get("shipFrom") or single
        if destination is None or origin is None:
            message = "A transaction must have both an origin and a destination address."
            description = "Please provide either a singleLocation, or both a shipFrom and a shipTo."
            raise AvataxError(400, "NotEnoughAddressesInfo", message, description)
        return (
            self._position(read_place(destination), line_number, destination=True),
            self._position(read_place(origin), line_number, destination=False),
        )

    def raise_for_zip(self) -> None:
        """Refuse postal codes that do not fit their region, naming every line that uses one.

        Raises:
            AvataxError: at least one does not fit.
        """
        places = [
            f'Addresses[{position}]; Line["{number}"] : {where}'
            for where, uses in self._wrong.items()
            for position, number in uses
        ]
        if places:
            raise tax_error(
                "InvalidZipForStateError",
                "Tax calculation cannot be determined. Zip is not valid for the state.",
                "The provided address contains a postal code and state combination that is not valid.",
                places,
            )

    def _position(self, place: Place, line_number: str, *, destination: bool) -> int:
        resolved, fits = resolve(place)
        if not fits and not destination:
            # AvaTax mends a sender's region by its postal code; what is taxed is where the goods go.
            regions = regions_of_postal_code(resolved.country, resolved.postal_code)
            fits = regions is not None
            resolved = replace(resolved, region=regions[0]) if regions else resolved
        if resolved not in self.places:
            self.places.append(resolved)
        position = self.places.index(resolved) + 1
        if not fits:
            where = f"{resolved.region} {resolved.postal_code}"
            self._wrong.setdefault(where, []).append((str(position), line_number))
        return position


@lru_cache(maxsize=4096)
def resolve(place: Place) -> tuple[Place, bool]:
    """Return an address with codes for country and region, and whether its postal code fits its region.

    Raises:
        AvataxError: country or region do not exist, or there is too little to go by.
    """
    country = country_code(place.country)
    if country is None:
        description = f"[{place.country}] is not a known country name or code."
        raise tax_error("CountryError", "Unknown country name or code.", description, ["Country"])
    region = region_code(country, place.region)
    if region is None:
        description = f"[{place.region}] is not a known state or province of {country}."
        raise tax_error("RegionCodeError", "Unknown state or province.", description, ["Region"])
    if country not in _BY_REGION:
        return replace(place, country=country, region=region), True
    if not _sufficient(place):
        description = "You must provide line and city and region, or line and postal code, or region and postal code."
        raise AvataxError(400, "InvalidAddress", "The address is incomplete.", description)
    fits = True
    if place.postal_code:
        regions = regions_of_postal_code(country, place.postal_code)
        region = region or (regions[0] if regions else "")
        fits = regions is not None and region in regions
    return replace(place, country=country, region=region), fits


def _sufficient(place: Place) -> bool:
    ways: Sequence[tuple[str, ...]] = (
        (place.line1, place.city, place.region),
        (place.line1, place.postal_code),
        (place.region, place.postal_code),
    )
    return any(all(part.strip() for part in way) for way in ways)


def read_place(address: Json) -> Place:
    """Return the address in a request."""
    return Place(
        line1=address.get("line1", ""),
        line2=address.get("line2", ""),
        line3=address.get("line3", ""),
        city=address.get("city", ""),
        region=address.get("region", ""),
        country=address.get("country", ""),
        postal_code=address.get("postalCode", ""),
    )

"""`addresses/resolve`: is this an address that mail would reach?"""

from typing import Any

from sandbox.avatax.addresses import read_place, resolve
from sandbox.avatax.errors import AvataxError
from sandbox.avatax.places import Place

Json = dict[str, Any]

UNDELIVERABLE = "invalid"
"""A first line that begins with this word (in any case) stands for a house that does not exist."""


def resolve_address(body: Json) -> Json:
    """Return what AvaTax makes of an address; one that mail cannot reach comes back with a message of severity Error.

    Raises:
        AvataxError: there is no such country or region, or too little to go by.
    """
    place = read_place(body)
    if not any((place.line1, place.city, place.region, place.postal_code)):
        raise AvataxError(400, "InvalidAddress", "The address is incomplete.", "Address value was not specified.")
    resolved, fits = resolve(place)
    messages = []
    if not fits:
        messages.append(_message("Zip is not valid for the state.", "Address.PostalCode"))
    elif resolved.line1.lower().startswith(UNDELIVERABLE):
        messages.append(_message("The address number is out of range", "Address.Line0"))
    answer: Json = {
        "address": {name: value for name, value in body.items() if name != "textCase"},
        "validatedAddresses": [_validated(resolved)],
        "coordinates": {"latitude": 0.0, "longitude": 0.0},
        "resolutionQuality": "NotCoded" if messages else "Intersection",
    }
    if messages:
        answer["messages"] = messages
    return answer


def _validated(place: Place) -> Json:
    return {
        "addressType": "UnknownAddressType",
        "line1": place.line1,
        "line2": place.line2,
        "line3": place.line3,
        "city": place.city,
        "region": place.region,
        "country": place.country,
        "postalCode": place.postal_code,
        "latitude": 0.0,
        "longitude": 0.0,
    }


def _message(summary: str, refers_to: str) -> Json:
    return {
        "summary": summary,
        "details": "The address could not be found as it was given.",
        "refersTo": refers_to,
        "severity": "Error",
        "source": "Avalara.AvaTax.Common",
    }

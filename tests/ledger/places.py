"""Where orders go, and in which currencies they are paid, with what a random order needs to know of each."""

from dataclasses import dataclass

from ordermesh.type.v1 import address_pb2


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency of random orders.

    Attributes:
        code: ISO 4217.
        digits: After the decimal point, by ISO 4217; written down here once more, so that nothing is compared with the
            product's own table.
        dear: What a dear article costs, in minor units: some hundred dollars.
        step: Prices are multiples of this. Stripe takes three decimals with a zero at their end only.
        stripe: How many of Stripe's units a minor unit is.
    """

    code: str
    digits: int
    dear: int
    step: int = 1
    stripe: int = 1


CURRENCIES = (
    Currency("USD", 2, 30_000),
    Currency("EUR", 2, 30_000),
    Currency("GBP", 2, 25_000),
    Currency("CAD", 2, 40_000),
    Currency("AUD", 2, 45_000),
    Currency("CHF", 2, 28_000),
    Currency("SEK", 2, 300_000),
    Currency("PLN", 2, 120_000),
    Currency("MXN", 2, 600_000),
    Currency("HUF", 2, 4_000_000),
    Currency("TWD", 2, 900_000),
    Currency("JPY", 0, 45_000),
    Currency("KRW", 0, 400_000),
    Currency("CLP", 0, 280_000),
    Currency("ISK", 0, 40_000, stripe=100),
    Currency("KWD", 3, 90_000, step=10),
    Currency("BHD", 3, 110_000, step=10),
    Currency("JOD", 3, 210_000, step=10),
)
BY_CODE = {each.code: each for each in CURRENCIES}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an order goes.

    Attributes:
        address: The address.
        currency: What is mostly paid in there.
    """

    address: address_pb2.Address
    currency: str


def _place(region: str, area: str, postal_code: str, locality: str, currency: str) -> Place:
    address = address_pb2.Address(
        line1="1 Example Street",
        locality=locality,
        administrative_area=area,
        postal_code=postal_code,
        region_code=region,
    )
    return Place(address, currency)


PLACES = (
    _place("US", "WA", "98109", "Seattle", "USD"),
    _place("US", "CA", "94105", "San Francisco", "USD"),
    _place("US", "NY", "10001", "New York", "USD"),
    _place("US", "IL", "60601", "Chicago", "USD"),
    _place("US", "TX", "77002", "Houston", "USD"),
    _place("US", "PA", "19103", "Philadelphia", "USD"),
    _place("US", "OR", "97201", "Portland", "USD"),
    _place("CA", "ON", "K1A 0B1", "Ottawa", "CAD"),
    _place("CA", "QC", "H2Y 1C6", "Montréal", "CAD"),
    _place("CA", "AB", "T2P 2M5", "Calgary", "CAD"),
    _place("DE", "", "10115", "Berlin", "EUR"),
    _place("FR", "", "75001", "Paris", "EUR"),
    _place("FI", "", "00100", "Helsinki", "EUR"),
    _place("GB", "", "SW1A 1AA", "London", "GBP"),
    _place("SE", "", "111 20", "Stockholm", "SEK"),
    _place("PL", "", "00-001", "Warszawa", "PLN"),
    _place("HU", "", "1011", "Budapest", "HUF"),
    _place("CH", "", "8001", "Zürich", "CHF"),
    _place("AU", "NSW", "2000", "Sydney", "AUD"),
    _place("MX", "", "06000", "Ciudad de México", "MXN"),
    _place("TW", "", "100", "Taipei", "TWD"),
    _place("JP", "", "100-0001", "Tokyo", "JPY"),
    _place("KR", "", "04524", "Seoul", "KRW"),
    _place("CL", "", "8320000", "Santiago", "CLP"),
    _place("IS", "", "101", "Reykjavík", "ISK"),
    _place("KW", "", "15000", "Kuwait City", "KWD"),
    _place("BH", "", "317", "Manama", "BHD"),
    _place("JO", "", "11110", "Amman", "JOD"),
)

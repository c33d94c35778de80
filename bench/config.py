"""Where the hops of the floor and of the stock variant listen."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def environment() -> Mapping[str, str]:
    """Return the environment of a process that the bench started, for the services' own configurations."""
    return os.environ  # noqa: TID251  (this is a config.py)


@dataclass(frozen=True, slots=True)
class HopConfig:
    """Addresses as host:port, and where files go; the bench sets them all."""

    order_address: str
    tax_address: str
    payment_address: str
    notify_address: str
    sandbox_address: str
    data_dir: Path

    @classmethod
    def from_env(cls) -> "HopConfig":
        """Read them from the environment of a process that the bench started."""
        values = environment()
        return cls(
            order_address=values["ORDER_ADDR"],
            tax_address=values["TAX_ADDR"],
            payment_address=values["PAYMENT_ADDR"],
            notify_address=values["NOTIFY_ADDR"],
            sandbox_address=values.get("SANDBOX_ADDR", ""),
            data_dir=Path(values.get("ORDERMESH_DATA_DIR", ".")),
        )

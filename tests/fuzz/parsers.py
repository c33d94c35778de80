"""One parser under atheris, which looks for inputs that reach new code; run by `python -m tests.fuzz parsers`."""

import sys

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]  # in requirements/fuzz.txt alone

with atheris.instrument_imports(
    include=["chassis", "gateway", "kernel", "order_svc", "payment_svc", "tax_svc", "notify_svc", "tests.fuzz"]
):
    from tests.fuzz.targets import TARGETS

if __name__ == "__main__":
    name, *options = sys.argv[1:]
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()

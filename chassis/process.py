"""What must be set before grpc is imported, because grpc and the kernel read it only then.

Import this module first in every entry point. Figures are CPU per unary call relative to stock grpc.aio on two cores;
measure them again with `make bench` whenever grpcio is upgraded. Set ORDERMESH_PROCESS_TUNING=off to run on stock
settings.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

# The event engine pays for thread hand-overs that one loop per process does not need: 0.86 of the CPU without it.
_GRPC_EXPERIMENTS = (
    "-event_engine_client,-event_engine_listener,-event_engine_callback_cq,-event_engine_for_all_other_endpoints"
)

# So many objects more than were let go, and the collector looks. With Python's own 700 it took 2.5 to 5.3 % of each
# service's CPU under load, with this 0.4 to 0.7 % of most. A call leaves five small objects of grpc's in a cycle, with
# its metadata.
_YOUNG_OBJECTS = 10_000

# TLS 1.3 alone: grpcio has no setting for it, but for this list of the ciphers of older TLS. The one on it needs a key
# that both ends know beforehand, which ours never have, so that nothing older than 1.3 can be negotiated; 1.3 has
# ciphers of its own (docs/adr/0016-identity-between-services.md).
_NO_OLDER_CIPHERS = "ECDHE-PSK-CHACHA20-POLY1305"


def secure() -> None:
    """Have grpc speak TLS 1.3 and nothing older, unless GRPC_SSL_CIPHER_SUITES says otherwise."""
    environment = os.environ  # noqa: TID251  (grpc reads its switches from here and nowhere else)
    environment.setdefault("GRPC_SSL_CIPHER_SUITES", _NO_OLDER_CIPHERS)


def tune() -> None:
    """Apply the settings, unless ORDERMESH_PROCESS_TUNING=off."""
    environment = os.environ  # noqa: TID251  (grpc reads its switches from here and nowhere else)
    if _is_off() or "grpc" in sys.modules:
        return
    environment.setdefault("GRPC_EXPERIMENTS", _GRPC_EXPERIMENTS)
    environment.setdefault("GRPC_VERBOSITY", "NONE")
    if hasattr(os, "sched_setscheduler"):
        # Fewer, longer turns on the processor: 0.76 of the CPU under load. Unprivileged; threads inherit it.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _is_off() -> bool:
    return os.environ.get("ORDERMESH_PROCESS_TUNING", "on") == "off"  # noqa: TID251  (before there is any config.py)


def settle() -> None:
    """Have the garbage collector never look again at what is there now; to be called once the process has started.

    Those are some 300,000 objects of modules, messages and tables, which stay until it ends. Nothing happens with
    ORDERMESH_PROCESS_TUNING=off.

    What comes later is looked at less often than Python does by itself. What lies in cycles until then has to be small:
    when refused calls lay there with their requests, a hundred thousand of them took order_svc to 624 MiB
    (chassis/serving/ending.py has broken those cycles).
    """
    if _is_off():
        return
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])


def run(main: Coroutine[object, object, T]) -> T:
    """Run the process's one event loop, on uvloop: 0.89 of asyncio's CPU."""
    import uvloop  # noqa: PLC0415  (tests and tools import this module without wanting another loop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


secure()
tune()

"""Running parts of the mesh in this process until it is told to stop: what `up` and `serve` have alike."""

import chassis.process  # isort: skip  (settings that grpc reads when it is imported)

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from chassis import logs
from chassis.service import MustRestart
from chassis.telemetry.setup import start_telemetry
from cli import mesh
from cli.config import CliConfig
from cli.failures import Failure
from cli.part import Part
from cli.progress import progress


def serve(
    service: str, parts: Sequence[Part], config: CliConfig, ready: mesh.Ready, told: mesh.Told | None = None
) -> None:
    """Run the parts until SIGTERM or SIGINT; a second one ends the process at once.

    Args:
        service: What log lines outside any request are marked with.
        parts: In the order in which they start.
        config: Where spans go.
        ready: Told where the parts listen, once all do.
        told: Waits for whatever else tells the parts to stop.

    Raises:
        Failure: One of them could not start, or cannot go on.
    """
    try:
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"The data directory cannot be made: {error}.\nSet ORDERMESH_DATA_DIR to another.") from None
    logs.configure(service)
    try:
        telemetry = start_telemetry(service, config.data_dir, config.otlp_endpoint, config.metrics_address)
    except OSError as error:
        raise Failure(
            f"The metrics cannot be shown on {config.metrics_address}: {error.strerror or error}.\n"
            "Set ORDERMESH_METRICS_ADDR to a free host:port."
        ) from None
    try:
        with ExitStack() as until_ready:
            # Whom another process tells to stop is one of several, and that one shows how far they are.
            shown = until_ready.enter_context(progress(watched=told is None))

            def started(bound: Mapping[str, str]) -> None:
                until_ready.close()
                ready(bound)

            chassis.process.run(mesh.run(parts, telemetry, started, told, shown=shown))
    except (mesh.CannotStart, MustRestart) as error:
        raise Failure(str(error)) from None
    finally:
        telemetry.shutdown()

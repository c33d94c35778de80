"""`python -m tests.load.idle`: a service that has nothing to do, and tells where it listens.

How long it takes to answer beside a service under load is what the machine takes from both.
"""

import chassis.process  # isort: skip  (it shall run as services do)

import sys

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health


async def _serve() -> None:
    server = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    chassis.process.run(_serve())

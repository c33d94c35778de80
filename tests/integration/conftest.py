"""Worlds that the tests of several files live in."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.payment_over_grpc import Service, service
from tests.fakes.sandbox_world import World, sandbox_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with sandbox_world(tmp_path / "sandbox") as running_world:
        yield running_world


@pytest.fixture
async def payments(tmp_path: Path, world: World) -> AsyncIterator[Service]:
    async with service(tmp_path, world) as running_service:
        yield running_service

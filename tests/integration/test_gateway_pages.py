"""The documentation is served with everything it needs, and needs nothing from anywhere else."""

import re
from collections.abc import AsyncIterator

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.fakes.gateway import World, a_gateway


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    async with a_gateway() as world:
        yield world


async def test_the_served_document_is_valid_openapi(world: World) -> None:
    response = await world.http.get("/openapi.json")

    assert response.headers["content-type"] == "application/json"
    OpenAPIV31SpecValidator(response.json()).validate()


async def test_the_page_loads_everything_from_here(world: World) -> None:
    page = (await world.http.get("/docs")).text
    linked = re.findall(r'(?:src|href)="([^"#]+)"', page)

    assert {"/docs/docs.css", "/docs/docs.js", "/openapi.json"} <= set(linked)
    for path in linked:
        response = await world.http.get(path)
        assert response.status_code == 200
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org)[a-z]", re.sub(r"(?m)^\s*//.*$", "", response.text))


async def test_the_pages_policy_allows_what_it_needs_and_nothing_inline(world: World) -> None:
    response = await world.http.get("/docs")

    policy = response.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", response.text)


async def test_a_page_that_did_not_change_is_not_sent_again(world: World) -> None:
    first = await world.http.get("/openapi.json")
    second = await world.http.get("/openapi.json", headers={"if-none-match": first.headers["etag"]})

    assert (second.status_code, second.content) == (304, b"")


async def test_where_the_providers_are_real_there_is_no_shop(world: World) -> None:
    for path in ("/shop", "/shop/checkout", "/shop/api.js"):
        assert (await world.http.get(path)).status_code == 404


async def test_every_type_of_a_problem_leads_into_the_page(world: World) -> None:
    problem = (await world.http.get("/nothing")).json()

    assert (await world.http.get(problem["type"].partition("#")[0])).status_code == 200
    reasons = (await world.http.get("/openapi.json")).json()["components"]["schemas"]["ErrorReason"]["enum"]
    assert problem["type"].partition("#")[2] in reasons


async def test_the_metrics_of_this_process_are_there_for_this_machine(world: World) -> None:
    await world.http.get("/api/v1/orders/no-such-order")

    response = await world.http.get("/metrics")

    assert response.headers["content-type"].startswith("text/plain")
    assert "http_server_request_duration_seconds_count{" in response.text
    assert 'job="ordermesh/gateway"' in response.text

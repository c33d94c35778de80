"""Finding the operation behind an address."""

from sandbox.exchange import Operation
from sandbox.routes import Routes

ROUTES = Routes(
    [
        Operation("intents.retrieve", "GET", "/v1/intents/{id}"),
        Operation("intents.search", "GET", "/v1/intents/search"),
        Operation("intents.create", "POST", "/v1/intents"),
        Operation("documents.get", "GET", "/companies/{company}/documents/{code}"),
    ]
)


def found(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = ROUTES.find(method, path)
    return None if match is None else (match[0].name, match[1])


def test_placeholders_are_filled() -> None:
    assert found("GET", "/v1/intents/pi_1") == ("intents.retrieve", {"id": "pi_1"})
    assert found("GET", "/companies/a+b/documents/o-1") == ("documents.get", {"company": "a+b", "code": "o-1"})


def test_a_literal_path_goes_before_a_placeholder() -> None:
    assert found("GET", "/v1/intents/search") == ("intents.search", {})


def test_nothing_else_matches() -> None:
    assert found("DELETE", "/v1/intents/pi_1") is None
    assert found("GET", "/v1/intents/pi_1/confirm") is None
    assert found("GET", "/v1/intents/") is None
    assert ROUTES.knows("/v1/intents/pi_1")
    assert not ROUTES.knows("/v2/intents")

"""Reading the environment: typed, complained about all at once, and never with a secret in sight."""

from pathlib import Path

import pytest

from chassis.config import ConfigError, Environment, Secret

SECRET = "sk_live_51abc"


def complaints(values: dict[str, str], *readings: str) -> str:
    """Read variables by the methods named like them, and return what is complained about; nothing when all is well."""
    env = Environment(values)
    for reading in readings:
        if reading == "decimal":
            env.decimal(reading, "1", low="0", high="2")
        else:
            getattr(env, reading)(reading, "1.5" if reading == "seconds" else "127.0.0.1:1")
    try:
        env.check()
    except ConfigError as error:
        return str(error)
    return ""


def test_what_is_unset_or_empty_is_the_default() -> None:
    env = Environment({"EMPTY": ""})

    assert env.text("UNSET", "a") == env.text("EMPTY", "a") == "a"
    assert env.seconds("UNSET", "2.5") == 2.5
    env.check()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:0", "localhost:65535", "[::1]:50051", "dns:///order:50051", "unix:/run/order.sock"]
)
def test_an_address_is_taken_as_it_is(address: str) -> None:
    assert complaints({"address": address}, "address") == ""
    assert Environment({"A": address}).address("A", "x:1") == address


@pytest.mark.parametrize("address", ["50051", ":50051", "host:", "host:port", "host:65536", "host:-1", "host"])
def test_what_is_no_address_is_complained_about(address: str) -> None:
    assert f"address: {address!r} is not host:port" in complaints({"address": address}, "address")


@pytest.mark.parametrize("url", ["localhost:80", "ftp://host", "http://", "//host"])
def test_what_is_no_url_is_complained_about(url: str) -> None:
    assert "is not an http(s) URL" in complaints({"url": url}, "url")


def test_a_url_loses_its_trailing_slash() -> None:
    assert Environment({"U": "https://host/path/"}).url("U", "") == "https://host/path"


@pytest.mark.parametrize("number", ["many", "3", "-0.1", "NaN", "Infinity", "1e9"])
def test_a_number_that_is_none_or_out_of_bounds_is_complained_about(number: str) -> None:
    assert complaints({"decimal": number}, "decimal")


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e99", "soon"])
def test_a_duration_that_makes_no_sense_is_complained_about(seconds: str) -> None:
    assert complaints({"seconds": seconds}, "seconds")


def test_all_complaints_come_together() -> None:
    said = complaints(
        {"address": "x", "url": "x", "decimal": "x", "seconds": "x"}, "address", "url", "decimal", "seconds"
    )

    assert said.count("\n") == 4


def test_a_path_is_absolute_and_knows_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")

    assert Environment({"P": "~/x"}).path("P", ".") == Path("/home/ada/x")
    assert Environment({}).path("P", "x").is_absolute()


def test_a_secret_is_shown_only_to_who_asks_for_it() -> None:
    secret = Environment({"S": SECRET}).secret("S")

    assert secret.reveal() == SECRET
    assert SECRET not in f"{secret} {secret!r} {[secret]} {secret:}"
    assert bool(secret)
    assert not Secret("")


def test_a_password_in_a_url_that_is_wrong_is_not_repeated() -> None:
    complaint = complaints({"url": "amqp://mesh:hunter2@broker"}, "url")

    assert "amqp://[password]@broker" in complaint
    assert "hunter2" not in complaint

"""What an audit says, in which form, and what it does to repair."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.__main__ import cli
from cli.audit.report import JsonForPrograms, LinesForPeople
from cli.audit.rows import ChargeRow, DocumentRow, OrderRow, PaymentRow, Row
from cli.audit.session import audit_session
from kernel.errors import Reason, Refusal
from tests.fakes.audit_world import GRACE, NOW, AuditWorld, declined_order, identity, paid_order
from tests.fakes.manual_clock import ManualClock

MOST_RELEASES = 3
ORDER, PAYMENT = identity(1), identity(1, "1")


class Passing(ManualClock):
    """Time that passes while somebody sleeps.

    Attributes:
        slept: For how long.
    """

    def __init__(self) -> None:
        super().__init__(NOW)
        self.slept = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.advance(seconds)


class MendingWorld(AuditWorld):
    """A world whose commands work.

    Attributes:
        commands: What was asked for, each with its key.
        refuses: Whether commands are refused.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__(rows)
        self.commands: list[tuple[str, str, str]] = []
        self.refuses = False

    async def confirm_payment(self, payment_id: str, key: str) -> None:
        self._command("confirm", payment_id, key)
        self.change(PaymentRow, state="SUCCEEDED", captured=1085)

    async def release_charge(self, provider_payment_id: str, key: str) -> None:
        self._command("release", provider_payment_id, key)
        self.rows = [
            row._replace(refunded=row.captured)
            if isinstance(row, ChargeRow) and row.provider_payment_id == provider_payment_id
            else row
            for row in self.rows
        ]

    async def retry_order(self, order_id: str, key: str) -> None:
        self._command("retry", order_id, key)
        self.rows.append(DocumentRow(order_id, "SalesInvoice", "Committed", "USD", 1000, 85))
        self.change(OrderRow, document_code=order_id)

    async def void_tax(self, order_id: str, key: str) -> None:
        self._command("void", order_id, key)
        self.change(DocumentRow, status="Cancelled")

    def _command(self, name: str, target: str, key: str) -> None:
        self.commands.append((name, target, key))
        if self.refuses:
            raise Refusal(Reason.ILLEGAL_STATE, "It is one of our payments.")


def broken_world() -> MendingWorld:
    """Return a world whose ledger is behind, that lacks a document and has a charge without an order."""
    world = MendingWorld([*paid_order(1)])
    world.change(PaymentRow, state="PENDING", captured=0)
    world.drop(DocumentRow)
    world.change(OrderRow, document_code="")
    world.rows.append(ChargeRow("pi_9", identity(9, "1"), identity(9), "SUCCEEDED", "USD", 700, 700, 0, 0))
    return world


async def lines(world: MendingWorld, capsys: pytest.CaptureFixture[str], *, repairs: bool = False) -> tuple[int, str]:
    most = MOST_RELEASES if repairs else None
    left = await audit_session(world, Passing(), GRACE, LinesForPeople(), most_releases=most)
    return left, capsys.readouterr().out


async def document(world: MendingWorld, capsys: pytest.CaptureFixture[str], *, repairs: bool = False) -> object:
    most = MOST_RELEASES if repairs else None
    await audit_session(world, Passing(), GRACE, JsonForPrograms(repairs=repairs), most_releases=most)
    return json.loads(capsys.readouterr().out)


async def test_a_clean_shop_is_told_so_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    left, said = await lines(MendingWorld([*paid_order(1), *declined_order(2)]), capsys)

    assert left == 0
    assert "10.85 USD taken, 0.00 USD given back, 10.85 USD kept" in said
    assert said.rstrip().endswith("agrees.")


async def test_each_difference_is_one_line_that_says_what_is_wrong_and_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    left, said = await lines(broken_world(), capsys)

    assert left == 3
    (orphan,) = [line for line in said.splitlines() if "pi_9" in line]
    assert orphan.startswith(f"{identity(9)}  Stripe took 7.00 USD with pi_9")
    assert orphan.endswith("It has to be given back. `--repair` does: give up the charge at Stripe.")
    assert "3 differences." in said


async def test_programs_get_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    found = await document(broken_world(), capsys)

    assert isinstance(found, dict)
    assert {each["kind"] for each in found["differences"]} == {"ledger_differs", "tax_missing", "orphan_charge"}
    assert found["summary"]["differences"] == 3
    assert found["summary"]["money"] == [
        {"currency_code": "USD", "captured": 1785, "refunded": 0, "kept": 1785, "held": 0}
    ]


async def test_nothing_is_changed_without_repair(capsys: pytest.CaptureFixture[str]) -> None:
    world = broken_world()

    await lines(world, capsys)

    assert world.commands == []


async def test_repair_settles_what_it_can_says_so_and_audits_again(capsys: pytest.CaptureFixture[str]) -> None:
    world = broken_world()

    left, said = await lines(world, capsys, repairs=True)

    assert left == 0
    assert [command[:2] for command in world.commands] == [("confirm", PAYMENT), ("release", "pi_9"), ("retry", ORDER)]
    assert "pi_9  give up the charge at Stripe: done" in said
    assert said.index("3 differences.") < said.index("Repairing") < said.index("agrees.")


async def test_programs_get_the_repairs_between_two_audits(capsys: pytest.CaptureFixture[str]) -> None:
    found = await document(broken_world(), capsys, repairs=True)

    assert isinstance(found, dict)
    assert found["before"]["summary"]["differences"] == 3
    assert [each["remedy"] for each in found["repairs"]] == ["confirm_payment", "release_charge", "retry_order"]
    assert all(each["done"] for each in found["repairs"])
    assert found["after"]["differences"] == []


async def test_where_nothing_is_to_be_repaired_there_is_no_second_audit(capsys: pytest.CaptureFixture[str]) -> None:
    found = await document(MendingWorld([*paid_order(1)]), capsys, repairs=True)

    assert isinstance(found, dict)
    assert (found["before"]["differences"], found["repairs"], found["after"]) == ([], [], None)


async def test_a_repair_that_is_refused_says_why_and_leaves_the_difference(capsys: pytest.CaptureFixture[str]) -> None:
    world = broken_world()
    world.refuses = True

    left, said = await lines(world, capsys, repairs=True)

    assert left == 3
    assert len(world.commands) == 3
    assert "pi_9  give up the charge at Stripe: not done. It is one of our payments." in said


@pytest.mark.parametrize(("broken", "waits"), [("ledger", True), ("orphan", False)])
async def test_what_goes_on_behind_the_answers_is_waited_for_before_the_second_audit(
    broken: str, *, waits: bool
) -> None:
    world = MendingWorld([*paid_order(1)])
    if broken == "ledger":
        world.change(PaymentRow, state="PENDING", captured=0)
    else:
        world.rows.append(ChargeRow("pi_9", identity(9, "1"), identity(9), "SUCCEEDED", "USD", 700, 700, 0, 0))
    clock = Passing()

    await audit_session(world, clock, GRACE, LinesForPeople(), most_releases=MOST_RELEASES)

    assert (clock.slept > 0) == waits


@pytest.mark.parametrize(("orphans", "released"), [(MOST_RELEASES, MOST_RELEASES), (MOST_RELEASES + 1, 0)])
async def test_so_many_orphans_that_a_database_must_be_lost_are_not_given_back(
    orphans: int, released: int, capsys: pytest.CaptureFixture[str]
) -> None:
    world = MendingWorld([row for number in range(orphans) for row in paid_order(number) if isinstance(row, ChargeRow)])

    left, said = await lines(world, capsys, repairs=True)

    assert len(world.commands) == released
    assert left == orphans - released
    assert ("restored from an old backup" in said) == (released == 0)


async def test_the_same_difference_is_repaired_under_the_same_key_and_another_one_under_another(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world = broken_world()
    world.refuses = True
    for _ in range(2):
        await lines(world, capsys, repairs=True)
    first, second = world.commands[:3], world.commands[3:]
    assert first == second
    assert len({key for _, _, key in first}) == 3

    world.commands.clear()
    world.change(PaymentRow, version=9)
    world.change(OrderRow, version=9)
    await lines(world, capsys, repairs=True)

    assert {key for name, _, key in world.commands if name != "release"}.isdisjoint(key for _, _, key in first)
    assert [key for name, _, key in world.commands if name == "release"] == [first[1][2]]


async def test_an_order_that_was_parked_is_taken_up_again(capsys: pytest.CaptureFixture[str]) -> None:
    world = MendingWorld([*declined_order(1)])
    world.change(OrderRow, state="FAILED", needs_review=True)

    _, said = await lines(world, capsys, repairs=True)

    assert [command[:2] for command in world.commands] == [("retry", ORDER)]
    assert "Orders to look at" in said


async def test_a_document_that_no_sale_stands_behind_is_voided(capsys: pytest.CaptureFixture[str]) -> None:
    world = MendingWorld([*declined_order(1), DocumentRow(ORDER, "SalesInvoice", "Committed", "USD", 1000, 85)])

    left, said = await lines(world, capsys, repairs=True)

    assert (left, [command[:2] for command in world.commands]) == (0, [("void", ORDER)])
    assert "void the tax document: done" in said


async def test_what_cannot_be_repaired_stays(capsys: pytest.CaptureFixture[str]) -> None:
    world = MendingWorld([*paid_order(1)])
    world.change(DocumentRow, amount=999)

    left, said = await lines(world, capsys, repairs=True)

    assert (left, world.commands) == (1, [])
    assert "Repairing" not in said


async def test_where_something_cannot_be_read_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    class HalfAWorld(MendingWorld):
        async def documents(self) -> AsyncIterator[Sequence[Row]]:
            raise Refusal(Reason.UNAVAILABLE, "AvaTax is away.")
            yield []

    with pytest.raises(Refusal):
        await lines(HalfAWorld([*paid_order(1)]), capsys)

    assert capsys.readouterr().out == ""


def test_where_nobody_answers_the_command_ends_with_3_and_says_who() -> None:
    result = CliRunner().invoke(cli, ["audit"], env={"PAYMENT_ADDR": "127.0.0.1:1"})

    assert result.exit_code == 3
    assert "Nobody answers at 127.0.0.1:1 (PAYMENT_ADDR)" in result.output


async def test_on_a_terminal_the_lists_are_steps_of_a_bar_and_what_was_read_of_one_stands_beside_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[tuple[object, ...]] = []

    @contextmanager
    def told() -> Iterator[Callable[..., None]]:
        yield lambda *words: shown.append(words)

    monkeypatch.setattr("cli.audit.session.progress", told)
    await lines(broken_world(), capsys)

    assert ("our orders", 6, 8, "") in shown
    assert shown[-1] == ("comparing", 7, 8, "")


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_temporary_file_is_gone_afterwards(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    await lines(broken_world(), capsys)

    assert files_in(tmp_path) == []

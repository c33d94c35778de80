"""SMTP's adapter: what a mail server is handed, and what each answer and each silence means."""

import logging
from pathlib import Path

import pytest

from kernel.outcome import Done, NotDone, Unknown
from notify_svc.adapters.smtp import NoFeed
from notify_svc.app.ports import FeedDenied, Postponed, Refused
from tests.fakes.manual_clock import ManualClock
from tests.fakes.notify_samples import EMAIL, notification
from tests.fakes.notify_world import smtp_at
from tests.fakes.smtp_server import HANG_UP, PASSWORD, SILENCE, USERNAME, certificate, smtp_peer
from tests.fakes.unused_ports import unused_port


async def test_a_mail_has_both_parts_and_headers_by_which_its_copies_are_known() -> None:
    sent = notification(recipient_name="Zoë, Ada", locale="de-AT")
    async with smtp_peer() as peer:
        mailer = smtp_at(peer.port)
        first, second = await mailer.send(sent), await mailer.send(sent)

    mail, copy = peer.mails
    message_id = f"{sent.notification_id}@shop.example"
    assert first == second == Done(message_id)
    assert mail["Message-ID"] == copy["Message-ID"] == f"<{message_id}>"
    assert peer.envelopes[0] == ("orders@shop.example", EMAIL)
    assert mail["From"] == "The shop <orders@shop.example>"
    assert mail["To"].addresses[0].addr_spec == EMAIL
    assert mail["To"].addresses[0].display_name == "Zoë Ada"
    assert mail["X-Ordermesh-Notification-Id"] == sent.notification_id
    assert mail["X-Ordermesh-Order-Id"] == sent.summary.order_id
    assert (mail["Auto-Submitted"], mail["Date"].datetime) == ("auto-generated", ManualClock().now())
    assert mail.keys()[0] == "From"
    assert "bestätigt" in mail["Subject"]
    text, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert page is not None
    assert "Guten Tag Zoë Ada," in text.get_content()
    assert "€\N{NO-BREAK SPACE}26,16" in page.get_content()
    assert mail.as_bytes().isascii()


async def test_lines_that_begin_with_a_dot_arrive_whole() -> None:
    async with smtp_peer() as peer:
        await smtp_at(peer.port).send(notification(recipient_name="\n.\r\nQUIT"))

    (mail,) = peer.mails
    assert peer.verbs.count("QUIT") <= 1
    assert mail.get_body(("html",)) is not None


@pytest.mark.parametrize(
    ("verb", "answer", "why"),
    [
        ("RCPT", "550 5.1.1 <ada@example.com> unknown", "The mail server answered 550 5.1.1 about the recipient"),
        ("RCPT", "553 no", "The mail server answered 553 about the recipient"),
        ("DATA", "554 5.7.1 no thanks", "The mail server answered 554 5.7.1"),
        ("CONTENT", "550 5.7.1 spam", "The mail server answered 550 5.7.1"),
        ("MAIL", "552 5.3.4 too large", "The mail server answered 552 5.3.4 about MAIL_FROM"),
    ],
)
async def test_what_is_refused_for_good_is_final_and_names_nobody(verb: str, answer: str, why: str) -> None:
    async with smtp_peer() as peer:
        peer.script(verb, answer)
        mailer = smtp_at(peer.port)

        assert await mailer.send(notification()) == NotDone(Refused(why))
        assert mailer.is_up
        assert peer.mails == []


@pytest.mark.parametrize(
    ("verb", "answer", "is_up"),
    [
        ("CONNECT", "421 4.3.2 closing", False),
        ("CONNECT", "554 5.3.2 not today", False),
        ("MAIL", "451 4.3.0 busy", True),
        ("RCPT", "450 4.2.1 greylisted", True),
        ("RCPT", "421 4.3.2 closing", False),
        ("DATA", "452 4.3.1 full", True),
        ("CONTENT", "451 4.3.0 try later", True),
    ],
)
async def test_what_passes_is_tried_again(verb: str, answer: str, is_up: bool) -> None:  # noqa: FBT001  (a column)
    async with smtp_peer() as peer:
        peer.script(verb, answer)
        mailer = smtp_at(peer.port)
        outcome = await mailer.send(notification())

        assert isinstance(outcome, NotDone)
        assert isinstance(outcome.reason, Postponed)
        assert answer[:9] in outcome.reason.why
        assert mailer.is_up is is_up
        assert peer.mails == []


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT"])
async def test_a_connection_that_is_cut_before_the_content_was_no_mail(verb: str) -> None:
    async with smtp_peer() as peer:
        peer.script(verb, HANG_UP, HANG_UP)
        mailer = smtp_at(peer.port)
        outcome = await mailer.send(notification())

        assert isinstance(outcome, NotDone)
        assert isinstance(outcome.reason, Postponed)
        assert not mailer.is_up
        assert peer.mails == []


@pytest.mark.parametrize("answer", [HANG_UP, SILENCE, "999 what"])
async def test_a_connection_that_is_cut_or_silent_after_the_content_leaves_it_open(answer: str) -> None:
    async with smtp_peer() as peer:
        peer.script("CONTENT", answer)
        mailer = smtp_at(peer.port, timeout_seconds=0.5)

        assert isinstance(await mailer.send(notification()), Unknown)


async def test_silence_before_the_content_was_no_mail() -> None:
    async with smtp_peer() as peer:
        peer.script("RCPT", SILENCE)
        outcome = await smtp_at(peer.port, timeout_seconds=0.3).send(notification())

        assert outcome == NotDone(Postponed("The mail server did not answer in time"))


async def test_nobody_there_was_no_mail() -> None:
    mailer = smtp_at(unused_port())
    outcome = await mailer.send(notification())

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Postponed)
    assert not mailer.is_up


@pytest.mark.parametrize(
    ("verb", "answer", "what"),
    [("MAIL", "550 5.7.1 not you", "about MAIL_FROM"), ("AUTH", "535 5.7.8 no", "about SMTP_USERNAME")],
)
async def test_settings_that_the_server_refuses_keep_mails_waiting_and_are_told(
    verb: str, answer: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with smtp_peer(wants_login=True) as peer:
        peer.script(verb, answer)
        mailer = smtp_at(peer.port, username=USERNAME, password=PASSWORD)
        with caplog.at_level(logging.ERROR):
            outcome = await mailer.send(notification())

        assert isinstance(outcome, NotDone)
        assert isinstance(outcome.reason, Postponed)
        assert outcome.reason.retry_after == 60.0
        assert mailer.pause_seconds() == pytest.approx(60.0)
    (record,) = [record for record in caplog.records if record.msg == "smtp.misconfigured"]
    assert what in str(vars(record)["what"])
    assert PASSWORD not in str(vars(record))


@pytest.mark.parametrize("implicit", [False, True])
async def test_mail_and_password_go_through_tls(implicit: bool, tmp_path: Path) -> None:  # noqa: FBT001  (a switch)
    shown, trusted = certificate(tmp_path)
    async with smtp_peer(shown, implicit=implicit, wants_login=True) as peer:
        mailer = smtp_at(
            peer.port,
            tls="tls" if implicit else "starttls",
            username=USERNAME,
            password=PASSWORD,
            trusted=trusted,
        )
        assert isinstance(await mailer.send(notification()), Done)

    assert len(peer.mails) == 1
    assert ("STARTTLS" in peer.verbs) is not implicit
    assert "AUTH" in peer.verbs


async def test_a_certificate_of_somebody_elses_gets_no_password_and_no_mail(tmp_path: Path) -> None:
    shown, _ = certificate(tmp_path)
    async with smtp_peer(shown, wants_login=True) as peer:
        mailer = smtp_at(peer.port, tls="starttls", username=USERNAME, password=PASSWORD)
        outcome = await mailer.send(notification())

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, Postponed)
    assert "AUTH" not in peer.verbs
    assert peer.mails == []


async def test_a_server_that_hides_its_tls_gets_no_password_and_no_mail() -> None:
    async with smtp_peer(wants_login=True) as peer:
        outcome = await smtp_at(peer.port, tls="starttls", username=USERNAME, password=PASSWORD).send(notification())

    assert outcome == NotDone(Postponed("The mail server does not offer what SMTP_TLS or SMTP_USERNAME ask for", 60.0))
    assert "AUTH" not in peer.verbs


async def test_a_probe_hands_nothing_in() -> None:
    clock = ManualClock()
    async with smtp_peer() as peer:
        mailer = smtp_at(peer.port, clock)
        mailer._breaker.failed()
        await mailer.probe()
        assert peer.connections == 0
        clock.advance(1.0)
        await mailer.probe()

        assert mailer.is_up
        assert "MAIL" not in peer.verbs


async def test_there_is_no_list_of_mails() -> None:
    outcome = await NoFeed().page(None, 10)

    assert isinstance(outcome, NotDone)
    assert isinstance(outcome.reason, FeedDenied)
    assert outcome.reason.provider == "smtp"

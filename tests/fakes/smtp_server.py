"""A mail server that takes mails into a list, and misbehaves on demand."""

import asyncio
import base64
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USERNAME, PASSWORD = "shop", "mailbox-password"

HANG_UP = ""
"""Instead of an answer: the connection is cut."""
SILENCE = "silence"
"""Instead of an answer: nothing comes."""


class SmtpPeer:
    """Speaks as much SMTP as a client that hands mails in needs.

    Attributes:
        mails: What it took, whether it said so or not.
        envelopes: Sender and recipient of each.
        scripted: By verb, what the next commands are answered with instead; "CONTENT" stands for the content after
            DATA, "CONNECT" for the greeting.
        away: While it is set every connection is cut at once.
        takes_before_hanging_up: Whether content that is answered by hanging up was taken.
        connections: How many there were.
        verbs: The commands, in turn.
    """

    def __init__(self, tls: ssl.SSLContext | None, *, implicit: bool, wants_login: bool) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[tuple[str, str]] = []
        self.scripted: dict[str, deque[str]] = {}
        self.away = False
        self.takes_before_hanging_up = True
        self.connections = 0
        self.verbs: list[str] = []
        self.port = 0
        self._tls = tls
        self._implicit = implicit
        self._wants_login = wants_login

    def script(self, verb: str, *answers: str) -> None:
        """Answer the next commands of a kind like this."""
        self.scripted.setdefault(verb, deque()).extend(answers)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if not self.away:
                await _Session(self, reader, writer, secure=self._implicit).run()
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()


class _Session:
    def __init__(
        self, peer: SmtpPeer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, secure: bool
    ) -> None:
        self._peer = peer
        self._reader = reader
        self._writer = writer
        self._secure = secure
        self._sender = self._recipient = ""

    async def run(self) -> None:
        if not await self._say(self._next("CONNECT", "220 mail.test ESMTP")):
            return
        while line := (await self._reader.readline()).decode().strip():
            verb = line.split(" ", maxsplit=1)[0].upper()
            self._peer.verbs.append(verb)
            if not await self._say(self._next(verb, self._answer(verb, line))):
                return
            if verb == "STARTTLS" and self._peer._tls is not None:
                await self._writer.start_tls(self._peer._tls)
                self._secure = True
            elif verb == "DATA" and not self._refused_data and not await self._content():
                return

    def _next(self, verb: str, usual: str) -> str:
        scripted = self._peer.scripted.get(verb)
        answer = scripted.popleft() if scripted else usual
        if verb == "DATA":
            self._refused_data = not answer.startswith("354")
        return answer

    def _answer(self, verb: str, line: str) -> str:
        match verb:
            case "EHLO":
                return self._greeting()
            case "AUTH":
                given = base64.b64decode(line.rsplit(" ", maxsplit=1)[-1])
                right = given == f"\0{USERNAME}\0{PASSWORD}".encode()
                return "235 2.7.0 welcome" if right else "535 5.7.8 wrong name or password"
            case "MAIL":
                self._sender = line.partition("<")[2].partition(">")[0]
                return "250 2.1.0 ok"
            case "RCPT":
                self._recipient = line.partition("<")[2].partition(">")[0]
                return "250 2.1.5 ok"
            case "DATA":
                return "354 go on"
            case "STARTTLS":
                return "220 2.0.0 go on"
            case "QUIT":
                return "221 2.0.0 bye"
            case _:
                return "250 2.0.0 ok"

    def _greeting(self) -> str:
        peer = self._peer
        offers = ["mail.test", "SIZE 1000000", "ENHANCEDSTATUSCODES"]
        if peer._tls is not None and not self._secure:
            offers.append("STARTTLS")
        if peer._wants_login and (self._secure or peer._tls is None):
            offers.append("AUTH PLAIN")
        return "\r\n".join([*(f"250-{each}" for each in offers[:-1]), f"250 {offers[-1]}"])

    async def _content(self) -> bool:
        raw = (await self._reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        answer = self._next("CONTENT", "250 2.0.0 queued as 4711")
        taken = answer.startswith("2") or (answer in {HANG_UP, SILENCE} and self._peer.takes_before_hanging_up)
        if taken:
            message = message_from_bytes(raw, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self._peer.mails.append(message)
            self._peer.envelopes.append((self._sender, self._recipient))
        return await self._say(answer)

    async def _say(self, answer: str) -> bool:
        """Say it; False when that ends the conversation."""
        if answer == SILENCE:
            await self._reader.read()
            return False
        if answer == HANG_UP:
            return False
        self._writer.write(answer.encode() + b"\r\n")
        await self._writer.drain()
        return not answer.startswith(("221", "421"))


@asynccontextmanager
async def smtp_peer(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, wants_login: bool = False
) -> AsyncIterator[SmtpPeer]:
    """Run a mail server while the context is open.

    Args:
        tls: Its certificate; without one it offers no encryption.
        implicit: Whether it speaks TLS from the first byte.
        wants_login: Whether it offers to be told a name and a password.
    """
    peer = SmtpPeer(tls, implicit=implicit, wants_login=wants_login)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=tls if implicit else None)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server of that name shows, and what a client trusts who knows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))

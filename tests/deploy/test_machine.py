"""deploy/systemd: units, timers and the command beside them, by systemd's own tools and against what the code says."""

import configparser
import os
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from cli import mesh
from cli.settings import settings
from tests.deploy import manifests
from tests.deploy.manifests import DEPLOY, PARTS

SYSTEMD = DEPLOY / "systemd"
KNOWN = {setting.name for setting in settings()}
SERVICES = [SYSTEMD / f"ordermesh-{part}.service" for part in PARTS]
JOBS = [SYSTEMD / f"ordermesh-{job}.service" for job in ("audit", "retention@", "backup", "certificates")]
# A key and those that are trusted lie in one folder in a pod, and each in its own on a machine.
FOLDERS = {"GATEWAY_CALLER_KEY": "signing", "ORDERMESH_CALLER_KEYS": "trusted"}

analyzed = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def unit(file: Path) -> dict[str, list[str]]:
    """Return the lines of a unit by their name; a name may stand there several times."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def given(file: Path) -> dict[str, str]:
    """Return the variables that a unit sets itself."""
    text = file.read_text().replace("%S", "/var/lib")
    return dict(line.split("=", 1) for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE))


def test_every_unit_is_looked_at_here() -> None:
    assert set(SYSTEMD.glob("*.service")) == {*SERVICES, *JOBS}


@pytest.mark.parametrize("file", [*SERVICES, *JOBS], ids=lambda file: file.stem)
def test_units_are_confined(file: Path) -> None:
    configparser.ConfigParser(strict=False, interpolation=None).read_string(file.read_text())
    lines = unit(file)
    assert given(file).keys() <= KNOWN
    for name, value in {
        "User": "ordermesh",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "PrivateTmp": "yes",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
        "CapabilityBoundingSet": "",
        "TemporaryFileSystem": "/etc/ordermesh:ro",
    }.items():
        assert lines[name] == [value], name
    assert "MemoryMax" in lines


@pytest.mark.parametrize("part", PARTS)
def test_units_start_parts_that_there_are(part: str) -> None:
    lines = unit(SYSTEMD / f"ordermesh-{part}.service")
    assert lines["ExecStart"] == [f"/opt/ordermesh/.venv/bin/ordermesh serve {part}"]
    assert lines["PartOf"] == ["ordermesh.target"]
    assert "LimitNOFILE" in lines
    assert (
        int(lines["TimeoutStopSec"][0])
        == manifests.deployment(part).body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    )


@pytest.mark.parametrize("part", PARTS)
def test_what_a_running_unit_has_to_see_anew_is_bound_with_its_folder(part: str, mounted: Path) -> None:
    """A file that is replaced is another one, and a unit to which the file itself is bound goes on with the old."""
    file = SYSTEMD / f"ordermesh-{part}.service"
    bound = unit(file)["BindReadOnlyPaths"]
    values = given(file)
    for variable in {"GATEWAY_CALLER_KEY", "ORDERMESH_CALLER_KEYS"} & values.keys():
        assert str(Path(values[variable]).parent) in bound
    assert f"{values['ORDERMESH_TLS_DIR']}/{part}" in bound
    private = {"/etc/ordermesh/caller", "/etc/ordermesh/caller/signing"}
    assert part == "gateway" or not private & set(bound), "who signs for callers is the gateway alone"
    here = {name: value.replace("/etc/ordermesh", str(mounted)) for name, value in values.items()}
    here |= {name: here[name].replace(f"/{folder}/", "/") for name, folder in FOLDERS.items() if name in here}
    assert mesh.load(part, here).name == part


def test_each_part_has_an_address_for_prometheus_with_room_for_more_processes() -> None:
    addresses = {part: given(SYSTEMD / f"ordermesh-{part}.service")["ORDERMESH_METRICS_ADDR"] for part in PARTS}
    (job,) = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())["scrape_configs"]
    ports = sorted(int(address.removeprefix("127.0.0.1:")) for address in addresses.values())

    assert sorted(job["static_configs"][0]["targets"]) == sorted(addresses.values())
    assert min(later - earlier for earlier, later in pairwise(ports)) >= 100
    assert not {"ORDERMESH_METRICS_ADDR"} & manifests.env_file(SYSTEMD / "ordermesh.env").keys(), "all would have one"


def test_the_target_has_a_unit_for_every_part() -> None:
    (wanted,) = unit(SYSTEMD / "ordermesh.target")["Wants"]
    assert set(wanted.split()) == {file.name for file in SERVICES}
    assert manifests.env_file(SYSTEMD / "ordermesh.env").keys() <= KNOWN


def test_what_is_done_by_itself_has_an_hour_of_its_own() -> None:
    timers = {file.stem: unit(file) for file in SYSTEMD.glob("*.timer")}
    assert timers.keys() == {file.stem for file in JOBS}
    assert len({lines["OnCalendar"][0] for lines in timers.values()}) == len(timers)
    assert all(lines["Persistent"] == ["yes"] for lines in timers.values())
    commands = {file.stem: unit(file)["ExecStart"][0] for file in JOBS}
    assert commands["ordermesh-audit"].endswith("/ordermesh audit")
    assert commands["ordermesh-retention@"].endswith("/ordermesh retention %i --delete")
    assert "/ordermesh backup " in commands["ordermesh-backup"]
    renews = unit(SYSTEMD / "ordermesh-certificates.service")
    assert renews["ExecStart"] == ["/opt/ordermesh/.venv/bin/ordermesh certs dev /etc/ordermesh/tls"]
    assert renews["BindPaths"] == ["/etc/ordermesh/tls"]


def test_a_backup_looks_for_tables_where_the_units_keep_them() -> None:
    told = given(SYSTEMD / "ordermesh-backup.service")
    for part in PARTS:
        data = given(SYSTEMD / f"ordermesh-{part}.service")["ORDERMESH_DATA_DIR"]
        database = mesh.load(part, {"ORDERMESH_DATA_DIR": data}).database
        assert database is not None
        assert told[f"{part.upper()}_DATABASE_URL"] == database.url


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return a folder with the units; systemd looks for commands as well, which are not installed here."""
    for file in (*SERVICES, *JOBS, *SYSTEMD.glob("*.timer"), SYSTEMD / "ordermesh.target"):
        text = file.read_text().replace("/opt/ordermesh/.venv/bin/ordermesh", "/bin/true")
        (tmp_path / file.name).write_text(re.sub(r"Documentation=.*\n", "", text))
    return tmp_path


@analyzed
def test_systemd_takes_the_units_and_finds_them_confined(written: Path) -> None:
    names = sorted(file.name.replace("@.", "@order.") for file in written.iterdir())
    verify(written, names)
    # Its own scale: 0 is confined entirely, 10 not at all; an ordinary unit has 9.6.
    for file in (*SERVICES, *JOBS):
        assert exposed(written / file.name, at_most="15"), file.name


@analyzed
def test_a_port_below_1024_is_the_gateways_by_the_drop_in_alone(written: Path) -> None:
    drop_in = written / "ordermesh-gateway.service.d" / "https.conf"
    drop_in.parent.mkdir()
    shutil.copy(SYSTEMD / "gateway-https.conf", drop_in)
    lines = unit(drop_in)
    assert lines["PrivateUsers"] == ["no"], "a capability of another user namespace opens no port"
    assert lines["AmbientCapabilities"] == lines["CapabilityBoundingSet"] == ["CAP_NET_BIND_SERVICE"]
    verify(written, ["ordermesh-gateway.service"])
    merged = written / "merged.service"
    merged.write_text((written / "ordermesh-gateway.service").read_text().replace("[Install]", drop_in.read_text()))
    assert exposed(merged, at_most="25")


def verify(folder: Path, names: list[str]) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(folder / name) for name in names)],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def exposed(file: Path, *, at_most: str) -> bool:
    """Return whether systemd finds a unit exposed at most so much, in tenths."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={at_most}", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class Machine:
    """A machine with the command, on which nobody becomes another user."""

    def __init__(self, folder: Path) -> None:
        self.config, self.programs = folder / "etc", folder / "bin"
        for made in (self.config, self.programs):
            made.mkdir()
        self.said = folder / "said"
        self._program("runuser", f'printf "%s\\n" "$@" >{self.said}; exec env -0 >>{self.said}')
        self._program("id", "echo 0")
        text = (SYSTEMD / "ordermesh").read_text()
        self._command = folder / "ordermesh"
        self._command.write_text(text.replace("config=/etc/ordermesh", f"config={self.config}"))

    def _program(self, name: str, text: str) -> None:
        (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.programs / name).chmod(0o755)

    def somebody(self) -> None:
        """Have whoever types be not root."""
        self._program("id", "echo 1000")

    def type(self, *words: str, **shell: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(self._command), *words],
            env={"PATH": f"{self.programs}:{os.defpath}", **shell},
            capture_output=True,
            text=True,
            check=False,
        )

    def environment(self, **shell: str) -> dict[str, str]:
        """Return what a command is given."""
        done = self.type("audit", **shell)
        assert (done.returncode, done.stderr) == (0, "")
        last = self.said.read_text().split("audit\n", 1)[1]
        return dict(each.split("=", 1) for each in last.split("\0") if each)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_command_runs_as_the_units_do_and_with_what_they_have(machine: Machine) -> None:
    shutil.copy(SYSTEMD / "ordermesh.env", machine.config)
    values = machine.environment()
    user, _, program = machine.said.read_text().splitlines()[1:4]

    assert (user, program) == ("ordermesh", "/opt/ordermesh/.venv/bin/ordermesh")
    assert manifests.env_file(SYSTEMD / "ordermesh.env").items() <= values.items()
    known = {name: value for name, value in values.items() if name in KNOWN}
    for part in PARTS:
        has = given(SYSTEMD / f"ordermesh-{part}.service")
        data = {"ORDERMESH_DATA_DIR": has.pop("ORDERMESH_DATA_DIR")}
        database = mesh.load(part, data).database
        assert database is not None
        assert known[f"{part.upper()}_DATABASE_URL"] == database.url
        for name in has.keys() - {"ORDERMESH_METRICS_ADDR"}:
            assert known[name] == has[name].replace("/etc/ordermesh", str(machine.config)), name


def test_the_command_takes_settings_as_they_are_written_and_runs_none_of_them(machine: Machine) -> None:
    (machine.config / "ordermesh.env").write_text(
        "# Whatever.\n\nORDERMESH_DATABASE_URL=postgresql://u:p$(id)@h/all?a=b\nMAIL_FROM=Shop <a@shop.example>\n"
    )
    (machine.config / "notify.env").write_text('MAIL_FROM="Own shop <b@shop.example>"\nSMTP_PASSWORD=`id`;"\n')
    (machine.config / "tax.env").write_text("ORDERMESH_DATABASE_URL=postgresql://h/tax")
    values = machine.environment(ORDER_ADDR="elsewhere:1")

    assert values["ORDERMESH_DATABASE_URL"] == "postgresql://u:p$(id)@h/all?a=b"
    assert values["MAIL_FROM"] == "Own shop <b@shop.example>"
    assert values["SMTP_PASSWORD"] == '`id`;"'
    assert values["TAX_DATABASE_URL"] == "postgresql://h/tax"
    assert "ORDER_DATABASE_URL" not in values, "all are in one database"
    assert values["ORDER_ADDR"] == "elsewhere:1"


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("  ORDER_ADDR=a:1", "ORDER_ADDR", "a:1"),
        ("\tORDER_ADDR = a:1 \t\r", "ORDER_ADDR", "a:1"),
        ("  # as it was\n ; too\n\t\nORDER_ADDR=a:1 # kept", "ORDER_ADDR", "a:1 # kept"),
        ('MAIL_FROM=" Shop "  ', "MAIL_FROM", " Shop "),
        ("SMTP_PASSWORD='a\\\"b\\'", "SMTP_PASSWORD", 'a\\"b\\'),
        ('SMTP_PASSWORD=""', "SMTP_PASSWORD", ""),
        ("https_proxy=http://proxy:3128", "https_proxy", "http://proxy:3128"),
    ],
)
def test_the_command_reads_a_line_as_systemd_does(machine: Machine, line: str, name: str, value: str) -> None:
    (machine.config / "ordermesh.env").write_text(f"{line}\n")
    assert machine.environment()[name] == value


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("postgresql://u:s3cret@h/all", "neither NAME=value nor a comment"),
        ("export ORDERMESH_DATABASE_URL=s3cret", "no name of a setting"),
        ("=s3cret", "no name of a setting"),
        ("config=s3cret", "no name of a setting"),
        ("SMTP_PASSWORD=s3cret\\b", "in single quotes"),
        ('SMTP_PASSWORD="s3cret\\b"', "in single quotes"),
        ("ORDERMESH_DATABASE_URL=s3cret\\", "may not go on"),
        ("# s3cret \\", "may not go on"),
        ('SMTP_PASSWORD="s3cret', "nothing may follow"),
        ('SMTP_PASSWORD="s3cret" x', "nothing may follow"),
        ("SMTP_PASSWORD='s3'cret'", "nothing may follow"),
        ("SMTP_PASSWORD='", "nothing may follow"),
    ],
)
def test_the_command_goes_on_with_no_line_that_systemd_would_read_otherwise(
    machine: Machine, line: str, why: str
) -> None:
    (machine.config / "payment.env").write_text(f"# Own.\n{line}\n")
    done = machine.type("audit")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"ordermesh: {machine.config}/payment.env, line 2: ")
    assert why in done.stderr
    assert "s3cret" not in done.stderr
    assert not machine.said.exists()


def test_what_the_shell_says_counts_before_any_file(machine: Machine) -> None:
    (machine.config / "ordermesh.env").write_text("ORDER_ADDR=127.0.0.1:50051\n")
    shell = {"ORDER_ADDR": "127.0.0.1:1", "ORDERMESH_DATA_DIR": "/var/lib/ordermesh/tax"}

    assert shell.items() <= machine.environment(**shell).items()


def test_whoever_is_not_root_is_told_so_and_works_on_no_folder_of_their_own(machine: Machine) -> None:
    machine.somebody()
    done = machine.type("backup", "monday")

    assert done.returncode == 1
    assert "as root" in done.stderr
    assert not machine.said.exists()

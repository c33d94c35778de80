"""`python -m tests.drill.restore`: a backup, what happens after it, the restore, and what the audit makes of it.

It takes a minute or two, and prints what docs/backup.md tells.
"""

import json
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.fakes.mesh_process import MeshProcess, environment, ordermesh

_ORDER = Path("examples/order.json").read_text()

# Until mails have gone out, documents are recorded, and news of Stripe's has come. What changed a moment before an
# audit is not judged; nothing but the drill changes anything here, so that a few seconds are enough.
_SETTLE_SECONDS = 20.0
_GRACE_SECONDS = "5"


class Drill:
    """One mesh, with the sandbox as the world that remembers what the restored books do not.

    Args:
        folder: Empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._values = environment(self._data)
        self._mesh = self._start()

    def run(self) -> tuple[int, int]:
        """Return how many differences the audit finds after the restore, and how many are left after its repairs."""
        older = [self.place(f"before-{number}") for number in range(3)]
        self.say("backup", str(self._folder / "backup"))
        self.place("paid-after")
        self.place("held-after", '"pm_card_visa", "capture_mode": "ON_SHIPMENT"')
        self.place("waiting-after", '"pm_card_authenticationRequired"')
        self.say("order", "refund", older[0], "--sku", "MUG-BLUE=1")
        self.say("order", "ship", older[1], "--carrier", "DHL")
        self.settled()
        self.restore()
        found = _count("differences", self.settled())
        self.say("audit", "--grace", _GRACE_SECONDS, "--repair")
        left = _count("differences", self.settled())
        self._mesh.kill()
        return found, left

    def settled(self) -> str:
        """Return what an audit says once all that goes on by itself is done."""
        time.sleep(_SETTLE_SECONDS)
        return self.say("audit", "--grace", _GRACE_SECONDS)

    def place(self, key: str, method: str = '"pm_card_visa"') -> str:
        """Place an order and return its id."""
        order = _ORDER.replace('"pm_card_visa"', method)
        placed = ordermesh("order", "place", "-f", "-", "--key", key, "-o", "json", values=self._values, given=order)
        order_id: str = json.loads(placed.stdout)["order_id"]
        return order_id

    def say(self, *words: str) -> str:
        """Run a command, show what it says, and return it."""
        print(f"$ ordermesh {' '.join(words)}")  # noqa: T201  (a command tells what it does)
        done = ordermesh(*words, values=self._values)
        print(done.stdout + done.stderr)  # noqa: T201  (likewise)
        return done.stdout

    def restore(self) -> None:
        """Kill the mesh, put the copies in place of its tables, and start it again; the providers forget nothing."""
        self._mesh.kill()
        lost = self._folder / "lost"
        self._data.rename(lost)
        self._data.mkdir(mode=0o700)
        for kept in (*lost.glob("sandbox.db*"), *(self._folder / "backup").iterdir()):
            shutil.copy2(kept, self._data)
        self._mesh = self._start()

    def _start(self) -> MeshProcess:
        mesh = MeshProcess(["up"], self._values, self._folder / "mesh.log")
        mesh.wait_until("Data lies in")
        return mesh


def _count(what: str, audit: str) -> int:
    found = re.search(rf"^{what} +(\d+)$", audit, re.MULTILINE)
    assert found is not None, audit
    return int(found[1])


def main() -> int:
    """Run the drill; 0 when the audit has found what was lost, and left one document to a person."""
    with tempfile.TemporaryDirectory() as folder:
        found, left = Drill(Path(folder)).run()
    print(f"{found} differences after the restore, {left} after `ordermesh audit --repair`")  # noqa: T201  (likewise)
    return 0 if (found, left) == (7, 1) else 1


if __name__ == "__main__":
    sys.exit(main())

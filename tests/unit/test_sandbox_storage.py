"""The sandbox's memory."""

from pathlib import Path

import pytest

from sandbox import storage as storage_module
from sandbox.storage import Storage


async def started(path: Path) -> Storage:
    storage = Storage(path / "state" / "sandbox.db")
    await storage.start()
    return storage


async def test_what_was_put_is_seen_at_once_and_kept(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    storage.put("thing", "a", {"n": 1}, created=5)
    assert storage.get("thing", "a") == {"n": 1}
    assert storage.get("other", "a") is None
    await storage.committed()
    storage.put("thing", "a", {"n": 2}, created=5)
    await storage.stop()

    again = await started(tmp_path)
    assert again.get("thing", "a") == {"n": 2}
    await again.stop()


async def test_copies_are_fresh(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    storage.put("thing", "a", {"n": 1}, created=0)
    first = storage.get("thing", "a")
    assert first is not None
    first["n"] = 2

    assert storage.get("thing", "a") == {"n": 1}
    await storage.stop()


async def test_objects_keep_the_order_of_their_first_insert(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    for name in ("a", "b", "c"):
        storage.put("thing", name, {"id": name}, created=0)
    storage.put("thing", "a", {"id": "a", "again": True}, created=0)
    await storage.committed()
    storage.put("thing", "b", {"id": "b", "again": True}, created=0)
    await storage.committed()

    assert [thing["id"] for thing in storage.select("kind = ? ORDER BY seq", ["thing"])] == ["a", "b", "c"]
    positions = [storage.seq_of("thing", name) for name in ("a", "b", "c")]
    assert positions == sorted(positions, key=lambda seq: seq or 0)
    assert storage.seq_of("thing", "d") is None
    await storage.stop()


async def test_deleted_objects_are_gone_before_and_after_the_commit(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    storage.put("thing", "a", {}, created=0)
    await storage.committed()
    storage.delete("thing", "a")
    assert storage.get("thing", "a") is None
    await storage.committed()
    assert storage.get("thing", "a") is None
    await storage.stop()


async def test_old_objects_are_pruned_by_kind(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    storage.put("key", "old", {}, created=10)
    storage.put("key", "new", {}, created=20)
    storage.put("thing", "old", {}, created=10)
    await storage.committed()

    storage.prune("key", 20)

    assert storage.get("key", "old") is None
    assert storage.get("key", "new") == {}
    assert storage.get("thing", "old") == {}
    await storage.stop()


async def test_pending_objects_are_listed_until_they_are_done(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    storage.put("event", "a", {}, created=10, pending=True)
    storage.put("event", "b", {}, created=20, pending=True)
    storage.put("event", "c", {}, created=30)
    await storage.committed()
    assert storage.pending_ids("event") == ["a", "b"]
    assert storage.pending_ids("event", 10) == ["a"]

    storage.put("event", "a", {}, created=10)
    await storage.committed()
    assert storage.pending_ids("event") == ["b"]
    await storage.stop()


async def test_what_the_cache_forgets_is_read_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_module, "_CACHE_ENTRIES", 2)
    storage = await started(tmp_path)
    for number in range(10):
        storage.put("thing", str(number), {"n": number}, created=0)
    assert [storage.get("thing", str(number)) for number in range(10)] == [{"n": number} for number in range(10)]
    await storage.committed()

    assert [storage.get("thing", str(number)) for number in range(10)] == [{"n": number} for number in range(10)]
    await storage.stop()


async def test_a_failed_write_is_told_to_whoever_waits(tmp_path: Path) -> None:
    storage = await started(tmp_path)
    with storage.connect() as other:
        other.execute("DROP TABLE objects")
    other.close()
    storage.put("thing", "a", {}, created=0)

    with pytest.raises(Exception, match="no such table"):
        await storage.committed()
    await storage.stop()

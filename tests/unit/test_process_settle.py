"""What a started process tells the garbage collector, in a process of its own."""

import subprocess
import sys

_SETTLED = """
import gc
import chassis.process
before = len(gc.get_objects())
usual = gc.get_threshold()
chassis.process.settle()
cycle = []
cycle.append(cycle)
print(gc.get_freeze_count() > before / 2, gc.isenabled(), gc.get_threshold() != usual)
del cycle
print(gc.collect())
"""


def test_nothing_is_told_where_tuning_is_off() -> None:
    environment = {"ORDERMESH_PROCESS_TUNING": "off", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", _SETTLED], capture_output=True, text=True, check=True, env=environment)

    assert done.stdout.split()[:3] == ["False", "True", "False"]


def test_what_is_loaded_is_never_looked_at_again_the_rest_more_seldom_and_cycles_are_still_found() -> None:
    done = subprocess.run([sys.executable, "-c", _SETTLED], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["True", "True", "True", "1"]

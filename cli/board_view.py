"""How the mesh is doing, as a board in a terminal."""

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.value_view import Json

# A minute and a half is read faster as "2 min", and an hour and a half as "1.5 h".
_SECONDS_SHOWN = 100.0
_MINUTES_SHOWN = 100.0


def board(answers: Json) -> RenderableType:
    """Return the board, from what each service has answered."""
    overview = answers["order"]
    parts: list[RenderableType] = [_head(overview)]
    if "untold" not in overview:
        parts += [Columns([_states(overview), _waits(overview, answers["notify"])], padding=(0, 4)), Text()]
    parts.append(_providers(answers))
    if "untold" not in overview:
        parts += [Text(), _steps(overview)]
    return Group(*parts)


def _head(overview: Json) -> Text:
    if "untold" in overview:
        return Text(f"The orders cannot be told: {overview['untold']}\n", style="red")
    review, rate = overview["needs_review"], overview["placed_in_last_minute"] / 60
    head = Text.assemble((f"{rate:.2f} orders/s", "bold"), "   ")
    head.append(f"{review} need a person", style="red" if review else "green")
    age = seconds(overview["oldest_unsettled_age"])
    if age:
        head.append(f"   the oldest unsettled for {lasting(age)}", style="yellow")
    return head.append(f"   counted {overview['count_time'][11:19]}Z\n", style="dim")


def _states(overview: Json) -> Table:
    table = _table("orders", "")
    for each in overview["states"]:
        style = "dim" if not each["orders"] else "red" if each["state"] == "FAILED" else ""
        table.add_row(
            Text(_spoken(each["state"]), style=style),
            Text(f"{each['orders']}{'+' if each['more'] else ''}", style=style),
        )
    return table


def _waits(overview: Json, notify: Json) -> Table:
    table = _table("waits", "", "oldest")
    for each in [*overview["backlogs"], *([notify["backlog"]] if "backlog" in notify else [])]:
        waits = each["waiting"]
        oldest = lasting(seconds(each["oldest_age"])) if waits else "-"
        table.add_row(_spoken(each["queue"]), Text(str(waits), style="yellow" if waits else "green"), oldest)
    return table


def _providers(answers: Json) -> Table:
    table = _table("provider", "calls", "failed", "")
    for service in ("payment", "tax", "notify"):
        answer = answers[service]
        if "untold" in answer:
            table.add_row(service, "-", "-", Text(answer["untold"], style="red"))
            continue
        health = answer["health"]
        alone = health["state"] == "LEFT_ALONE"
        table.add_row(
            health["provider"],
            str(health["calls"]),
            Text(str(health["failed_calls"]), style="yellow" if health["failed_calls"] else ""),
            Text("left alone", style="red") if alone else Text("called", style="green"),
        )
    return table


def _steps(overview: Json) -> Table:
    table = _table("step", "done", "not well", "half within", "95 of 100 within")
    for each in overview["steps"]:
        table.add_row(
            _spoken(each["step"]),
            str(each["count"]),
            Text(str(each["failed"]), style="yellow" if each["failed"] else ""),
            lasting(seconds(each["median"])),
            lasting(seconds(each["percentile_95"])),
        )
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def seconds(duration: str) -> float:
    """Return a length of time of the REST API, "1.250s", in seconds."""
    return float(duration.removesuffix("s"))


def lasting(length: float) -> str:
    """Return a length of time as people write it: "80 ms", "1.25 s", "2 min", "1.5 h"."""
    if length < 1:
        return f"{length * 1000:.0f} ms"
    if length < _SECONDS_SHOWN:
        return f"{length:.3g} s"
    minutes = length / 60
    return f"{minutes:.0f} min" if minutes < _MINUTES_SHOWN else f"{minutes / 60:.1f} h"


def _spoken(word: str) -> str:
    return word.replace("_", " ").lower()

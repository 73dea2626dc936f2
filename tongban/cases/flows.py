"""Flows: the steps of a joint item, in order or in parallel, as `cases/flows/<flow>.yaml` says.

A step starts when the steps it comes `after` are done, joined by `all` (the default), by `any` k
of them, or by the `lead` alone, who then answers for the others. A refusal stops everything that
comes after it and is undone backwards (`undo`); a step that is `optional` undoes nothing. A flow
with a cycle, a step that can never start or a join that nobody can fulfil is refused with its line.

Source: notice 平政办发〔2018〕179号 §6.2(3), §6.5.
"""

from __future__ import annotations

from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tongban.cases.items import Strict
from tongban.kernel.yamlfile import YamlFile, load_yaml, parse_model, suggestion

Mode = Literal["window", "pull", "push", "compare", "notify"]


class Title(Strict):
    """A name in two languages."""

    zh: str
    en: str


class AnyOf(Strict):
    """A join that `any` k of the steps before fulfil."""

    any: Annotated[int, Field(ge=1)]


class Lead(Strict):
    """A join that one of the steps before decides."""

    lead: str


class Told(Strict):
    """How the substation is told that a step is done: its words, and the case's moment."""

    step: str
    event: str
    moment: str


class Undo(Strict):
    """What is asked of the department when a later step fails."""

    name: str
    mode: Mode = "push"


class FlowStep(Strict):
    """One step.

    Attributes:
        mode: How the department hears of it: a window's work, records pulled, rows pushed, a
            question compared, or only notified.
        system: The system that does it; none for work at the window or outside the network.
        dataset: What shows that it is done (pull), or what is sent (push).
        limit_days: Working days it may take, within the item's promise.
        optional: Its refusal stops and undoes nothing.
        done_by: The case's event that ends it.
    """

    name: Title
    department: str | None = None
    system: str | None = None
    mode: Mode
    dataset: str | None = None
    after: tuple[str, ...] = ()
    join: Literal["all"] | AnyOf | Lead = "all"
    limit_days: Annotated[int, Field(ge=0, le=999)] = 0
    optional: bool = False
    done_by: str | None = None
    told: Told | None = None
    undo: Undo | None = None


class Flow(Strict):
    """One flow.

    Attributes:
        lead: Department that answers for the whole (主办).
        decides: The step whose end decides the case.
        steps: By code, in the order in which people read them.
    """

    flow: str
    version: Annotated[int, Field(ge=1)] = 1
    title: Title
    item: str
    lead: str
    source: str
    decides: str
    steps: Annotated[dict[str, FlowStep], Field(min_length=1)]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Steps so that each comes after those it waits for; file order where that is free."""
        waits = {code: set(step.after) for code, step in self.steps.items()}
        done: list[str] = []
        while len(done) < len(waits):
            done.append(next(c for c, w in waits.items() if c not in done and w <= set(done)))
        return tuple(done)

    @property
    def told(self) -> tuple[Told, ...]:
        """What the substation is told, in order."""
        return tuple(told for code in self.order if (told := self.steps[code].told))

    def longest_days(self) -> int:
        """Working days of the longest way to the deciding step."""
        days: dict[str, int] = {}
        for code in self.order:
            step = self.steps[code]
            days[code] = step.limit_days + max((days[name] for name in step.after), default=0)
        return days[self.decides]

    def ready(self, done: frozenset[str]) -> frozenset[str]:
        """Steps that may start when these are done."""
        return frozenset(
            code for code, step in self.steps.items() if code not in done and _is_joined(step, done)
        )

    def cut_off(self, refused: str) -> frozenset[str]:
        """Steps that can never start any more because one was refused."""
        if self.steps[refused].optional:
            return frozenset()
        possible: set[str] = set()
        for code in self.order:
            if code != refused and _is_joined(self.steps[code], frozenset(possible)):
                possible.add(code)
        return frozenset(self.steps) - possible - {refused}

    def undone_by(self, refused: str, done: frozenset[str]) -> tuple[str, ...]:
        """Steps to undo when one is refused: those it came after, last first, each once."""
        if self.steps[refused].optional:
            return ()
        before, reached = set(self.steps[refused].after), list(self.steps[refused].after)
        while reached:
            for name in self.steps[reached.pop()].after:
                if name not in before:
                    before.add(name)
                    reached.append(name)
        found = [c for c in self.order if c in before and c in done and self.steps[c].undo]
        return tuple(reversed(found))


def _is_joined(step: FlowStep, done: frozenset[str]) -> bool:
    if isinstance(step.join, AnyOf):
        return len(done & set(step.after)) >= step.join.any
    if isinstance(step.join, Lead):
        return step.join.lead in done
    return set(step.after) <= done


def load_flow(path: Path, *, root: Path | None = None) -> tuple[Flow, YamlFile]:
    """Read one flow file and check it by itself.

    Raises:
        ConfigInvalid: The first thing that is wrong, as file:line.
    """
    file = load_yaml(path, root=root)
    flow = parse_model(file, Flow)
    if flow.flow != path.stem:
        file.fail(("flow",), f"flow is {flow.flow!r}, expected the file's name {path.stem!r}")
    for code, step in flow.steps.items():
        _check_step(file, flow, code, step)
    _check_cycle(file, flow)
    if flow.decides not in flow.steps:
        file.fail(("decides",), f'no step "{flow.decides}"{suggestion(flow.decides, flow.steps)}')
    moments = [told.moment for told in flow.told]
    if len(moments) != len(set(moments)):
        file.fail(("steps",), "two steps are told with one moment")
    return flow, file


def _check_step(file: YamlFile, flow: Flow, code: str, step: FlowStep) -> None:
    """One step against the others."""
    where = ("steps", code)
    for at, name in enumerate(step.after):
        if name not in flow.steps:
            file.fail((*where, "after", at), f'no step "{name}"{suggestion(name, flow.steps)}')
    if len(set(step.after)) != len(step.after):
        file.fail((*where, "after"), "a step stands twice; keep one")
    if isinstance(step.join, AnyOf) and not step.join.any <= len(step.after):
        file.fail((*where, "join"), f"any {step.join.any} of {len(step.after)} can never be")
    if isinstance(step.join, Lead) and step.join.lead not in step.after:
        file.fail((*where, "join"), f'the lead "{step.join.lead}" is not among the steps before')
    if step.mode in {"pull", "push", "compare"} and step.system is None:
        file.fail(where, f'a step with the mode "{step.mode}" names its system; add it')
    if step.mode in {"pull", "push"} and step.dataset is None:
        file.fail(where, f'a step with the mode "{step.mode}" names its dataset; add it')
    if step.optional and step.undo:
        file.fail((*where, "undo"), "an optional step is not undone; take one of the two out")


def _check_cycle(file: YamlFile, flow: Flow) -> None:
    """Refuse steps that wait for each other, with the whole circle."""
    sorter = TopologicalSorter({code: step.after for code, step in flow.steps.items()})
    try:
        sorter.prepare()
    except CycleError as exc:
        circle = list(reversed(exc.args[1]))
        words = " waits for ".join(circle)
        file.fail(("steps", circle[0], "after"), f"the steps wait for each other: {words}")

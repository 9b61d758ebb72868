"""Typed parameters: declared once, documented and bounded, resolved per request.

::

    RANKER_CAP = param(
        "ranker.cap", default=100, minimum=50, maximum=600, doc="Candidates scored per request."
    )

    target.request.params[RANKER_CAP]  # an int, and the type checker knows

A value is looked up in this order: forced by the request, an experiment's arm, the environment, a file, the default.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from mixer.errors import ParamError
from mixer.param_domain import Domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mixer.experiments import Arm, Experiment, Exposure

T = TypeVar("T")


@attrs.frozen(eq=False)
class Param(Generic[T]):
    """One setting of a component or product; make it with :func:`param`.

    The object is its own key: two parameters are the same only if they are the same object.
    """

    name: str
    default: T
    doc: str
    domain: Domain[T] = attrs.field(repr=False)

    def __str__(self) -> str:
        return self.name


def param(
    name: str,
    default: T,
    *,
    doc: str,
    minimum: T | None = None,
    maximum: T | None = None,
    choices: Mapping[str, Any]
    | Iterable[Any] = (),  # of T; naming it here makes checkers infer literal types
    kind: type[T] | None = None,
    each: Domain[Any] | None = None,
) -> Param[T]:
    """Declares a parameter; nothing is checked before it is registered, where all problems are listed together.

    Args:
        name: dotted, unique in a registry, such as ``ranker.cap``.
        default: bool, int, float, str, enum member, timedelta, tuple, or any object; its type is the parameter's.
        doc: one line for the reference.
        minimum: smallest value, included.
        maximum: largest value, included.
        choices: the only values; a mapping gives them the names that files and the environment use.
        kind: the type of a value where the default's is too narrow, such as a base class.
        each: the domain of an item of a sequence, where the default's first item does not tell.
    """
    domain = Domain[T].of(default, kind=kind, minimum=minimum, maximum=maximum, choices=choices, each=each)
    return Param(name, default, doc, domain)


@attrs.frozen(eq=False)
class Bundle:
    """A switch that sets several parameters at once.

    While the switch is on, its values count as set where the switch was set: a value of a parameter itself, given
    in the same place or one of higher precedence, wins.

    Args:
        switch: on or off, by default or as set anywhere.
        overrides: values by parameter or parameter name.
    """

    switch: Param[bool]
    overrides: Mapping[Any, Any]


class Origin(IntEnum):
    """Where a value comes from, by rising precedence."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    EXPERIMENT = 3
    FORCED = 4


@attrs.frozen
class Setting:
    """A value and where it comes from: a file, a variable, an arm, or a bundle's switch."""

    value: Any
    origin: Origin
    detail: str = ""


@attrs.frozen
class Overlay:
    """Values that were set in one place."""

    origin: Origin
    settings: Mapping[Param[Any], Setting]

    @classmethod
    def uniform(cls, origin: Origin, values: Mapping[Param[Any], Any], detail: str = "") -> Overlay:
        """An overlay whose values all come from ``detail``."""
        return cls(origin, {key: Setting(value, origin, detail) for key, value in values.items()})


def compose(bundles: Iterable[Bundle], overlays: Iterable[Overlay]) -> dict[Param[Any], Setting]:
    """The settings in force: the last overlay wins, then bundles that are switched on fill in."""
    settings: dict[Param[Any], Setting] = {}
    for overlay in overlays:
        settings.update(overlay.settings)
    for bundle in bundles:
        switch = settings.get(bundle.switch) or Setting(bundle.switch.default, Origin.DEFAULT)
        if switch.value:
            for key, value in bundle.overrides.items():
                if key not in settings or settings[key].origin < switch.origin:
                    settings[key] = Setting(value, switch.origin, f"bundle {bundle.switch.name}")
    return settings


@attrs.frozen(eq=False)
class Plan:
    """What all requests share.

    Args:
        registered: every known parameter.
        bundles: the switches among them.
        overlays: values set for all requests, by rising precedence.
        experiments: for each parameter that experiments touch, those experiments; they exclude each other.
        listener: hears of every exposure once a request.
    """

    registered: Sequence[Param[Any]] = ()
    bundles: Sequence[Bundle] = ()
    overlays: Sequence[Overlay] = ()
    experiments: Mapping[Param[Any], Sequence[Experiment]] = attrs.field(
        factory=dict[Param[Any], "Sequence[Experiment]"]
    )
    listener: Callable[[Exposure], None] | None = None
    reads: set[Param[Any]] = attrs.field(init=False, factory=set[Param[Any]])
    with_arm: dict[Arm, Mapping[Param[Any], Setting]] = attrs.field(
        init=False, factory=dict["Arm", "Mapping[Param[Any], Setting]"]
    )


class Params:
    """The parameters of one request; immutable to its readers.

    Reading a parameter that an experiment touches counts as exposure to it, once a request; nothing else does.
    Reading one that is not registered gives its default, and the lint of the resolver reports it.

    Cost: about 0.1 µs a read; 3 µs for the first read of a parameter under experiment.
    """

    __slots__ = ("_exposures", "_forced", "_plan", "_settings", "_unit")

    def __init__(
        self,
        plan: Plan,
        settings: Mapping[Param[Any], Setting],
        unit: str | int | None = None,
        forced: Overlay | None = None,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._unit = unit
        self._forced = forced
        self._exposures: dict[Experiment, tuple[Exposure | None, Mapping[Param[Any], Setting]]] = {}

    @classmethod
    def of(cls, values: Mapping[Param[Any], object]) -> Params:
        """Parameters with these values and the defaults of all others; for tests and scripts.

        Raises:
            ParamError: lists every value that its parameter does not accept.
        """
        problems: list[str] = []
        accepted = accept_all(values.items(), problems)
        if problems:
            raise ParamError("parameters", problems)
        return cls(Plan(), Overlay.uniform(Origin.FORCED, accepted).settings)

    def forcing(self, values: Mapping[Param[Any], object]) -> Params:
        """These parameters with other values for some, whatever files, variables and experiments say.

        Raises:
            ParamError: lists every value that its parameter does not accept.
        """
        forced = dict(Params.of(values)._settings)
        if self._forced is not None:
            forced = {**self._forced.settings, **forced}
        overlay = Overlay(Origin.FORCED, forced)
        return Params(self._plan, {**self._settings, **forced}, self._unit, overlay)

    def __getitem__(self, key: Param[T]) -> T:
        plan = self._plan
        plan.reads.add(key)
        if key in plan.experiments:
            setting = self._under_experiment(key, expose=True)
        else:
            setting = self._settings.get(key)
        return key.default if setting is None else setting.value

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """The experiments whose parameters this request has read so far, in order of first reading."""
        return tuple(exposure for exposure, _ in self._exposures.values() if exposure is not None)

    def __reduce__(self) -> tuple[type[RecordedParams], tuple[dict[str, Setting]]]:
        return RecordedParams, (self.explain(),)

    def explain(self) -> dict[str, Setting]:
        """Every registered or set parameter by name, with its value and origin; exposes nobody."""
        keys = dict.fromkeys((*self._plan.registered, *self._settings))
        return {key.name: self._setting_of(key) for key in sorted(keys, key=lambda key: key.name)}

    def _setting_of(self, key: Param[Any]) -> Setting:
        found = (
            self._under_experiment(key, expose=False)
            if key in self._plan.experiments
            else self._settings.get(key)
        )
        return found or Setting(key.default, Origin.DEFAULT)

    def _under_experiment(self, key: Param[Any], *, expose: bool) -> Setting | None:
        setting = self._settings.get(key)
        if self._unit is None or (setting is not None and setting.origin is Origin.FORCED):
            return setting
        for experiment in self._plan.experiments[key]:
            exposure, settings = self._exposures.get(experiment) or self._enter(
                experiment, self._unit, expose=expose
            )
            if exposure is not None:
                return settings.get(key)
        return setting

    def _enter(
        self, experiment: Experiment, unit: str | int, *, expose: bool
    ) -> tuple[Exposure | None, Mapping[Param[Any], Setting]]:
        exposure = experiment.assign(unit)
        settings = self._settings if exposure is None else self._with_arm(exposure.arm, experiment)
        entered = (exposure, settings)
        first = expose and self._exposures.setdefault(experiment, entered) is entered
        if first and exposure is not None and self._plan.listener is not None:
            self._plan.listener(exposure)
        return entered

    def _with_arm(self, arm: Arm, experiment: Experiment) -> Mapping[Param[Any], Setting]:
        plan, overlay = self._plan, experiment.overlay_of(arm)
        if self._forced is not None:
            return compose(plan.bundles, [*plan.overlays, overlay, self._forced])
        if arm not in plan.with_arm:
            plan.with_arm[arm] = compose(plan.bundles, [*plan.overlays, overlay])
        return plan.with_arm[arm]


class RecordedParams(Params):
    """The parameters of a request that was stored: values by name, as they were, and no experiments.

    Params become this when they are pickled, because a parameter is its own key only within a process.
    """

    __slots__ = ("_recorded",)

    def __init__(self, recorded: dict[str, Setting]) -> None:
        super().__init__(Plan(), {})
        self._recorded = recorded

    def __getitem__(self, key: Param[T]) -> T:
        setting = self._recorded.get(key.name)
        return key.default if setting is None else setting.value

    def explain(self) -> dict[str, Setting]:
        """Every parameter that was registered or set, with its value and origin at the time."""
        return dict(self._recorded)


DEFAULTS = Params(Plan(), {})
"""Every parameter at its default."""


def accept_all(values: Iterable[tuple[Param[Any], object]], problems: list[str]) -> dict[Param[Any], Any]:
    """The accepted values; what is not accepted is described in ``problems``."""
    accepted: dict[Param[Any], Any] = {}
    for key, raw in values:
        try:
            accepted[key] = key.domain.accept(raw)
        except ValueError as error:
            problems.append(f"{key.name}: {error}")
    return accepted

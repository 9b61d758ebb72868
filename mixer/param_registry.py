"""The parameters of a service: collected once, configured from a file and the environment, resolved per request.

::

    registry = ParamRegistry.collect(params)  # a module, a class, or parameters
    resolver = registry.resolver(file=Path("params.yaml"), experiments=[fresh_first])
    request = Request(params=resolver.resolve(unit=user_id))
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import attrs

from mixer.errors import ConfigurationError, ParamError
from mixer.param_files import read_settings
from mixer.param_resolver import ParamResolver
from mixer.params import Bundle, Origin, Overlay, Param, Setting, accept_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mixer.experiments import Experiment, Exposure

ENVIRONMENT_PREFIX = "MIXER_PARAM_"


def environment_name(key: Param[Any]) -> str:
    """``ranker.cap`` -> ``MIXER_PARAM_RANKER_CAP``."""
    return ENVIRONMENT_PREFIX + re.sub(r"\W", "_", key.name).upper()


Declared = Param[Any] | Bundle


def declared_in(*sources: object) -> Iterator[Declared]:
    """The parameters and bundles in modules (with the classes and mappings in them), classes, iterables, or as such.

    Raises:
        TypeError: a source is none of these.
    """
    for source in sources:
        if _is_declared(source):
            yield source
        elif isinstance(source, ModuleType):
            members = vars(source).values()
            classes = [one for one in members if isinstance(one, type) and one.__module__ == source.__name__]
            tables = [tuple(one.values()) for one in members if _holds_declared(one)]
            yield from declared_in(filter(_is_declared, members), *classes, *tables)
        elif isinstance(source, type):
            yield from filter(_is_declared, (one for base in source.__mro__ for one in vars(base).values()))
        elif isinstance(source, Iterable):
            yield from declared_in(*cast("Iterable[object]", source))
        else:
            raise TypeError(f"expected a Param, Bundle, class, module or iterable of them, got {source!r}")


def _is_declared(value: object) -> TypeGuard[Declared]:
    return isinstance(value, (Param, Bundle))


def _holds_declared(value: object) -> TypeGuard[Mapping[Any, Declared]]:
    return isinstance(value, Mapping) and all(map(_is_declared, cast("Mapping[Any, object]", value).values()))


class ParamRegistry:
    """All parameters of a service, by name.

    Args:
        declared: parameters and bundles; a bundle brings its switch along.

    Raises:
        ConfigurationError: lists every name used twice, default outside its domain, and impossible bundle.
    """

    def __init__(self, declared: Iterable[Declared]) -> None:
        unique = list(dict.fromkeys(declared))
        params = dict.fromkeys(one.switch if isinstance(one, Bundle) else one for one in unique)
        self._by_name = {one.name: one for one in params}
        problems = [*self._name_problems(params), *self._default_problems()]
        bundles = [one for one in unique if isinstance(one, Bundle)]
        switches = {bundle.switch for bundle in bundles}
        self.bundles = tuple(self._accepted(bundle, switches, problems) for bundle in bundles)
        if problems:
            raise ConfigurationError("parameter registry", problems)

    @classmethod
    def collect(cls, *sources: object) -> ParamRegistry:
        """A registry of everything that :func:`declared_in` finds in modules, classes and iterables."""
        return cls(declared_in(*sources))

    def __iter__(self) -> Iterator[Param[Any]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, key: object) -> bool:
        return key in self._by_name or (isinstance(key, Param) and self._by_name.get(key.name) is key)

    def __getitem__(self, name: str) -> Param[Any]:
        """The parameter of that name.

        Raises:
            ParamError: names the nearest known one.
        """
        if name not in self._by_name:
            raise ParamError("parameters", [self._unknown(name)])
        return self._by_name[name]

    def accept(self, values: Mapping[Any, object], problems: list[str], where: str) -> dict[Param[Any], Any]:
        """Accepted values by parameter, from values by parameter or name; ``problems`` gets what is wrong and where."""
        found: list[tuple[Param[Any], object]] = []
        wrong: list[str] = []
        for key, value in values.items():
            name = key.name if isinstance(key, Param) else str(key)
            if key in self:
                found.append((self._by_name[name], value))
            else:
                wrong.append(self._unknown(name))
        accepted = accept_all(found, wrong)
        problems.extend(f"{where}: {one}" for one in wrong)
        return accepted

    def resolver(
        self,
        *,
        file: Path | None = None,
        environ: Mapping[str, str] | None = None,
        experiments: Iterable[Experiment] = (),
        listener: Callable[[Exposure], None] | None = None,
    ) -> ParamResolver:
        """Everything that is known before requests come.

        Args:
            file: a YAML, JSON or TOML file of values by name.
            environ: variables ``MIXER_PARAM_<NAME>``; the process environment unless given.
            experiments: which units get which overrides.
            listener: called once a request with every exposure, when it happens.

        Raises:
            ParamError: lists every unknown name, unacceptable value and impossible experiment.
        """
        problems: list[str] = []
        overlays = [
            self._file_overlay(file, problems),
            self._environment_overlay(os.environ if environ is None else environ, problems),
        ]
        resolver = ParamResolver(self, overlays, experiments, problems, listener)
        if problems:
            raise ParamError("parameter values", problems)
        return resolver

    def _file_overlay(self, file: Path | None, problems: list[str]) -> Overlay:
        values = {} if file is None else self.accept(read_settings(file), problems, str(file))
        return Overlay.uniform(Origin.FILE, values, str(file))

    def _environment_overlay(self, environ: Mapping[str, str], problems: list[str]) -> Overlay:
        known = {environment_name(key): key for key in self}
        settings: dict[Param[Any], Setting] = {}
        for variable, text in environ.items():
            if variable in known:
                for key, value in self.accept({known[variable]: text}, problems, variable).items():
                    settings[key] = Setting(value, Origin.ENVIRONMENT, variable)
            elif variable.startswith(ENVIRONMENT_PREFIX):
                problems.append(f"{variable}: unknown variable{_nearest(variable, known)}")
        return Overlay(Origin.ENVIRONMENT, settings)

    def _unknown(self, name: str) -> str:
        return f"{name}: unknown parameter{_nearest(name, self._by_name)}"

    def _name_problems(self, params: Iterable[Param[Any]]) -> Iterator[str]:
        for name, count in Counter(one.name for one in params).items():
            if count > 1:
                yield f"{name}: declared {count} times"
        for variable, count in Counter(environment_name(one) for one in self).items():
            if count > 1:
                yield f"{variable}: stands for {count} parameters"

    def _default_problems(self) -> Iterator[str]:
        problems: list[str] = []
        accept_all(((one, one.default) for one in self), problems)
        return (f"default of {problem}" for problem in problems)

    def _accepted(self, bundle: Bundle, switches: set[Param[bool]], problems: list[str]) -> Bundle:
        where = f"bundle {bundle.switch}"
        nested = switches & bundle.overrides.keys()
        problems.extend(f"{where}: overrides {key}, which is the switch of a bundle" for key in nested)
        return attrs.evolve(bundle, overrides=self.accept(bundle.overrides, problems, where))


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; the nearest known one is {close[0]}" if close else ""

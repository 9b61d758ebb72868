"""Imports go down: products, components, mixer; and mixer needs little."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("mixer", "components", "products")
MIXER_NEEDS = {"mixer", "anyio", "attrs", "numpy", "structlog", "typing_extensions"}
EXTRAS = {
    "mixer/arrow.py": {"pyarrow"},
    "mixer/param_files.py": {"yaml"},
    "mixer/exporters": {"prometheus_client", "opentelemetry"},
    "mixer/testing": {"hypothesis"},
}


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_imports_one_above_it(layer):
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    guilty = {
        str(path.relative_to(ROOT)): names for path in files(layer) if (names := imported(path) & above)
    }
    assert not guilty


def test_mixer_imports_only_what_it_declares():
    for path in files("mixer"):
        place = path.relative_to(ROOT).as_posix()
        allowed = MIXER_NEEDS | {
            name for prefix, extra in EXTRAS.items() if place.startswith(prefix) for name in extra
        }
        assert imported(path) <= allowed | set(sys.stdlib_module_names), place


def test_torch_stays_in_components():
    for layer in ("mixer", "products"):
        for path in files(layer):
            assert "torch" not in imported(path), path

"""What the page of rules names exists: classes, parameters, tests."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from mixer.param_registry import ParamRegistry
from products.for_you import params

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/parity.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))


def named(pattern):
    return sorted({name for row in ROWS for name in re.findall(pattern, row)})


@pytest.mark.parametrize("name", named(r"`((?:components|products|mixer)\.[\w.]+)`"))
def test_the_class_exists(name):
    module, _, member = name.rpartition(".")
    assert hasattr(import_module(module), member)


@pytest.mark.parametrize("name", named(r"`(for_you\.[\w.]+)`"))
def test_the_parameter_exists(name):
    assert name in ParamRegistry.collect(params)


@pytest.mark.parametrize("name", named(r"`(test_\w+)`"))
def test_the_test_exists(name):
    assert f"def {name}(" in TESTS


def test_every_row_names_a_test():
    assert len(ROWS) >= 60
    assert all(re.search(r"`test_\w+`", row) for row in ROWS)

"""The verification plan and the tests name each other."""

import ast
import tomllib
from pathlib import Path

import pytest

from verif.test_core import MODULES

HERE = Path(__file__).parent
PLAN = tomllib.loads((HERE / "plan.toml").read_text())


def is_test(function: ast.stmt, module: str) -> bool:
    if isinstance(function, ast.AsyncFunctionDef):
        return any(ast.unparse(decorator).startswith("cocotb.test") for decorator in function.decorator_list)
    return isinstance(function, ast.FunctionDef) and module.startswith("test_") and function.name.startswith("test_")


def defined() -> set[str]:
    """Every test below `verif`, as `module.function`; proofs have a plan of their own."""
    return {
        f"{path.stem}.{node.name}"
        for path in HERE.glob("*.py")
        for node in ast.parse(path.read_text()).body
        if is_test(node, path.stem) and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("testpoint", PLAN)
def test_every_testpoint_has_tests_that_exist(testpoint: str) -> None:
    named = PLAN[testpoint]["tests"]
    assert named, f"{testpoint}: no test shows it"
    assert set(named) - defined() == set(), f"{testpoint}: these tests do not exist"


def test_every_test_serves_a_testpoint() -> None:
    planned = {test for testpoint in PLAN.values() for test in testpoint["tests"]}
    assert len(defined()) > 30
    assert defined() - planned == set(), "these tests serve no testpoint of plan.toml"


def test_every_bench_is_run() -> None:
    run = {module for modules in MODULES.values() for module in modules}
    assert {path.stem for path in HERE.glob("bench_*.py")} == run

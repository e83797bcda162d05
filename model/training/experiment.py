"""Experiments of the golden model, read from YAML files.

A file maps names to experiments, as `model.training.schema.Experiment` has them. `extends: other` takes over what
another experiment of the file has: mappings merge key by key, all else replaces, as does a mapping of another `kind`
and one with `choices`.
Names that begin with `_` are there to be extended and cannot be run. `PUBLISHED` is an example.
"""

import re
import reprlib
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from model.spec.config import ConfigError, nearest
from model.training.schema import Experiment
from model.training.schema_network import KINDS

__all__ = ["PUBLISHED", "SHIPPED", "Experiment", "apply", "load", "select", "value"]

PUBLISHED: Final = Path(__file__).with_name("published.yaml")
SHIPPED: Final = Path(__file__).with_name("shipped.yaml")
_OWN: Final = ("name", "description", "search")  # of an experiment, not of what it does
_WANTED: Final = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list, such as [1, 2]",
    "dict_type": "a mapping, lines such as 'key: value'",
    "model_type": "a mapping, lines such as 'key: value'",
    "model_attributes_type": "a mapping, such as {kind: fc}",
}
_BOUNDS: Final = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
}


class _Loader(yaml.SafeLoader):
    """YAML whose keys are unique and whose numbers may be 1e-3."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not plain text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"'{key.value}' stands there twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def load(path: Path) -> dict[str, Experiment]:
    """The experiments of a file that can be run, in its order.

    Parameters
    ----------
    path : Path
        A YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read, or an experiment is not possible; one line with file, experiment, field and mend.
    """
    try:
        found = _read(path)
        merged = {name: _extended(name, found) for name in found}
        return {name: _build(name, mapping) for name, mapping in merged.items() if not name.startswith("_")}
    except ConfigError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ConfigError(f"{path}: something contains itself; leave its alias out") from None


def select(path: Path, name: str | None = None) -> Experiment:
    """The experiment called `name`, or the only one, of a file.

    Raises
    ------
    ConfigError
        As in `load`; if there is no such experiment, or there are several and no name is given.
    """
    experiments = load(path)
    if not experiments:
        raise ConfigError(f"{path}: has no experiment to run; give one a name that does not begin with '_'")
    if name is None:
        if len(experiments) > 1:
            raise ConfigError(f"{path}: has {len(experiments)} experiments; name one of {', '.join(experiments)}")
        return next(iter(experiments.values()))
    if name.startswith("_"):
        raise ConfigError(f"{path}: {name}: is only extended, not run; name one of {', '.join(experiments)}")
    if name not in experiments:
        raise ConfigError(f"{path}: {name}: no such experiment; {nearest(name, experiments)}")
    return experiments[name]


def apply(experiment: Experiment, values: Mapping[str, Any]) -> Experiment:
    """The experiment with other values in some fields, and no search.

    Parameters
    ----------
    experiment : Experiment
    values : mapping of str to value
        By dotted names, such as `training.learning_rate`, `features.0.samples` or `projector`, this with a mapping.

    Raises
    ------
    ConfigError
        If there is no such field, or an experiment with these values is not possible.
    """
    found = experiment.model_dump(mode="json", exclude=set(_OWN))
    for field, value in values.items():
        _place(experiment.name, found, field, value)
    return _build(experiment.name, {**found, "description": experiment.description})


def value(text: str) -> Any:
    """The value that a text stands for in a file of experiments; raises `ConfigError` if it is not YAML."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{text}: not YAML; give a number, true, false, text or [1, 2]") from None


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The mappings in a file, by their names."""
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"{error.strerror or error}; give a YAML file that can be read") from None
    except UnicodeDecodeError:
        raise ConfigError("not text; give a YAML file") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2024-02-31
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise ConfigError(f"{where}not YAML: {problem}; correct it") from None
    if not isinstance(found, dict):
        raise ConfigError("not a mapping; write experiments' names, each with its fields indented below")
    for name, mapping in found.items():
        if not isinstance(name, str):
            raise ConfigError(f"{name}: {name!r} is not text; write it in quotes")
        if not isinstance(mapping, dict):
            raise ConfigError(f"{name}: not a mapping; write its fields indented below, or {{}}")
    return found


def _extended(name: str, found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The mapping `name` with what it extends."""
    chain, merged = [name], dict(found[name])
    while (base := merged.pop("extends", None)) is not None:
        if not isinstance(base, str) or base not in found:
            known = [other for other in found if other not in chain]
            hint = nearest(str(base), known) if known else "leave it out"
            raise ConfigError(f"{name}: extends: '{base}' is not in the file; {hint}")
        if base in chain:
            raise ConfigError(f"{name}: extends: {' -> '.join([*chain, base])} is a circle; leave one out")
        chain.append(base)
        below = {key: value for key, value in found[base].items() if key != "description"}
        merged = _merged(below, merged)
    return merged


def _merged(below: Any, above: Any) -> Any:
    """`above` over `below`."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return deepcopy(above)
    if above.get("kind", below.get("kind")) != below.get("kind") or "choices" in {**below, **above}:
        return deepcopy(above)
    return {**deepcopy(below), **{key: _merged(below.get(key), value) for key, value in above.items()}}


def _build(name: str, mapping: dict[str, Any]) -> Experiment:
    """The experiment of a merged mapping; its search is tried."""
    if "name" in mapping:
        raise ConfigError(f"{name}: name: is the experiment's key; leave it out")
    known = {*Experiment.model_fields, "extends"} - {"name"}
    for key in mapping:
        if key not in known:
            raise ConfigError(f"{name}: {key}: not a field; {nearest(str(key), known)}")
    whole = {"name": name, **mapping}
    if isinstance(whole.get("features"), list):
        whole["features"] = [_as_gaussian(feature) for feature in whole["features"]]
    try:
        experiment = Experiment.model_validate(whole)
    except ValidationError as error:
        raise ConfigError(f"{name}: {_explained(error.errors()[0], whole)}") from None
    _try_search(experiment)
    return experiment


def _as_gaussian(feature: Any) -> Any:
    """A complex Gaussian that was called a wavelet by its right kind; all else as it is."""
    if (
        isinstance(feature, dict)
        and feature.get("kind") == "wavelet"
        and str(feature.get("wavelet")).startswith("cgau")
    ):
        return {**feature, "kind": "gaussian"}
    return feature


def _explained(error: ErrorDetails, whole: Any) -> str:
    """Field, problem and mend of an error of pydantic's, without the kinds that it puts into a field's path."""
    path: list[str] = []
    value, tag = whole, None
    for part in error["loc"]:
        if part == tag:
            tag = None
            continue
        path.append(str(part))
        try:
            value = value[part]
        except (TypeError, KeyError, IndexError):
            value = None
        tag = value.get("kind") if isinstance(value, dict) else None
    context, kind = error.get("ctx", {}), error["type"]
    if kind == "fault":
        return f"{'.'.join([*path, context['field']])}: {context['problem']}"
    return f"{'.'.join(path)}: {_problem(kind, context, path, error['input'])}"


def _problem(kind: str, context: Mapping[str, Any], path: list[str], value: Any) -> str:
    """What is wrong with a value and the mend, by pydantic's name of the error."""
    shown, mend = f"{reprlib.repr(value)} is not possible", ""
    if kind == "union_tag_not_found":
        shown, mend = "has no kind", f"give one of {', '.join(KINDS[path[0]])}"
    elif kind == "union_tag_invalid":
        shown, mend = f"kind '{context['tag']}' is not known", nearest(str(context["tag"]), KINDS[path[0]])
    elif kind == "literal_error":
        known = re.findall("'([^']*)'", context["expected"])
        shown, mend = f"{reprlib.repr(value)} is not known", nearest(str(value), known)
    elif kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        shown, mend = f"{value} is out of range", f"give {words.format(context[name])}"
    elif kind in _WANTED:
        mend = f"give {_WANTED[kind]}"
    elif kind == "missing":
        shown, mend = "is missing", "give it a value"
    elif kind == "too_short":
        shown, mend = "is empty", "give at least one value"
    elif kind == "string_pattern_mismatch":
        mend = "give letters, digits, '_', '-' and '.': it names a folder"
    return f"{shown}; {mend or kind}"


def _parts(at: Any) -> dict[str, Any]:
    """What a value of a configuration consists of, by names: an item of a list by its number."""
    if isinstance(at, dict):
        return at
    return {str(index): value for index, value in enumerate(at)} if isinstance(at, list) else {}


def _place(name: str, found: dict[str, Any], field: str, value: Any) -> None:
    """Put a value where a dotted field's name leads."""
    at: Any = found
    *above, last = field.split(".")
    for depth, part in enumerate([*above, last]):
        parts = _parts(at)
        if part not in parts:
            hint = nearest(part, parts) if parts else "there is none below"
            raise ConfigError(f"{name}: {field}: '{part}' is not a field; {hint}")
        if depth < len(above):
            at = parts[part]
    at[last if isinstance(at, dict) else int(last)] = deepcopy(value)


def _try_search(experiment: Experiment) -> None:
    """Refuse a search if a field of it or a value is not possible; each is tried with all else as it is."""
    for field, search in experiment.search.items():
        where = f"{experiment.name}: search"
        for value in search.tried:
            try:
                at: Any = apply(experiment, {field: value}).model_dump(mode="json")
            except ConfigError as error:
                problem = str(error).removeprefix(f"{experiment.name}: ")
                raise ConfigError(f"{where}: with {field} = {reprlib.repr(value)}: {problem}") from None
            for part in field.split("."):
                at = _parts(at)[part]
            if search.choices is None and search.whole and isinstance(at, float):
                raise ConfigError(f"{where}.{field}: {value} is whole, the field is not; write {float(value)}")

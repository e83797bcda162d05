"""A file of settings for `compress --config`: YAML with strict keys."""

from pathlib import Path
from typing import Any, Final

import yaml

from model.formats import DEFAULT_PROFILE
from model.spec.config import CodecConfig, ConfigError, nearest

GROUPS: Final = ("none", "auto", "all")
_KINDS: Final = {
    "profile": (str, "a name"),
    "group": (str, f"one of {', '.join(GROUPS)}"),
    "live": (bool, "true or false"),
    "packet_frames": (int, "a whole number"),
    "key_interval": (int, "a whole number"),
    "lanes": (int, "a whole number"),
    "parameters": (str, "the name of a file"),
}
KEYS: Final = tuple(_KINDS)
_CODEC: Final = ("profile", "packet_frames", "key_interval", "lanes")


def load(path: Path) -> dict[str, Any]:
    """Read the settings in a YAML file.

    Parameters
    ----------
    path : Path
        A mapping with any of the keys `profile`, `group`, `live`, `packet_frames`, `key_interval`, `lanes`,
        `parameters`; or empty.

    Returns
    -------
    dict
        The settings; the path in `parameters`, which counts from the folder of `path`, counts from the working folder.
        The name of a shipped set stays as it is, if there is no such file.

    Raises
    ------
    ConfigError
        If it is no file, not YAML, or a key or a value is not possible; names the file and the key.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: is not a file; give a YAML file")
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not text; give a YAML file of settings") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not YAML; write lines such as 'profile: tiny'") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: not a mapping; write lines such as 'profile: tiny'")
    for key, value in found.items():
        if key not in _KINDS:
            raise ConfigError(f"{path}: {key}: not a setting; {nearest(str(key), _KINDS)}")
        kind, words = _KINDS[key]
        if type(value) is not kind or (key == "group" and value not in GROUPS):
            raise ConfigError(f"{path}: {key}: {value!r} is not possible; give {words}")
    codec = {key: found[key] for key in _CODEC if key in found}
    try:
        CodecConfig.from_mapping({"profile": DEFAULT_PROFILE, **codec})
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    if "parameters" in found:
        from model.spec import shipped

        beside = path.parent / found["parameters"]
        shipping = found["parameters"] in shipped.names() and not beside.exists()
        found["parameters"] = Path(found["parameters"]) if shipping else beside
    return found

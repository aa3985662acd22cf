#!/usr/bin/env python3
"""Prints the rows of src/settings/table.c from the installed prefect package.

Run with a Python that has prefect 3.8.8:
    table.py > rows.c       the rows, for a new version of Prefect
    table.py --check FILE   exits 1 when FILE lacks a row or has one too many
"""

import datetime
import inspect
import pathlib
import re
import sys
import typing

import pydantic
from prefect.settings.base import PrefectBaseSettings
from prefect.settings.models.root import Settings

# Fields whose annotation alone does not tell how to read them.
BY_PATH = {
    "client.retry_extra_codes": "STATUS_CODES",
    "client.custom_headers": "HEADERS",
    "flows.default_retry_delay_seconds": "DELAYS",
    "tasks.default_retry_delay_seconds": "DELAYS_TEXT",
    "logging.extra_loggers": "STRING_SET",
    "plugins.allow": "STRING_SET",
    "plugins.deny": "STRING_SET",
    "server.services.db_vacuum.enabled": "VACUUM",
    "server.services.db_vacuum.event_retention_overrides": "DURATIONS",
    "server.services.db_vacuum.retention_period": "SECONDS",
    "server.services.late_runs.after_seconds": "SECONDS",
    "testing.test_setting": "ANY",
}
BY_TYPE = {
    bool: "BOOL",
    int: "INT",
    float: "FLOAT",
    str: "STRING",
    pydantic.SecretStr: "SECRET",
    pathlib.Path: "PATH",
    datetime.timedelta: "DURATION",
}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def kind(path, annotation):
    """The row's type and, for a choice, its words."""
    if path in BY_PATH:
        return BY_PATH[path], None
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    if annotation not in BY_TYPE and typing.get_origin(annotation) is not typing.Literal:
        (annotation,) = arguments
    if typing.get_origin(annotation) is typing.Literal:
        words = typing.get_args(annotation)
        return ("LEVEL", None) if words == LEVELS else ("CHOICE", "|".join(words))
    return BY_TYPE[annotation], None


def bounds(field):
    """The C words for the field's ge, gt and le."""
    words = []
    for item in field.metadata:
        for name, flag in (("ge", "PP_SETTING_MIN"), ("gt", "PP_SETTING_ABOVE"), ("le", "PP_SETTING_MAX")):
            value = getattr(item, name, None)
            if value is None:
                continue
            if isinstance(value, datetime.timedelta):
                value = value.total_seconds()
            words.append((flag, value))
    return words


def rows(model=Settings, path=()):
    for name, field in model.model_fields.items():
        if inspect.isclass(field.annotation) and issubclass(field.annotation, PrefectBaseSettings):
            yield from rows(field.annotation, (*path, name))
            continue
        dotted = ".".join((*path, name))
        canonical = f"{model.model_config['env_prefix']}{name.upper()}"
        choices = getattr(field.validation_alias, "choices", [])
        aliases = [c.upper() for c in choices if isinstance(c, str) and c.upper() != canonical]
        assert len(aliases) <= 1, dotted
        yield canonical, aliases[0] if aliases else None, dotted, field


def text(value):
    return "NULL" if value is None else f'"{value}"'


def table_rows():
    lines = []
    for canonical, alias, path, field in rows():
        type_, words = kind(path, field.annotation)
        limits = bounds(field)
        flags = " | ".join(flag for flag, _ in limits)
        low = next((v for flag, v in limits if flag != "PP_SETTING_MAX"), 0)
        high = next((v for flag, v in limits if flag == "PP_SETTING_MAX"), 0)
        line = f"  {{ {text(canonical)}, {text(alias)}, {text(path)}, PP_SETTING_{type_}"
        if words or limits:
            line += f", {text(words)}"
        if limits:
            line += f", {flags}, {low:g}, {high:g}"
        lines.append(line + " },")
    return lines


def differences(path):
    """Prints the rows that only PATH or only Prefect has; returns how many."""
    row = r'\{ "(PREFECT_\w+)", (NULL|"\w+"), "([\w.]+)", (\w+)'
    have = re.findall(row, re.sub(r"\s+", " ", pathlib.Path(path).read_text()))
    want = re.findall(row, "\n".join(table_rows()))
    different = sorted(set(have) ^ set(want))
    for one in different:
        print("only in", "the table:" if one in have else "prefect:", *one)
    return len(different)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(1 if differences(sys.argv[2]) else 0)
    print("\n".join(table_rows()))

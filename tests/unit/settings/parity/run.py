#!/usr/bin/env python3
"""Feeds made-up combinations of environment, .env, prefect.toml, pyproject.toml and profiles.toml
to Prefect itself and to tests/unit/settings/settings_harness, and compares what both make of them: the
environment for a container (Settings.to_environment_variables(exclude_unset=True)) and the values
the worker uses.

    run.py [HARNESS] [--cases 500] [--seed 1]

Run with a Python that has prefect 3.8.8; without it the test is skipped (exit 77).
"""

import argparse
import json
import logging
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

HERE = pathlib.Path.cwd()
ROOT = pathlib.Path(tempfile.mkdtemp(prefix="settings-parity-"))
HOME = ROOT / "home"
HOME.mkdir()
os.environ["HOME"] = str(HOME)
for name in [n for n in os.environ if n.upper().startswith("PREFECT") or n == "SSL_CERT_FILE"]:
    del os.environ[name]
os.chdir(ROOT)

try:
    from pydantic import SecretStr
    from prefect.settings import sources
    from prefect.settings.models.root import Settings
except ImportError as reason:
    print(f"skipped: {reason}")
    sys.exit(77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import table  # noqa: E402

CLEAN = dict(os.environ)
logging.getLogger("dotenv").setLevel(logging.CRITICAL)
ROWS = {}
VERBOSE = False
for canonical, alias, path, field in table.rows():
    ROWS[path] = (canonical, alias, *table.kind(path, field.annotation))
# Settings that decide how others are read, and settings that this worker treats differently on purpose.
SPECIAL = {"home", "profiles_path", "server.database.connection_url", "server.database.driver",
           "server.database.password", "testing.test_mode", "testing.unit_test_mode",
           "testing.unit_test_loop_debug"}
WORKER = [p for p in ROWS if p.split(".")[0] in ("api", "client", "worker", "logging", "cloud")]
OTHERS = [p for p in ROWS if p not in SPECIAL]

TEXTS = {
    "BOOL": ["true", "false", "1", "0", "YES", "no", "On", "oFF", "t", "F", "y", "N"],
    "INT": ["1", "8082", " 30 ", "+7", "007", "1_000", "10.0", "599", "1_0.00"],
    "FLOAT": ["1", "30.5", " 2 ", "1e3", "1_0.5", ".5", "5.", "1e-05", "123456789012345678",
              "0.1", "33.333333333333336", "1e16", "99999.125"],
    "STRING": ["plain", "with space", "üñí", "a=b", "#x", "'q'", '"d"', "", " lead", "back\\slash", "$X", "${HOME}"],
    "SECRET": ["s3cret", "user:pass word", "p#1", "tab\tbed"],
    "PATH": ["/a//b/", "rel/./x", "~/p", ".", "/", "//two/x", "a/../b"],
    "DURATION": ["PT30S", "P1DT2H", "1:30:00", "2 days, 1:00:00", "-PT5M", "P1W", "PT0.25S", "PT36H",
                 "00:00:00.5", "1d", "1 day", "P1Y", "+PT1H", "PT90M"],
    "SECONDS": ["5400.5", "7200", "PT2H", "1 day", "90000"],
    "LEVEL": ["debug", "INFO", "Warning", "eRRoR", "critical"],
    "STRING_SET": ["a,b", "b, a ,b", "x", '["z","y"]', '"q"', ""],
    "STATUS_CODES": ["429", "502, 429", "[500, 404]", "", "599,100", '"408"'],
    "HEADERS": ['{"X-A": "1", "b": "é"}', "{}", ' {"k":"v"} '],
    "DELAYS": ["10", "1.5", "[3, 1.5]", "+5", "[]"],
    "DELAYS_TEXT": ["10", "1.5", "3,1.5", "[2,1]", "10,,20", "", "+4"],
    "VACUUM": ["true", "0", "events", "flow_runs, events", '["orphans"]', "False", ""],
    "DURATIONS": ['{"a": 60}', '{"a": "90", "b": "PT1H"}'],
    "ANY": ["5", "word", "true"],
}
WRONG = {
    "BOOL": ["maybe", "", "2", " true"],
    "INT": ["x", "", "1.5", "1e3", "_1", "0x10", "1__0", "10."],
    "FLOAT": ["x", "", "0x1p3", "1f", "_1"],
    "DURATION": ["3600", "soon", "PT", "1:2:3", "P", "PT1H30"],
    "SECONDS": ["soon", ""],
    "LEVEL": ["LOUD", "", "10"],
    "CHOICE": ["other", ""],
    "STRING_SET": ["5", "true", '{"a":1}'],
    "STATUS_CODES": ["99", "600", "x", "429,,502", "true"],
    "HEADERS": ["nojson", '{"a": 1}', "[]", '"x"', ""],
    "DELAYS": ["1,2", "x", ""],
    "DELAYS_TEXT": ["x", "1,x"],
    "DURATIONS": ["x", '{"a": -5}', '{"a": "soon"}', "[1]"],
    "VACUUM": ["2"],
}
NATIVE = {  # TOML literals besides strings
    "BOOL": ["true", "false", "1", "0", "1.0"],
    "INT": ["1", "8082", "1_000", "10.0", "true", "0x1F"],
    "FLOAT": ["1", "30.5", "1e3", "true", "2_0.5"],
    "DURATION": ["3600", "1.5", "90061"],
    "SECONDS": ["7200", "5400.25"],
    "STRING_SET": ['["a", "b"]', "[]", '["x"]'],
    "STATUS_CODES": ["429", "[500, 404]", "[]", '["429", 500]'],
    "HEADERS": ['{ "X-A" = "1" }'],
    "DELAYS": ["10", "1.5", "[3, 1.5]"],
    "DELAYS_TEXT": ["10", "1.5", "[3, 1.5]"],
    "VACUUM": ["true", "false", '["events"]'],
    "DURATIONS": ["{ a = 60, b = 1.5 }"],
    "ANY": ["5", "true"],
}
NATIVE_WRONG = {
    "BOOL": ["2", "0.5", "[]"],
    "INT": ["1.5", "[1]"],
    "FLOAT": ["[1.0]"],
    "STRING": ["1", "true", "1.5", "[]"],
    "SECRET": ["1", "true"],
    "PATH": ["1"],
    "STATUS_CODES": ["99", "[600]"],
    "STRING_SET": ["5", "[1]"],
}


SIZES = {"logging.to_api.batch_size": "BATCH", "logging.to_api.max_log_size": "LOG"}
TEXTS |= {"BATCH": ["2_000_000", "4000000"], "LOG": ["1000", "25_000.0"]}
ROWS |= {path: (*ROWS[path][:2], kind, None) for path, kind in SIZES.items()}


def text_value(rng, kind, words):
    if rng.random() < 0.015 and kind in WRONG:
        return rng.choice(WRONG[kind])
    if kind == "CHOICE":
        return rng.choice(words.split("|"))
    return rng.choice(TEXTS[kind])


def toml_string(text):
    return json.dumps(text, ensure_ascii=False)


def toml_value(rng, kind, words, profile=False):
    native = NATIVE.get(kind)
    if profile and kind in ("HEADERS", "DURATIONS"):
        native = None  # Prefect fails on a table in a profile; this worker reads it
    if rng.random() < 0.01 and kind in NATIVE_WRONG:
        return rng.choice(NATIVE_WRONG[kind])
    if native and rng.random() < 0.5:
        return rng.choice(native)
    return toml_string(text_value(rng, kind, words))


def dotenv_value(rng, text):
    """Returns TEXT as a .env file may write it, or sometimes in a form that only looks like that."""
    forms = []
    if text.isalnum():
        forms += [text, text + "  # a comment", "  " + text, text + "   "]
    forms.append("'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    forms.append('"' + escaped + '"  # why')
    forms.append(text)  # unchanged, whatever that means to the parser
    return rng.choice(forms)


def pick(rng, count):
    return [rng.choice(WORKER if rng.random() < 0.6 else OTHERS) for _ in range(count)]


def spelled(rng, path):
    canonical, alias, _, _ = ROWS[path]
    return alias if alias and rng.random() < 0.4 else canonical


def environment(rng):
    out = {}
    for path in pick(rng, rng.choice([0, 1, 2, 4])):
        if path in SPECIAL:
            continue
        name = spelled(rng, path)
        if rng.random() < 0.1:
            name = name.lower() if rng.random() < 0.5 else name.title()
        if not any(n.lower() == name.lower() for n in out):
            out[name] = text_value(rng, *ROWS[path][2:])
    return out


NOISE = ["# a comment", "", "   ", "OTHER=1", "export  FOO='bar'", "not a binding at all", "=x",
         "A='open", "B=\"two\nlines\"", "NO_VALUE", "'quoted key'=1", "C=${FOO:-x}y${NOPE}", "PREFECT_UNKNOWN=1"]


def dotenv(rng):
    lines = []
    for path in pick(rng, rng.choice([0, 0, 1, 3])):
        if path in SPECIAL:
            continue
        if rng.random() < 0.3:
            lines.append(rng.choice(NOISE))
        export = "export " if rng.random() < 0.2 else ""
        equals = rng.choice(["=", "=", " = ", "= "])
        value = dotenv_value(rng, text_value(rng, *ROWS[path][2:]))
        lines.append(f"{export}{spelled(rng, path)}{equals}{value}")
    if rng.random() < 0.1:
        lines.append("PREFECT_API_URL=http://${NAME_OF_HOST:-fallback}/api")
    if rng.random() < 0.1:
        lines.append("PREFECT_LOGGING_LOG_PRINTS")
    return rng.choice(["\n", "\n", "\r\n"]).join(lines) + ("\n" if rng.random() < 0.8 else "")


def tables(rng, head):
    by_table = {}
    for path in pick(rng, rng.choice([0, 0, 1, 3, 5])):
        if path not in SPECIAL:
            below, _, key = path.rpartition(".")
            by_table.setdefault(below, {})[key] = toml_value(rng, *ROWS[path][2:])
    if rng.random() < 0.1:
        by_table.setdefault("no.such", {})["key"] = "1"
    out = []
    for below, values in sorted(by_table.items()):
        name = ".".join(part for part in (head, below) if part)
        if name and not (below.count(".") == 0 and rng.random() < 0.2):
            out.append(f"[{name}]")
            out += [f"{key} = {value}" for key, value in values.items()]
        elif head == "" and not out:
            out += [f"{below}.{key} = {value}" if below else f"{key} = {value}" for key, value in values.items()]
    return "\n".join(out) + "\n" if out else ""


def profiles(rng):
    names = ["default", "other", "ephemeral"]
    out = [f'active = "{rng.choice(names[:2])}"'] if rng.random() < 0.8 else []
    for name in names:
        out.append(f"[profiles.{name}]")
        seen = set()
        for path in pick(rng, rng.choice([0, 1, 3])):
            key = spelled(rng, path)
            if path not in SPECIAL and key not in seen:
                seen.add(key)
                out.append(f"{key} = {toml_value(rng, *ROWS[path][2:], profile=True)}")
        if rng.random() < 0.1:
            out.append('PREFECT_NO_SUCH_SETTING = "1"')
            out.append('prefect_api_url = "lower"')
    return "\n".join(out) + "\n"


def fixed():
    """Returns cases in which some settings decide about others."""
    key = "PREFECT_API_KEY"
    profile = '[profiles.p]\nPREFECT_API_KEY = "p"\n[profiles.q]\nPREFECT_API_KEY = "q"\n'
    yield {"env": {}, "files": {}}
    yield {"env": {"PREFECT_HOME": "~/h//x/"}, "files": {}}
    yield {"env": {"PREFECT_HOME": "{cwd}/h"}, "files": {"h/profiles.toml": 'active = "p"\n' + profile}}
    yield {"env": {"PREFECT_HOME": "{cwd}/h", "PREFECT_PROFILE": "q"}, "files": {"h/profiles.toml": 'active = "p"\n' + profile}}
    yield {"env": {"PREFECT_HOME": "{cwd}/h", "PREFECT_PROFILE": ""}, "files": {"h/profiles.toml": 'active = "p"\n' + profile}}
    yield {"env": {}, "files": {".env": "PREFECT_HOME={cwd}/h\n", "h/profiles.toml": 'active = "p"\n' + profile}}
    yield {"env": {}, "files": {"prefect.toml": 'home = "{cwd}/h"\n'}}
    yield {"env": {}, "files": {".env": "PREFECT_PROFILES_PATH={cwd}/x.toml\n", "x.toml": 'active = "q"\n' + profile}}
    yield {"env": {}, "files": {"prefect.toml": 'profiles_path = "{cwd}/x.toml"\n', "x.toml": 'active = "q"\n' + profile}}
    yield {"env": {}, "files": {"pyproject.toml": '[tool.prefect]\nprofiles_path = "{cwd}/x.toml"\n', "x.toml": 'active = "q"\n' + profile}}
    yield {"env": {"PREFECT_PROFILES_PATH": "$PREFECT_HOME/p.toml", "PREFECT_HOME": "/h"}, "files": {}}
    yield {"env": {"PREFECT_DEBUG_MODE": "1", "PREFECT_LOGGING_LEVEL": "ERROR"}, "files": {}}
    yield {"env": {"PREFECT_TEST_MODE": "1"}, "files": {"home": 'active = "p"\n' + profile}}
    yield {"env": {"PREFECT_UNIT_TEST_MODE": "1"}, "files": {"home": 'active = "p"\n' + profile}}
    yield {"env": {"PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/x/workspaces/y"}, "files": {}}
    yield {"env": {"PREFECT_API_URL": "https://c/api/x", "PREFECT_CLOUD_API_URL": "https://c/api",
                   "PREFECT_CLOUD_MAX_LOG_SIZE": "5", "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "3"}, "files": {}}
    yield {"env": {"PREFECT_LOGGING_TO_API_BATCH_SIZE": "10", "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "11"}, "files": {}}
    yield {"env": {"PREFECT_LOGGING_TO_API_BATCH_SIZE": "10"}, "files": {}}
    url = "postgresql+asyncpg://u:${PREFECT_API_DATABASE_PASSWORD}@h/d"
    yield {"env": {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url}, "files": {}}
    yield {"env": {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, "PREFECT_API_DATABASE_PASSWORD": "x"}, "files": {}}
    yield {"env": {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////x.db"}, "files": {}}
    yield {"env": {"PREFECT_CLIENT_ENABLE_METRICS": "1"}, "files": {".env": "PREFECT_CLIENT_METRICS_ENABLED=0"}}
    yield {"env": {"PREFECT_CLIENT_ENABLE_METRICS": "1", "PREFECT_CLIENT_METRICS_ENABLED": "0"}, "files": {}}
    for name in (".env", "prefect.toml", "pyproject.toml", "home"):
        for text in ("not = = toml", "\xff\xfe", "a = 1\na = 2\n", "[profiles]\n[tool.prefect]\n"):
            yield {"env": {}, "files": {name: text.encode("latin-1")}}
    order = {".env": f"{key}=dotenv\n", "prefect.toml": '[api]\nkey = "toml"\n',
             "pyproject.toml": '[tool.prefect.api]\nkey = "pyproject"\n', "home": 'active = "p"\n' + profile}
    names = list(order)
    for first in range(len(names) + 1):
        yield {"env": {}, "files": {n: order[n] for n in names[first:]}}
    yield {"env": {key: "env"}, "files": order}
    yield {"env": {}, "files": {"prefect.toml": 'api = "x"\n'}}
    yield {"env": {}, "files": {"prefect.toml": "api = 5\n"}}
    yield {"env": {}, "files": {"prefect.toml": "[home]\nx = 1\n[ui_url]\ny = 2\n"}}


def generated(rng):
    files = {}
    for name, text in ((".env", dotenv(rng)), ("prefect.toml", tables(rng, "")),
                       ("pyproject.toml", tables(rng, "tool.prefect")),
                       ("home", profiles(rng) if rng.random() < 0.6 else "")):
        if text:
            files[name] = text
    env = environment(rng)
    if rng.random() < 0.3 and "home" in files:
        env["PREFECT_PROFILE"] = rng.choice(["default", "other", "ephemeral"])
    return {"env": env, "files": files}


def lay_out(case, cwd):
    profiles_toml = HOME / ".prefect" / "profiles.toml"
    shutil.rmtree(HOME / ".prefect", ignore_errors=True)
    cwd.mkdir()
    for name, content in case["files"].items():
        path = profiles_toml if name == "home" else cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.replace("{cwd}", str(cwd)).encode()
        path.write_bytes(content)
    return {n: v.replace("{cwd}", str(cwd)) for n, v in case["env"].items()}


def plain(value):
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, pathlib.Path):
        return str(value)
    if isinstance(value, (set, list)):
        return sorted(value)
    return value


def expected(env, cwd, paths):
    os.environ.clear()
    os.environ.update(CLEAN)
    os.environ.update(env)
    os.chdir(cwd)
    sources._file_cache.clear()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            settings = Settings()
            values = {}
            for path in paths:
                value = settings
                for part in path.split("."):
                    value = getattr(value, part)
                values[path] = plain(value)
            return settings.to_environment_variables(exclude_unset=True), values
    except Exception as error:
        return f"{type(error).__name__}: {error}", None
    finally:
        os.chdir(ROOT)


def adapt(values):
    """Changes Prefect's VALUES in the ways in which this worker differs on purpose."""
    for path in ("api.url", "api.key", "api.auth_string", "api.ssl_cert_file"):
        values[path] = values[path] or None
    if values["api.url"]:
        values["api.url"] = values["api.url"].rstrip("/") or None
    values["cloud.api_url"] = values["cloud.api_url"] or "https://api.prefect.cloud/api"
    values["worker.webserver.host"] = values["worker.webserver.host"] or "0.0.0.0"
    if values["worker.debug_mode"]:
        values["logging.level"] = "DEBUG"
    for path in values:
        if path.endswith(("_seconds", "_timeout", "_interval")):
            values[path] = min(values[path], 1e6)
    return values


def different_on_purpose(case, error):
    """True if Prefect continues and this worker reports an error on purpose, or the other way round."""
    return any(words in error for words in (
        "must be at least 0",  # a negative time
        "must be a port",
        "UTF-8",
    )) or ("home" in case["files"] and "invalid TOML" in error)  # Prefect warns, then fails later


def compare(case, harness, number, tally):
    cwd = ROOT / f"case-{number}"
    env = lay_out(case, cwd)
    run = subprocess.run([harness], cwd=cwd, env={**CLEAN, **env}, capture_output=True, text=True)
    if run.returncode not in (0, 2):
        return f"harness: exit {run.returncode}: {run.stderr}"
    got = json.loads(run.stdout) if run.returncode == 0 else None
    paths = got["struct"] if got else []
    want, values = expected(env, cwd, paths)
    shutil.rmtree(cwd)
    if got is None:
        tally["refused"] += 1
        if VERBOSE:
            print(f"case {number}: {run.stderr.strip()}")
        if isinstance(want, str) or different_on_purpose(case, run.stderr):
            return None
        return f"refused here ({run.stderr.strip()}), taken by Prefect"
    if isinstance(want, str):
        return f"taken here, refused by Prefect: {want}"
    tally["read"] += 1
    wrong = []
    for name in sorted(set(want) | set(got["environment"])):
        if want.get(name) != got["environment"].get(name):
            wrong.append(f"{name}: Prefect {want.get(name)!r}, here {got['environment'].get(name)!r}")
    for path, value in adapt(values).items():
        if value != got["struct"][path]:
            wrong.append(f"{path}: Prefect {value!r}, here {got['struct'][path]!r}")
    return "\n  ".join(wrong) or None


def main():
    parser = argparse.ArgumentParser()
    build = pathlib.Path(os.environ.get("G_TEST_BUILDDIR", "."))
    parser.add_argument("harness", nargs="?", default=build / "tests/unit/settings/settings_harness", type=pathlib.Path)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print what is refused by both")
    arguments = parser.parse_args()
    global VERBOSE
    VERBOSE = arguments.verbose
    rng = random.Random(arguments.seed)
    cases = list(fixed())
    cases += [generated(rng) for _ in range(max(0, arguments.cases - len(cases)))]
    tally = {"read": 0, "refused": 0}
    failed = 0
    for number, case in enumerate(cases):
        problem = compare(case, str(HERE / arguments.harness), number, tally)
        if problem:
            failed += 1
            print(f"case {number}: {problem}\n  {json.dumps(case, default=repr, ensure_ascii=False)}")
    shutil.rmtree(ROOT)
    if table.differences(pathlib.Path(__file__).resolve().parents[4] / "src/settings/table.c"):
        failed += 1
    print(f"{len(cases)} cases: {tally['read']} read alike, {tally['refused']} refused by both, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

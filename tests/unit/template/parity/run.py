#!/usr/bin/env python3
"""Compares template/ with Prefect's own functions on generated cases, field by field.

    run.py --python-venv VENV --harness tests/unit/template/template_harness [--count 2000] [--seed 1]

VENV has prefect 3 and prefect_docker. Prints every difference and a count per feature; exits 1 on a
difference. With --keep DIRECTORY, keeps cases.jsonl, expected.jsonl and actual.jsonl in DIRECTORY.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def differences(path, expected, actual):
    """Returns the paths at which two JSON values differ: in type (1 is not 1.0 or true), in value or in the order of
    keys."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if path != "configuration" and list(expected) != list(actual):
            yield path, expected, actual
            return
        for key in sorted(set(expected) | set(actual)):
            if key not in expected or key not in actual:
                yield "%s.%s" % (path, key), expected.get(key, "(missing)"), actual.get(key, "(missing)")
            else:
                yield from differences("%s.%s" % (path, key), expected[key], actual[key])
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for i, pair in enumerate(zip(expected, actual)):
            yield from differences("%s[%d]" % (path, i), *pair)
    elif type(expected) is not type(actual) or repr(expected) != repr(actual):
        yield path, expected, actual


def compare(expected, actual):
    if ("error" in expected) != ("error" in actual):
        yield "error", expected.get("error", "(none)"), actual.get("error", "(none)")
    for part in ("resolved", "configuration"):
        if part in expected and part in actual:
            yield from differences(part, expected[part], actual[part])
        elif part in actual or (part in expected and "error" not in actual):
            yield part, expected.get(part, "(none)"), actual.get(part, "(none)")


def lines(path):
    with open(path) as file:
        return [json.loads(line) for line in file]


def run(arguments, directory):
    cases, expected, actual, template = (os.path.join(directory, name)
                                         for name in ("cases.jsonl", "expected.jsonl", "actual.jsonl", "template.json"))
    environment = dict(os.environ, PREFECT_HOME=os.path.join(directory, "prefect"), PYTHONDONTWRITEBYTECODE="1")
    subprocess.run([os.path.join(arguments.python_venv, "bin", "python"), os.path.join(HERE, "prefect_side.py"),
                    "--count", str(arguments.count), "--seed", str(arguments.seed), "--cases", cases,
                    "--expected", expected, "--template", template], check=True, env=environment)
    with open(cases) as stdin, open(actual, "w") as stdout:
        subprocess.run([arguments.harness], check=True, stdin=stdin, stdout=stdout)
    own_template = subprocess.run([arguments.harness, "docker"], check=True, stdout=subprocess.PIPE).stdout
    if json.loads(own_template) != lines(template)[0]:
        sys.exit("the default base job template of type docker (src/template/docker.json) is not the peer's")
    return lines(cases), lines(expected), lines(actual)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python-venv", required=True)
    parser.add_argument("--harness", required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        if arguments.keep:
            os.makedirs(arguments.keep, exist_ok=True)
        cases, expected, actual = run(arguments, arguments.keep or temporary)

    counts = collections.Counter()
    failed = 0
    for i, (case, wanted, got) in enumerate(zip(cases, expected, actual)):
        counts.update(case["features"])
        counts["refused by Prefect" if "error" in wanted else "rendered by Prefect"] += 1
        found = list(compare(wanted, got))
        failed += bool(found)
        for path, one, other in found:
            print("case %d: %s\n  Prefect: %s\n  here:    %s" % (i, path, json.dumps(one), json.dumps(other)))

    for feature, count in sorted(counts.items()):
        print("%6d  %s" % (count, feature))
    complete = len(cases) == len(expected) == len(actual) == arguments.count
    if not complete:
        print("cases %d, from Prefect %d, from here %d, wanted %d" % (len(cases), len(expected), len(actual), arguments.count))
    print("%d cases, %d different" % (len(cases), failed))
    return 1 if failed or not complete else 0


sys.exit(main())

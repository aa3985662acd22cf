"""Runs the cases through Prefect's own functions (needs the venv with prefect and prefect_docker).

Writes CASES (one case per line), EXPECTED (one result per line) and the DockerWorker's own TEMPLATE.

The following is replaced. The client answers from the case. Settings and environment are those of the case. Prefect
goes through a set of placeholders in any order; here they are taken in the order in which they appear. The deliberate
differences of prefect-podman are applied, each as narrow as it can be:

- booleans in env, numbers and booleans in labels are written as JSON writes them;
- volume options other than ro and rw are taken (a colon is no part of them);
- a job cannot set the labels that the worker sets, nor PREFECT__FLOW_RUN_ID;
- {{ $ENV }} stays as it is in the name and the env that a job gives;
- letters that are neither Latin, Greek nor Cyrillic are not transcribed in the container's name.
"""

import argparse
import asyncio
import json
import os
import re
import types
import warnings

import prefect
import prefect.client.schemas.objects as objects
import prefect.utilities.templating as templating
import prefect.workers.base as base
import prefect_docker.types
import prefect_docker.worker as docker_worker
import text_unidecode
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound

from cases import Maker

FIELDS = ["command", "env", "labels", "name", "image", "image_pull_policy", "networks", "auto_remove", "volumes",
          "stream_output", "mem_limit", "memswap_limit", "privileged", "container_create_kwargs"]


class Client:
    """The calls of PrefectClient that rendering makes."""

    def __init__(self, case):
        self.case = case

    async def read_deployment(self, deployment_id):
        return DeploymentResponse.model_validate(self.case["deployment"])

    async def read_flow(self, flow_id):
        return objects.Flow.model_validate(self.case["flow"])

    async def read_block_document_by_name(self, name, block_type_slug):
        return self.block(self.case["blocks"].get(block_type_slug + "/" + name))

    async def read_block_document(self, block_document_id):
        return self.block(self.case["block_ids"].get(block_document_id))

    def block(self, document):
        if document is None:
            raise ObjectNotFound(http_exc=Exception("404"))
        return objects.BlockDocument.model_validate(document)

    async def read_variable_by_name(self, name):
        variable = self.case["variables"].get(name)
        return None if variable is None else objects.Variable.model_validate(variable)


class Settings:
    environment = {}

    def to_environment_variables(self, exclude_unset):
        return dict(self.environment)

    def value(self):
        return self.environment.get("PREFECT_API_URL")


OWN_LABELS = ["flow-run-id", "flow-run-name", "version", "work-pool-name", "work-pool-id", "worker-name", "flow-id",
              "flow-name", "deployment-id", "deployment-name", "deployment-updated"]


def is_own_label(key):
    namespace, slash, name = key.partition("/")
    label = ".".join(reversed(namespace.split("."))) + "." + name if slash else key
    return label.startswith("io.prefect-podman.") or label in ["io.prefect." + own for own in OWN_LABELS]


class Configuration(docker_worker.DockerWorkerJobConfiguration):
    """Records the rendered templates before the model reads them."""

    def __init__(self, **resolved):
        Configuration.resolved = json.loads(json.dumps(resolved))
        if isinstance(resolved.get("env"), dict):
            resolved["env"] = {k: json.dumps(v) if isinstance(v, bool) else v for k, v in resolved["env"].items()}
        if isinstance(resolved.get("labels"), dict):
            resolved["labels"] = {k: json.dumps(v) if isinstance(v, (bool, int, float)) else v
                                  for k, v in resolved["labels"].items()}
        super().__init__(**resolved)
        self.env.pop("PREFECT__FLOW_RUN_ID", None)
        self.labels = {key: value for key, value in self.labels.items() if not is_own_label(key)}


def assert_volume_str(volume):
    try:
        return _prefect_assert_volume_str(volume)  # noqa: F821 (put into prefect_docker.types)
    except ValueError as error:
        if not str(error).startswith("Invalid volume option") or volume.count(":") != 2:
            raise
        return volume.strip()


def relax_volume_options():
    original = prefect_docker.types.assert_volume_str
    prefect_docker.types._prefect_assert_volume_str = types.FunctionType(original.__code__, original.__globals__)
    original.__code__ = assert_volume_str.__code__


def order_placeholders():
    original = templating.find_placeholders

    def find_placeholders(template):
        found = original(template)
        if isinstance(template, str):
            return sorted(found, key=lambda placeholder: template.index(placeholder.full_match))
        return found

    templating.find_placeholders = find_placeholders


class Given:
    env = False


def gives_env(job_variables):
    return any(key == "env" or (key.startswith(("env.", "env[")) and "." in key) for key in job_variables or {})


def hide_environment(value):
    """VALUE with other characters around each $ENV, so that it is no placeholder."""
    if isinstance(value, str):
        return re.sub(r"{{(\s*\$[\w\.\-\[\]$]*\s*)}}", "\U000f0000\\1\U000f0001", value)
    return each_member(hide_environment, value)


def show_environment(value):
    if isinstance(value, str):
        return value.replace("\U000f0000", "{{").replace("\U000f0001", "}}")
    return each_member(show_environment, value)


def each_member(function, value):
    if isinstance(value, dict):
        return {key: function(member) for key, member in value.items()}
    return [function(member) for member in value] if isinstance(value, list) else value


def keep_environment_of_jobs():
    original = base.apply_values

    def apply_values(template, values, **arguments):
        if isinstance(template, str):
            return show_environment(original(hide_environment(template), values, **arguments))
        own = values.get("env") if Given.env else None
        if isinstance(template.get("env"), dict) and isinstance(own, dict):
            env = {name: hide_environment(value) if name in own else value for name, value in template["env"].items()}
            template = dict(template, env=env)
        result = original(template, values, **arguments)
        return dict(result, env=show_environment(result["env"])) if "env" in result else result

    base.apply_values = apply_values


def limit_transcription():
    original = text_unidecode.unidecode

    def other_letter(c):
        return c.isalpha() and not (ord(c) < 0x250 or 0x370 <= ord(c) < 0x460 or 0x1e00 <= ord(c) < 0x1f00
                                    or 0x2000 <= ord(c) < 0x2200)

    text_unidecode.unidecode = lambda text: "".join("?" if other_letter(c) else original(c) for c in text)


def credentials_as_json(credentials):
    if credentials is None:
        return None
    return {"username": credentials.username, "password": credentials.password.get_secret_value(),
            "registry_url": credentials.registry_url, "reauth": credentials.reauth}


async def resolve(case):
    deployment = case["deployment"]
    return await Configuration.resolve_for_flow_run(
        objects.FlowRun.model_validate(case["flow_run"]),
        client=Client(case),
        work_pool=objects.WorkPool.model_validate(dict(case["work_pool"], default_queue_id=case["work_pool"]["id"])),
        worker_name=case["worker_name"],
        worker_id=case["worker_id"],
        deployment=DeploymentResponse.model_validate(deployment) if deployment else None,
    )


def expected(case):
    case = json.loads(json.dumps(case))
    result = {}
    Configuration.resolved = None
    Settings.environment = case["environment"]
    os.environ.update(case["process_environment"])
    Given.env = any(gives_env((case[part] or {}).get("job_variables")) for part in ("deployment", "flow_run"))
    try:
        configuration = asyncio.run(resolve(case))
        result["configuration"] = {field: getattr(configuration, field) for field in FIELDS}
        result["configuration"]["registry_credentials"] = credentials_as_json(configuration.registry_credentials)
        result["configuration"]["network_mode"] = configuration.get_network_mode()
    except Exception as error:
        result["error"] = "%s: %s" % (type(error).__name__, error)
    if Configuration.resolved is not None:
        result["resolved"] = Configuration.resolved
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cases", required=True)
    parser.add_argument("--expected", required=True)
    parser.add_argument("--template", required=True)
    arguments = parser.parse_args()

    warnings.simplefilter("ignore")
    base.get_current_settings = Settings
    docker_worker.PREFECT_API_URL = Settings()
    relax_volume_options()
    order_placeholders()
    limit_transcription()
    keep_environment_of_jobs()

    template = docker_worker.DockerWorker.get_default_base_job_template()
    with open(arguments.template, "w") as file:
        json.dump(template, file)
    maker = Maker(arguments.seed, template)
    default_image = docker_worker.get_prefect_image_name()
    with open(arguments.cases, "w") as cases, open(arguments.expected, "w") as results:
        for _ in range(arguments.count):
            case = maker.case()
            case["prefect_version"] = prefect.__version__
            case["default_image"] = default_image
            cases.write(json.dumps(case) + "\n")
            results.write(json.dumps(expected(case)) + "\n")


main()

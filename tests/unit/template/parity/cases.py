"""Makes the cases of the parity test: deterministic for a seed, JSON only, no Prefect needed.

A case is what the API would answer about one flow run, and what surrounds the worker; see
template_harness.c. `features` names what the case was made to try, for the summary.
"""

import copy
import json
import random

OPTIONAL_STRINGS = ["command", "network_mode", "mem_limit", "memswap_limit"]
BOOLEANS = ["auto_remove", "stream_output", "privileged"]
CUSTOM = ["a", "b", "tag", "registry", "x-y", "größe", "x_1", "n2", "deep", "list", "7", "empty"]
ENV_NAMES = ["A", "B", "PATH_X", "WITH SPACE", "Ü", "PREFECT_LOGGING_LEVEL", "PREFECT_API_KEY",
             "PREFECT__FLOW_RUN_ID"]
PROCESS_NAMES = ["PP_PARITY_ONE", "PP_PARITY_TWO", "PP_PARITY_EMPTY"]
API_URLS = [
    "http://localhost:4200/api", "http://127.0.0.1:4200/api", "https://api.example.org/api",
    "http://user:pw@localhost:4200/api", "HTTP://LOCALHOST:4200/api", " http://localhost/api\t",
    "//localhost/api", "localhost:4200/api", "", "http://[::1]:4200/api", "http://localhost",
    "http://localhost?x=1", "http://localhost.example/api", "http://server/127.0.0.1/localhost",
    "ftp+x://127.0.0.1", "1http://localhost/api", "http:/localhost/api", "not a url",
    "http://host.docker.internal:4200/api",
]
STRINGS = [
    "", "x", "a b", " padded ", "true", "None", "it's", 'say "hi"', "both ' and \"", "back\\slash",
    "tab\tnew\nline\rreturn", "\x01\x7f\x85", "\u00a0nbsp", "zero\u200bwidth", "\u2028", "é", "日本語",
    "😀", "\U000e0001", "\ue000", "\u0378", "ß", "{{ a }}", "{{b}}", "x{{ tag }}y", "{{ $PP_PARITY_ONE }}",
    "{{ prefect.variables.text }}", "{{ ctx.flow.name }}", "{{", "}}", "%s", "a.b", "0", "1e5", "\u0301",
]
NUMBERS = [
    0, 1, -1, 42, 2**31, 2**53, 2**63 - 1, -(2**63), 0.0, -0.0, 1.0, 1.5, -2.5, 1e22, 1e16, 1e15,
    9999999999999998.0, 123456789012345680.0, 1e-5, 0.0001, 0.00012345, 5e-324, 2.2250738585072014e-308,
    1.7976931348623157e308, 0.1, 1 / 3, 100.0, 1e100, 5.684341886080802e-14, 9007199254740993.0,
    4.35, 0.1 + 0.2, 2**-1074, 2.0**-44, 2.0**70, 1e23, 123456.789, -1e-7,
]
RUN_NAMES = [
    "brave-otter", "nightly load", "Über Größe", "Ærøskøbing & Øl", "Łódź/Đà Nẵng", "Привет, мир!",
    "Ελλάδα", "北京 run", "run-实行-1", "🙂 smile ✓ ok", "it's 1,000,000 rows", "&amp; &eacute; &#39; &#x41;",
    "&#1114112; &#65;", "&bogus; &frac12;", "--x--", "_.-lead", "...", "a" * 300, "ab-" * 100, "½ № ™ €",
    "naïve café", "“quoted” – dash", "x\u200by", "1,2,a,3", "УФА-съезд", "ﬁne ǆ", "Ⅻ ² ①", "a'b''c",
    "{{ ctx.flow.name }}", "İstanbul ı", "ŋ Ŋ ð þ Þ", "&#xZZ; &#; &#x;", "tab\there", "\u0301x", "~!@#$%^*()",
]
NAME_TEMPLATES = [
    "{{ ctx.flow_run.name }}", "{{ ctx.flow.name }}-{{ ctx.flow_run.name }}", "run-{{ ctx.flow_run.id }}",
    "{{ ctx.flow_run.run_count }}", "n{{ ctx.flow_run.run_count }}", "{{ ctx.flow_run.tags }}",
    "{{ ctx.flow_run.tags[0] }}", "t-{{ ctx.flow_run.tags[-1] }}", "{{ ctx.flow_run.parameters.x }}",
    "p-{{ ctx.flow_run.parameters }}", "{{ ctx.flow_run.parameters.list[1].k }}", "{{ ctx.flow.nope }}",
    "x{{ ctx.flow.nope }}", "{{ ctx.flow_run.start_time }}", "s {{ ctx.flow_run.start_time }}",
    "e {{ ctx.flow_run.expected_start_time }}", "{{ ctx.flow_run.auto_scheduled }}", "{{ ctx.flow }}!",
    "r {{ ctx.flow_run.total_run_time }}", "j {{ ctx.flow_run.job_variables }}", "{{ ctx.flow_run.name[0] }}x",
    "{{ ctx.flow_run.job_variables.env.A }}-env", "{{ ctx.flow.tags[5] }}", "l {{ ctx.flow_run.labels }}",
    "{{ $PP_PARITY_ONE }}", "{{ $PP_PARITY_ONE }}-{{ $PP_PARITY_MISSING }}", "{{ prefect.variables.text }}-n",
    "{{ prefect.blocks.secret.token }}", "{{ ctx.flow_run }}!", "{{ ctx.flow_run.empirical_policy }}!",
    "{{ ctx.flow_run.created }}{{ ctx.flow_run.work_pool_name }}", "{{ctx.flow.name}}/{{  ctx.flow.id  }}",
    "{{ ctx.flow_run.deployment_id }}", "s-{{ ctx.flow_run.state_name }}", "u-{{ ctx.flow_run.not_a_field }}",
    "{{ ctx.flow_run.name.x }}", "{{ ctx.flow_run.labels.k }}",
]
BLOCK_PLACEHOLDERS = [
    "prefect.blocks.secret.token", "prefect.blocks.json.config", "prefect.blocks.json.config.key",
    "prefect.blocks.json.config.value.key", "prefect.blocks.json.config.list[1]",
    "prefect.blocks.json.config.list[0].list-key", "prefect.blocks.json.config.value.list[-1]",
    "prefect.blocks.json.config.nope", "prefect.blocks.many.fields.first", "prefect.blocks.many.fields.value",
    "prefect.blocks.many.fields", "prefect.blocks.many.fields.nested.a.b", "prefect.blocks.plain.values.values.x",
    "prefect.blocks.plain.values", "prefect.blocks.secret", "prefect.blocks.secret.missing",
    "prefect.blocks.string.refers", "prefect.blocks.string.block", "prefect.blocks.string.null",
    "prefect.blocks.docker-registry-credentials.hub", "prefect.blocks.docker-registry-credentials.hub.username",
    "prefect.blocks.secret.token[0]", "prefect.blocks.empty.data", "prefect.blocks.number.real",
    "prefect.blocks.prefect.blocks.secret.token",
]
VARIABLE_PLACEHOLDERS = [
    "prefect.variables." + name
    for name in ["text", "number", "real", "flag", "none", "object", "list", "missing", "refers", "empty"]
] + ["prefect.variables.", "prefect.variables.object.a"]


# What a case tries, found by these texts in its template and job variables.
TEXTS_OF_FEATURES = {
    "block: whole or embedded": "prefect.blocks.", "block: $ref": '"$ref"', "variable": "prefect.variables.",
    "$ENV": "{{ $", "float": "e+", "path into a value": "{{ deep", "index": "[0]",
}


class Maker:
    def __init__(self, seed, stock_template):
        self.random = random.Random(seed)
        self.stock_template = stock_template

    def chance(self, probability):
        return self.random.random() < probability

    def uuid(self):
        text = "%032x" % self.random.getrandbits(128)
        return "-".join([text[:8], text[8:12], text[12:16], text[16:20], text[20:]])

    # Values ------------------------------------------------------------------------------------

    def string(self):
        return self.random.choice(STRINGS)

    def number(self):
        if self.chance(0.3):
            return self.random.choice([self.random.uniform(-1e3, 1e3), self.random.randint(-10**6, 10**6),
                                       self.random.uniform(-1, 1) * 10.0 ** self.random.randint(-300, 300)])
        return self.random.choice(NUMBERS)

    def scalar(self):
        kind = self.random.randrange(10)
        if kind < 5:
            return self.string()
        if kind < 8:
            return self.number()
        return self.random.choice([None, True, False])

    def value(self, depth=0):
        kind = self.random.randrange(10)
        if depth > 3 or kind < 6:
            return self.scalar()
        size = self.random.randrange(4)
        if kind < 8:
            return [self.value(depth + 1) for _ in range(size)]
        keys = ["k", "list-key", "it's", "", "0", "a.b", "ключ", "x", "y"]
        return {self.random.choice(keys): self.value(depth + 1) for _ in range(size)}

    # Text with placeholders --------------------------------------------------------------------

    def placeholder_name(self):
        kind = self.random.randrange(20)
        if kind < 9:
            return self.random.choice(CUSTOM)
        if kind < 12:
            return self.random.choice(["deep.x", "deep.x.y", "deep.list[0]", "list[0]", "list[-1]", "list[1].k", "list.0",
                                       "deep[x]", "tag[0]", "deep.x.", "list[٠]", "list[1_0]", "a..b", "]a[", "deep.0"])
        if kind < 14:
            return "$" * self.random.choice([1, 1, 1, 2]) + self.random.choice(PROCESS_NAMES + ["PP_PARITY_MISSING", ""])
        if kind < 16:
            return self.random.choice(VARIABLE_PLACEHOLDERS)
        if kind < 18:
            return self.random.choice(BLOCK_PLACEHOLDERS[:13] + ["prefect.blocks.number.real"])
        return self.random.choice(["missing", "ctx.flow.name", "a$b", "image", "env", "prefect", "env.A"])

    def placeholder(self):
        name = self.placeholder_name()
        form = self.random.choice(["{{ %s }}"] * 6 + ["{{%s}}", "{{  %s}}", "{{\t%s\n}}", "{{\u00a0%s\u2003}}"])
        return form % name

    def text(self):
        """Returns a string that contains a placeholder or a part of one."""
        if self.chance(0.35):
            return self.placeholder()
        pieces = []
        for _ in range(self.random.randint(1, 4)):
            pieces.append(self.random.choice([
                self.placeholder(), self.placeholder(), self.random.choice(["-", "/", ":", " ", "", "x", "é", "{", "}"]),
                self.random.choice(["{{ a }", "{ { a } }", "{{ a b }}", "{{}}", "{{ }}", "{{{ a }}}", "{{ a}}}}", "{{{{ b }}"]),
            ]))
        return "".join(pieces)

    def templated(self, depth=0):
        """Returns a value of the job configuration with placeholders in it."""
        kind = self.random.randrange(10)
        if depth > 3 or kind < 5:
            return self.text()
        if kind < 6:
            return self.scalar()
        size = self.random.randrange(4)
        if kind < 8:
            return [self.templated(depth + 1) for _ in range(size)]
        if self.chance(0.12):
            return self.reference()
        return {self.random.choice(["k", "{{ a }}", "x.y", "z", "q"]): self.templated(depth + 1) for _ in range(size)}

    def reference(self):
        return {"$ref": self.random.choice([
            {"block_document_id": "11111111-1111-4111-8111-111111111111"},
            {"block_document_id": "22222222-2222-4222-8222-222222222222"},
            {"block_document_id": "11111111-1111-4111-8111-111111111111", "other": 1},
            {"block_document_id": None}, {}, {"block_document_id": ""},
            {"block_document_id": "99999999-9999-4999-8999-999999999999"}, "text", None,
        ])} | ({"sibling": "{{ a }}"} if self.chance(0.3) else {})

    # Job variables -----------------------------------------------------------------------------

    def env(self, features):
        env = {}
        for _ in range(self.random.randint(0, 4)):
            name = self.random.choice(ENV_NAMES)
            kind = self.random.randrange(12)
            if kind < 5:
                env[name] = self.string()
            elif kind < 6:
                env[name] = None
                features.add("env: null removes")
            elif kind < 8:
                env[name] = self.number()
                features.add("env: number")
            elif kind < 9:
                env[name] = self.random.choice([True, False])
                features.add("env: boolean")
            elif kind < 10:
                env[name] = self.value(2)
            else:
                env[name] = self.text()
                features.add("env: placeholder")
        if self.chance(0.25):
            env["PREFECT_API_URL"] = self.random.choice(API_URLS + [None, 5])
            features.add("env: PREFECT_API_URL")
        return env

    def labels(self, features):
        labels = {}
        for _ in range(self.random.randint(0, 3)):
            key = self.random.choice(["team", "a.b/c", "prefect.io/flow-name", "io.prefect.version", "x/y/z", "/lead",
                                      "prefect.io/version", "com.example.team/role", "é/ü", "",
                                      "prefect.io/flow-run-id", "io.prefect.work-pool-name", "prefect-podman.io/claim",
                                      "io.prefect-podman.identity", "prefect.io/deployment-updated", "io.prefect.other"])
            labels[key] = self.string()
            if self.chance(0.12):
                labels[key] = self.random.choice([True, False, self.number()])
                features.add("labels: number or boolean")
            elif self.chance(0.03):
                labels[key] = self.random.choice([None, [], {}])
        return labels

    def volume(self, features):
        volume = self.random.choice([
            "/srv:/data", "/srv:/data:ro", "/srv:/data:rw", "cache:/var/cache", "./data:/data", "../up:/up:ro", ".:/here",
            "/anonymous", " /srv:/data ", "c.x_y-1:/z",
        ])
        if self.chance(0.1):
            features.add("volumes: Podman's options")
            volume = self.random.choice(["/srv:/data:Z", "/srv:/data:ro,z", "v:/data:U", "/srv:/data:O", "v:/d:noexec,rw",
                                         "./d:/d:z"])
        elif self.chance(0.03):
            features.add("volumes: refused")
            volume = self.random.choice(["", " ", "data", "/srv:data", "bad name:/x", "$(pwd):/x", "a:b:c:d", ":/x", "v:",
                                         "/", "v:/x:", "/a:/b:ro:rw", "-v:/x"])
        return volume

    def stock_value(self, key, features):
        """Returns a value that fits KEY, or seldom one that may not fit."""
        if self.chance(0.02):
            features.add("wrong type")
            return self.value(2)
        if key == "env":
            return self.env(features)
        if key == "labels":
            return self.labels(features)
        if key == "name":
            if self.chance(0.6):
                features.add("name: ctx template")
                return self.random.choice(NAME_TEMPLATES)
            return self.random.choice(RUN_NAMES + ["", None])
        if key == "image":
            return self.random.choice(["busybox", "docker.io/x/y:1", "{{ registry }}/i", "", "img:{{ prefect.variables.text }}"])
        if key == "registry_credentials":
            return self.credentials(features)
        if key == "image_pull_policy":
            return self.random.choice(["IfNotPresent", "Always", "IfPossible", "Never", None])
        if key == "networks":
            return self.random.choice([[], ["one"], ["one", "two"]])
        if key == "volumes":
            return [self.volume(features) for _ in range(self.random.randrange(4))]
        if key in BOOLEANS:
            return self.random.choice([True, False, True, False, "true", "No", 1, 0.0, "ON", "f"])
        if key == "container_create_kwargs":
            return self.random.choice([None, {}, {"x": self.value(1), "y": self.text()}, {"list": [self.text(), self.value(2)]}])
        return self.random.choice(["text", "host", "bridge", "", None, "512m", self.string()])

    def credentials(self, features):
        features.add("registry credentials")
        good = {"username": "u", "password": "p'w", "registry_url": "r.example"}
        return self.random.choice([
            None, good, dict(good, reauth="no"), dict(good, extra=1), "{{ prefect.blocks.docker-registry-credentials.hub }}",
            {"$ref": {"block_document_id": "22222222-2222-4222-8222-222222222222"}},
            dict(good, password="{{ prefect.blocks.secret.token }}"), dict(good, password="{{ prefect.variables.text }}"),
            dict(good, username=None) if self.chance(0.3) else good, dict(good, reauth=1),
            dict(good, block_type_slug="docker-registry-credentials"),
        ])

    def job_variables(self, features, share):
        variables = {}
        keys = list(self.stock_template["variables"]["properties"]) + CUSTOM
        self.random.shuffle(keys)
        for key in keys:
            if not self.chance(share):
                continue
            variables[key] = self.stock_value(key, features) if key not in CUSTOM else self.value()
        if self.chance(0.3):
            self.add_dotted(variables, features)
        if self.chance(0.5):
            items = list(variables.items())
            self.random.shuffle(items)
            variables = dict(items)
        return variables

    def add_dotted(self, variables, features):
        features.add("dotted keys")
        for _ in range(self.random.randint(1, 3)):
            key = self.random.choice(["env.A", "env.NEW", "labels.team", "deep.x", "deep.x.y", "deep.list", "list[0].k", "deep[z].w",
                                      "container_create_kwargs.init", "container_create_kwargs.a.b", "unknown.key", ".", "a..b",
                                      "env.PREFECT_API_URL"])
            variables[key] = self.string() if key[:3] in ("env", "lab") else self.value(2)

    # The base job template ---------------------------------------------------------------------

    def base_job_template(self, features):
        template = copy.deepcopy(self.stock_template)
        kind = self.random.randrange(10)
        if kind < 3:
            features.add("template: stock")
            return template
        self.change_defaults(template, features)
        if kind < 5:
            features.add("template: stock with defaults")
            return template
        features.add("template: mutated")
        self.change_configuration(template["job_configuration"], features)
        if self.chance(0.01):
            features.add("template: broken")
            template.pop(self.random.choice(["variables", "job_configuration"]))
        return template

    def change_defaults(self, template, features):
        properties = template["variables"]["properties"]
        for name in CUSTOM:
            if self.chance(0.6):
                properties[name] = {"type": "string"}
                if self.chance(0.7):
                    properties[name]["default"] = self.value()
        for key in list(properties):
            if key not in CUSTOM and self.chance(0.15):
                properties[key]["default"] = self.stock_value(key, features)
                features.add("default of " + ("env" if key == "env" else "a stock variable"))

    def change_configuration(self, configuration, features):
        changes = {
            "env": lambda: {name: self.text() for name in self.random.sample(ENV_NAMES, 2)},
            "labels": lambda: {"t": self.text(), "prefect.io/x": "{{ tag }}", "u": "{{ prefect.variables.number }}"},
            "image": lambda: self.random.choice(["{{ registry }}/{{ image }}:{{ tag }}", "fixed:1", self.text()]),
            "command": lambda: self.random.choice(["echo {{ a }} {{ b }}", self.text(), "{{ command }} --x={{ list }}"]),
            "name": lambda: self.random.choice(["{{ name }}-{{ a }}", self.text(), "x {{ deep }} {{ x-y }}"]),
            "volumes": lambda: ["/a:/{{ tag }}", "{{ a }}", "/b:/c"] if self.chance(0.3) else ["/a:/{{ x_1 }}b"],
            "networks": lambda: ["{{ a }}", "{{ missing }}", "n-{{ b }}"],
            "mem_limit": lambda: "{{ n2 }}m",
            "container_create_kwargs": lambda: {"one": self.templated(), "two": self.templated(), "three": self.templated()},
            "registry_credentials": lambda: {"username": "{{ a }}", "password": "{{ prefect.blocks.secret.token }}",
                                             "registry_url": "{{ registry }}"},
            "network_mode": lambda: None,
            "unknown": self.templated,
            "also-unknown": lambda: [self.templated(), self.templated()],
        }
        for key, change in changes.items():
            # container_create_kwargs takes any rendered value; few of the other keys do.
            if self.chance({"container_create_kwargs": 0.6, "registry_credentials": 0.04, "networks": 0.08}.get(key, 0.25)):
                configuration[key] = change()
        if self.chance(0.2):
            configuration.pop(self.random.choice(list(configuration)))

    # What the API knows ------------------------------------------------------------------------

    def blocks(self):
        data = {
            "secret/token": {"value": self.random.choice(["s3cr3t", "tök'en", "", "{{ a }}", 5, True])},
            "json/config": {"value": {"key": {"nested-key": self.value(2)}, "list": [{"list-key": "v"}, 1, self.scalar()]}},
            "many/fields": {"first": self.scalar(), "value": self.value(1), "nested": {"a": {"b": self.value(2)}}},
            "plain/values": {"values": {"x": self.scalar()}},
            "string/refers": {"value": self.random.choice(["{{ prefect.variables.text }}", "v={{ prefect.variables.object }}"])},
            "string/block": {"value": "{{ prefect.blocks.secret.token }}"},
            "string/null": {"value": None},
            "number/real": {"value": self.number()},
            "empty/data": {},
            "docker-registry-credentials/hub": {"username": "hub", "password": "pw", "registry_url": "hub.example"},
        }
        return {key: self.block_document(key, value) for key, value in data.items()}

    def block_document(self, key, data):
        return {"id": self.uuid(), "name": key.split("/")[1], "data": data, "block_schema_id": self.uuid(),
                "block_type_id": self.uuid(), "block_type_name": key.split("/")[0]}

    def block_ids(self):
        return {
            "11111111-1111-4111-8111-111111111111": self.block_document("x/one", {"value": self.value(1), "b": self.text()}),
            "22222222-2222-4222-8222-222222222222": self.block_document(
                "x/two", {"username": "id", "password": "{{ prefect.variables.text }}", "registry_url": "id.example"}),
        }

    def variables(self):
        values = {
            "text": self.string(), "number": self.random.randint(-5, 2**40), "real": self.random.choice([1e22, -0.0, 0.1, 1e16]),
            "flag": self.random.choice([True, False]), "none": None, "object": {"a": self.value(2), "b'": 1.0},
            "list": [self.value(2), "x"], "refers": "{{ prefect.variables.text }}", "empty": "",
        }
        return {name: {"id": self.uuid(), "name": name, "value": value, "tags": []} for name, value in values.items()}

    def timestamp(self):
        fraction = self.random.choice(["", ".123456", ".1", ".938850", ".000001", ".500"])
        zone = self.random.choice(["Z", "Z", "Z", "+00:00", "+02:00", "-09:30"])
        return "2026-%02d-%02dT%02d:%02d:59%s%s" % (self.random.randint(1, 12), self.random.randint(1, 28),
                                                    self.random.randrange(24), self.random.randrange(60), fraction, zone)

    def flow_run(self, flow, deployment, features):
        run = {
            "id": self.uuid(), "name": self.random.choice(RUN_NAMES), "flow_id": flow["id"],
            "deployment_id": deployment["id"] if deployment else None, "created": self.timestamp(), "updated": self.timestamp(),
            "parameters": self.random.choice([{}, {"x": self.value(2), "list": [1, {"k": self.scalar()}]}]),
            "tags": self.random.choice([[], ["one"], ["α", "two words"]]),
            "labels": self.random.choice([{}, {"k": "v", "n": 1, "r": 1.5, "f": True}]),
            "run_count": self.random.randrange(3), "expected_start_time": self.timestamp(), "start_time": None,
            "total_run_time": self.random.choice([0.0, 1.25, 0, 7]), "estimated_run_time": 0.0,
            "auto_scheduled": self.chance(0.5), "state_name": self.random.choice([None, "Scheduled"]),
            "not_a_field": "the peer's model drops it", "work_queue_name": "default",
        }
        if self.chance(0.5):
            run["job_variables"] = self.job_variables(features, 0.08)
            features.add("flow run's job variables")
            if self.chance(0.08):
                run["job_variables"]["env"] = self.random.choice([None, [], "", 5, {}])
        else:
            run["job_variables"] = self.random.choice([None, {}])
        return run

    def deployment(self, flow, features):
        if self.chance(0.06):
            features.add("no deployment")
            return None
        return {
            "id": self.uuid(), "name": self.random.choice(["prod", "dépl/oy", "x y"]), "flow_id": flow["id"],
            "created": self.timestamp(), "updated": self.random.choice([None, self.timestamp(), self.timestamp()]),
            "job_variables": self.job_variables(features, self.random.choice([0.05, 0.2, 0.4])), "labels": {}, "tags": [],
        }

    def settings(self):
        environment = {}
        if self.chance(0.85):
            environment["PREFECT_API_URL"] = self.random.choice(API_URLS[:3] + API_URLS)
        if self.chance(0.5):
            environment["PREFECT_LOGGING_LEVEL"] = "DEBUG"
        if self.chance(0.3):
            environment["PREFECT_API_KEY"] = "pnu_key"
        return environment

    def case(self):
        features = set()
        flow = {"id": self.uuid(), "name": self.random.choice(["etl", "my flow", "fløw_1"]), "tags": ["t"], "labels": {},
                "created": self.timestamp(), "updated": self.timestamp()}
        deployment = self.deployment(flow, features)
        case = {
            "work_pool": {"id": self.uuid(), "name": "pool é", "type": "docker",
                          "base_job_template": self.base_job_template(features)},
            "deployment": deployment,
            "flow": flow,
            "flow_run": self.flow_run(flow, deployment, features),
            "worker_name": "worker's 1",
            "worker_id": self.uuid() if self.chance(0.5) else None,
            "blocks": self.blocks(),
            "block_ids": self.block_ids(),
            "variables": self.variables(),
            "environment": self.settings(),
            "process_environment": {"PP_PARITY_ONE": "one", "PP_PARITY_TWO": "{{ a }} é", "PP_PARITY_EMPTY": ""},
        }
        given = json.dumps([case["work_pool"]["base_job_template"].get("job_configuration"),
                            (case["deployment"] or {}).get("job_variables"), case["flow_run"]["job_variables"]])
        features.update(feature for feature, text in TEXTS_OF_FEATURES.items() if text in given)
        case["features"] = sorted(features)
        return case

"""Job variables that differ in every way that a deployment may use: first each value alone, then combinations from a
seeded generator."""

import random

COMMAND = "prefect flow-run execute"

# Every docker job variable.
VARIABLES = {
    "image": ["busybox", "busybox:1", "quay.io/a/b:latest", "localhost:5000/x", "q.io/a@sha256:ab"],
    "image_pull_policy": ["IfNotPresent", "Always", "IfPossible", "Never", None],
    "command": [
        "sh -c 'echo hi # there'",
        "a 'b c' \"d\\\"e\" f\\ g '' $H",
        "python -m prefect.engine",
        "\u00e9t\u00e9 '\u4e2d \u6587'",
        None,
    ],
    "env": [
        {},
        {"A": "1", "B": "x=y", "EMPTY": ""},
        {"Z": "last", "A": "first", "UNI": "\u00e9 \U0001f600"},
        {"PREFECT_API_URL": "http://127.0.0.1:4200/api"},
        {"PREFECT_API_URL": "https://api.example.com/api"},
        {"PREFECT_API_URL": "http://host.docker.internal:4200/api"},
        {"PREFECT_API_URL": "http://mylocalhost.example/api"},
    ],
    "labels": [{}, {"a": "b"}, {"x.y/z": "1", "plain": ""}],
    "name": [None, "my-run", "My Run / \u00fcber"],
    "networks": [[], ["one"], ["one", "two", "three"]],
    "network_mode": [None, "host", "bridge", "none", "container:abc", "slirp4netns"],
    "auto_remove": [True, False],
    "volumes": [
        [],
        ["/a:/b"],
        ["/a:/b:ro", "data:/c:rw", "/anonymous", "./rel:/r", "../up:/u:ro", ".:/dot"],
        ["/a:/b", "/c:/b"],
    ],
    "stream_output": [True, False],
    "mem_limit": [None, "128m", "1g", "100000b", "1.5g", "2048", "64MB", ""],
    "memswap_limit": [None, "-1", "300m", "1G"],
    "privileged": [True, False],
    "registry_credentials": [
        None,
        {"username": "u", "password": "p:\u00e9\"", "registry_url": "quay.io"},
        {"username": "u", "password": "p" * 60, "registry_url": "https://quay.io/v1"},
        {"username": "u", "password": "p", "registry_url": "index.docker.io"},
        {"username": "u", "password": "p?>~", "registry_url": "localhost:5000"},
    ],
}

# Every argument of docker-py's containers.create() that the Python worker does not set itself.
KWARGS = {
    "auto_remove": [True],
    "blkio_weight": [0, 500],
    "blkio_weight_device": [[], [{"Path": "/dev/sda", "Weight": 5}]],
    "cap_add": [[], ["SYS_ADMIN", "NET_RAW"]],
    "cap_drop": [["ALL"], []],
    "cgroup_parent": ["", "/x"],
    "cgroupns": ["", "private", "host"],
    "command": ["ignored"],
    "cpu_count": [0, 2],
    "cpu_percent": [0, 50],
    "cpu_period": [0, 100000],
    "cpu_quota": [0, 50000, -1],
    "cpu_rt_period": [1000],
    "cpu_rt_runtime": [500],
    "cpu_shares": [0, 512],
    "cpuset_cpus": ["", "0-2,4"],
    "cpuset_mems": ["", "0,1"],
    "detach": [True, False, None],
    "device_cgroup_rules": [[], ["c 1:3 mr"]],
    "device_read_bps": [[{"Path": "/dev/sda", "Rate": 1000}], []],
    "device_read_iops": [[{"Path": "/dev/sda", "Rate": 1000}]],
    "device_requests": [
        [],
        [{"count": -1, "capabilities": [["gpu"]]}],
        [{"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": [["gpu", "utility"]]}],
        [{"Driver": "nvidia", "Count": 1, "Options": {"a": "b"}, "options": None}],
    ],
    "device_write_bps": [[{"Path": "/dev/sda", "Rate": 1000}]],
    "device_write_iops": [[{"Path": "/dev/sda", "Rate": 1000}]],
    "devices": [
        [],
        ["/dev/fuse", "/dev/sda:/dev/xvda", "/dev/a:/dev/b:r", ""],
        [{"PathOnHost": "/dev/x", "PathInContainer": "/dev/y", "CgroupPermissions": "r"}, "/dev/z"],
    ],
    "dns": [[], ["1.1.1.1", "8.8.8.8"]],
    "dns_opt": [[], ["ndots:2"]],
    "dns_search": [[], ["example.com"]],
    "domainname": ["", "example.com", None],
    "entrypoint": ["", "/bin/sh -c 'x y'", ["a", "b c"], [], None],
    "env": [{"ignored": "1"}],
    "extra_hosts": [
        {"b": "10.0.0.2", "a": "10.0.0.1"},
        {"host.docker.internal": "10.1.1.1"},
        ["x:10.0.0.1", "six:fe80::1", "nocolon", "z:host-gateway"],
        {},
        [],
        None,
    ],
    "group_add": [[], ["audio", 44]],
    "healthcheck": [
        {},
        {"test": "curl -f http://localhost/"},
        {"test": ["CMD", "true"], "interval": 1000000, "retries": 3},
        {"Test": ["NONE"], "StartPeriod": 2000000, "start_period": 3000000, "timeout": None},
        None,
    ],
    "hostname": ["", "h", None],
    "image": ["ignored"],
    "init": [True, False, None],
    "ipc_mode": ["", "host"],
    "isolation": ["", "default"],
    "kernel_memory": [0, "64m", 1048576],
    "labels": [{"ignored": "1"}],
    "links": [{"b": "y", "a": "x", "c": None}, [["d", "z"], ["a", "q"]], {}, []],
    "log_config": [
        {"type": "json-file", "config": {"max-size": "1m"}},
        {"Type": "k8s-file"},
        {"type": "none", "config": None},
        {},
    ],
    "lxc_conf": [{"k": "v", "n": 1}, [{"Key": "a", "Value": "b"}], {}],
    "mac_address": ["02:42:ac:11:00:02", None],
    "mem_limit": ["1g"],
    "mem_reservation": [0, "", "128m", 1048576],
    "mem_swappiness": [0, 60, None],
    "memswap_limit": ["1g"],
    "mounts": [
        [],
        [{"Target": "/t", "Source": "/s", "Type": "bind", "ReadOnly": True}],
        [{"Target": "/t", "Source": "v", "Type": "volume", "VolumeOptions": {"NoCopy": True}}],
    ],
    "name": ["ignored"],
    "nano_cpus": [0, 1500000000],
    "network_disabled": [True, False, None],
    "network_mode": ["none"],
    "networking_config": [{}, {"one": {"Aliases": ["a"]}}, {"other": {}}],
    "oom_kill_disable": [True, False],
    "oom_score_adj": [0, -500],
    "pid_mode": ["", "host"],
    "pids_limit": [0, 100, -1],
    "platform": ["linux/amd64", "", None],
    "ports": [
        {},
        {"80": 8080, "443/tcp": "8443", "53/udp": None},
        {"2222/tcp": [22, 2222], "1": {"HostPort": 5, "HostIp": "127.0.0.1"}, "2": {"HostPort": "6"}},
        {"90": []},
    ],
    "privileged": [True],
    "publish_all_ports": [True, False],
    "read_only": [True, False, None],
    "restart_policy": [{}, {"Name": "on-failure", "MaximumRetryCount": 5}, {"Name": "no"}, {"name": "always"}],
    "runtime": ["", "crun"],
    "security_opt": [[], ["label=disable", "no-new-privileges"]],
    "shm_size": ["64m", 1048576, 0, "", None],
    "stdin_open": [True, False],
    "stop_signal": ["SIGINT", None],
    "storage_opt": [{}, {"size": "10G"}],
    "sysctls": [{}, {"net.core.somaxconn": 1024, "kernel.domainname": "x"}],
    "tmpfs": [{}, [], {"/t": "size=1m"}, ["/a", "/b:size=3m,uid=1000", "/c:a:b"]],
    "tty": [True, False],
    "ulimits": [
        [],
        [{"name": "nofile", "soft": 10, "hard": 20}, {"Name": "nproc", "Hard": 5}],
        [{"name": "core", "soft": 0, "hard": 0}],
    ],
    "use_config_proxy": [True, False],
    "user": ["1000:1000", 1000, 0, "", None],
    "userns_mode": ["host", ""],
    "uts_mode": ["host", ""],
    "version": ["1.99"],
    "volume_driver": ["", "local"],
    "volumes": [{"/x": {"bind": "/y"}}],
    "volumes_from": ["a,b:ro", ["c"], [], ""],
    "working_dir": ["/w", "", None],
}

# Arguments that both workers refuse.
REFUSED = {
    "no_such_argument": 1,
    "environment": {"A": "1"},
    "network": "one",
    "remove": True,
    "stop_timeout": 3,
    "init_path": "/x",
    "blkio_weight": "heavy",
    "blkio_weight_device": "x",
    "cpu_quota": "x",
    "cpu_rt_runtime": "x",
    "cpuset_mems": [1],
    "device_cgroup_rules": "c 1:3 mr",
    "device_read_bps": {"a": 1},
    "device_requests": [{"count": "all"}],
    "devices": [3],
    "isolation": 5,
    "kernel_memory": "lots",
    "log_config": "json-file",
    "mem_reservation": "10 parsecs",
    "mem_swappiness": "60",
    "oom_score_adj": "low",
    "pids_limit": [1],
    "ports": {"80": {"HostIp": "1.2.3.4"}},
    "restart_policy": "always",
    "security_opt": "label=disable",
    "shm_size": "big",
    "sysctls": ["a=1"],
    "tmpfs": "/a",
    "ulimits": [{"name": 3}],
    "entrypoint": "'open",
}


# docker-py sends these names in env. An engine refuses such a name, or reads it as the name of another variable.
NO_VARIABLE_NAMES = ["", "=", "A=", "A=B", " A", "A\nB", "\tA", "A\u007f", "A\u0085"]


def no_variable_names():
    for name in NO_VARIABLE_NAMES:
        yield {"env": {"FINE": "1", name: "x"}}


def every_value_once():
    for key, values in VARIABLES.items():
        for value in values:
            yield {key: value}
    for key, values in KWARGS.items():
        for value in values:
            yield {"container_create_kwargs": {key: value}}
            # The network decides whether these have an effect.
            if key in ("networking_config", "extra_hosts", "ports"):
                yield {"networks": ["one"], "container_create_kwargs": {key: value}}
                yield {
                    "env": {"PREFECT_API_URL": "https://api.example.com/api"},
                    "network_mode": "bridge",
                    "container_create_kwargs": {key: value},
                }


def mixed(count, seed):
    generator = random.Random(seed)
    for _ in range(count):
        case = {}
        for key, values in VARIABLES.items():
            if generator.random() < 0.6:
                case[key] = generator.choice(values)
        kwargs = {}
        for key in generator.sample(sorted(KWARGS), generator.randrange(0, 16)):
            kwargs[key] = generator.choice(KWARGS[key])
        if generator.random() < 0.9:
            case["container_create_kwargs"] = kwargs
        yield case


def refused():
    for key, value in REFUSED.items():
        yield {"network_mode": "bridge", "container_create_kwargs": {key: value}}

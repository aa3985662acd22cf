"""Container engines, each with storage of its own: Podman with and without root, a newer Podman, Docker."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

import httpx

from parts import (
    CACHE,
    TEST_USER,
    TESTBED,
    Process,
    TestbedError,
    as_user,
    clean_environment,
    place,
    process,
    unmount_below,
)

BUSYBOX = "localhost/pp/busybox:1"
HELLO = "localhost/pp/hello:1"  # busybox with an entrypoint
USR1 = "localhost/pp/usr1:1"  # busybox that SIGUSR1 stops; for Podman: Docker's import has no STOPSIGNAL
PREFECT3 = "localhost/pp/prefect3:1"
PREFECT2 = "localhost/pp/prefect2:1"

PREFECT_CHANGES = ["ENV PATH=/opt/prefect/bin:/usr/local/bin:/usr/bin:/bin", "WORKDIR /opt"]
IMAGES = {
    BUSYBOX: ("busybox", ["ENV PATH=/bin"]),
    HELLO: ("busybox", ["ENV PATH=/bin", 'ENTRYPOINT ["echo", "hello from the entrypoint"]']),
    USR1: ("busybox", ["ENV PATH=/bin", "STOPSIGNAL SIGUSR1"]),
    PREFECT3: ("prefect3", PREFECT_CHANGES),
    PREFECT2: ("prefect2", PREFECT_CHANGES),
}


def shims_of(folder):
    """Returns the processes whose command line names FOLDER (conmon, containerd-shim, the cleanup after a
    container), each with its children."""
    own = str(folder).encode()
    shims = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if own in (path / "cmdline").read_bytes():
                shims[path.name] = (path / "task" / path.name / "children").read_text(encoding="ascii").split()
    return shims


def kill_shims(folder, children=True):
    """Kills the shims of FOLDER. Without CHILDREN, the programs that they watch keep running."""
    shims = shims_of(folder)
    for pid in [*shims, *(itertools.chain(*shims.values()) if children else [])]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


class Engine:
    """An engine that answers at URL, by the API that both kinds speak."""

    def __init__(self, kind, socket_path, process_, environment=None):
        self.kind = kind  # "podman", "podman5", "rootless" or "docker"
        self.socket = pathlib.Path(socket_path)
        self.url = f"unix://{socket_path}"
        self.process = process_
        self.environment = environment or {}
        transport = httpx.HTTPTransport(uds=str(socket_path))
        self.http = httpx.Client(transport=transport, base_url="http://localhost/v1.41", timeout=300)

    def __repr__(self):
        return self.kind

    def call(self, method, path, **options):
        answer = self.http.request(method, path, **options)
        if answer.status_code >= 400:
            raise TestbedError(f"{self.kind}: {method} {path}: {answer.status_code}: {answer.text}")
        return answer

    def start_service(self):
        """Starts the engine's service, for the first time or after it has ended. Not for rootless Podman."""
        log = self.folder / f"{self.kind}-{time.monotonic_ns()}.log"
        self.process = Process(self.command, log, env=self.environment, cwd=self.folder)
        self.process.wait_ready(self.ready)

    def kill_service(self):
        """kill -9; containers live on under their conmon."""
        self.process.stop(signal.SIGKILL)
        self.socket.unlink(missing_ok=True)

    def restart(self, number):
        """Ends the service with signal NUMBER and starts it again. Only for Docker."""
        self.process.stop(number, timeout=60)
        # Its containerd died with it. It may be a zombie, which Docker would take for a running process.
        (self.folder / "exec" / "containerd" / "containerd.pid").unlink(missing_ok=True)
        self.start_service()

    def crash_host(self):
        """Simulates a restart of the host for Podman: no process runs, and the files that last only until a restart
        are gone. Only for a rootful Podman with a folder of its own."""
        self.kill_service()
        kill_shims(self.folder)
        unmount_below(self.folder)
        for name in ("run", "tmp"):
            shutil.rmtree(self.folder / name)
        self.start_service()

    def ready(self):
        return self.socket.exists() and self.http.get("/_ping").status_code == 200

    def need(self, *images):
        """Loads those of IMAGES that the engine does not have yet."""
        for image in images:
            if self.has_image(image):
                continue
            tar, changes = IMAGES[image]
            self.import_image(CACHE / "images" / f"{tar}.tar", image, changes)

    def import_image(self, tar, image, changes=()):
        with open(tar, "rb") as content:
            if self.kind == "docker":
                repository, tag = image.rsplit(":", 1)
                query = {"fromSrc": "-", "repo": repository, "tag": tag, "changes": list(changes)}
                self.call("POST", "/images/create", params=query, content=content)
            else:  # Podman 4.3 drops the name given to the call above
                query = {"reference": image, "changes": list(changes)}
                url = "http://localhost/v4.0.0/libpod/images/import"
                self.call("POST", url, params=query, content=content)
        if not self.has_image(image):
            raise TestbedError(f"{self.kind}: import of {image} left no image of that name")

    def tag(self, image, new):
        repository, tag = new.rsplit(":", 1)
        self.call("POST", f"/images/{image}/tag", params={"repo": repository, "tag": tag})

    def push(self, image, username, password):
        plain = json.dumps({"username": username, "password": password})
        header = {"X-Registry-Auth": base64.urlsafe_b64encode(plain.encode()).decode()}
        name, tag = image.rsplit(":", 1)
        answer = self.call("POST", f"/images/{name}/push", params={"tag": tag}, headers=header)
        if '"error"' in answer.text:
            raise TestbedError(f"{self.kind}: push of {image}: {answer.text}")

    def remove_image(self, image):
        self.http.delete(f"/images/{image}", params={"force": "true"})

    def has_image(self, image):
        return self.http.get(f"/images/{image}/json").status_code == 200

    def containers(self, **labels):
        """Containers, running or not, that have all of LABELS."""
        filters = {"label": [f"{name}={value}" for name, value in labels.items()]}
        query = {"all": "true", "filters": json.dumps(filters)}
        return self.call("GET", "/containers/json", params=query).json()

    def containers_of(self, flow_run_id):
        return self.containers(**{"io.prefect.flow-run-id": flow_run_id})

    def inspect(self, container):
        return self.call("GET", f"/containers/{container}/json").json()

    def kill(self, container, signal_name="KILL"):
        self.call("POST", f"/containers/{container}/kill", params={"signal": signal_name})

    def remove(self, container):
        self.http.delete(f"/containers/{container}", params={"force": "true", "v": "true"})

    def remove_all(self):
        for container in self.containers():
            self.remove(container["Id"])

    @contextlib.contextmanager
    def network(self, name):
        self.call("POST", "/networks/create", json={"Name": name})
        try:
            yield name
        finally:
            self.http.delete(f"/networks/{name}")


def registries_conf(path, registry):
    """Tells Podman that REGISTRY (host:port, of the testbed) speaks plain HTTP, and so does a proxy in front of it
    on another port."""
    text = 'unqualified-search-registries = []\nshort-name-mode = "disabled"\n'
    if registry:
        text += f'[[registry]]\nlocation = "{registry.rsplit(":", 1)[0]}"\ninsecure = true\n'
    path.write_text(text, encoding="utf-8")
    return path


@contextlib.contextmanager
def serving(engine, command):
    """Runs the service of ENGINE by COMMAND. The socket must be in a folder of its own."""
    engine.command, engine.folder = command, engine.socket.parent
    engine.start_service()
    try:
        yield engine
    finally:
        try:
            engine.remove_all()
        finally:
            engine.process.stop()
            kill_shims(engine.folder)  # if the daemon was killed, nobody else ends them


def podman_service(folder, runtime=None, events=None):
    """Returns the command of a Podman that keeps all its files, its socket included, in FOLDER."""
    argv = ["podman", "--root", folder / "root", "--runroot", folder / "run", "--tmpdir"]
    argv += [folder / "tmp", "--network-config-dir", folder / "net"]
    argv += ["--runtime", runtime] if runtime else []
    argv += ["--events-backend", events] if events else []
    return [*argv, "system", "service", "-t", "0", f"unix://{folder}/podman.sock"]


@contextlib.contextmanager
def podman(registry=None, runtime=None, events=None):
    with place("podman") as folder:
        environment = clean_environment(
            CONTAINERS_CONF=TESTBED / "containers.conf",
            CONTAINERS_REGISTRIES_CONF=registries_conf(folder / "registries.conf", registry),
            HOME=folder,
        )
        argv = podman_service(folder, runtime, events)
        with serving(Engine("podman", folder / "podman.sock", None, environment), argv) as engine:
            yield engine


@contextlib.contextmanager
def podman5(registry=None):
    """Podman 5.4 in a newer Debian, with the folders of all parts at their usual paths."""
    with place("podman5") as folder:
        shutil.copy(TESTBED / "containers.conf", folder)
        environment = clean_environment(
            CONTAINERS_CONF=folder / "containers.conf",
            CONTAINERS_REGISTRIES_CONF=registries_conf(folder / "registries.conf", registry),
            HOME=folder,
            PODMAN_IGNORE_CGROUPSV1_WARNING="1",
        )
        argv = [TESTBED / "in-root.sh", CACHE / "images" / "podman5", folder.parent, *podman_service(folder)]
        with serving(Engine("podman5", folder / "podman.sock", None, environment), argv) as engine:
            yield engine


@contextlib.contextmanager
def rootless_podman(registry=None):
    user = make_test_user()
    with place("rootless") as folder:
        for name in ("home", "xdg"):
            (folder / name).mkdir(mode=0o700)
            os.chown(folder / name, user.pw_uid, user.pw_gid)
        environment = clean_environment(
            CONTAINERS_CONF=TESTBED / "containers.conf",
            CONTAINERS_REGISTRIES_CONF=registries_conf(folder / "registries.conf", registry),
            CONTAINERS_STORAGE_CONF=TESTBED / "storage.conf",
            HOME=folder / "home",
            XDG_RUNTIME_DIR=folder / "xdg",
        )
        argv = as_user(TEST_USER, ["podman", "system", "service", "-t", "0"])
        argv.append(f"unix://{folder}/xdg/podman.sock")
        log = folder / "podman.log"
        try:
            with process(argv, log, env=environment, cwd=folder / "home") as service:
                engine = Engine("rootless", folder / "xdg" / "podman.sock", service, environment)
                service.wait_ready(engine.ready)
                try:
                    yield engine
                finally:
                    engine.remove_all()
        finally:
            end_processes_with(user.pw_uid, f"XDG_RUNTIME_DIR={folder}/xdg")


def make_test_user():
    """The account rootless Podman runs as, with the subordinate ids it needs."""
    try:
        user = pwd.getpwnam(TEST_USER)
    except KeyError:
        subprocess.run(["useradd", "--create-home", TEST_USER], check=True)
        user = pwd.getpwnam(TEST_USER)
    for kind, option in (("subuid", "--add-subuids"), ("subgid", "--add-subgids")):
        path = pathlib.Path("/etc") / kind
        known = path.read_text(encoding="utf-8") if path.exists() else ""
        if f"{TEST_USER}:" not in known:
            subprocess.run(["usermod", option, "500000-565535", TEST_USER], check=True)
    # A distribution's udev leaves these open to all; a bare machine has no udev.
    for device in ("/dev/fuse", "/dev/net/tun"):
        if os.path.exists(device):
            os.chmod(device, 0o666)
    return user


def end_processes_with(uid, setting):
    """Ends the processes of UID whose environment has SETTING: those that a rootless engine leaves (its pause
    process)."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid != uid:
                continue
            if setting.encode() in (folder / "environ").read_bytes().split(b"\0"):
                os.kill(int(folder.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


@contextlib.contextmanager
def docker(registry=None):
    with place("docker") as folder:
        argv = ["dockerd", "-H", f"unix://{folder}/docker.sock", "--data-root", folder / "data"]
        argv += ["--exec-root", folder / "exec", "-p", folder / "pid", "--iptables=false"]
        argv += ["--bridge=none", "--exec-opt", "native.cgroupdriver=cgroupfs"]
        if registry:
            argv += ["--insecure-registry", registry]
        with serving(Engine("docker", folder / "docker.sock", None, clean_environment(HOME=folder)), argv) as engine:
            yield engine


ENGINES = {"podman": podman, "podman5": podman5, "rootless": rootless_podman, "docker": docker}

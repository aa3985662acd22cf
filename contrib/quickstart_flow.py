"""The flow that quickstart.sh runs in an image with Prefect in it."""

import platform

from prefect import flow, get_run_logger, task


@task
def look_around():
    return f"Python {platform.python_version()} on {platform.node()}"


@flow(name="hello-from-prefect")
def hello(name: str = "Podman"):
    get_run_logger().info("Hello %s, this is %s", name, look_around())

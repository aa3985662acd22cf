"""Flows that run inside a container with Prefect in it."""

import os
import time

from prefect import flow, get_run_logger


@flow
def hello(name: str = "world"):
    get_run_logger().info("hello %s from the flow", name)
    return name


@flow
def broken():
    raise ValueError("broken on purpose")


@flow
def vanish(status: int = 0):
    """Ends the process from inside a running flow, as a crash of the interpreter would."""
    get_run_logger().info("about to vanish")
    time.sleep(2.5)  # Prefect sends its log every 2 s
    os._exit(status)

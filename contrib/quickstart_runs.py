"""Creates quickstart.sh's work pool and deployments, runs them, and shows states and logs as they come.
Exits with 1 when a run does not end as Completed."""

import argparse
import asyncio
import datetime
import sys

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.sorting import LogSort
from prefect.exceptions import ObjectAlreadyExists
from prefect.states import Scheduled

SCRIPT = """sh -c 'echo "hello from $(uname -s) $(uname -r)"; for i in 1 2 3; do echo "step $i of 3"; sleep 1; done; echo done'"""


def show(name, text):
    stamp = datetime.datetime.now().strftime("%H:%M:%S")
    for line in text.splitlines() or [""]:
        print(f"    {stamp} | {name:<14} | {line}", flush=True)


async def make_pool(client, name):
    """A stock `docker` pool, with the template the server publishes for it."""
    metadata = await client.read_worker_metadata()
    template = metadata["prefect-docker"]["docker"]["default_base_job_configuration"]
    pool = WorkPoolCreate(name=name, type="docker", base_job_template=template)
    try:
        await client.create_work_pool(pool)
    except ObjectAlreadyExists:
        pass


async def deploy(client, options):
    """The deployments: name -> id."""
    made = {}
    plain = {"image": options.plain_image, "image_pull_policy": "IfNotPresent", "auto_remove": True}
    flow_id = await client.create_flow_from_name("hello-from-a-plain-image")
    made["plain image"] = await client.create_deployment(
        flow_id=flow_id,
        name="plain image",
        work_pool_name=options.pool,
        job_variables={**plain, "command": SCRIPT},
    )
    if options.prefect_image:
        flow_id = await client.create_flow_from_name("hello-from-prefect")
        made["Prefect inside"] = await client.create_deployment(
            flow_id=flow_id,
            name="Prefect inside",
            work_pool_name=options.pool,
            path="/flows",
            entrypoint="quickstart_flow.py:hello",
            job_variables={
                **plain,
                "image": options.prefect_image,
                "volumes": [f"{options.flows}:/flows:ro,z"],
            },
        )
    return made


async def follow(client, name, run, timeout):
    """Prints the run's states and log as they come; returns the run in its last state."""
    shown, state = 0, None
    end = asyncio.get_running_loop().time() + timeout
    own = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id]))
    while True:
        run = await client.read_flow_run(run.id)
        final = run.state.is_final() or asyncio.get_running_loop().time() > end
        if final:
            await asyncio.sleep(3)  # the last lines come in a batch of their own
        for record in await client.read_logs(own, limit=200, offset=shown, sort=LogSort.TIMESTAMP_ASC):
            shown += 1
            show(name, record.message)
        if run.state.name != state:
            state = run.state.name
            show(name, f"-> {state}{': ' + run.state.message if run.state.message else ''}")
        if final:
            return run
        await asyncio.sleep(0.5)


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", required=True)
    parser.add_argument("--plain-image", required=True)
    parser.add_argument("--prefect-image")
    parser.add_argument("--flows", help="the folder with quickstart_flow.py")
    parser.add_argument("--timeout", type=float, default=300, help="seconds")
    options = parser.parse_args()

    async with get_client() as client:
        await make_pool(client, options.pool)
        deployments = await deploy(client, options)
        runs = {
            name: await client.create_flow_run_from_deployment(deployment, state=Scheduled())
            for name, deployment in deployments.items()
        }
        ended = await asyncio.gather(
            *(follow(client, name, run, options.timeout) for name, run in runs.items())
        )
    print("\n    deployment      run                       state        infrastructure_pid")
    for name, run in zip(runs, ended):
        pid = (run.infrastructure_pid or "none")[:52]
        print(f"    {name:<15} {run.name:<25} {run.state.name:<12} {pid}")
    sys.exit(0 if all(run.state.is_completed() for run in ended) else 1)


if __name__ == "__main__":
    asyncio.run(main())

"""The proofs that no flow run is lost: see contrib/prove.sh."""

import argparse
import pathlib
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import crash  # noqa: E402 - after the path is set
import outage  # noqa: E402
import soak  # noqa: E402
from parts import TestbedError  # noqa: E402
from scene import note  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(prog="contrib/prove.sh", description="Proves that no flow run is ever lost.")
    proofs = parser.add_subparsers(dest="proof", required=True)
    made = proofs.add_parser("crash", help="kill -9 at every step, over and over")
    made.add_argument("--kills", type=int, default=40, metavar="N", help="how many (40; the long form: 200)")
    made.add_argument("--peer", action="store_true", help="the Python worker too, as far as it can take part")
    made.add_argument("--seed", type=int, help="of what is left to chance, to have it again")
    made.set_defaults(prove=crash.prove)
    made = proofs.add_parser("outage", help="server and engine fail in every way, runs in flight")
    made.add_argument("--seconds", type=float, default=8, help="how long each fault lasts (8)")
    made.add_argument("--short", action="store_true", help="3 s each, and no wait for the runs between two faults")
    made.add_argument("--peer", action="store_true", help="the burst for the Python worker too")
    made.add_argument("--only", metavar="NAME,...", help="these faults (a part of the name is enough)")
    made.set_defaults(prove=outage.prove)
    made = proofs.add_parser("soak", help="two workers, kills and outages mixed in, memory and descriptors watched")
    made.add_argument("--runs", type=int, default=1000, metavar="N", help="how many (1000)")
    made.add_argument("--seed", type=int, help="of what is left to chance, to have it again")
    made.set_defaults(prove=soak.prove)
    return parser.parse_args()


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    try:
        well = options.prove(options)
    except (TestbedError, KeyboardInterrupt) as error:
        sys.exit(f"{options.proof}: {str(error) or 'interrupted'}")
    note(f"{options.proof}: {'all is well' if well else 'NOT WELL'} after {time.monotonic() - began:.0f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

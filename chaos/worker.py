"""Worker: one verb of the pipeline in a process of its own, to be killed.

    python -m chaos.worker pull <dataset>
    python -m chaos.worker load <landing id> <dataset>
    python -m chaos.worker push <target> <dataset>

It calls what an Airflow task calls, with the settings of its environment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tongban.kernel.errors import TongbanError
from tongban.kernel.settings import load_settings
from tongban.pipeline import Hub, load, open_hub, pull, push

RETRY = 75  # what sendmail's world calls a temporary failure


def main(verb: str, *words: str) -> int:
    """Do the verb once."""
    print("ready", flush=True)
    try:
        with open_hub(load_settings()) as hub:
            _do(hub, verb, words)
    except TongbanError as exc:
        print(f"{exc.code}: {exc}", file=sys.stderr)
        return RETRY
    return 0


def _do(hub: Hub, verb: str, words: Sequence[str]) -> None:
    if verb == "pull":
        print(pull(hub, words[0]).landing_id)
    elif verb == "load":
        load(hub, words[0], words[1])
    else:
        push(hub, words[0], words[1])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

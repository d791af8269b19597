"""`python -m local_system.api_server`: Airflow's API server and UI, behind the gate (web_gate.py).

As `airflow api-server` starts it, in one process (airflow/cli/commands/api_server_command.py of 3.2.1 and 3.3.2).
Not a plugin's middleware: Airflow starts without a plugin that can't be loaded, and so without the gate.
"""

from __future__ import annotations

import argparse

import uvicorn

from filebatch_local.serve.gate import Names
from local_system.web_gate import WebGate

# Longer than clients keep a connection that they don't use: a task whose request meets a closed one fails.
KEEP_ALIVE = 120  # seconds


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="local_system.api_server")
    parser.add_argument("--host", required=True, help="name or address to listen at and be called by")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--published", type=int, help="port on loopback under which it is reached, too (a container's)")
    options = parser.parse_args()
    from airflow.api_fastapi.main import app

    uvicorn.run(
        WebGate(app, Names.of(options.host, options.port, options.published)),
        host=options.host,
        port=options.port,
        timeout_keep_alive=KEEP_ALIVE,
        proxy_headers=False,
        access_log=False,
        log_config=None,
    )


if __name__ == "__main__":
    main()

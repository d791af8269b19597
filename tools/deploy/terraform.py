"""The infrastructure, by Terraform: what would change, changing it, and what it says of itself.

Each environment has a state of its own: in the backend that infra/environments/NAME.tfbackend says, else in a file.
https://developer.hashicorp.com/terraform/language/backend#partial-configuration
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

REGISTRY = "module.registry"  # all that must be there before an image can be pushed
MARKS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "read": None, "noop": None, "move": None}
PARALLEL = "-parallelism=30"  # nearly all of it is waiting

GOES_ON = (
    "interrupted: Terraform still does all of what it has begun, half an hour where that is MWAA; Ctrl-C again cuts it "
    "off, and the next deployment makes anew what is half made then\n"
)

Variables = Mapping[str, str]


class NotLookedUpError(Exception):
    """Something couldn't be asked; the text says why."""


class Infrastructure(Protocol):
    """An environment's infrastructure."""

    def plan(self, variables: Variables) -> list[str]:
        """Return what would change, a line each: a mark (+ ~ ± -) and an address.

        Raises:
            NotLookedUpError: nobody could ask.
        """

    def apply(self, variables: Variables, target: str | None = None) -> None:
        """Change it: all of it, or one module with what that needs."""

    def outputs(self) -> dict[str, Any]:
        """Return its outputs; none before it was applied.

        Raises:
            NotLookedUpError: nobody could ask.
        """

    def destroy(self, variables: Variables) -> None:
        """Remove all of it."""


@dataclass
class Terraform:
    """The root module of a clone, for one environment.

    Attributes:
        root: the clone.
        name: the environment: infra/environments/NAME.tfvars.
    """

    root: Path
    name: str
    _initialised: bool = False
    _saved: tuple[Variables, Path] | None = field(default=None)

    def plan(self, variables: Variables) -> list[str]:
        """See Infrastructure; the plan is kept, and is what `apply` does with the same variables."""
        file = self._data / "plan"
        said = self._said("plan", f"-out={file}", "-json", "-lock=false", *self._vars(variables))
        self._saved = (variables, file)
        changes = (each["change"] for each in said if each.get("type") == "planned_change")
        marked = ((MARKS[change["action"]], change["resource"]["addr"]) for change in changes)
        return sorted(f"{mark} {address}" for mark, address in marked if mark)

    def apply(self, variables: Variables, target: str | None = None) -> None:
        """See Infrastructure."""
        self._initialise()
        saved, self._saved = self._saved, None
        if saved and saved[0] == variables and target is None:
            self._must("apply", "-input=false", PARALLEL, str(saved[1]))
        else:
            only = [f"-target={target}"] if target else []
            self._must("apply", "-input=false", "-auto-approve", PARALLEL, *only, *self._vars(variables))

    def outputs(self) -> dict[str, Any]:
        """See Infrastructure."""
        self._initialise()
        ended = self._run("output", "-json", capture=True)
        if ended.returncode:
            raise NotLookedUpError(_last_line(ended.stderr))
        return {name: each["value"] for name, each in json.loads(ended.stdout).items()}

    def destroy(self, variables: Variables) -> None:
        """See Infrastructure."""
        self._initialise()
        self._must("destroy", "-input=false", "-auto-approve", PARALLEL, *self._vars(variables))

    @property
    def _data(self) -> Path:
        return self.root / ".local" / "terraform" / self.name

    def _vars(self, variables: Variables) -> list[str]:
        given = [f"-var={name}={value}" for name, value in variables.items()]
        return [f"-var-file=environments/{self.name}.tfvars", *given]

    def _initialise(self) -> None:
        if self._initialised:
            return
        if not shutil.which("terraform"):
            raise NotLookedUpError("there is no terraform on the path")
        self._data.mkdir(parents=True, exist_ok=True)
        options = [*init_options(self.root), "-reconfigure", *self._backend()]
        ended = self._run("init", *options, capture=True)
        if ended.returncode:
            raise NotLookedUpError(f"terraform init: {_last_line(ended.stderr or ended.stdout)}")
        self._initialised = True

    def _backend(self) -> list[str]:
        """Return the options of the backend; write down which kind it is, unless the clone says so itself."""
        infra = self.root / "infra"
        remote, own = (infra / "environments" / f"{self.name}.tfbackend").exists(), (infra / "backend.tf").exists()
        if not own:
            self._check_no_other_state(infra / "terraform.tfstate")
            kind = "s3" if remote else "local"
            (infra / "backend_override.tf").write_text(f'terraform {{\n  backend "{kind}" {{}}\n}}\n', encoding="utf-8")
        if remote:
            return [f"-backend-config=environments/{self.name}.tfbackend"]
        return [] if own else [f"-backend-config=path=environments/{self.name}.tfstate"]

    def _check_no_other_state(self, file: Path) -> None:
        """See that no state lies where Terraform would take it for this environment's, and move it.

        https://developer.hashicorp.com/terraform/language/backend#initialize-the-backend
        """
        if file.exists() and json.loads(file.read_text(encoding="utf-8") or "{}").get("resources"):
            raise NotLookedUpError(
                f"infra/{file.name} holds a state, and doesn't say which environment's; if it is that of "
                f"{self.name}: mv infra/{file.name} infra/environments/{self.name}.tfstate"
            )

    def _said(self, *arguments: str) -> list[dict[str, Any]]:
        self._initialise()
        ended = self._run(*arguments, capture=True, options=["-input=false", PARALLEL])
        said = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
        if ended.returncode:
            errors = [each["@message"] for each in said if each.get("@level") == "error"]
            raise NotLookedUpError(f"terraform {arguments[0]}: {'; '.join(errors) or _last_line(ended.stderr)}")
        return said

    def _must(self, *arguments: str) -> None:
        ended = self._run(*arguments)
        if ended.returncode:
            raise OSError(f"terraform {arguments[0]} ended with {ended.returncode}; what is done is in its state")

    def _run(
        self, *arguments: str, capture: bool = False, options: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        colour = ["-no-color"] if capture or not sys.stdout.isatty() else []
        command = ["terraform", f"-chdir={self.root / 'infra'}", arguments[0], *colour, *options, *arguments[1:]]
        return _finished(command, environment({"TF_DATA_DIR": str(self._data)}), subprocess.PIPE if capture else None)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of Terraform: the shell's, and more."""
    found = {**os.environ, **more, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    if not Path(found.get("TF_CLI_CONFIG_FILE", "/")).exists():
        found.pop("TF_CLI_CONFIG_FILE")
    return found


def init_options(root: Path) -> list[str]:
    """Return the options of `terraform init`: a mirror of the provider, where there is one.

    Raises:
        NotLookedUpError: the mirror that TF_PLUGIN_DIR names is refused.
    """
    mirror = subprocess.run([root / "infra" / "provider-mirror"], capture_output=True, text=True, check=False)
    if mirror.returncode:
        raise NotLookedUpError(mirror.stderr.strip())
    sys.stderr.write(mirror.stderr)
    return ["-input=false", *([f"-plugin-dir={mirror.stdout.strip()}"] if mirror.stdout.strip() else [])]


def _finished(command: Sequence[str], env: Mapping[str, str], pipe: int | None) -> subprocess.CompletedProcess[str]:
    """Run Terraform to its end, after a Ctrl-C too; what a second one cuts off is half made, and then made anew.

    It has a session of its own, so that a Ctrl-C reaches it through here alone. Killed it would forget what it made.
    https://developer.hashicorp.com/terraform/cli/commands/taint
    """
    process, interrupted = _started(command, env, pipe)
    with process:
        try:
            if interrupted:
                raise KeyboardInterrupt
            stdout, stderr = process.communicate()
        except KeyboardInterrupt:
            _ended(process, at_once=pipe is not None)
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)


def _started(command: Sequence[str], env: Mapping[str, str], pipe: int | None) -> tuple[subprocess.Popen[str], bool]:
    """Start Terraform, and tell whether Ctrl-C was pressed meanwhile: it would be left to itself by that."""
    pressed: list[int] = []
    is_told = threading.current_thread() is threading.main_thread()  # Python tells no other of it
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number)) if is_told else None
    try:
        process = subprocess.Popen(command, env=dict(env), stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    finally:
        if is_told:
            signal.signal(signal.SIGINT, before)
    return process, bool(pressed)


def _ended(process: subprocess.Popen[str], *, at_once: bool) -> None:
    """Have Terraform end what it is at; at once where it only looks, or after another Ctrl-C."""
    try:
        if not at_once:
            sys.stderr.write(GOES_ON)
            process.communicate()
            return
    except KeyboardInterrupt:
        pass
    process.send_signal(signal.SIGINT)
    process.communicate()


def _last_line(text: str) -> str:
    lines = [line.strip("│╷╵ ") for line in text.splitlines()]
    told = [line for line in lines if line]
    return next((line for line in told if line.startswith("Error")), told[-1] if told else "no reason was given")

"""The account that runs PostgreSQL: it refuses root, and another account may not be able to pass root's folders.

`cluster.py` starts and stops the server.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unde_catalog.stores.embedded.errors import EmbeddedPostgresError
from unde_catalog.stores.embedded.layout import Layout

_ACCOUNT = "nobody"
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_CAPABILITIES = ("dac_read_search", "dac_override")  # the weaker one first; Docker grants root only the second one
# pg_config checks its own file with access(), as initdb and postgres do: permission to execute is not enough.
_PROBE = 'cd "$1" && cd "$2/../share" && exec "$2/pg_config" --version'
_ADVICE = "Run as an ordinary user, or set STAGING_DB_URL to another PostgreSQL."


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that own the data directory and run the server."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launcher:
    """How PostgreSQL's programs are run: a command prefix and `subprocess` arguments."""

    account: Account
    prefix: tuple[str, ...] = ()
    switches_user: bool = False

    def options(self) -> dict[str, Any]:
        """`subprocess` arguments; the environment is new, so that no PG* or LD_* variable reaches the server."""
        options: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"},
            "stdin": subprocess.DEVNULL,
        }
        if self.switches_user:
            options |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return options


def server_account(layout: Layout) -> Account:
    """This user; for root, the owner of the data or the folder, or `nobody` if that is root too."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for path in (layout.data, layout.directory):
        if path.exists() and path.stat().st_uid != 0:
            return Account(path.stat().st_uid, path.stat().st_gid)
    try:
        entry = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and there is no account {_ACCOUNT!r} to run it as. {_ADVICE}"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def launcher_for(layout: Layout, programs: Path) -> Launcher:
    """The simplest launcher that can access the programs and the folder, found by trying."""
    account = server_account(layout)
    if account.uid == os.geteuid():
        return Launcher(account)
    problems: list[str] = []
    for launcher in _launchers(account):
        problem = _try(launcher, layout, programs)
        if problem is None:
            return launcher
        problems.append(problem)
    raise EmbeddedPostgresError(
        f"PostgreSQL refuses to run as root, and as uid {account.uid} it cannot access {programs} and "
        f"{layout.directory} ({'; '.join(problems)}). {_ADVICE}"
    )


def _launchers(account: Account) -> list[Launcher]:
    launchers = [Launcher(account, switches_user=True)]
    setpriv = shutil.which("setpriv", path=_SYSTEM_PATH)
    if setpriv is not None:
        # access() ignores the capabilities of users other than root unless no_setuid_fixup is set.
        identity = (
            f"--reuid={account.uid}",
            f"--regid={account.gid}",
            "--clear-groups",
            "--securebits=+no_setuid_fixup",
        )
        for name in _CAPABILITIES:
            passing = (f"--inh-caps=+{name}", f"--ambient-caps=+{name}")
            launchers.append(Launcher(account, prefix=(setpriv, *identity, *passing, "--")))
    return launchers


def _try(launcher: Launcher, layout: Layout, programs: Path) -> str | None:
    """None if it works, else the reason in one line."""
    command = [*launcher.prefix, "/bin/sh", "-c", _PROBE, "sh", str(layout.directory), str(programs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, **launcher.options())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip().replace("\n", ", ")


def make_private_folder(folder: Path, account: Account) -> None:
    """Create `folder` for that account with mode 700, or check the existing one."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and folder.lstat().st_uid == 0:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    check_private_folder(folder, account)


def check_private_folder(folder: Path, account: Account) -> None:
    """Raise unless `folder` belongs to that account alone: others could create one in /tmp and impersonate the server.

    One of this process's user is accepted too: root has created it and is about to change its owner.
    """
    found = folder.lstat()
    owners = (account.uid, os.geteuid())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"{folder} must be a folder of uid {account.uid} with mode 700, and it is {stat.filemode(found.st_mode)} "
            f"of uid {found.st_uid}; another user may have created it: remove it, then try again"
        )

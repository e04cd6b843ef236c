"""As whom PostgreSQL runs: it refuses root, and another account may not get through root's folders.

How it is started and stopped is in `cluster.py`.
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
_CAPABILITIES = ("dac_read_search", "dac_override")  # the weaker one first; Docker grants root only the second
# pg_config looks at itself with access(), as initdb and postgres do: being able to run them is not enough.
_PROBE = 'cd "$1" && cd "$2/../share" && exec "$2/pg_config" --version'
_ADVICE = "Run as an ordinary user, or set STAGING_DB_URL to a PostgreSQL of your own."


@dataclass(frozen=True, slots=True)
class Account:
    """The user and group that own the data directory and run the server."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launcher:
    """How PostgreSQL's programs are called: a command in front, and `subprocess` arguments."""

    account: Account
    prefix: tuple[str, ...] = ()
    switches_user: bool = False

    def options(self) -> dict[str, Any]:
        """`subprocess` arguments; the environment is ours alone, so no stray PG* or LD_* reaches the server."""
        options: dict[str, Any] = {
            "cwd": "/",
            "env": {"PATH": _SYSTEM_PATH, "LC_ALL": "C", "TZ": "UTC"},
            "stdin": subprocess.DEVNULL,
        }
        if self.switches_user:
            options |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return options


def server_account(layout: Layout) -> Account:
    """We ourselves; for root the owner of the data or of the folder, or `nobody` where that is root as well."""
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
    """The plainest way that really gets at the programs and the folder, found by trying."""
    account = server_account(layout)
    if account.uid == os.geteuid():
        return Launcher(account)
    complaints: list[str] = []
    for launcher in _ways(account):
        complaint = _try(launcher, layout, programs)
        if complaint is None:
            return launcher
        complaints.append(complaint)
    raise EmbeddedPostgresError(
        f"PostgreSQL refuses to run as root, and as uid {account.uid} it cannot get at {programs} and "
        f"{layout.directory} ({'; '.join(complaints)}). {_ADVICE}"
    )


def _ways(account: Account) -> list[Launcher]:
    ways = [Launcher(account, switches_user=True)]
    setpriv = shutil.which("setpriv", path=_SYSTEM_PATH)
    if setpriv is not None:
        # access() disregards capabilities of other users than root unless no_setuid_fixup is set.
        identity = (
            f"--reuid={account.uid}",
            f"--regid={account.gid}",
            "--clear-groups",
            "--securebits=+no_setuid_fixup",
        )
        for name in _CAPABILITIES:
            passing = (f"--inh-caps=+{name}", f"--ambient-caps=+{name}")
            ways.append(Launcher(account, prefix=(setpriv, *identity, *passing, "--")))
    return ways


def _try(launcher: Launcher, layout: Layout, programs: Path) -> str | None:
    """None if it works, else why not, in one line."""
    command = [*launcher.prefix, "/bin/sh", "-c", _PROBE, "sh", str(layout.directory), str(programs)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, **launcher.options())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip().replace("\n", ", ")


def make_private_folder(folder: Path, account: Account) -> None:
    """Makes `folder` that account's with mode 700, or checks the one that is there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0 and folder.lstat().st_uid == 0:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    check_private_folder(folder, account)


def check_private_folder(folder: Path, account: Account) -> None:
    """Raises unless `folder` is that account's alone: anyone may make one in /tmp, and then answer at our socket.

    One of our own is fine as well: root has made it and is about to give it away.
    """
    found = folder.lstat()
    owners = (account.uid, os.geteuid())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
        raise EmbeddedPostgresError(
            f"{folder} must be a folder of uid {account.uid} with mode 700, and it is {stat.filemode(found.st_mode)} "
            f"of uid {found.st_uid}; somebody else may have made it: remove it, then try again"
        )

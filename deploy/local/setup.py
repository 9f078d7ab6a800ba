"""Make the environment: find a Python that really runs, install hashed pins, compile translations.

Runs on any Python from 3.9 with nothing installed:
``python3 deploy/local/setup.py [local|dev|ray]``.
A second run that finds nothing changed takes a fraction of a second.
"""

import glob
import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.environ.get("DURE_VENV", os.path.join(ROOT, ".venv"))
TOOLS = VENV + "-uv"
UV = "uv==0.13.9"
OLDEST = (3, 12)


# Says its version, and whether it was compiled with a profile (a fifth faster at the gateway).
ABOUT = (
    "import sys, sysconfig, venv, ensurepip;"
    "flags = sysconfig.get_config_var('PY_CORE_CFLAGS') or '';"
    "print(sys.version_info[0], sys.version_info[1], int('profile-use' in flags"
    " or '--enable-optimizations' in (sysconfig.get_config_var('CONFIG_ARGS') or '')))"
)


def about(python):
    """((major, minor), optimised) of an interpreter that really runs, else None: shims may fail."""
    try:
        done = subprocess.run(
            [python, "-c", ABOUT], capture_output=True, text=True, timeout=20, check=False
        )
        major, minor, optimised = done.stdout.split()
        return ((int(major), int(minor)), optimised == "1") if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def candidates():
    """Interpreters to try, the preferred first: what `make python` has built, then others."""
    yield os.path.join(ROOT, ".python", "bin", "python3")
    for name in ("python3.13", "python3.12", "python3.14", "python3"):
        path = shutil.which(name)
        if path:
            yield path
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = glob.glob(os.path.join(root, "versions", "3.*", "bin", "python3"))

    def newest(path):
        parts = path.split(os.sep)[-3].split(".")
        return tuple(int(part) if part.isdigit() else 0 for part in parts)

    for path in sorted(found, key=newest, reverse=True):
        yield path
    yield sys.executable


def find_python():
    """The first candidate that is new enough and optimised; else the first that is new enough; or
    a sentence and the end."""
    plain = None
    for python in candidates():
        found = about(python)
        if found is None or found[0] < OLDEST:
            continue
        if found[1]:
            return python
        plain = plain or python
    if plain:
        return plain
    sys.exit(
        "Dure needs Python 3.12 or newer, and none was found. Install one (Debian 13: "
        "apt install python3.13 python3.13-venv; or pyenv install 3.13) and run this again."
    )


def run(command, what):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()[-15:]
        sys.exit("%s failed:\n%s" % (what, "\n".join(lines)))


def digest(paths):
    total = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            total.update(file.read())
    return total.hexdigest()


def install(level, venv):
    requirements = os.path.join(ROOT, "requirements", level + ".txt")
    python = os.path.join(venv, "bin", "python")
    stamp = os.path.join(venv, ".dure-" + level)
    wanted = digest([requirements])
    if os.path.exists(stamp) and open(stamp).read() == wanted and about(python):
        return
    if not about(python):
        run([find_python(), "-m", "venv", "--clear", venv], "Making the environment")
    if not os.path.exists(os.path.join(TOOLS, "bin", "uv")):
        run([python, "-m", "venv", TOOLS], "Making the environment of the installer")
        run(
            [
                os.path.join(TOOLS, "bin", "python"),
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                UV,
            ],
            "Fetching the installer",
        )
    print("Installing what requirements/%s.txt names …" % level, flush=True)
    run(
        [
            os.path.join(TOOLS, "bin", "uv"),
            "pip",
            "sync",
            "--quiet",
            "--python",
            python,
            "--system-certs",
            "--require-hashes",
            requirements,
        ],
        "Installing",
    )
    for other in glob.glob(os.path.join(venv, ".dure-*")):
        os.remove(other)
    with open(stamp, "w") as file:
        file.write(wanted)


def compile_messages():
    sources = sorted(glob.glob(os.path.join(ROOT, "locale", "*", "LC_MESSAGES", "django.po")))
    if any(
        not os.path.exists(path[:-2] + "mo")
        or os.path.getmtime(path[:-2] + "mo") < os.path.getmtime(path)
        for path in sources
    ):
        run(
            [os.path.join(VENV, "bin", "python"), "-m", "deploy.messages", "compile"],
            "Compiling translations",
        )


def main():
    """``local`` is enough to run; ``dev`` adds the tools and contains ``local``. ``ray`` is an
    environment beside it, as a node of a Ray cluster has it."""
    level = sys.argv[1] if len(sys.argv) > 1 else "local"
    if level not in ("local", "dev", "ray"):
        sys.exit("usage: setup.py [local|dev|ray]")
    if level == "ray":
        install(level, VENV + "-ray")
        return
    if level == "local" and os.path.exists(os.path.join(VENV, ".dure-dev")):
        level = "dev"
    install(level, VENV)
    compile_messages()


if __name__ == "__main__":
    main()

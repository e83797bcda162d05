#!/bin/sh
# Make the virtual environment $1 with everything that demo and tests need; say what is done.
# Needs Debian or Ubuntu with Python 3.11 or later; uses sudo for apt where it is not run by root.
set -eu
venv=$1
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

python=${PYTHON:-}
for candidate in $python python3.11 python3.12 python3.13 python3; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { say "error: no Python 3.11 or later; install python3.11 or give PYTHON=..."; exit 1; }

packages=
command -v g++ >/dev/null 2>&1 || packages="$packages g++"                  # Verilator's and CXXRTL's simulators
command -v perl >/dev/null 2>&1 || packages="$packages perl"                # verilator is a perl script
command -v icetime >/dev/null 2>&1 || packages="$packages fpga-icestorm"    # the second opinion on speed
[ -e /usr/share/fpga-icestorm/chipdb/chipdb-5k.txt ] || packages="$packages fpga-icestorm-chipdb"
command -v flac >/dev/null 2>&1 || packages="$packages flac"                # references of scripts/bench.py
command -v wavpack >/dev/null 2>&1 || packages="$packages wavpack"
"$python" -c 'import ensurepip, venv' 2>/dev/null || packages="$packages $(basename "$python")-venv"
if [ -n "$packages" ]; then
    sudo=
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    say "installing$packages with apt"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $packages >/dev/null
fi

say "virtual environment $venv with $("$python" --version)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip="$venv/bin/python -m pip --disable-pip-version-check"
say "torch, the build that constraints.txt pins"
$pip install -q ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' constraints.txt)"
say "the project with all its extras"
$pip install -q -c constraints.txt -e '.[all]'
say "done"

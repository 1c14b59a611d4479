#!/bin/sh
# Puts the Python packages that tests and CI compare with into target/venv, at pinned versions.
# Does nothing when the pins are installed already. PYTHON names the interpreter (default: python3).
set -eu
cd "$(dirname "$0")/.."

pins='scipy==1.17.1
statsmodels==0.15.0
ruff==0.17.6
pylint==4.1.4
flake8==7.5.0
flake8-bugbear==26.10.27
flake8-simplify==0.31.1
flake8-async==26.8.1'
stamp=target/venv/leakbench-pins.txt

if [ -x target/venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$pins" ]; then
    echo "target/venv: pins match, nothing to do"
    exit 0
fi

"${PYTHON:-python3}" -m venv target/venv
# shellcheck disable=SC2086  # one argument per pin
target/venv/bin/python -m pip install --quiet --disable-pip-version-check $pins
printf '%s\n' "$pins" >"$stamp"
echo "target/venv: installed" $pins

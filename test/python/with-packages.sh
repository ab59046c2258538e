#!/usr/bin/env bash
# Runs a Python program with packages of PyPI that are installed into a temporary environment of its own.
# Usage: with-packages.sh PACKAGE… -- PROGRAM [ARGUMENT…]
# PYTHON names the interpreter. Default: Debian's. Needs its venv module (python3-venv).
set -euo pipefail

packages=()
while [ "${1:---}" != -- ]; do
  packages+=("$1")
  shift
done
shift
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
"${PYTHON:-/usr/bin/python3}" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
PATH="$environment/bin:$PATH" "$environment/bin/python" "$@"

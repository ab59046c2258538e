#!/usr/bin/env bash
# Rehearses scenarios through published gateways: mcp-airlock and ContextForge, installed from PyPI into a temporary folder.
# Each gateway is configured to deny, limit and hide. It has to pass its scenario, and a second scenario of rules that it
# was not given has to find them missing. Needs a build, curl, Python 3.11 (PYTHON names another one) for mcp-airlock, and
# Python 3.12 (or PYTHON312) for ContextForge. Without a 3.12, uv of PyPI downloads one. Ends with "N passed, N failed".
# Usage: run.sh [airlock] [contextforge]
set -uo pipefail
cd "$(dirname "$0")/../.."
here=test/gateways
work=$(mktemp -d)
gateway=
trap '[ -z "$gateway" ] || { kill "$gateway"; wait "$gateway"; } 2>/dev/null; rm -rf "$work"' EXIT
passed=0
failed=0

# verdict WHAT STATUS: counts a check
verdict() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)) && echo "ok   $1"; else failed=$((failed + 1)) && echo "FAIL $1"; fi
}

rehearse() { timeout 300 node dist/servers/cli.js rehearse "$@" </dev/null; }

# finds_missing REPORT: whether a report has the two rows of a scenario of missing rules, and both are wrong
finds_missing() { grep -q '^2 rows: 0 ok, 2 wrong, 0 not checked' "$1"; }

# environment FOLDER PYTHON PACKAGE…
environment() {
  local folder=$1 python=$2
  shift 2
  "$python" -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "$@"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

airlock() {
  environment "$work/airlock" "${PYTHON:-python3}" mcp-airlock==0.4.1 || return 1
  local proxy="$work/airlock/bin/mcp-airlock" server callers
  AIRLOCK_JWT_SECRET=$(head -c 32 /dev/urandom | base64)
  export AIRLOCK_JWT_SECRET AIRLOCK_UPSTREAM_AUTH='Bearer understudy-paid-token'
  callers=(--bearer "$(python3 $here/token.py "$AIRLOCK_JWT_SECRET" alice)" --bearer "$(python3 $here/token.py "$AIRLOCK_JWT_SECRET" bob)")
  through() {
    rehearse --scenario "$2" --protocol 2026-07-28 "${callers[@]}" \
      -- "$proxy" --policy "$1" --upstream '{upstream}' --port '{port}' --audit '{tmp}/audit.jsonl'
  }
  for server in instanode safebot; do
    through $here/airlock/$server.yaml $here/airlock/$server-scenario.yaml
    verdict "mcp-airlock 0.4.1 passes the scenario of $server" $?
  done
  through $here/airlock/safebot.yaml $here/airlock/missing.yaml | tee "$work/report"
  finds_missing "$work/report"
  verdict 'rules that mcp-airlock was not given are found missing' $?
}

contextforge() {
  local python
  python=$(python312) || { echo 'SKIPPED: ContextForge 1.1.0, because it needs Python 3.12: set PYTHON312 to one'; return 0; }
  environment "$work/contextforge" "$python" mcp-contextforge-gateway==1.1.0 'cpex-rate-limiter>=0.1.12,<0.2' || return 1
  local bin="$work/contextforge/bin" port url token name
  port=$(free_port)
  for name in JWT_SECRET_KEY AUTH_ENCRYPTION_SECRET DEFAULT_USER_PASSWORD PLATFORM_ADMIN_PASSWORD BASIC_AUTH_PASSWORD; do
    export "$name=Aa1!$(head -c 36 /dev/urandom | base64 | tr -d '\n')"
  done
  export DATABASE_URL="sqlite:///$work/contextforge.db" CACHE_TYPE=memory LOG_LEVEL=ERROR PLATFORM_ADMIN_EMAIL=admin@example.com
  export PLUGINS_ENABLED=true PLUGINS_CONFIG_FILE="$PWD/$here/contextforge/plugins.yaml" SSRF_ALLOW_LOCALHOST=true
  (cd "$work" && exec "$bin/mcpgateway" --host 127.0.0.1 --port "$port" >"$work/log" 2>&1) &
  gateway=$!
  answers "http://127.0.0.1:$port/health" || { tail -n 5 "$work/log"; return 1; }
  token=$("$bin/python" -m mcpgateway.utils.create_jwt_token --username admin@example.com --admin --exp 60 \
    --secret "$JWT_SECRET_KEY" 2>/dev/null | tail -n 1)
  local id upstream control
  id=$(python3 -c 'import uuid; print(uuid.uuid4().hex)')
  upstream=$(free_port)
  control=$(free_port)
  local through=(--via "http://127.0.0.1:$port/servers/$id/mcp" --instanode-port "$upstream" --control-port "$control" --bearer "$token")
  # The upstream is registered while it waits in front of the rehearsal.
  rehearse --scenario $here/contextforge/scenario.yaml "${through[@]}" --attach &
  local waiting=$!
  answers "http://127.0.0.1:$control/healthz" &&
    python3 $here/contextforge/register.py "http://127.0.0.1:$port" "http://127.0.0.1:$upstream/mcp" "$token" "$id" \
      inst-list-resources inst-claim-token inst-create-webhook inst-create-postgres &&
    curl -sf -X POST -o /dev/null "http://127.0.0.1:$control/rehearsal/start" || kill "$waiting"
  wait "$waiting"
  verdict 'ContextForge 1.1.0 passes the scenario of instanode' $?
  rehearse --scenario $here/contextforge/missing.yaml "${through[@]:0:4}" "${through[@]:6}" | tee "$work/report"
  finds_missing "$work/report"
  verdict 'rules that ContextForge was not given are found missing' $?
}

# python312: prints the path of a Python 3.12, which uv brings if there is none
python312() {
  local found
  found=$("${PYTHON312:-python3.12}" -c 'import sys; print(sys.executable)' 2>/dev/null) && { echo "$found"; return; }
  environment "$work/uv" python3 uv >&2 &&
    UV_PYTHON_INSTALL_DIR="$work/python" "$work/uv/bin/uv" python install --quiet 3.12 >&2 &&
    UV_PYTHON_INSTALL_DIR="$work/python" "$work/uv/bin/uv" python find 3.12
}

# answers URL: waits up to two minutes for a URL to answer
answers() {
  for _ in $(seq 240); do
    curl -sf -m 5 -o /dev/null "$1" && return 0
    sleep 0.5
  done
  return 1
}

[ $# -gt 0 ] || set -- airlock contextforge
for name in "$@"; do
  "$name" || verdict "$name can be installed and started" 1
done
echo
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

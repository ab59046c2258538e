#!/usr/bin/env bash
# Two replicas on one PostgreSQL: a task is posted on one, claimed and acknowledged on the other, while the first is killed.
#
#   bash examples/replicas.sh postgres://USER:PASSWORD@HOST/DATABASE
#
# or with UNDERSTUDY_STORE set. Needs curl, and a build (npm run build). What it makes is in the schema understudy_example,
# unless the URL names another; drop that afterwards. Ends with 0 if all of it was so, else says what was not.
set -euo pipefail
cd "$(dirname "$0")/.."

store=${1:-${UNDERSTUDY_STORE:-}}
if [ -z "$store" ]; then
  echo "name the store: bash examples/replicas.sh postgres://USER:PASSWORD@HOST/DATABASE" >&2
  exit 2
fi
case $store in
  *schema=*) ;;
  *\?*) store="$store&schema=understudy_example" ;;
  *) store="$store?schema=understudy_example" ;;
esac

work=$(mktemp -d)
pids=()
stop() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap stop EXIT

# start NAME: starts a replica; its line of JSON goes to $work/NAME
start() {
  node dist/servers/cli.js up --store "$store" --instanode-port 0 --safebot-port 0 --control-port 0 --json \
    >"$work/$1" 2>"$work/$1.err" &
  pids+=($!)
  for _ in $(seq 100); do
    [ -s "$work/$1" ] && return
    kill -0 "${pids[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "replica $1 did not start: $(cat "$work/$1.err")" >&2
  exit 1
}

# url NAME SERVER: where a replica has it
url() { grep -oE "\"$2\":\{\"(mcp|url)\":\"[^\"]+" "$work/$1" | grep -oE 'http.*'; }

# call NAME HANDLE TOOL ARGUMENTS: a tool of Safebot on a replica
call() {
  curl -sS "$(url "$1" safebot)" -H 'Content-Type: application/json' -H "X-Safebot-Handle: $2" \
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'"$3"'","arguments":'"$4"'}}'
}

# field NAME: the first text of that name in the JSON on stdin
field() { grep -oE "\"$1\":\"[^\"]+" | head -1 | cut -d'"' -f4 || true; }

# has WHAT TEXT PART
has() {
  if grep -qF -- "$3" <<<"$2"; then echo "ok   $1"; else echo "FAIL $1: no '$3' in '$2'" >&2; exit 1; fi
}

start one
start two
has 'they know of each other' "$(curl -sS "$(url two control)/replicas")" '"self":false'

room=$(call one alice create_room '{}' | field url)
has 'a room is made on the first' "$room" '/room/'
call two bob claim_task '{"url":"'"$room"'","timeout_seconds":30}' >"$work/claimed" &
waiting=$!
for _ in $(seq 100); do
  curl -sS "$(url two control)/state/safebot" | grep -qF '"tool":"claim_task"' && break
  sleep 0.1
done
has 'a task is posted on the first' \
  "$(call one alice send_message '{"url":"'"$room"'","text":"sweep the floor"}')" '"seq":'
wait "$waiting"
claimed=$(cat "$work/claimed")
has 'who waited on the second is given it' "$claimed" 'sweep the floor'
claim=$(field claim_id <<<"$claimed")
seq=$(grep -oE '"seq":[0-9]+' <<<"$claimed" | head -1 | cut -d: -f2)

# Asked for, it is written: by itself it would be within 50 ms, which one that is killed may not have.
has 'the journal of the second has it' "$(curl -sS "$(url two control)/journal?tool=send_message")" 'sweep the floor'

kill -9 "${pids[0]}"
wait "${pids[0]}" 2>/dev/null || true
echo 'ok   the first is killed'
has 'it is acknowledged on the second' \
  "$(call two bob ack_task '{"url":"'"$room"'","claim_id":"'"$claim"'","seq":'"${seq:-0}"'}')" '"advanced":true'

start three
has 'a third has nothing left to claim' \
  "$(call three bob claim_task '{"url":"'"$room"'","timeout_seconds":1}')" '"task":null'
has 'and the journal of those that are gone' "$(curl -sS "$(url three control)/journal?tool=send_message")" 'sweep the floor'

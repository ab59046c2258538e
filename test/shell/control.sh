#!/usr/bin/env bash
# The control plane with nothing but curl: time, journal, faults, overlays, state, plans, snapshots, readiness.
# Needs curl; starts the built command itself. Ends with 0 if all of it was so.
set -euo pipefail
cd "$(dirname "$0")/../.."

ready=$(mktemp)
events=$(mktemp)
node dist/servers/cli.js up --instanode-port 0 --safebot-port 0 --control-port 0 --clock manual --json >"$ready" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -f "$ready" "$events"' EXIT
for _ in $(seq 100); do [ -s "$ready" ] && break; sleep 0.1; done
url() { grep -oE "\"$1\":\{\"(mcp|url)\":\"[^\"]+" "$ready" | grep -oE 'http.*'; }
instanode=$(url instanode)
safebot=$(url safebot)
control=$(url control)

# ask METHOD PATH [BODY]: prints the answer of the control plane
ask() { curl -sS -X "$1" "$control$2" ${3:+-d "$3"}; }

# status METHOD PATH [BODY]: prints the status of the answer
status() { curl -sS -o /dev/null -w '%{http_code}' -X "$1" "$control$2" ${3:+-d "$3"}; }

# call URL TOOL ARGUMENTS [HEADER]: prints the answer of a server
call() {
  curl -sS "$1" -H 'Content-Type: application/json' ${4:+-H "$4"} \
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'"$2"'","arguments":'"$3"'}}'
}
paid='Authorization: Bearer understudy-paid-token'
free='Authorization: Bearer understudy-free-token'

# expect WHAT GOT WANTED
expect() {
  if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: got '$2', wanted '$3'"; exit 1; fi
}

# has WHAT TEXT PART
has() {
  if grep -qF -- "$3" <<<"$2"; then echo "ok   $1"; else echo "FAIL $1: no '$3' in '$2'"; exit 1; fi
}

has 'it says what there is' "$(ask GET /)" 'POST   /clock/advance'
has 'it is alive' "$(ask GET /healthz)" '"status":"ok"'
has 'it is ready' "$(ask GET /readyz)" '"ready":true'
has 'it describes itself' "$(ask GET /openapi.json)" '"openapi":"3.1.0"'

has 'the clock stands still' "$(ask GET /clock)" '"mode":"manual","now":"2026-01-01T00:00:00.000Z"'
has 'a day passes' "$(ask POST /clock/advance '{"ms":86400000}')" '"now":"2026-01-02T00:00:00.000Z"'
has 'the clock is set back' "$(ask PUT /clock '{"now":"2026-01-01T00:00:00Z"}')" '"nowMs":1767225600000'
has 'time does not run backwards' "$(ask POST /clock/advance '{"ms":-1}')" '"code":"bad_advance"'

call "$instanode" list_resources '{}' "$paid" >/dev/null
has 'a call is in the journal' "$(ask GET '/journal?tool=list_resources')" '"caller":"acct_paid"'
has 'a call is there with its answer' "$(ask GET /journal/entries/1)" '"answer":"{'
has 'what has come is waited for' "$(ask POST /journal/wait '{"where":{"tool":"list_resources","outcome":"ok"}}')" '"seq":1'
has 'what does not come is told by its nearest miss' \
  "$(ask POST /journal/wait '{"where":{"tool":"list_resources","caller":"acct_free"},"timeoutMs":0}')" 'caller is \"acct_paid\", not \"acct_free\"'
has 'that nothing came is proved' "$(ask POST /journal/expect-nothing '{"where":{"tool":"delete_resource"}}')" '"ok":true'
expect 'that it did is a conflict' "$(status POST /journal/expect-nothing '{"where":{"tool":"list_resources"}}')" 409
curl -sS -N "$control/journal/stream?after=0" >"$events" &
follower=$!
for _ in $(seq 100); do grep -q 'event: ended' "$events" && break; sleep 0.1; done
kill "$follower" && { wait "$follower" 2>/dev/null || true; }
has 'the journal is streamed' "$(cat "$events")" 'event: ended'
has 'the journal is cleared' "$(ask DELETE /journal; ask GET /journal)" '"entries":[]'

fault='{"server":"instanode","tool":"list_resources","when":{"nth":2},"do":{"toolError":"out of order"}}'
has 'a fault is set' "$(ask PUT /faults "{\"faults\":[$fault]}")" '"hits":0'
expect 'it has not come yet' "$(status POST /faults/expect-all-hit)" 409
expect 'the first call is fine' "$(call "$instanode" list_resources '{}' "$paid" | grep -c 'out of order' || true)" 0
has 'the second is not' "$(call "$instanode" list_resources '{}' "$paid")" 'out of order'
expect 'it has come' "$(status POST /faults/expect-all-hit)" 200
has 'what was read can be set again' "$(ask PUT /faults "$(ask GET /faults)")" '"hits":0'
has 'an unknown fault is named' "$(ask PUT /faults '{"faults":[{"server":"instanode","tool":"*","when":{"nth":1},"do":{"explode":true}}]}')" 'no kind of fault'
has 'the faults are as before' "$(ask GET /faults)" 'out of order'
expect 'they go' "$(ask DELETE /faults)" '{"faults":[]}'

list() { curl -sS "$safebot" -H 'Content-Type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'; }
ask PUT /catalogue '{"overlays":[{"server":"safebot","tool":"ack_task","do":{"describe":"rug pulled"}}]}' >/dev/null
has 'a description is changed' "$(list)" 'rug pulled'
has 'what was read can be laid again' "$(ask PUT /catalogue "$(ask GET /catalogue)")" '"lists":0'
ask DELETE /catalogue >/dev/null
expect 'and is genuine again' "$(list | grep -c 'rug pulled' || true)" 0

made=$(call "$instanode" create_webhook '{"name":"shell"}' "$free")
hook=$(grep -oE '"receive_url":"[^"]+' <<<"$made" | grep -oE 'http.*')
curl -sS "$hook" -d 'delivered' >/dev/null
state=$(ask GET /state)
has 'the state shows what was delivered' "$state" '"body":"delivered"'
expect 'and no secret' "$(grep -cF "${hook##*/}" <<<"$state" || true)" 0
has 'unless it is asked to' "$(ask GET '/state/instanode?secrets=1')" "${hook##*/}"
has 'an account is upgraded' "$(ask POST /accounts/acct_free '{"plan":"paid"}')" '"plan":"paid"'
has 'and has what it owns for good' "$(call "$instanode" list_resources '{}' "$free")" '"expires_at":null'
has 'an unknown account is named' "$(ask POST /accounts/nobody '{"plan":"paid"}')" '"code":"unknown_account"'

expect 'it shares nothing with anybody' "$(ask GET /replicas)" '{"store":null,"replicas":[]}'

has 'a snapshot is taken' "$(ask POST /snapshots)" '"id":"snapshot-1"'
ask POST /clock/advance '{"ms":1000}' >/dev/null
call "$instanode" create_webhook '{"name":"to be lost"}' "$paid" >/dev/null
has 'and gone back to' "$(ask POST /snapshots/snapshot-1/restore)" '2026-01-01T00:00:00.000Z'
expect 'what came later is gone' "$(ask GET /state | grep -c 'to be lost' || true)" 0
has 'it is listed' "$(ask GET /snapshots)" 'snapshot-1'
expect 'and deleted' "$(ask DELETE /snapshots/snapshot-1)" '{"snapshots":[]}'
expect 'an unknown one is not found' "$(status POST /snapshots/snapshot-1/restore)" 404
has 'all begins anew' "$(ask POST /reset)" '2026-01-01T00:00:00.000Z'
has 'with nothing in it' "$(ask GET /state/instanode)" '"resources":[]'
has 'or in another world' "$(ask POST /reset '{"world":"empty"}'; ask GET /state/instanode)" '"accounts":[]'
has 'or not, if there is none' "$(ask POST /reset '{"world":"atlantis"}')" 'atlantis'

has 'there is no gateway' "$(ask GET /gateways)" '{"gateways":[]}'
has 'so none has judged a call' "$(ask GET /gateways/audit)" '"entries":[]'
has 'and nothing waits for an approval' "$(ask GET /approvals)" '{"approvals":[]}'
expect 'an unknown one is not found' "$(status POST /approvals/apr_nothing '{"decision":"approve"}')" 404

has 'calls are counted' "$(ask GET /metrics)" 'understudy_calls_total{server="instanode",tool="list_resources",outcome="ok"}'
expect 'nothing else is there' "$(status GET /nowhere)" 404
expect 'a method too many' "$(status PATCH /clock)" 405
expect 'a foreign page is kept out' "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Origin: https://evil.example' "$control/clock")" 403
expect 'a foreign host is kept out' "$(curl -sS -o /dev/null -w '%{http_code}' -H 'Host: evil.example' "$control/clock")" 403
expect 'the servers know nothing of it' "$(curl -sS -o /dev/null -w '%{http_code}' "${safebot%/mcp}/clock")" 404

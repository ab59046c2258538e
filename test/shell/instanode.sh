#!/usr/bin/env bash
# What a person with curl and psql sees of Instanode, from an empty folder: a live database and a live receiver.
# Needs curl and psql; starts the built command itself. Ends with 0 if all of it was so.
set -euo pipefail
cd "$(dirname "$0")/../.."

ready=$(mktemp)
node dist/servers/cli.js up --instanode-port 0 --safebot-port 0 --control-port 0 --json >"$ready" &
server=$!
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; rm -f "$ready"' EXIT
for _ in $(seq 100); do [ -s "$ready" ] && break; sleep 0.1; done
mcp=$(grep -oE '"instanode":\{"mcp":"[^"]+' "$ready" | grep -oE 'http.*')

# call TOOL ARGUMENTS [TOKEN]: prints the answer
call() {
  curl -sS "$mcp" -H 'Content-Type: application/json' ${3:+-H "Authorization: Bearer $3"} \
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'"$1"'","arguments":'"$2"'}}'
}

# expect WHAT GOT WANTED
expect() {
  if [ "$2" = "$3" ]; then echo "ok   $1"; else echo "FAIL $1: got '$2', wanted '$3'"; exit 1; fi
}

made=$(call create_postgres '{"name":"shell"}')
url=$(grep -oE '"connection_url":"[^"]+' <<<"$made" | grep -oE 'postgres://.*')
token=$(grep -oE '"token":"[^"]+' <<<"$made" | grep -oE '[0-9a-f-]{36}')
# refusal OUTPUT: the reason that psql gives; it tries with TLS and without, and reports both
refusal() { grep -o 'password authentication failed' <<<"$1" | uniq; }
sql() { psql "$url" -v ON_ERROR_STOP=1 -qAt "$@"; }

sql -c 'CREATE TABLE items (id serial PRIMARY KEY, body text, embedding vector(3))'
sql -c 'BEGIN' -c "INSERT INTO items (body, embedding) VALUES ('kept', '[1,2,3]')" -c 'COMMIT'
sql -c 'BEGIN' -c "INSERT INTO items (body, embedding) VALUES ('undone', '[9,9,9]')" -c 'ROLLBACK'
sql -c 'CREATE INDEX ON items USING hnsw (embedding vector_l2_ops)'
expect 'a transaction keeps and undoes' "$(sql -c 'SELECT string_agg(body, $$,$$) FROM items')" kept
expect 'a vector is found' "$(sql -c "SELECT body FROM items ORDER BY embedding <-> '[1,2,2]' LIMIT 1")" kept
printf '7\tcopied\n' | sql -c 'COPY items (id, body) FROM STDIN'
expect 'COPY takes rows' "$(sql -c 'SELECT body FROM items WHERE id = 7')" copied
wrong=$(psql "${url/:\/\/usr_/:\/\/usr_0}" -c 'SELECT 1' 2>&1 || true)
expect 'a stranger is refused' "$(refusal "$wrong")" 'password authentication failed'

call claim_token '{"token":"'"$token"'"}' understudy-paid-token >/dev/null
expect 'a paid account owns what it claims' "$(call list_resources '{}' understudy-paid-token | grep -c '"tier":"paid"')" 1
expect 'another does not see it' "$(call list_resources '{}' understudy-paid-token-2 | grep -c "$token" || true)" 0
call delete_resource '{"token":"'"$token"'"}' understudy-paid-token >/dev/null
gone=$(psql "$url" -c 'SELECT 1' 2>&1 || true)
expect 'what is deleted cannot be reached' "$(refusal "$gone")" 'password authentication failed'

hook=$(call create_webhook '{"name":"shell"}' | grep -oE '"receive_url":"[^"]+' | grep -oE 'http.*')
for method in POST PUT PATCH DELETE OPTIONS; do
  expect "a receiver takes $method" "$(curl -sS -X "$method" "$hook?from=shell" -d "by $method" | grep -c '"ok":true')" 1
done
log=$(curl -sS "$hook")
expect 'GET reads the log back' "$(grep -oE '"total":[0-9]+' <<<"$log")" '"total":5'
expect 'the newest comes first' "$(grep -oE '"body":"[^"]+' <<<"$log" | head -1)" '"body":"by OPTIONS'
head -c 1048577 /dev/zero >"$ready"
expect 'a megabyte and a byte is too much' "$(curl -sS -o /dev/null -w '%{http_code}' --data-binary @"$ready" "$hook")" 413

api=${mcp%/mcp}
expect 'the service is ready' "$(curl -sS "$api/readyz")" '{"checks":{"customer_db":"ok","platform_db":"ok","redis":"ok"},"ok":true}'
made=$(curl -sS "$api/db/new" -d '{"name":"over HTTP"}')
url=$(grep -oE '"connection_url":"[^"]+' <<<"$made" | grep -oE 'postgres://.*')
token=$(grep -oE '"token":"[^"]+' <<<"$made" | grep -oE '[0-9a-f-]{36}')
expect 'a database made over HTTP answers' "$(sql -c 'SELECT 1 + 1')" 2
curl -sS "$api/api/me/claim" -H 'Authorization: Bearer understudy-paid-token' -d '{"token":"'"$token"'"}' >/dev/null
expect 'and is claimed there' "$(call list_resources '{}' understudy-paid-token | grep -c "$token")" 1
status=$(curl -sS -o /dev/null -w '%{http_code}' -X DELETE "$api/api/me/resources/$token" -H 'Authorization: Bearer understudy-free-token')
expect 'a free account cannot end it' "$status" 403

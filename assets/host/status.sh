#!/bin/sh
# status.sh look: prints how things are on a host, one `name=value` a line, and changes nothing. No part of it waits longer
# than a second and a half, because a gateway or an engine that hangs is just when people ask.
#   CONTAINER PORT   the gateway
#   BROWSER          the browser's container beside it, or nothing
#   MARKER           text in the notes of the stack's workspaces in KASM
set -u

ask() { timeout 1.5 "$@" 2>/dev/null </dev/null; }

container() {
  # An engine that does not answer is another thing than a container that is not there.
  ask docker ps --quiet >/dev/null || return
  # shellcheck disable=SC2016 # a template of Docker's
  ask docker inspect --type container --format 'containerId={{.Id}}
image={{.Config.Image}}
state={{.State.Status}}
health={{if index .State "Health"}}{{.State.Health.Status}}{{end}}
restarts={{.RestartCount}}
startedAt={{.State.StartedAt}}
cpuLimit={{.HostConfig.NanoCpus}}
memoryLimit={{.HostConfig.Memory}}
{{range $name, $_ := .NetworkSettings.Networks}}network={{$name}}
{{end}}{{range $name, $_ := .Config.Labels}}label={{$name}}
{{end}}{{range .Config.Env}}env={{index (split . "=") 0}}
{{end}}' "$CONTAINER" || { echo 'state=missing' && return; }
  # shellcheck disable=SC2016
  ask docker image inspect --format '{{range .Config.Env}}imageEnv={{index (split . "=") 0}}
{{end}}{{range $name, $_ := .Config.Labels}}imageLabel={{$name}}
{{end}}' "$(ask docker inspect --format '{{.Image}}' "$CONTAINER")"
}

browser() {
  [ -n "$BROWSER" ] || return 0
  # shellcheck disable=SC2016
  ask docker inspect --type container --format 'browser={{.State.Status}}{{if .State.Health}}, {{.State.Health.Status}}{{end}}' "$BROWSER" ||
    echo browser=missing
}

# The numbers that matter of Docker's long answer, each by its first appearance.
sample() {
  ask curl --silent --unix-socket /var/run/docker.sock "http://docker/v1.41/containers/$CONTAINER/stats?stream=false&one-shot=true" |
    sed 's/"precpu_stats".*"memory_stats"/"memory_stats"/' |
    grep -oE '"(total_usage|system_cpu_usage|online_cpus|usage|inactive_file)":[0-9]+' |
    awk -F'[":]+' -v prefix="$1" '!seen[$2]++ { print prefix "." $2 "=" $3 }'
}

# One sample says nothing about the processor, so there are two.
use() {
  sample first
  sleep 0.5
  sample second
}

gateway() {
  printf 'healthz='
  ask curl --silent --max-time 1.5 --write-out ' %{http_code}' "http://127.0.0.1:$PORT/healthz" | tr -d '\n'
  echo
}

data() {
  printf 'dataKb='
  # As the user whose files they are, with either image: the container's root may not read everybody's.
  {
    for user in 1000 0; do ask docker exec --user "$user" "$CONTAINER" du -sk /data | cut -f 1 & done
    wait
  } | sort -n | tail -n 1 | tr -d '\n'
  echo
}

# KASM's own records, read only; there is no kasm_db where the database is elsewhere.
sql() {
  ask docker exec -e PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=1000' kasm_db \
    psql -U kasmapp -d kasm -X -A -t -F '|' -v ON_ERROR_STOP=1 -c "$1"
}

kasm() {
  ask docker inspect --format 'kasmDb={{.State.Status}}' kasm_db || return
  tiles=$(sql "SELECT replace(image_id::text, '-', ''), friendly_name, name, enabled, available FROM images
    WHERE position('$MARKER' IN notes) > 0 ORDER BY friendly_name") || return
  echo tiles=known
  printf '%s\n' "$tiles" | sed -n 's/^./tile=&/p'
  # KASM's times are UTC, whatever the database's zone is.
  sql "SELECT i.friendly_name, COALESCE(u.username, '-'), k.operational_status,
      floor(extract(epoch FROM now() AT TIME ZONE 'utc' - k.start_date))
    FROM kasms k JOIN images i ON i.image_id = k.image_id LEFT JOIN users u ON u.user_id = k.user_id
    WHERE position('$MARKER' IN i.notes) > 0 ORDER BY k.start_date" | sed -n 's/^./session=&/p'
}

look() {
  # Side by side, and each said in one piece.
  for part in container browser use gateway data kasm; do
    { said=$($part); printf '%s\n' "$said"; } &
  done
  wait
  echo complete=yes
}

case $1 in
  look) look ;;
esac

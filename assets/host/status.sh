#!/bin/sh
# status.sh look: prints how things are on a host, one `name=value` a line, and changes nothing. No part of it waits longer
# than two seconds, because a gateway or an engine that hangs is just when people ask.
#   CONTAINER PORT   the gateway
#   BROWSER          the browser's container beside it, or nothing
#   PROXY            KASM's proxy container
#   IMAGES           SQL pattern for the names of the images whose sessions are of interest
set -u

ask() { timeout 2 "$@" 2>/dev/null </dev/null; }

container() {
  # shellcheck disable=SC2016 # a template of Docker's
  ask docker inspect --type container --format 'containerId={{.Id}}
image={{.Config.Image}}
state={{.State.Status}}
health={{if .State.Health}}{{.State.Health.Status}}{{end}}
restarts={{.RestartCount}}
startedAt={{.State.StartedAt}}
cpuLimit={{.HostConfig.NanoCpus}}
memoryLimit={{.HostConfig.Memory}}
{{range $name, $_ := .NetworkSettings.Networks}}network={{$name}}
{{end}}{{range $name, $_ := .Config.Labels}}label={{$name}}
{{end}}{{range .Config.Env}}env={{index (split . "=") 0}}
{{end}}' "$CONTAINER" || echo 'state=missing'
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
  ask curl --silent --max-time 2 --write-out ' %{http_code}' "http://127.0.0.1:$PORT/healthz" | tr -d '\n'
  echo
  printf 'dataKb='
  # As the user whose files they are, with either image: the container's root may not read everybody's.
  for user in 1000 0; do ask docker exec --user "$user" "$CONTAINER" du -sk /data | cut -f 1; done | sort -n | tail -n 1 | tr -d '\n'
  echo
}

# KASM's own records, read only; there is no kasm_db where the database is elsewhere.
sql() {
  ask docker exec -e PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=1500' kasm_db \
    psql -U kasmapp -d kasm -X -A -t -F '|' -v ON_ERROR_STOP=1 -c "$1" | sed "s/^/$2=/"
}

kasm() {
  ask docker inspect --format 'proxy={{.State.Status}}' "$PROXY"
  sql "SELECT friendly_name, name, enabled, available FROM images WHERE name LIKE '$IMAGES' OR notes LIKE 'openclaw-kasm%' ORDER BY 1" tile
  sql "SELECT i.friendly_name, COALESCE(u.username, '-'), k.operational_status, floor(extract(epoch FROM now() - k.start_date))
    FROM kasms k JOIN images i ON i.image_id = k.image_id LEFT JOIN users u ON u.user_id = k.user_id
    WHERE i.name LIKE '$IMAGES' OR i.notes LIKE 'openclaw-kasm%' ORDER BY k.start_date" session
}

look() {
  # Side by side, and each said in one piece.
  for part in container browser use gateway kasm; do
    { said=$($part) && printf '%s\n' "$said"; } &
  done
  wait
  echo complete=yes
}

case $1 in
  look) look ;;
esac

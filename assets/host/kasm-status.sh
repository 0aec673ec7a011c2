#!/bin/sh
# kasm-status.sh look: prints what KASM knows of a stack's tiles, one `name=value` a line, and changes nothing.
#   MARKER     text in the notes of the stack's workspaces in KASM
#   PATIENCE   seconds that each question may take
set -u

. ./ask.sh

# KASM's own records, read only, and never for long. Its times are UTC, whatever the database's zone is.
records() {
  ask docker exec --env PGCONNECT_TIMEOUT=2 \
    --env PGOPTIONS='-c default_transaction_read_only=on -c statement_timeout=1000' kasm_db \
    psql -U kasmapp -d kasm -X -q -A -t -F "$(printf '\t')" -v ON_ERROR_STOP=1 -c "
      SELECT 'tile', replace(image_id::text, '-', ''), $(line friendly_name), name, enabled, available FROM images
      WHERE position('$MARKER' IN notes) > 0 ORDER BY friendly_name" -c "
      SELECT 'session', $(line i.friendly_name), COALESCE($(line u.username), '-'), k.operational_status,
        floor(extract(epoch FROM now() AT TIME ZONE 'utc' - k.start_date))
      FROM kasms k JOIN images i ON i.image_id = k.image_id LEFT JOIN users u ON u.user_id = k.user_id
      WHERE position('$MARKER' IN i.notes) > 0 ORDER BY k.start_date"
}

# Names are people's own: no tab and no line's end, which part columns and rows here, stays in them.
line() { echo "regexp_replace($1, '[[:space:]]+', ' ', 'g')"; }

look() {
  ask docker ps --quiet >/dev/null || return
  echo docker=answers
  state=$(ask docker inspect --type container --format '{{.State.Status}}' kasm_db)
  # There is no kasm_db where the database is elsewhere.
  case $? in
    0) echo "kasmDb=$state" ;;
    1) echo kasmDb=elsewhere && return ;;
    *) return ;;
  esac
  found=$(records) || return
  echo tiles=known
  printf '%s\n' "$found" | sed "s/$(printf '\t')/=/"
}

case $1 in
  look) look ;;
esac

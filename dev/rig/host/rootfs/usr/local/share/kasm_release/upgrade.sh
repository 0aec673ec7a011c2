#!/usr/bin/env bash
# upgrade.sh: brings KASM to the next patch release as the vendor's script does: a new directory, fresh services.d, a new
# database volume, recreated containers. The new release's images are the old ones under new tags.
set -euo pipefail
release=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=files.sh
. "$release/files.sh"

old=$(basename "$(readlink -f "$KASM_DIRECTORY/current")")
new=${old%.*}.$((${old##*.} + 1))
readonly OLD_BASE=$KASM_DIRECTORY/$old NEW_BASE=$KASM_DIRECTORY/$new

# As the vendor wrote it, unquoted: with one file it copies, with two or more `[` fails and nothing is copied.
copy_nginx() {
  # shellcheck disable=SC2046,SC2243
  if [ $(ls -A "$OLD_BASE/conf/nginx/containers.d/") ]; then
    cp "$OLD_BASE"/conf/nginx/containers.d/* "$NEW_BASE/conf/nginx/containers.d/"
  fi
}

for image in postgres api agent proxy; do
  docker tag "kasmweb/$image:$old" "kasmweb/$image:$new"
done
"$KASM_DIRECTORY/bin/stop"
install_files "$new" "$(sed -n 's/^ *POSTGRES_PASSWORD: "\(.*\)"$/\1/p' "$OLD_BASE/docker/docker-compose.yaml")"
cp -a "$OLD_BASE"/certs/. "$NEW_BASE/certs/"
copy_nginx
docker volume create "kasm_db_$new" >/dev/null
docker run --rm --entrypoint cp -v "kasm_db_$old:/old:ro" -v "kasm_db_$new:/new" "kasmweb/postgres:$new" -a /old/. /new/
ln -sfn "$NEW_BASE" "$KASM_DIRECTORY/current"
"$KASM_DIRECTORY/bin/start"

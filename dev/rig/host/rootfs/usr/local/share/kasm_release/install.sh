#!/usr/bin/env bash
# install.sh: puts KASM on this host as the vendor's installer does: files, networks, volume, containers. Its images have
# to be here already.
set -euo pipefail
release=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=files.sh
. "$release/files.sh"

install_files "$KASM_VERSION" "$(openssl rand -hex 16)"
openssl req -x509 -newkey rsa:2048 -nodes -days 1825 -subj "/CN=$(hostname)" \
  -keyout "$KASM_DIRECTORY/$KASM_VERSION/certs/kasm_nginx.key" -out "$KASM_DIRECTORY/$KASM_VERSION/certs/kasm_nginx.crt" 2>/dev/null
ln -s "$KASM_DIRECTORY/$KASM_VERSION" "$KASM_DIRECTORY/current"
ln -s "$KASM_DIRECTORY/current/bin" "$KASM_DIRECTORY/bin"

# The second one belongs to a network plugin of KASM's on a real server.
for network in kasm_default_network kasm_sidecar_network; do
  docker network create --driver bridge "$network" >/dev/null
done
docker volume create "kasm_db_$KASM_VERSION" >/dev/null
"$KASM_DIRECTORY/bin/start"

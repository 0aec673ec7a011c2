#!/usr/bin/env bash
# install.sh: puts KASM on this host as the vendor's installer does: files, networks, volume, containers. Its images have
# to be here already.
set -euo pipefail
readonly VERSION=1.17.0
release=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=files.sh
. "$release/files.sh"

install_files "$VERSION" "$(openssl rand -hex 16)"
openssl req -x509 -newkey rsa:2048 -nodes -days 1825 -subj "/CN=$(hostname)" \
  -keyout "/opt/kasm/$VERSION/certs/kasm_nginx.key" -out "/opt/kasm/$VERSION/certs/kasm_nginx.crt" 2>/dev/null
ln -s "/opt/kasm/$VERSION" /opt/kasm/current
ln -s /opt/kasm/current/bin /opt/kasm/bin

# The second one belongs to a network plugin of KASM's on a real server.
for network in kasm_default_network kasm_sidecar_network; do
  docker network create --driver bridge "$network" >/dev/null
done
docker volume create "kasm_db_$VERSION" >/dev/null
/opt/kasm/bin/start

#!/usr/bin/env bash
# Shared by install.sh and upgrade.sh; sourced, not run.

# shellcheck source=/dev/null # made when the image is built
. /usr/local/share/kasm_release/release.sh

# install_files VERSION DB_PASSWORD: KASM's own files below KASM_DIRECTORY/VERSION.
install_files() {
  local version=$1 password=$2 base=$KASM_DIRECTORY/$1
  install -d "$base"/{certs,conf/nginx/containers.d,log/nginx,tmp,file_mappings}
  # shellcheck disable=SC2154 # set by who sources this
  cp -r "$release"/{bin,conf,docker} "$base/"
  sed -i "s/@VERSION@/$version/g; s/@DB_PASSWORD@/$password/; s,/opt/kasm/,$KASM_DIRECTORY/," "$base/docker/docker-compose.yaml"
  sed -i "s/ @START_OPTIONS@/${KASM_START_OPTIONS:+ $KASM_START_OPTIONS}/" "$base/bin/start"
  chown -R kasm:kasm "$base/conf" "$base/log"
  chmod -R 777 "$base/conf/nginx" "$base/log"
}

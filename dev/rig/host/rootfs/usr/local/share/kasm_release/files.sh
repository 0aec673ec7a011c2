#!/usr/bin/env bash
# Shared by install.sh and upgrade.sh; sourced, not run.

# install_files VERSION DB_PASSWORD: KASM's own files below /opt/kasm/VERSION.
install_files() {
  local version=$1 password=$2 base=/opt/kasm/$1
  install -d "$base"/{certs,conf/nginx/containers.d,log/nginx,tmp,file_mappings}
  # shellcheck disable=SC2154 # set by who sources this
  cp -r "$release"/{bin,conf,docker} "$base/"
  sed -i "s/@VERSION@/$version/g; s/@DB_PASSWORD@/$password/" "$base/docker/docker-compose.yaml"
  chown -R kasm:kasm "$base/conf" "$base/log"
  chmod -R 777 "$base/conf/nginx" "$base/log"
}

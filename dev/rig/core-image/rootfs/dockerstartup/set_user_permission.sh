#!/usr/bin/env bash
# set_user_permission.sh FOLDER...: what a session's user may run and change, by way of group 0.
set -e
for folder in "$@"; do
  find "$folder" \( -name '*.sh' -o -name '*.desktop' \) -exec chmod a+x {} +
  chgrp -R 0 "$folder"
  chmod -R a+rw "$folder"
  find "$folder" -type d -exec chmod a+x {} +
done

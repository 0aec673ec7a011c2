#!/usr/bin/env bash
# KASM runs this in a session before it ends the container. It saves the home of a profile in S3 (KASM_PROFILE_LDR=0); /profiles
# plays the bucket.
set -e
if [ "${KASM_PROFILE_LDR:-}" = 0 ]; then
  tar --create --gzip --file /profiles/profile.tar.gz --directory "$HOME" \
    --exclude .vnc --exclude .cache --exclude Downloads --exclude Uploads --exclude 'Singleton*' .
fi
echo Done

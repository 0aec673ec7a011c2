#!/usr/bin/env bash
# Fills a home that has never been used from the template, which is gone afterwards, then runs the next script of the chain.
set -e
template=/home/kasm-default-profile
if [ -f "$HOME/.bashrc" ]; then
  echo 'Profile already exists. Will not copy default contents'
else
  cp -rp "$template/." "$HOME/"
fi
mkdir -p "$HOME/Uploads" "$HOME/Downloads" "$HOME/Desktop"
ln -sfn "$HOME/Uploads" "$HOME/Desktop/Uploads"
ln -sfn "$HOME/Downloads" "$HOME/Desktop/Downloads"
rm -rf "${template:?}"/*
exec "$@"

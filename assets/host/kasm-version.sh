#!/bin/sh
# kasm-version.sh apply|look|remove: prints the version of the KASM that is installed on this host, and changes nothing.
#   KASM_DIRECTORY   where it is installed
#   OTHERWISE        what is printed where none is
set -eu

[ "$1" != remove ] || exit 0
# Each of KASM's versions has a directory of its own.
version=$(basename "$(readlink "$KASM_DIRECTORY/current" 2>/dev/null)")
case $version in
  [0-9]*.[0-9]*.[0-9]*) echo "$version" ;;
  *) echo "$OTHERWISE" ;;
esac

#!/usr/bin/env bash
# Build step: makes one package of Debian's Chromium that can be installed on another distribution.
#
#   chromium-package.sh DIRECTORY PACKAGE
#
# DIRECTORY has Debian's packages of Chromium and of what it depends on. What apt can install here in the version that Chromium asks
# for stays a dependency of PACKAGE. Any other library is taken into PACKAGE, to a folder in which only Chromium looks for it. So
# nothing of the image that it is installed on has to be replaced, upgraded or removed.
set -euo pipefail

readonly DEBIAN=$1 PACKAGE=$2
readonly LIBRARIES=usr/lib/chromium/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
readonly TREE=$work/tree
mkdir -p "$TREE/DEBIAN" "$TREE/$LIBRARIES"

# Docker's images have apt make its cache anew for each question; this one is kept until the end.
can_install() {
  apt-get -o Dir::Cache::pkgcache="$work/pkgcache.bin" \
    satisfy --simulate --no-remove --no-install-recommends "$1" >/dev/null 2>&1
}

# file_of NAME: path of Debian's package of that name, nothing where there is none.
file_of() { find "$DEBIAN" -name "$1_*.deb" -print -quit; }

# dependencies_of FILE: one on each line, but those among Chromium's own packages.
dependencies_of() {
  { dpkg-deb --field "$1" Pre-Depends && dpkg-deb --field "$1" Depends; } | sed 's/, */\n/g' | grep -Ev '^(chromium|$)'
}

add_libraries() {
  dpkg-deb --extract "$1" "$work/library"
  find "$work/library" -name '*.so.*' -exec cp --no-dereference {} "$TREE/$LIBRARIES/" \;
  rm -rf "$work/library"
}

depends=() own=' ' queue=(chromium chromium-common)
while ((${#queue[@]} > 0)); do
  name=${queue[0]}
  queue=("${queue[@]:1}")
  file=$(file_of "$name")
  case $name in
    chromium*) dpkg-deb --extract "$file" "$TREE" ;;
    *) add_libraries "$file" ;;
  esac
  mapfile -t dependencies < <(dependencies_of "$file")
  for dependency in "${dependencies[@]}"; do
    needed=${dependency%%[ :]*}
    if [[ $own == *" $needed "* ]]; then
      continue
    elif can_install "$dependency"; then
      depends+=("$dependency")
    elif [[ $needed == lib* && $needed != libc6 && -n $(file_of "$needed") ]]; then
      echo "Chromium gets its own $needed"
      own+="$needed "
      queue+=("$needed")
    else
      echo "Chromium can't be installed on this image: $name needs $dependency" >&2
      exit 1
    fi
  done
done

chromium=$(file_of chromium)
dpkg-deb --control "$chromium" "$work/control"
find "$work/control" -name 'p*' -exec cp {} "$TREE/DEBIAN/" \;
{
  echo 'Package: chromium'
  for field in Version Architecture Maintainer Provides Conflicts Breaks; do
    dpkg-deb --showformat "$field: \${$field}\n" --show "$chromium"
  done
  printf 'Description: web browser\nDepends: %s\n' "$(printf '%s\n' "${depends[@]}" | sort -u | paste -sd ,)"
} | grep -v ': $' >"$TREE/DEBIAN/control"
dpkg-deb --root-owner-group -Znone --build "$TREE" "$PACKAGE" >/dev/null

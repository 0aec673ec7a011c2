#!/bin/sh
# data.sh ACTION: works on the gateway's data, which is mounted at /backup/data. It runs as root in a container of its own
# that is made from the gateway's image, so that neither rights nor tools on the host matter.
#   save METADATA    writes a backup to standard output: backup.json (METADATA), SHA256SUMS and data/ as a gzipped tar
#   check DATABASES  reads a backup from standard input and proves that all of it is there and sound; nothing is kept
#   stage DATABASES  the same, and keeps it inside the mount; prints its backup.json
#   swap             puts what is staged in the data's place, and the data aside
#   look             prints "swapped" while data is aside, "torn" where a swap or an undo was cut short
#   undo             puts back what is aside
#   discard          deletes what is staged or aside
# DATABASES is the text of databases.mjs.
set -eu

root=/backup
# Inside the mount, because only there a move is a rename. The gateway's user can't look into it.
aside=.openclaw-kasm-restore

checksums() {
  find . -path "./$aside" -prune -o -type f -print0 | LC_ALL=C sort --zero-terminated |
    xargs --null --no-run-if-empty sha256sum --
}

save() {
  cd "$root"
  printf '%s\n' "$1" >backup.json
  (cd data && checksums) >SHA256SUMS
  tar --create --use-compress-program='gzip --fast' --numeric-owner --sort=name --exclude="data/$aside" \
    backup.json SHA256SUMS data
}

# $1: folder to unpack into; tar refuses names that lead out of it. $2: DATABASES
unpack() {
  tar --extract --gzip --same-permissions --same-owner --numeric-owner --directory "$1"
  for part in backup.json SHA256SUMS data; do
    if [ ! -e "$1/$part" ]; then
      echo "it has no $part" >&2
      exit 1
    fi
  done
  cd "$1/data"
  found=$(mktemp)
  checksums >"$found"
  if ! cmp --silent ../SHA256SUMS "$found"; then
    echo 'these files are not as they were saved:' >&2
    diff ../SHA256SUMS "$found" | sed -n 's/^[<>] [^ ]* [ *]/  /p' | sort --unique | head -n 5 >&2
    exit 1
  fi
  node --no-warnings --input-type=module --eval "$2" >&2
}

check() {
  unpack "$(mktemp --directory)" "$1"
}

stage() {
  if [ -n "$(look)" ]; then
    echo 'what an earlier restore put aside is still there' >&2
    exit 1
  fi
  discard
  mkdir -m 700 "$root/data/$aside" "$root/data/$aside/new"
  trap discard EXIT
  unpack "$root/data/$aside/new" "$1"
  cat "$root/data/$aside/new/backup.json"
  trap - EXIT
}

# Moves what is in folder $1 into folder $2, the folder with what is aside excepted.
move_all() {
  find "$1" -mindepth 1 -maxdepth 1 ! -name "$aside" -exec mv --target-directory="$2" -- {} +
}

# Gives folder $1 owner and mode of folder $2.
like() {
  chown --reference="$2" "$1"
  chmod --reference="$2" "$1"
}

swap() {
  cd "$root/data"
  mkdir "$aside/old.partial"
  like "$aside/old.partial" .
  move_all . "$aside/old.partial"
  mv "$aside/old.partial" "$aside/old"
  move_all "$aside/new/data" .
  like . "$aside/new/data"
  sync --file-system .
}

look() {
  if [ -e "$root/data/$aside/old" ]; then
    echo swapped
  elif [ -e "$root/data/$aside/old.partial" ] || [ -e "$root/data/$aside/old.whole" ]; then
    echo torn
  fi
}

# Each step can be repeated: old.whole says that what is in the data's place is to go, old.partial that it is to stay.
undo() {
  cd "$root/data"
  if [ -e "$aside/old" ]; then
    mv "$aside/old" "$aside/old.whole"
  fi
  if [ -e "$aside/old.whole" ]; then
    find . -mindepth 1 -maxdepth 1 ! -name "$aside" -exec rm -rf -- {} +
    mv "$aside/old.whole" "$aside/old.partial"
  fi
  if [ -e "$aside/old.partial" ]; then
    move_all "$aside/old.partial" .
    like . "$aside/old.partial"
  fi
  discard
}

discard() {
  rm -rf "$root/data/$aside"
}

"$@"

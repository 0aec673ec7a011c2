#!/bin/sh
# data.sh ACTION: works on the gateway's data, which is at /backup/data (DATA_NAME: another name than data). It runs as root
# in a container of its own that is made from the gateway's image, so that neither rights nor tools on the host matter.
#   measure          prints how long all files are together (bytes), what they take on disk (diskBytes), what is free for
#                    a check (freeBytes), and the longest file, one `name=value` a line
#   describe METADATA  writes backup.json (METADATA) and SHA256SUMS beside the data
#   save METADATA    writes a backup to standard output: backup.json, SHA256SUMS and data/ as a gzipped tar
#   check DATABASES  reads a backup from standard input and proves that all of it is there and sound; nothing is kept
#   stage DATABASES  the same, and keeps it beside the data; prints its backup.json
#   swap             puts what is staged in the data's place, and the data aside
#   look             prints "swapped" while data is aside, "torn" where a swap or an undo was cut short
#   undo             puts back what is aside
#   discard          deletes what is staged or aside
# From stage to discard the directory with the data is mounted as a whole. DATABASES is the text of databases.mjs.
set -eu

root=/backup
data=$root/${DATA_NAME:-data}
# Beside the data, because the gateway can write anywhere in it: it could exchange what is staged after the check, or
# fake an interrupted restore there. A move from here into the data is a rename.
aside=$root/.openclaw-kasm-restore

checksums() {
  find . -type f -print0 | LC_ALL=C sort --zero-terminated | xargs --null --no-run-if-empty sha256sum --
}

# Bytes that are free for what is unpacked into a folder. A tenth stays free for others.
free_for() { df --output=avail --block-size=1 "$1" | awk 'NR == 2 { printf "%.0f\n", $1 * 0.9 }'; }

# Bytes that all files of a folder are long together: of a sparse file that is more than it takes on disk.
length_of() { find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f\n", sum }'; }

measure() {
  # The gateway is at work, so files may disappear meanwhile.
  cd "$data"
  echo "bytes=$(length_of . 2>/dev/null)"
  echo "diskBytes=$(du --summarize --block-size=1 . 2>/dev/null | cut -f 1)"
  echo "freeBytes=$(free_for "${TMPDIR:-/tmp}")"
  longest=$(find . -type f -printf '%s %P\0' 2>/dev/null | sort --zero-terminated --numeric-sort --reverse | head --zero-terminated --lines=1 | tr '\000\n' '\n?')
  echo "longest=${longest#* }"
}

describe() {
  cd "$root"
  printf '%s\n' "$1" >backup.json
  (cd data && checksums) >SHA256SUMS
}

save() {
  describe "$1"
  tar --create --sparse --use-compress-program='gzip --fast' --numeric-owner --sort=name backup.json SHA256SUMS data
}

fail() {
  echo "$*" >&2
  exit 1
}

# $1: folder to unpack into; tar refuses names that lead out of it. $2: DATABASES
unpack() {
  free=$(free_for "$1")
  broken=$(mktemp)
  { gzip --decompress --stdout || echo yes >"$broken"; } | head --bytes="$free" |
    tar --extract --same-permissions --same-owner --numeric-owner --directory "$1" || echo yes >"$broken"
  [ ! -s "$broken" ] || fail "it is damaged, or larger than the $free bytes that are free"
  for part in backup.json SHA256SUMS data; do
    [ ! -L "$1/$part" ] || fail "its $part is a link"
  done
  for part in backup.json SHA256SUMS; do
    [ -f "$1/$part" ] || fail "it has no $part"
  done
  [ -d "$1/data" ] || fail 'it has no data'
  [ "$(length_of "$1")" -le "$free" ] || fail "its files are longer than the $free bytes that are free"
  # OpenClaw needs none of these rights, which an account of the host could use.
  find "$1" -type f -perm /6000 -exec chmod u-s,g-s -- {} +
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
    fail 'what an earlier restore put aside is still there'
  fi
  discard
  mkdir -m 700 "$aside" "$aside/new"
  trap discard EXIT
  unpack "$aside/new" "$1"
  cat "$aside/new/backup.json"
  trap - EXIT
}

# Moves what is in folder $1 into folder $2.
move_all() {
  find "$1" -mindepth 1 -maxdepth 1 -exec mv --target-directory="$2" -- {} +
}

# Gives folder $1 owner and mode of folder $2.
like() {
  chown --reference="$2" "$1"
  chmod --reference="$2" "$1"
}

swap() {
  mkdir "$aside/old.partial"
  like "$aside/old.partial" "$data"
  move_all "$data" "$aside/old.partial"
  mv "$aside/old.partial" "$aside/old"
  move_all "$aside/new/data" "$data"
  like "$data" "$aside/new/data"
  sync --file-system "$data"
}

look() {
  if [ -e "$aside/old" ]; then
    echo swapped
  elif [ -e "$aside/old.partial" ] || [ -e "$aside/old.whole" ]; then
    echo torn
  fi
}

# Each step can be repeated: old.whole says that what is in the data's place is to go, old.partial that it is to stay.
undo() {
  if [ -e "$aside/old" ]; then
    mv "$aside/old" "$aside/old.whole"
  fi
  if [ -e "$aside/old.whole" ]; then
    find "$data" -mindepth 1 -maxdepth 1 -exec rm -rf -- {} +
    mv "$aside/old.whole" "$aside/old.partial"
  fi
  if [ -e "$aside/old.partial" ]; then
    move_all "$aside/old.partial" "$data"
    like "$data" "$aside/old.partial"
  fi
  discard
}

discard() {
  rm -rf "$aside"
}

"$@"

# owned-directory.sh: directories that are made for an account. Included by scripts of this folder, not run.
# Directories above one belong to root, because their owner could put a link in its place, which root or Docker follows.
# A directory that was not made by this program keeps its owner, unless it is empty and root's. One of another stack is not
# touched.
#   STACK  name of the stack
# shellcheck shell=sh

. ./paths.sh

is_directory() { [ -d "$1" ] && [ ! -L "$1" ]; }

is_empty() { [ -z "$(ls -A -- "$1")" ]; }

# As `trace`, for a last part that is not to be a link and so is not followed.
trace_directory() {
  trace "${1%/*}"
  above=$real
  real=$real/${1##*/}
  if [ -z "$exposed" ] && [ -d "${above:-/}" ] && ! guards "$above" "$real"; then exposed=${above:-/}; fi
}

# Beside the directory, where its owner can't write: the stack that it is of, and the inode of the directory that was made.
record_of() { echo "${1%/*}/.${1##*/}.openclaw-kasm"; }

# recorded DIRECTORY stack|made
recorded() { sed -n "s/^$2=//p" "$(record_of "$1")" 2>/dev/null || true; }

is_made_here() { [ "$(recorded "$1" made)" = "$(stat -c %i -- "$1")" ]; }

is_of_another_stack() {
  of=$(recorded "$1" stack)
  [ -n "$of" ] && [ "$of" != "$STACK" ]
}

require_own() {
  if is_of_another_stack "$1"; then
    fail "$1 is of stack $of: choose another path or, if that stack is gone, run rm $(record_of "$1")"
  fi
}

# record DIRECTORY INODE
record() {
  if [ "$(recorded "$1" stack) $(recorded "$1" made)" = "$STACK $2" ]; then return; fi
  record=$(record_of "$1")
  rm -f "$record"
  (umask 022 && printf 'stack=%s\nmade=%s\n' "$STACK" "$2" >"$record")
}

# state_of DIRECTORY: prints one line about what is there.
state_of() {
  trace_directory "$1"
  if is_directory "$1"; then
    echo "of $(stat -c %u:%g -- "$1")${exposed:+, exposed by $exposed}"
  elif [ -e "$1" ] || [ -L "$1" ]; then
    echo 'not a directory'
  else
    echo missing
  fi
}

# Earlier versions gave the directory above to the same account. It is recognized by its content, and becomes root's.
take_back() {
  [ -n "$exposed" ] && [ "$exposed" = "$above" ] && [ "$(stat -c %u:%g -- "$above")" = "$1" ] || return 0
  for entry in "$above"/* "$above"/.*; do
    case ${entry##*/} in
      data | shared | '*' | . | ..) ;;
      *) return 0 ;;
    esac
  done
  trace_directory "$above"
  if [ -z "$exposed" ]; then
    chown --no-dereference "$(id -u):$(id -g)" "$real"
    chmod 0755 "$real"
  fi
}

# require_guarded DIRECTORY OWNER: stops unless all above the directory is root's.
require_guarded() {
  trace_directory "$1"
  take_back "$2"
  trace_directory "$1"
  [ -z "$exposed" ] ||
    fail "$exposed belongs to, or can be written by, another account than root, which could replace what is in it: expected $1 to be below directories of root's (chown root:root, chmod go-w), or another path"
}

# Whether a directory's owner may be changed: it was made by this program, or it is as root's mkdir leaves it. An empty directory
# of another account is for that account to write to.
may_be_given() {
  if is_made_here "$1"; then return; fi
  case $(stat -c %u -- "$1") in
    0 | "$self") is_empty "$1" ;;
    *) return 1 ;;
  esac
}

# keep_directory DIRECTORY OWNER MODE: makes it unless it is there, and sets `made` to yes or no.
keep_directory() {
  made=no
  require_guarded "$1" "$2"
  require_own "$1"
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then
    (umask 022 && mkdir -p "${real%/*}")
    mkdir -m "$3" "$real"
    record "$real" "$(stat -c %i -- "$real")"
    # shellcheck disable=SC2034 # for the script that includes this
    made=yes
  fi
  is_directory "$1" || fail "$1 is there already and is not a directory"
  owner=$(stat -c %u:%g -- "$real")
  if [ "$owner" != "$2" ]; then
    may_be_given "$real" ||
      fail "$1 is there already and belongs to $owner, and its owner is not changed: expected an empty directory of root's, one that belongs to $2 (chown $2 $1), or another path"
    chown --no-dereference "$2" "$real"
  fi
  record "$real" "$(recorded "$real" made)"
}

# Deletes the directory if it is empty, and those above it that become empty; one directly below / stays.
remove_empty() {
  path=$1
  if is_of_another_stack "$path"; then return; fi
  if ! is_directory "$path" || is_empty "$path"; then rm -f "$(record_of "$path")"; fi
  while [ "${path%/*}" != "" ] && rmdir "$path" 2>/dev/null; do
    path=${path%/*}
  done
}

# paths.sh: how root works in directories without being led elsewhere. Included by scripts of this folder, not run.
# shellcheck shell=sh

fail() {
  echo "$*" >&2
  exit 1
}

self=$(id -u)
kasm=$(id -u kasm 2>/dev/null) || true

# Checks whether an account could do anything on this host without a trick: root, the script's own account, and KASM's,
# which controls Docker.
is_trusted() {
  case $1 in
    0 | "$self" | "$kasm") ;;
    *) return 1 ;;
  esac
}

# guards DIRECTORY ENTRY: checks that only trusted accounts can replace the entry. In a sticky directory such as /tmp an
# entry is safe from everyone but its owner.
guards() {
  # shellcheck disable=SC2046 # a list of words
  set -- "$2" $(stat -c '%u %g %a' -- "${1:-/}")
  is_trusted "$2" || return 1
  case $3 in
    0 | "$(id -g)") others=02 ;;
    *) others=022 ;;
  esac
  [ $((0$4 & others)) -ne 0 ] || return 0
  [ $((0$4 & 01000)) -ne 0 ] && [ ! -L "$1" ] && [ -e "$1" ] && is_trusted "$(stat -c %u -- "$1")"
}

# Follows path $1 as the kernel does, and sets
#   real     the path without links
#   exposed  the first directory in which another account could replace the next part, or nothing
#   planted  the first part that another account may have put there: a link or a directory below an exposed one
trace() {
  rest=$1 real='' exposed='' planted='' links=0
  while [ -n "$rest" ]; do
    rest=${rest#/}
    part=${rest%%/*}
    rest=${rest#"$part"}
    case $part in
      '' | .) continue ;;
      ..) real=${real%/*} && continue ;;
    esac
    path=$real/$part
    is_safe=yes
    if [ -d "${real:-/}" ] && ! guards "$real" "$path"; then
      is_safe=no
      exposed=${exposed:-${real:-/}}
    fi
    if [ -L "$path" ]; then
      links=$((links + 1))
      if [ "$is_safe" = no ] || [ "$links" -gt 20 ]; then planted=${planted:-$path}; fi
      if [ -n "$planted" ]; then return; fi
      link=$(readlink -- "$path")
      case $link in /*) real= ;; esac
      rest=$link$rest
      case $rest in /*) ;; *) rest=/$rest ;; esac
    else
      real=$path
      if [ "$is_safe" = no ] && [ -e "$path" ] && ! is_trusted "$(stat -c %u -- "$path")"; then planted=${planted:-$path}; fi
    fi
  done
}

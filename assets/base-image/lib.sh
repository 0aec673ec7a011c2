# Shared by ensure.sh, look.sh, remove.sh and build.sh; sourced, not run. These run on the machine of the command, which may be a
# Mac: nothing but POSIX here.
# shellcheck shell=sh

say() { printf 'base-image: %s\n' "$*" >&2; }
die() {
  say "ERROR: $*"
  exit 1
}

# Only names below this prefix are created or removed; tags of other programs stay.
NAME_PREFIX='openclaw-kasm/'

check_ref() {
  case $1 in
    *[!A-Za-z0-9._/:-]*) false ;;
    *) printf '%s\n' "$1" | grep -qE "^${NAME_PREFIX}[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9._-]*\$" ;;
  esac || die "'$1' is not one of this project's image names: expected ${NAME_PREFIX}NAME:TAG"
}

# within SECONDS ARGUMENT...: has Docker do something. DOCKER_COMMAND is "docker", or for another machine's engine
# "ssh ... docker", a command line for a shell. It has to end within so many seconds: a hung engine must not hang us. A server counts them itself, because a Mac has no
# `timeout`. With `replace` set to exec it takes the place of its shell.
within() {
  seconds=$1
  shift
  case ${DOCKER_COMMAND:-docker} in
    'ssh '*)
      # ssh hands its arguments to a shell on the other side.
      line="timeout --kill-after=5 $seconds docker"
      for argument in "$@"; do
        line="$line '$(printf %s "$argument" | sed "s/'/'\\\\''/g")'"
      done
      eval "${replace-} ${DOCKER_COMMAND% docker} \"\$line\""
      ;;
    *)
      set -- "${DOCKER_COMMAND:-docker}" "$@"
      if command -v timeout >/dev/null; then set -- timeout --kill-after=5 "$seconds" "$@"; fi
      ${replace-} "$@"
      ;;
  esac
}

# Questions are short.
engine() { within 20 "$@" </dev/null; }

check_engine() {
  answer=$(engine version --format '{{.Server.Version}}' 2>&1) ||
    die "the Docker engine (${DOCKER_COMMAND:-docker}${DOCKER_HOST:+, $DOCKER_HOST}) does not answer: ${answer:-no answer within 20 s}"
}

has_image() { engine image inspect "$1" >/dev/null 2>&1; }

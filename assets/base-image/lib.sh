# Shared by ensure.sh, look.sh and remove.sh; sourced, not run.
# shellcheck shell=bash

say() { printf 'base-image: %s\n' "$*" >&2; }
die() {
  say "ERROR: $*"
  exit 1
}

# Only names below this prefix are created or removed; tags of other programs stay.
readonly NAME_PREFIX='openclaw-kasm/'

check_ref() {
  local pattern="^${NAME_PREFIX}[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9._-]*\$"
  [[ $1 =~ $pattern ]] || die "'$1' is not one of this project's image names: expected ${NAME_PREFIX}NAME:TAG"
}

# docker_command SECONDS ARGUMENT...: puts into COMMAND what has Docker do something. DOCKER_COMMAND is "docker", or
# "ssh ... docker" for another machine's engine. It has to end within so many seconds: a hung engine must not hang us.
docker_command() {
  local seconds=$1
  shift
  read -ra COMMAND <<<"${DOCKER_COMMAND:-docker}"
  # ssh hands its arguments to a shell on the other side.
  if [[ ${COMMAND[0]} == ssh ]]; then set -- "${@@Q}"; fi
  COMMAND=(timeout --kill-after=5 "$seconds" "${COMMAND[@]}" "$@")
}

# Questions are short.
engine() {
  docker_command 20 "$@"
  "${COMMAND[@]}" </dev/null
}

check_engine() {
  local answer
  answer=$(engine version --format '{{.Server.Version}}' 2>&1) ||
    die "the Docker engine (${DOCKER_COMMAND:-docker}${DOCKER_HOST:+, $DOCKER_HOST}) does not answer: ${answer:-no answer within 20 s}"
}

has_image() { engine image inspect "$1" >/dev/null 2>&1; }

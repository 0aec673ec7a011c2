# Shared by ensure.sh and remove.sh; sourced, not run.
# shellcheck shell=bash

say() { printf 'base-image: %s\n' "$*" >&2; }
die() {
  say "ERROR: $*"
  exit 1
}

# Only names below this are ever created or removed: nobody else's tag is touched.
readonly NAME_PREFIX='openclaw-kasm/'

check_ref() {
  local pattern="^${NAME_PREFIX}[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9._-]*\$"
  [[ $1 =~ $pattern ]] || die "'$1' is not one of this project's image names: expected ${NAME_PREFIX}NAME:TAG"
}

# A hung engine must not hang us; every question to it is short.
engine() { timeout --kill-after=5 20 docker "$@"; }

check_engine() {
  command -v docker >/dev/null || die 'docker is not on PATH'
  local answer
  answer=$(engine version --format '{{.Server.Version}}' 2>&1) ||
    die "the Docker engine${DOCKER_HOST:+ at $DOCKER_HOST} does not answer: ${answer:-no answer within 20 s}"
}

has_image() { engine image inspect "$1" >/dev/null 2>&1; }

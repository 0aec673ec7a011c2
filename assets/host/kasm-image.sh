#!/bin/sh
# kasm-image.sh apply|look|remove: the names of an image that was built on this Docker, and its end.
#   IMAGE    name:tag that it was built under
#   LATEST   name:tag by which it is known whatever its version
#   PUSHED   name:tag in a registry, or nothing
#   LABEL    key=value that all versions of this image carry: older ones go when a new one comes
# An image that a container still uses, running or not, is kept and named on standard error.
set -eu

fail() {
  echo "$*" >&2
  exit 1
}

id_of() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

# Of whatever version.
images() { docker image ls --quiet --no-trunc --filter "label=$LABEL" | sort -u; }

look() {
  id=$(id_of "$IMAGE")
  latest='not this one'
  # shellcheck disable=SC2153 # the script's own variables come over standard input
  if [ -n "$id" ] && [ "$(id_of "$LATEST")" = "$id" ] && [ "$(id_of "${PUSHED:-$IMAGE}")" = "$id" ]; then
    latest='this one'
  fi
  echo "image: ${id:+there}; latest: $latest"
}

# Takes an image away by its id, or says who uses it.
end_image() {
  names=$(docker image inspect --format '{{range .RepoTags}}{{.}} {{end}}' "$1")
  own=
  for name in $names; do
    case /$name in
      */"${LATEST%:*}":*) own="$own$name " ;;
    esac
  done
  # A label is inherited: an image that was built on this one has it too, and a name of its own.
  if [ -n "$names" ] && [ -z "$own" ]; then return; fi

  # By their ids: KASM puts its users' names into those of its containers, and logs of workflows are for more people.
  users=$(docker ps --all --filter "ancestor=$1" --format '{{.ID}}' | tr '\n' ' ')
  if [ -n "$users" ]; then
    echo "The image ${own:-$1 }is kept, because these containers still use it: $users" >&2
    echo "Once they are gone: docker image rm ${own:-$1}" >&2
    return
  fi
  # shellcheck disable=SC2086 # a list of words
  docker image rm ${own:-$1} >/dev/null
}

# stack_of IMAGE: prints the stack that the image names by its label, or nothing.
stack_of() {
  owner=$(docker image inspect --format "{{with .Config.Labels}}{{index . \"${LABEL%%=*}\"}}{{end}}" "$1")
  echo "${owner%%/*}"
}

# LATEST may be an image of another stack, and its tiles start it, or one of another program.
apply() {
  if [ -n "$(id_of "$LATEST")" ]; then
    mine=${LABEL#*=}
    of=$(stack_of "$LATEST")
    case $of in
      "${mine%%/*}") ;;
      '') fail "The image $LATEST was not created by this stack: change openclaw:kasmImage.name" ;;
      *) fail "The image $LATEST is of stack $of: change openclaw:kasmImage.name" ;;
    esac
  fi
  docker image tag "$IMAGE" "$LATEST"
  if [ -n "$PUSHED" ]; then docker image tag "$IMAGE" "$PUSHED"; fi
  id=$(id_of "$IMAGE")
  for other in $(images); do
    if [ "$other" != "$id" ]; then end_image "$other"; fi
  done
  look
}

remove() {
  id=$(id_of "$IMAGE")
  if [ -n "$id" ] && [ "$(id_of "$LATEST")" = "$id" ]; then docker image rm "$LATEST" >/dev/null; fi
  for each in $(images); do end_image "$each"; done
}

case $1 in
  apply) apply ;;
  look) look ;;
  remove) remove ;;
esac

#!/bin/sh
# kasm-image.sh apply|look|remove: the names of an image that was built on this Docker, and its end.
#   IMAGE    name:tag that it was built under
#   LATEST   name:tag by which it is known whatever its version
#   PUSHED   name:tag in a registry, or nothing
#   LABEL    key=value that all versions of this image carry: older ones go when a new one comes
# An image that a container still uses, running or not, is kept and named on standard error.
set -eu

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

# LATEST may be of another stack, and its tiles start it.
apply() {
  other=$(docker image inspect --format "{{with .Config.Labels}}{{index . \"${LABEL%%=*}\"}}{{end}}" "$LATEST" 2>/dev/null) || other=
  mine=${LABEL#*=}
  if [ -n "$other" ] && [ "${other%%/*}" != "${mine%%/*}" ]; then
    echo "The image $LATEST is of stack ${other%%/*}: change openclaw:kasmImage.name" >&2
    exit 1
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

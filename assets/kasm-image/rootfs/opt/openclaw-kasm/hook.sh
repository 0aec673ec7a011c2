#!/usr/bin/env bash
# Takes the place of each of KASM's hooks that run while a session ends; KASM's own stands beside it as NAME.kasm.sh. Such a hook
# copies the home, or is the last thing that runs before the container is killed: gateway and browser are at rest before it begins.
# custom_startup.sh itself goes on: under DLP_PROCESS_FAIL_SECURE its end would end the session, and the copy with it.
readonly HOOKS=/tmp/openclaw-kasm-1000/hooks
readonly KASMS_OWN=${0%.sh}.kasm.sh
as_user=()
# In a folder of the user's, root would follow the user's links.
if ((UID == 0)); then as_user=(setpriv --reuid=1000 --regid=1000 --clear-groups); fi

"${as_user[@]}" /opt/openclaw-kasm/ask-for-rest "$$"
status=0
if [[ -f $KASMS_OWN ]]; then
  "$KASMS_OWN" "$@"
  status=$?
fi
# The session goes on when a hook fails.
if ((status != 0)); then "${as_user[@]}" rm -f "$HOOKS/rests-$$"; fi
exit "$status"

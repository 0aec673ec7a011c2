# shellcheck shell=bash
# Sourced by KASM's scripts in place of the user's ~/.bashrc. They do that under "set -e" and end the session at the first failed
# command, and as the home is kept, each session after it as well. Whoever sources this adds "|| true".
openclaw_kasm_options=$(set +o)
# In a child first: what is no script, exits, hangs or becomes another program there is left out here.
# shellcheck disable=SC2016 # for the child
timeout --kill-after 1 10 bash -c 'bash -n "$HOME/.bashrc" || exit 1; source "$HOME/.bashrc"; exit 42' </dev/null >/dev/null 2>&1
if [[ $? -eq 42 ]]; then
  # shellcheck source=/dev/null
  source "$HOME/.bashrc"
else
  echo 'openclaw: ~/.bashrc does not come to its end and is left out' >&2
  # What KASM's own .bashrc does: it gives the user a name.
  # shellcheck source=/dev/null
  source "$STARTUPDIR/generate_container_user"
fi
eval "$openclaw_kasm_options"
unset openclaw_kasm_options

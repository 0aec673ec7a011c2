# shellcheck shell=bash
# Sourced by KASM's scripts in place of the user's ~/.bashrc. They do that under "set -e" and end the session at the first failed
# command, and as the home is kept, each session after it as well. Whoever sources this adds "|| true".
#
# A child reads the file, and its variables are taken over. What else it does to a shell stays in the child: an exit, traps,
# options, functions, another folder; and so does what is no script, hangs or becomes another program.
openclaw_kasm_variables=$(mktemp)
# shellcheck disable=SC2016 # for the child
timeout --kill-after 1 10 bash -c 'bash -n "$HOME/.bashrc" || exit 1
  set -a
  source "$HOME/.bashrc"
  /usr/bin/env -0 >"$0"' "$openclaw_kasm_variables" </dev/null >/dev/null 2>&1
if [[ -s $openclaw_kasm_variables ]]; then
  while IFS='=' read -r -d '' openclaw_kasm_name openclaw_kasm_value; do
    case $openclaw_kasm_name in
      # Those of the shell itself, and those that have each script read a file first or lead elsewhere.
      BASH* | CDPATH | ENV | EUID | GLOBIGNORE | HOME | IFS | OLDPWD | POSIXLY_CORRECT | PPID | PWD | SHELLOPTS | SHLVL | STARTUPDIR | TMOUT | UID | _) ;;
      # Whatever comes first for the user, the system's programs are still found.
      PATH) if [[ :$openclaw_kasm_value: == *":$PATH:"* ]]; then PATH=$openclaw_kasm_value; else PATH=$openclaw_kasm_value:$PATH; fi ;;
      [!A-Za-z_]* | *[!A-Za-z0-9_]*) ;;
      *) export "$openclaw_kasm_name=$openclaw_kasm_value" ;;
    esac
  done <"$openclaw_kasm_variables"
else
  echo 'openclaw: ~/.bashrc does not come to its end and is left out' >&2
  # What KASM's own .bashrc does: it gives the user a name.
  # shellcheck source=/dev/null
  source "$STARTUPDIR/generate_container_user"
fi
rm -f "$openclaw_kasm_variables"
unset openclaw_kasm_variables openclaw_kasm_name openclaw_kasm_value

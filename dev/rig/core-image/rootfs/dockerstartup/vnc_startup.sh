#!/bin/bash
# Process 1 of a session: X server, desktop, /dockerstartup/custom_startup.sh in the background, and a watch over them with
# the real one's habits: it does not start custom_startup.sh again, and at SIGTERM signals its last child and is gone at once.
set -e

declare -A KASM_PROCS

cleanup() {
  kill -s SIGTERM $!
  exit 0
}
trap cleanup SIGINT SIGTERM SIGQUIT SIGHUP ERR

start_vnc() {
  mkdir -p "$HOME/.vnc"
  rm -rf /tmp/.X1-lock /tmp/.X11-unix/X1
  Xtigervnc "$DISPLAY" -geometry "$VNC_RESOLUTION" -depth "$VNC_COL_DEPTH" -rfbport "$VNC_PORT" -SecurityTypes None \
    -localhost -desktop kasm >"$HOME/.vnc/kasm$DISPLAY.log" 2>&1 &
  KASM_PROCS['kasmvnc']=$!
  until xset q >/dev/null 2>&1; do sleep 0.2; done
  xset -dpms
  xset s off
}

start_window_manager() {
  /usr/bin/startxfce4 --replace >"$HOME/.vnc/desktop.log" 2>&1 &
  KASM_PROCS['window_manager']=$!
}

start_web_server() {
  python3 /dockerstartup/web_server.py &
  KASM_PROCS['kasm_web']=$!
}

# Where a loader of profiles is set; /profiles plays the store.
pull_profile() {
  if [ -n "${KASM_PROFILE_LDR:-}" ] && [ -f /profiles/profile.tar.gz ]; then
    tar --extract --gzip --file /profiles/profile.tar.gz --directory "$HOME"
  fi
}

custom_startup() {
  local script=/dockerstartup/custom_startup.sh
  [ -f "$script" ] || return 0
  if [ ! -x "$script" ]; then
    echo "$script: not executable, exiting"
    exit 1
  fi
  "$script" &
  KASM_PROCS['custom_startup']=$!
}

eval "export $(dbus-launch)"
pull_profile
if [ -f "$HOME"/.bashrc ]; then
  # shellcheck source=/dev/null
  source "$HOME"/.bashrc
fi
start_vnc
start_window_manager
start_web_server
custom_startup

sleep 3
while :; do
  for process in "${!KASM_PROCS[@]}"; do
    if ! kill -0 "${KASM_PROCS[$process]}"; then
      if [ "${DLP_PROCESS_FAIL_SECURE:-0}" = 1 ]; then exit 1; fi
      case $process in
        kasmvnc) start_vnc ;;
        window_manager) start_window_manager ;;
        custom_script) custom_startup ;;
        *) echo "Unknown Service: $process" ;;
      esac
    fi
  done
  sleep 3
done

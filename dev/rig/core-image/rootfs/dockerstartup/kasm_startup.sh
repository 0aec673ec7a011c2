#!/usr/bin/env bash
# The last of the chain; vnc_startup.sh never gets to it.
exec sleep infinity

#!/bin/sh
# Puts a web server that is ready in the place of one that serves, and ends that one:
#   replace.sh /run/open-wallet/a.sock /run/open-wallet/a-2.sock [PID OF THE OLD ONE]
# nginx knows the link alone. It changes in one step; the old server answers what it has taken, and is told to stop only
# when nothing can be on its way to it any more.
set -eu
link=${1:?give the link that nginx connects to}
socket=${2:?give the socket of the new server}
old=${3:-}
ln -sfn -- "$socket" "$link.new"
mv -fT -- "$link.new" "$link"
[ -n "$old" ] || exit 0
sleep 2
kill -TERM "$old"
while kill -0 "$old" 2>/dev/null; do sleep 0.2; done

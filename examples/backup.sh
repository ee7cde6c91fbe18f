#!/bin/sh
# Saves a NAS's configuration, and keeps the newest of those saved before. For cron:
#
#   15 3 * * * NAS_URI=wss://nas.example/api/current NAS_USER=backup NAS_KEY=/root/nas.key /opt/backup.sh /var/backups/nas
#
# NAS_KEY is a file (mode 0600) with an API key. Without the three it is the NAS that this runs on.
# Exit codes: 0 it is saved; 1 it is not, and what was there is as it was; 2 wrong usage.
set -eu

if [ $# -lt 1 ]; then
  echo 'usage: backup.sh DIRECTORY [KEEP]' >&2
  exit 2
fi
directory=$1
keep=${2:-14}

set --
[ -z "${NAS_URI:-}" ] || set -- "$@" -u "$NAS_URI"
[ -z "${NAS_USER:-}" ] || set -- "$@" -U "$NAS_USER"
[ -z "${NAS_KEY:-}" ] || set -- "$@" -K "$NAS_KEY"

umask 077
mkdir -p "$directory"
# A file gets its name when it is whole. Names sort by date.
file=$directory/config-$(date -u +%Y%m%dT%H%M%SZ).tar
midclt "$@" -d download -q config.save '{"secretseed": true}' -o "$file" || exit 1
echo "saved $file"

# From the newest on; those behind the ones to keep go.
for old in $(cd "$directory" && ls -r config-*.tar | tail -n "+$((keep + 1))"); do
  rm -- "$directory/$old"
  echo "removed $directory/$old"
done

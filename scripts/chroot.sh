#!/bin/sh
# Makes a small system of the distribution that this machine has, for the tests of the package: chroot.sh FILE. Nothing is done
# if it is there. The file is an archive of tar; the system has consumers and a module, and nothing of p11mux.
set -eu

to=${1:?"usage: chroot.sh FILE"}
[ ! -e "$to" ] || exit 0

. /etc/os-release
mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' | awk -v name="$VERSION_CODENAME" '$1 == name { print $2; exit }')
components=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
	awk -v name="$VERSION_CODENAME" '$1 == name && !seen[$2]++ { printf "%s%s", sep, $2; sep = "," }')
if [ -z "$mirror" ]; then
	echo "chroot: apt-get knows no mirror of $VERSION_CODENAME; run apt-get update" >&2
	exit 1
fi
root=
[ "$(id -u)" = 0 ] || root=sudo

echo "chroot: making $to from $mirror" >&2
mkdir -p "$(dirname "$to")"
system=$(mktemp -d)
trap '$root rm -rf "$system"' EXIT
$root debootstrap --variant=minbase --components="$components" --include=softhsm2,gnutls-bin,p11-kit,p11-kit-modules \
	"$VERSION_CODENAME" "$system" "$mirror" >&2
# Packages as they came are of no use any more.
$root find "$system/var/cache/apt/archives" -type f -delete
$root tar -C "$system" -cf - . > "$to.new"
mv "$to.new" "$to"

#!/bin/sh
# Installs the Debian packages that the tests need, and only those that are missing.
# Says nothing when everything is there, so it can be run before every "make test".
set -eu

# package                 why the tests need it
packages='
gcc                       builds the C programs; brings the address and undefined-behaviour sanitizers
g++                       compiles the public headers as C++
libc6-dev                 C headers
make                      builds everything
pkg-config                finds the headers of the reference library
libgnutls28-dev           headers, for a Go program that links GnuTLS
libp11-kit-dev            headers, and the reference library the results are compared with
p11-kit                   p11-kit and trust, its command line tools
p11-kit-modules           the reference proxy and client modules
softhsm2                  a complete PKCS#11 module with keys in files
opensc                    pkcs11-tool, a foreign consumer of modules
openssh-client            ssh-keygen and ssh-agent, which are consumers of the proxy; ssh, for tokens on other machines
libwrap0                  for the program of openssh-server, see below
libnss3-tools             modutil and certutil, consumers on NSS
openssl                   a consumer with its PKCS#11 engine
libengine-pkcs11-openssl  that engine
gnutls-bin                p11tool, certtool, gnutls-cli and gnutls-serv, consumers of URIs and PINs
openconnect               a consumer on GnuTLS
systemd                   systemd-cryptenroll, which opens the library at run time
libtalloc2                for the program of sssd, see below
libdhash1                 for the same
libpopt0                  for the same
libgnutls28-dev           C programs with two consumers in one process: GnuTLS,
libnss3-dev               NSS,
libgck-1-dev              libgck,
libgcr-base-3-1           and libgcr
valgrind                  watches what those do to memory
ca-certificates           certificates for the trust module
default-jre-headless      keytool, a consumer on the provider of Java
chromium                  shows the page of trace report, for test/browser
mandoc                    reads man pages
bash-completion           has bash read completions from where they are installed
zsh                       completes too
fish                      completes too
debhelper                 builds the package
debootstrap               makes the small system that the package is installed into
util-linux                unshare and mount, for programs that are to see another system; as an ordinary user too
'

# These are unpacked into build/unpacked and not installed: to install sssd changes who may log in to this machine, and to install
# sshd has it listen.
unpacked='sssd-common openssh-server'
unpack=$(cd "$(dirname "$0")/.." && pwd)/build/unpacked

missing=$(printf '%s\n' "$packages" | while read -r name why; do
	[ -n "$name" ] || continue
	state=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || true)
	[ "$state" = installed ] || printf '%s ' "$name"
done)
packed=$(for name in $unpacked; do
	[ -d "$unpack/$name" ] || printf '%s ' "$name"
done)
[ -n "$missing$packed" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "install-test-deps: no apt-get here; install by hand what provides: $missing$packed" >&2
	exit 1
fi
if [ "$(id -u)" = 0 ]; then
	root=
elif command -v sudo >/dev/null 2>&1; then
	root='sudo'
else
	echo "install-test-deps: neither root nor sudo; as root run: apt-get install $missing" >&2
	exit 1
fi

echo "install-test-deps: installing $missing$packed" >&2
$root apt-get update -q >&2
if [ -n "$missing" ]; then
	# Word splitting is wanted: $missing is a list of package names.
	# shellcheck disable=SC2086
	$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi
for name in $packed; do
	rm -rf "$unpack/$name.new"
	mkdir -p "$unpack/$name.new"
	(cd "$unpack/$name.new" && apt-get download -q "$name" >&2 && dpkg-deb -x ./*.deb . && rm ./*.deb)
	mv "$unpack/$name.new" "$unpack/$name"
done
